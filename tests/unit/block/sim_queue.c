// SPDX-License-Identifier: MIT
#include "sim_queue.h"

#include <string.h>

#include "base/check.h"

static uint64_t random_next(struct sim_queue *queue)
{
	uint64_t z = queue->random += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	return z ^ (z >> 27);
}

static uint64_t digest(const struct block_request *request)
{
	uint64_t hash = 1;
	for (size_t i = 0; i < request->count.n * BLOCK_BYTES; i += sizeof(hash)) {
		uint64_t word = 0;
		memcpy(&word, request->bytes + i, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	}
	return hash;
}

static bool overlap(const struct block_request *a, const struct block_request *b)
{
	return a->first.n < b->first.n + b->count.n && b->first.n < a->first.n + a->count.n;
}

static void most(uint32_t *most_so_far, uint32_t now)
{
	*most_so_far = now > *most_so_far ? now : *most_so_far;
}

static void look_at_new(struct sim_queue *queue, struct sim_flight *flight)
{
	const struct block_request *request = flight->request;
	switch (request->kind) {
	case BLOCK_REQUEST_READ:
		memset(request->bytes, 0xa5, request->count.n * BLOCK_BYTES);
		most(&queue->reads_in_flight_most, ++queue->reads_in_flight);
		break;
	case BLOCK_REQUEST_WRITE:
		for (uint32_t i = 0; i < queue->count; i++) {
			CHECK(queue->flights[i].request->kind != BLOCK_REQUEST_WRITE ||
			      !overlap(queue->flights[i].request, request));
		}
		flight->digest = digest(request);
		most(&queue->writes_in_flight_most, ++queue->writes_in_flight);
		break;
	case BLOCK_REQUEST_FLUSH: flight->completed = queue->disk->pending_count; break;
	case BLOCK_REQUEST_DISCARD: break;
	}
}

static enum status sim_submit(void *context, struct block_request *request)
{
	struct sim_queue *queue = context;
	if (queue->count == queue->device.queue_depth) {
		return STATUS_BUSY;
	}
	struct sim_flight flight = {.request = request, .held = queue->holds};
	look_at_new(queue, &flight);
	queue->flights[queue->count++] = flight;
	queue->submits++;
	return STATUS_OK;
}

static void sim_kick(void *context)
{
	struct sim_queue *queue = context;
	queue->kicks++;
	for (uint32_t i = 0; i < queue->count; i++) {
		queue->flights[i].kicked = true;
	}
}

static enum status carry_out(struct sim_queue *queue, const struct sim_flight *flight)
{
	const struct block_request *request = flight->request;
	void *disk = queue->disk;
	switch (request->kind) {
	case BLOCK_REQUEST_READ:
		queue->reads_in_flight--;
		return queue->sync->read(disk, request->first, request->count, request->bytes);
	case BLOCK_REQUEST_WRITE:
		queue->writes_in_flight--;
		CHECK(flight->digest == digest(request));
		return queue->sync->write(disk, request->first, request->count, request->bytes);
	case BLOCK_REQUEST_FLUSH:
		queue->disk->flush_covers = flight->completed;
		return queue->sync->flush(disk);
	case BLOCK_REQUEST_DISCARD: break;
	}
	return STATUS_OK;
}

static bool is_ready(const struct sim_flight *flight)
{
	return flight->kicked && !flight->held;
}

static enum status sim_reap(void *context, bool wait, struct block_request **completed)
{
	struct sim_queue *queue = context;
	uint32_t ready = 0;
	for (uint32_t i = 0; i < queue->count; i++) {
		ready += is_ready(&queue->flights[i]) ? 1u : 0u;
	}
	/* Who waits for what was never announced would wait for ever. */
	CHECK(!wait || queue->count == 0 || ready != 0);
	if (ready == 0 || (!wait && random_next(queue) % queue->delay != 0)) {
		return STATUS_AGAIN;
	}
	uint32_t chosen = queue->in_order ? 0 : (uint32_t)(random_next(queue) % ready);
	uint32_t at = 0;
	for (; !is_ready(&queue->flights[at]) || chosen > 0; at++) {
		chosen -= is_ready(&queue->flights[at]) ? 1u : 0u;
	}
	struct sim_flight flight = queue->flights[at];
	queue->count--;
	memmove(&queue->flights[at], &queue->flights[at + 1],
		(queue->count - at) * sizeof(queue->flights[0]));
	flight.request->status = carry_out(queue, &flight);
	*completed = flight.request;
	return STATUS_OK;
}

static const struct block_queue_ops queue_ops = {
	.submit = sim_submit,
	.kick = sim_kick,
	.reap = sim_reap,
};

static enum status alone_read(void *context, struct physical_block first, struct block_count count,
			      uint8_t *out)
{
	struct sim_queue *queue = context;
	CHECK(queue->count == 0);
	return queue->sync->read(queue->disk, first, count, out);
}

static enum status alone_write(void *context, struct physical_block first, struct block_count count,
			       const uint8_t *bytes)
{
	struct sim_queue *queue = context;
	CHECK(queue->count == 0);
	return queue->sync->write(queue->disk, first, count, bytes);
}

static enum status alone_flush(void *context)
{
	struct sim_queue *queue = context;
	CHECK(queue->count == 0);
	return queue->sync->flush(queue->disk);
}

static const struct block_device_ops alone_ops = {
	.read = alone_read,
	.write = alone_write,
	.flush = alone_flush,
};

void sim_queue_release(struct sim_queue *queue)
{
	for (uint32_t i = 0; i < queue->count; i++) {
		queue->flights[i].held = false;
	}
}

void sim_queue_cut(struct sim_queue *queue)
{
	for (uint32_t i = 0; i < queue->count; i++) {
		const struct block_request *request = queue->flights[i].request;
		if (request->kind == BLOCK_REQUEST_WRITE && random_next(queue) % 2 == 0) {
			(void)queue->sync->write(queue->disk, request->first, request->count,
						 request->bytes);
		}
	}
	queue->count = 0;
	queue->reads_in_flight = 0;
	queue->writes_in_flight = 0;
}

void sim_queue_init(struct sim_queue *queue, struct sim_disk *disk, uint32_t depth, uint64_t seed)
{
	CHECK(depth <= SIM_QUEUE_DEPTH_MAX);
	*queue = (struct sim_queue){
		.disk = disk,
		.device = disk->device,
		.sync = disk->device.ops,
		.delay = 3,
		.random = seed,
	};
	queue->device.ops = &alone_ops;
	queue->device.queue = &queue_ops;
	queue->device.queue_depth = depth;
	queue->device.context = queue;
}
