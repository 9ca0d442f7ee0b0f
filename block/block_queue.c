// SPDX-License-Identifier: MIT
/* Requests wait in `unsent` while the device is full, are the device's while in flight, and end in
 * `finished`, unless they are writes of our own or the one that a synchronous call waits for. */
#include "block/block_queue.h"

#include <string.h>

#include "base/check.h"

/* ---- Lists --------------------------------------------------------------------------------- */

static void list_append(struct block_queue_list *list, struct block_request *request)
{
	request->next = NULL;
	if (list->first == NULL) {
		list->first = request;
	} else {
		list->last->next = request;
	}
	list->last = request;
}

static struct block_request *list_take(struct block_queue_list *list)
{
	struct block_request *request = list->first;
	if (request != NULL) {
		list->first = request->next;
		request->next = NULL;
	}
	return request;
}

/* ---- To and from the device ---------------------------------------------------------------- */

static void finish(struct block_queue *queue, struct block_request *request, enum status status)
{
	request->status = status;
	if (request->owner == queue) {
		/* The request is the first member of its write. */
		struct block_queue_write *write = (struct block_queue_write *)(void *)request;
		write->state = BLOCK_QUEUE_WRITE_FREE;
		queue->writes_sent--;
		if (queue->write_failure == STATUS_OK) {
			queue->write_failure = status;
		}
	} else if (request == &queue->sync) {
		queue->sync_waits = false;
	} else {
		list_append(&queue->finished, request);
	}
}

static enum status carry_out(const struct block_device *device, const struct block_request *request)
{
	switch (request->kind) {
	case BLOCK_REQUEST_READ:
		return block_read(device, request->first, request->count, request->bytes);
	case BLOCK_REQUEST_WRITE:
		return block_write(device, request->first, request->count, request->bytes);
	case BLOCK_REQUEST_FLUSH: return block_flush(device);
	case BLOCK_REQUEST_DISCARD: break; /* A hint. */
	}
	return STATUS_OK;
}

static bool can_flush(const struct block_queue *queue)
{
	return queue->flush != NULL && queue->writes_sent == 0;
}

/* Give the device what it takes. */
static void push(struct block_queue *queue)
{
	while (queue->unsent.first != NULL) { /* Each turn takes one away or ends it. */
		struct block_request *request = queue->unsent.first;
		enum status status = block_submit(queue->device, request);
		if (status == STATUS_BUSY && queue->in_flight != 0) {
			return;
		}
		(void)list_take(&queue->unsent);
		if (status != STATUS_OK) {
			finish(queue, request, status);
			continue;
		}
		queue->needs_kick = true;
		queue->in_flight++;
		queue->counters.requests++;
		if (queue->in_flight > queue->counters.in_flight_most) {
			queue->counters.in_flight_most = queue->in_flight;
		}
	}
}

static void send(struct block_queue *queue, struct block_request *request)
{
	if (queue->device->queue == NULL) {
		finish(queue, request, carry_out(queue->device, request));
		return;
	}
	list_append(&queue->unsent, request);
	push(queue);
}

/* The port's flush covers writes that have completed, so it is held back until all have. */
static void flush_send(struct block_queue *queue)
{
	while (can_flush(queue)) { /* Once. */
		struct block_request *request = queue->flush;
		queue->flush = NULL;
		if (queue->write_failure != STATUS_OK) {
			finish(queue, request, queue->write_failure);
		} else {
			send(queue, request);
		}
	}
}

void block_queue_kick(struct block_queue *queue)
{
	if (queue->needs_kick) {
		queue->needs_kick = false;
		queue->counters.kicks++;
		block_kick(queue->device);
	}
}

