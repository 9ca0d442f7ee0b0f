// SPDX-License-Identifier: MIT
/* The request queue: life, submission, completion, and the poll that drives the rest. */
#include "block/volume_queue.h"

#include <string.h>

#include "block/volume_queue_internal.h"
#include "block/volume_tree_internal.h"

#define QUEUE_ALIGNMENT 64u

/* ---- Requests ------------------------------------------------------------------------------ */

void volume_request_append(struct volume_request_list *list, struct volume_request *request)
{
	request->next = NULL;
	if (list->first == NULL) {
		list->first = request;
	} else {
		list->last->next = request;
	}
	list->last = request;
}

struct volume_request *volume_request_take(struct volume_request_list *list)
{
	struct volume_request *request = list->first;
	if (request != NULL) {
		list->first = request->next;
		request->next = NULL;
	}
	return request;
}

void volume_request_finish(struct volume_queue *queue, struct volume_request *request,
			   enum status status)
{
	request->status = status;
	volume_request_append(&queue->finished, request);
}

void volume_request_advance(const struct volume_request *request, size_t *piece_index,
			    size_t *piece_offset, uint64_t count)
{
	size_t left = (size_t)count * BLOCK_BYTES;
	while (left > 0) { /* The pieces are as long as the request. */
		size_t here = request->pieces[*piece_index].size_bytes - *piece_offset;
		if (left < here) {
			*piece_offset += left;
			return;
		}
		left -= here;
		(*piece_index)++;
		*piece_offset = 0;
	}
}

uint8_t *volume_request_bytes(const struct volume_request *request, size_t piece_index,
			      size_t piece_offset)
{
	return request->pieces[piece_index].bytes + piece_offset;
}

static bool pieces_fit(const struct volume_request *request)
{
	size_t left = (size_t)request->count.n * BLOCK_BYTES;
	for (size_t i = 0; i < request->piece_count; i++) {
		const struct volume_piece *piece = &request->pieces[i];
		if (piece->bytes == NULL || piece->size_bytes == 0 || piece->size_bytes > left ||
		    piece->size_bytes % BLOCK_BYTES != 0) {
			return false;
		}
		left -= piece->size_bytes;
	}
	return left == 0;
}

static bool is_valid(const struct volume *volume, const struct volume_request *request)
{
	const uint64_t blocks = volume->geometry.logical_blocks;
	bool is_inside = request->count.n != 0 && request->count.n <= blocks &&
			 request->first.n <= blocks - request->count.n;
	switch (request->kind) {
	case VOLUME_REQUEST_FLUSH: return true;
	case VOLUME_REQUEST_DISCARD:
	case VOLUME_REQUEST_WRITE_ZEROES: return is_inside;
	case VOLUME_REQUEST_READ:
	case VOLUME_REQUEST_WRITE: break;
	}
	return is_inside && pieces_fit(request);
}

void volume_queue_submit(struct volume_queue *queue, struct volume_request *request)
{
	request->status = STATUS_OK;
	request->failure = (struct volume_failure){
		.status = STATUS_OK, .logical = UINT64_MAX, .physical = UINT64_MAX};
	request->at = 0;
	request->piece_index = 0;
	request->piece_offset = 0;
	request->parts = 0;
	if (!is_valid(queue->volume, request)) {
		volume_request_finish(queue, request, STATUS_INVALID);
	} else if (request->kind == VOLUME_REQUEST_READ) {
		/* Leaves are larger than the cache, and the misses of many requests overlap. */
		volume_tree_prefetch(queue->volume, (uint32_t)request->first.n);
		volume_request_append(&queue->reads, request);
	} else {
		volume_request_append(&queue->changes, request);
	}
}

struct volume_request *volume_queue_next(struct volume_queue *queue)
{
	return volume_request_take(&queue->finished);
}

/* ---- Progress ------------------------------------------------------------------------------ */

/* Reads first: whatever a read finds, it finds before the changes that were submitted with it. */
static void begin(struct volume_queue *queue)
{
	volume_queue_reads_begin(queue);
	volume_queue_changes_begin(queue);
}

static void dispatch(struct volume_queue *queue)
{
	struct block_request *request = NULL;
	while ((request = block_queue_next(&queue->io)) != NULL) { /* Sends nothing by itself. */
		if (request == &queue->flush) {
			volume_queue_commit_done(queue);
		} else if (request->owner == queue->fetches) {
			volume_queue_fetch_done(queue, (struct volume_fetch *)(void *)request);
		} else {
			volume_queue_part_done(queue, (struct volume_part *)(void *)request);
		}
	}
}

