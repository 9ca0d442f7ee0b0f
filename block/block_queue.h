// SPDX-License-Identifier: MIT
/* A device as one user sees it who wants both: many requests in flight, and plain synchronous calls
 * in between (the port forbids mixing the two on the device itself).
 *
 * Reads and flushes are handed in as requests and come back from block_queue_next(). Writes go
 * behind: they are taken into a buffer of the queue's and sent, and what becomes of them is learnt
 * from the next flush, which waits for all of them. A write that failed makes every later write and
 * flush fail with its status: what the device holds is no longer known.
 *
 * `face` offers the synchronous port over the same queue. A synchronous read waits for those writes
 * in flight that it overlaps; others complete meanwhile and are kept for block_queue_next().
 *
 * A device without a queue works as well: each request is carried out when it is handed in.
 *
 * One caller at a time. No allocation: the caller gives the write buffers. Waits end, because the
 * device's do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block/block_device.h"

/* Longest write of one piece: 128 KiB. */
#define BLOCK_QUEUE_WRITE_BLOCKS 32u
#define BLOCK_QUEUE_WRITE_BYTES  ((size_t)BLOCK_QUEUE_WRITE_BLOCKS * BLOCK_BYTES)
/* Writes in flight at once. */
#define BLOCK_QUEUE_WRITES_MIN 4u
#define BLOCK_QUEUE_WRITES_MAX 32u

enum block_queue_write_state {
	BLOCK_QUEUE_WRITE_FREE,
	BLOCK_QUEUE_WRITE_LENT, /* Somebody fills its buffer. */
	BLOCK_QUEUE_WRITE_SENT,
};

struct block_queue_write {
	struct block_request request;
	enum block_queue_write_state state;
	uint8_t *bytes; /* BLOCK_QUEUE_WRITE_BYTES. */
};

struct block_queue_list {
	struct block_request *first;
	struct block_request *last;
};

struct block_queue_counters {
	uint64_t kicks;
	uint64_t requests;       /* Handed to the device. */
	uint32_t in_flight_most; /* At the same time. */
};

struct block_queue {
	const struct block_device *device;
	struct block_device face;
	struct block_queue_list unsent;   /* The device is full. */
	struct block_queue_list finished; /* For block_queue_next(). */
	struct block_request *flush;      /* Waits for the writes before it. */
	struct block_request sync;        /* What a synchronous call waits for. */
	bool sync_waits;
	struct block_queue_write writes[BLOCK_QUEUE_WRITES_MAX];
	uint32_t write_count;
	uint32_t writes_sent;
	enum status write_failure;
	uint32_t in_flight;
	bool needs_kick;
	struct block_queue_counters counters;
};

/* `buffers`: write_count (within the bounds above) times BLOCK_QUEUE_WRITE_BYTES. */
void block_queue_init(struct block_queue *queue, const struct block_device *device,
		      uint8_t *buffers, uint32_t write_count);

/* Hand in a read. It must not overlap a write in flight: see block_queue_find(). */
void block_queue_read(struct block_queue *queue, struct block_request *request);
/* Hand in a flush of everything that was written before. One at a time. */
void block_queue_flush(struct block_queue *queue, struct block_request *request);

/* An empty write buffer; waits if all are in flight. */
uint8_t *block_queue_room(struct block_queue *queue);
/* Write such a buffer, which is the queue's again. STATUS_OK promises nothing but that no write has
 * failed so far. */
MUST_CHECK
enum status block_queue_write(struct block_queue *queue, uint8_t *room, struct physical_block first,
			      struct block_count count);
/* What is being written to a block, if it is in flight: valid until anything else is called. */
const uint8_t *block_queue_find(const struct block_queue *queue, struct physical_block block);

/* Notify the device of what is new, if anything is. */
void block_queue_kick(struct block_queue *queue);
/* Give the device what it takes now, and notify it. */
void block_queue_send(struct block_queue *queue);
/* Take over one completion, if there is one; false otherwise. The room that it leaves is filled,
 * but the device not notified of that. */
bool block_queue_reap(struct block_queue *queue);
/* Send, and take over all that has completed. `wait`: come back with something completed, unless
 * nothing is in flight. */
void block_queue_poll(struct block_queue *queue, bool wait);
/* A completed read or flush; NULL: none. */
struct block_request *block_queue_next(struct block_queue *queue);
/* Nothing is in flight, waits to be or was. */
bool block_queue_is_idle(const struct block_queue *queue);