static bool reap_one(struct block_queue *queue, bool wait)
{
	struct block_request *request = NULL;
	if (queue->in_flight == 0) {
		return false;
	}
	if (wait) {
		block_queue_kick(queue);
	}
	enum status status = block_reap(queue->device, wait, &request);
	/* The port's promise: with a request in flight, a wait ends with a completion. */
	CHECK(status == STATUS_OK || (status == STATUS_AGAIN && !wait));
	if (status != STATUS_OK) {
		return false;
	}
	queue->in_flight--;
	finish(queue, request, request->status);
	push(queue);
	flush_send(queue);
	return true;
}

void block_queue_send(struct block_queue *queue)
{
	push(queue);
	flush_send(queue);
	block_queue_kick(queue);
}

bool block_queue_reap(struct block_queue *queue)
{
	return reap_one(queue, false);
}

/* A flush that is held back is sent by the completion that it waits for, and may complete at once
 * when the device is dead, so a wait looks at `finished` first. */
void block_queue_poll(struct block_queue *queue, bool wait)
{
	block_queue_send(queue);
	while (reap_one(queue, false)) { /* Ends: a completion is one less in flight, and what takes
					    its place has not been kicked. */
	}
	if (wait && queue->finished.first == NULL) {
		(void)reap_one(queue, true);
	}
	block_queue_kick(queue);
}

struct block_request *block_queue_next(struct block_queue *queue)
{
	return list_take(&queue->finished);
}

bool block_queue_is_idle(const struct block_queue *queue)
{
	return queue->in_flight == 0 && queue->unsent.first == NULL && queue->flush == NULL &&
	       queue->finished.first == NULL;
}

/* ---- Requests ------------------------------------------------------------------------------ */

void block_queue_read(struct block_queue *queue, struct block_request *request)
{
	request->kind = BLOCK_REQUEST_READ;
	send(queue, request);
}

void block_queue_flush(struct block_queue *queue, struct block_request *request)
{
	CHECK(queue->flush == NULL);
	request->kind = BLOCK_REQUEST_FLUSH;
	request->bytes = NULL;
	queue->flush = request;
	flush_send(queue);
}

/* ---- Writes -------------------------------------------------------------------------------- */

static bool overlaps(const struct block_request *request, uint64_t first, uint64_t count)
{
	return first < request->first.n + request->count.n && request->first.n < first + count;
}

/* Writes may complete in any order, and reads may pass them. */
static void overlapping_wait(struct block_queue *queue, uint64_t first, uint64_t count)
{
	for (uint32_t i = 0; i < queue->write_count; i++) {
		struct block_queue_write *write = &queue->writes[i];
		while (write->state == BLOCK_QUEUE_WRITE_SENT &&
		       overlaps(&write->request, first, count)) {
			(void)reap_one(queue, true); /* In flight: there is one. */
		}
	}
}

uint8_t *block_queue_room(struct block_queue *queue)
{
	/* Rather the buffer that has just been written than the next one: it is in the cache. Ends:
	 * each turn is one less in flight. */
	while (reap_one(queue, false)) {
	}
	for (;;) { /* Ends: fewer are lent than there are, the others come back. */
		uint32_t sent = 0;
		for (uint32_t i = 0; i < queue->write_count; i++) {
			struct block_queue_write *write = &queue->writes[i];
			if (write->state == BLOCK_QUEUE_WRITE_FREE) {
				write->state = BLOCK_QUEUE_WRITE_LENT;
				return write->bytes;
			}
			sent += write->state == BLOCK_QUEUE_WRITE_SENT ? 1u : 0u;
		}
		CHECK(sent != 0);
		(void)reap_one(queue, true);
	}
}

static struct block_queue_write *write_of(struct block_queue *queue, const uint8_t *room)
{
	size_t index = (size_t)(room - queue->writes[0].bytes) / BLOCK_QUEUE_WRITE_BYTES;
	CHECK(index < queue->write_count && queue->writes[index].state == BLOCK_QUEUE_WRITE_LENT);
	return &queue->writes[index];
}