void volume_queue_poll(struct volume_queue *queue, bool wait)
{
	begin(queue);
	block_queue_send(&queue->io);
	/* One by one: what the device copied is opened while it is in the cache. Ends: nothing is
	 * begun here, so each completion is one less in flight or waiting to be. */
	while (block_queue_reap(&queue->io)) {
		dispatch(queue);
	}
	dispatch(queue); /* What ended without the device. */
	begin(queue);
	/* Each turn takes what the device completes, which it does within its deadline. */
	while (wait && queue->finished.first == NULL && !block_queue_is_idle(&queue->io)) {
		block_queue_poll(&queue->io, true);
		dispatch(queue);
		begin(queue);
	}
	block_queue_kick(&queue->io);
}

void volume_queue_counters_get(const struct volume_queue *queue,
			       struct volume_queue_counters *counters)
{
	*counters = queue->counters;
	counters->kicks = queue->io.counters.kicks;
	counters->in_flight_most = queue->io.counters.in_flight_most;
}

/* ---- Life ---------------------------------------------------------------------------------- */

static size_t aligned(size_t size_bytes)
{
	return (size_bytes + QUEUE_ALIGNMENT - 1) / QUEUE_ALIGNMENT * QUEUE_ALIGNMENT;
}

static size_t front_bytes(uint32_t depth)
{
	return aligned(sizeof(struct volume_queue)) + aligned(depth * sizeof(struct volume_part));
}

size_t volume_queue_bytes(uint32_t depth)
{
	return front_bytes(depth) +
	       (VOLUME_QUEUE_FETCHES + VOLUME_QUEUE_WRITES) * BLOCK_QUEUE_WRITE_BYTES;
}

static uint8_t *batch_move(struct volume_batch *batch, uint8_t *to)
{
	uint8_t *from = batch->blocks;
	if (batch->count != 0) { /* A checkpoint that goes on behind the queue's back. */
		memcpy(to, from, (size_t)batch->count * BLOCK_BYTES);
	}
	batch->blocks = to;
	return from;
}

static void attach(struct volume_queue *queue, uint8_t *write_buffers)
{
	struct volume *volume = queue->volume;
	queue->device = volume->device;
	block_queue_init(&queue->io, volume->device, write_buffers, VOLUME_QUEUE_WRITES);
	volume->device = &queue->io.face;
	volume->io = &queue->io;
	queue->batch_home = batch_move(&volume->build.batch, block_queue_room(&queue->io));
	volume->txn.batch.count = 0;
	queue->txn_batch_home = batch_move(&volume->txn.batch, block_queue_room(&queue->io));
}

static void detach(struct volume_queue *queue)
{
	struct volume *volume = queue->volume;
	(void)batch_move(&volume->build.batch, queue->batch_home);
	volume->txn.batch.count = 0;
	volume->txn.batch.blocks = queue->txn_batch_home;
	volume->device = queue->device;
	volume->io = NULL;
}

enum status volume_queue_open(struct volume *volume, uint32_t depth, uint8_t *memory,
			      size_t memory_size_bytes, struct volume_queue **queue)
{
	if (depth < VOLUME_QUEUE_DEPTH_MIN || depth > VOLUME_QUEUE_DEPTH_MAX || memory == NULL ||
	    (uintptr_t)memory % QUEUE_ALIGNMENT != 0) {
		return STATUS_INVALID;
	}
	if (memory_size_bytes < volume_queue_bytes(depth)) {
		return STATUS_NO_MEMORY;
	}
	if (volume->txn.open || volume->io != NULL) {
		return STATUS_BUSY;
	}
	struct volume_queue *made = (struct volume_queue *)(void *)memory;
	uint8_t *buffers = memory + front_bytes(depth);
	*made = (struct volume_queue){.volume = volume, .depth = depth};
	made->parts = (struct volume_part *)(void *)(memory + aligned(sizeof(*made)));
	for (uint32_t i = 0; i < depth; i++) {
		made->parts[i].next = made->parts_free;
		made->parts_free = &made->parts[i];
	}
	for (size_t i = 0; i < VOLUME_QUEUE_FETCHES; i++) {
		made->fetches[i].bytes = buffers + i * BLOCK_QUEUE_WRITE_BYTES;
	}
	attach(made, buffers + VOLUME_QUEUE_FETCHES * BLOCK_QUEUE_WRITE_BYTES);
	*queue = made;
	return STATUS_OK;
}

static void list_give_back(struct volume_request_list *list)
{
	struct volume_request *request = NULL;
	while ((request = volume_request_take(list)) != NULL) {
		request->status = STATUS_BUSY;
	}
}

void volume_queue_close(struct volume_queue *queue)
{
	struct volume *volume = queue->volume;
	while (!block_queue_is_idle(&queue->io)) { /* As long as the device takes. */
		block_queue_poll(&queue->io, true);
		dispatch(queue);
	}
	if (volume->txn.open) {
		volume_txn_abort(volume);
	}
	while (!block_queue_is_idle(&queue->io)) {
		block_queue_poll(&queue->io, true);
	}
	list_give_back(&queue->reads);
	list_give_back(&queue->changes);
	list_give_back(&queue->to_commit);
	detach(queue);
}
