// SPDX-License-Identifier: MIT
/* Many requests at once over a mounted volume, as a block device offers them.
 *
 * The caller fills in a volume_request, which stays its own storage but belongs to the queue from
 * volume_queue_submit() until volume_queue_next() returns it. volume_queue_poll() makes progress;
 * nothing happens by itself. There is no limit to the number of requests: what finds no room waits.
 *
 * Order. Requests are carried out concurrently and complete in any order. A write is visible to
 * every read that is submitted after the write completed; a read that is submitted before that
 * returns, block by block, the old content or the new, never a mix within a block. Changes take
 * effect in the order in which they were submitted.
 *
 * Durability is that of a disk with a volatile cache: a write, DISCARD or WRITE_ZEROES that
 * completed may be lost by a crash until a FLUSH that was submitted later has completed with
 * STATUS_OK; with `fua` a write completes when it is durable itself. Between two flushes a crash
 * keeps a prefix of the group commits, of which the queue makes some of its own when its stage is
 * full; a request of more blocks than volume_txn_size_max() may be divided between them. All
 * flushes that wait at the same time share one record and one device flush.
 *
 * While the queue is attached, the volume is changed through it only; volume_read() and the like,
 * volume_info_get() and volume_checkpoint() (STATUS_BUSY while something is staged) may be used
 * between calls of the queue. One caller at a time. All memory is given at the beginning. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "base/units.h"
#include "block/volume.h"

/* Reads at the device at once; more wait in the queue. */
#define VOLUME_QUEUE_DEPTH_MIN 1u
#define VOLUME_QUEUE_DEPTH_MAX 1024u

enum volume_request_kind {
	VOLUME_REQUEST_READ,
	VOLUME_REQUEST_WRITE,
	VOLUME_REQUEST_FLUSH,
	/* Both leave a hole, which reads as zeroes. */
	VOLUME_REQUEST_DISCARD,
	VOLUME_REQUEST_WRITE_ZEROES,
};

/* A part of a request's memory, private to us: READ fills it, and it may hold ciphertext and
 * unverified plaintext while the request is in flight, so nobody may look before it completes. */
struct volume_piece {
	uint8_t *bytes;
	size_t size_bytes; /* A multiple of BLOCK_BYTES, not 0. */
};

struct volume_request {
	/* The caller's. READ, WRITE: the pieces are `count` blocks together. FLUSH: no range. */
	enum volume_request_kind kind;
	bool fua; /* WRITE, DISCARD and WRITE_ZEROES: complete when durable. */
	struct logical_block first;
	struct block_count count;
	const struct volume_piece *pieces;
	size_t piece_count;
	void *owner; /* The queue does not look at it. */

	/* Set on completion. STATUS_INVALID: outside the volume, or pieces do not fit. A READ that
	 * failed has zeroed all its pieces, and `failure` says which block it was. Of a change that
	 * failed, each block is as before or changed. */
	enum status status;
	struct volume_failure failure;

	/* The queue's. */
	struct volume_request *next;
	uint64_t at;         /* Blocks that have been begun. */
	size_t piece_index;  /* Where block `at` is. */
	size_t piece_offset; /* In bytes. */
	uint32_t parts;      /* Under way. */
};

struct volume_queue_counters {
	uint64_t kicks;       /* Notifications of the device. */
	uint64_t commits;     /* Groups made durable. */
	uint64_t reads_ahead; /* Device reads that nobody had asked for yet. */
	uint64_t reads_alone; /* Blocks that moved while they were read, or a read ahead lost. */
	uint32_t in_flight_most;
};

struct volume_queue; /* Lives at the start of its memory. */

/* Memory that a queue takes: for `depth` device reads in flight, 128 KiB each for sixteen writes
 * and eight reads ahead. */
size_t volume_queue_bytes(uint32_t depth);

/* Attach a queue to a mounted volume in which no transaction is open. `memory` is 64-byte aligned
 * and lives as long as the queue. STATUS_INVALID: depth out of range, misaligned. STATUS_NO_MEMORY:
 * too small. STATUS_BUSY: a transaction is open, or a queue attached. */
MUST_CHECK
enum status volume_queue_open(struct volume *volume, uint32_t depth, uint8_t *memory,
			      size_t memory_size_bytes, struct volume_queue **queue);

/* Wait for the device, forget what was not flushed and detach. Requests that have not completed are
 * the caller's again, with STATUS_BUSY. */
void volume_queue_close(struct volume_queue *queue);

void volume_queue_submit(struct volume_queue *queue, struct volume_request *request);

/* Take up what was submitted and what the device has completed; all that follows from it reaches
 * the device with one notification. `wait`: not before something has completed, unless nothing is
 * under way; this takes as long as the device does. */
void volume_queue_poll(struct volume_queue *queue, bool wait);

/* A completed request, the caller's again. NULL: none. */
struct volume_request *volume_queue_next(struct volume_queue *queue);

void volume_queue_counters_get(const struct volume_queue *queue,
			       struct volume_queue_counters *counters);