enum status block_queue_write(struct block_queue *queue, uint8_t *room, struct physical_block first,
			      struct block_count count)
{
	struct block_queue_write *write = write_of(queue, room);
	if (queue->write_failure != STATUS_OK) {
		write->state = BLOCK_QUEUE_WRITE_FREE;
		return queue->write_failure;
	}
	overlapping_wait(queue, first.n, count.n);
	write->request = (struct block_request){
		.kind = BLOCK_REQUEST_WRITE,
		.first = first,
		.count = count,
		.bytes = room,
		.owner = queue,
	};
	write->state = BLOCK_QUEUE_WRITE_SENT;
	queue->writes_sent++;
	send(queue, &write->request);
	return queue->write_failure;
}

const uint8_t *block_queue_find(const struct block_queue *queue, struct physical_block block)
{
	for (uint32_t i = 0; queue->writes_sent != 0 && i < queue->write_count; i++) {
		const struct block_queue_write *write = &queue->writes[i];
		if (write->state == BLOCK_QUEUE_WRITE_SENT &&
		    overlaps(&write->request, block.n, 1)) {
			return write->bytes + (block.n - write->request.first.n) * BLOCK_BYTES;
		}
	}
	return NULL;
}

/* ---- The synchronous face ------------------------------------------------------------------ */

static enum status sync_run(struct block_queue *queue, enum block_request_kind kind,
			    struct physical_block first, struct block_count count, uint8_t *out)
{
	struct block_request *request = &queue->sync;
	*request =
		(struct block_request){.kind = kind, .first = first, .count = count, .bytes = out};
	queue->sync_waits = true;
	if (kind == BLOCK_REQUEST_FLUSH) {
		block_queue_flush(queue, request);
	} else {
		send(queue, request);
	}
	while (queue->sync_waits) { /* It is in flight, or waits for what is. */
		(void)reap_one(queue, true);
	}
	return request->status;
}

static enum status face_read(void *context, struct physical_block first, struct block_count count,
			     uint8_t *out)
{
	struct block_queue *queue = context;
	overlapping_wait(queue, first.n, count.n);
	return sync_run(queue, BLOCK_REQUEST_READ, first, count, out);
}

static enum status face_write(void *context, struct physical_block first, struct block_count count,
			      const uint8_t *bytes)
{
	struct block_queue *queue = context;
	enum status status = STATUS_OK;
	for (uint64_t at = 0; at < count.n && status == STATUS_OK; at += BLOCK_QUEUE_WRITE_BLOCKS) {
		uint8_t *room = block_queue_room(queue);
		struct block_count piece = {count.n - at};
		if (piece.n > BLOCK_QUEUE_WRITE_BLOCKS) {
			piece.n = BLOCK_QUEUE_WRITE_BLOCKS;
		}
		memcpy(room, bytes + at * BLOCK_BYTES, (size_t)piece.n * BLOCK_BYTES);
		status = block_queue_write(queue, room, (struct physical_block){first.n + at},
					   piece);
	}
	return status;
}

static enum status face_flush(void *context)
{
	return sync_run(context, BLOCK_REQUEST_FLUSH, (struct physical_block){0},
			(struct block_count){0}, NULL);
}

static const struct block_device_ops face_ops = {
	.read = face_read,
	.write = face_write,
	.flush = face_flush,
};

void block_queue_init(struct block_queue *queue, const struct block_device *device,
		      uint8_t *buffers, uint32_t write_count)
{
	CHECK(write_count >= BLOCK_QUEUE_WRITES_MIN && write_count <= BLOCK_QUEUE_WRITES_MAX);
	*queue = (struct block_queue){
		.device = device,
		.face = *device,
		.write_count = write_count,
		.write_failure = STATUS_OK,
	};
	queue->face.ops = &face_ops;
	queue->face.queue = NULL;
	queue->face.context = queue;
	for (uint32_t i = 0; i < write_count; i++) {
		queue->writes[i].bytes = buffers + i * BLOCK_QUEUE_WRITE_BYTES;
	}
}
