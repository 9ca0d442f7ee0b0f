// SPDX-License-Identifier: MIT
/* The inside of a request queue.
 *
 *   volume_queue.c        life, submission, completion, the poll
 *   volume_queue_read.c   reads: find, fetch, open
 *   volume_readahead.c    ciphertext fetched before it is asked for, or for scattered memory
 *   volume_queue_write.c  changes: stage, group commit */
#pragma once

#include "block/volume_internal.h"
#include "block/volume_queue.h"

#define VOLUME_QUEUE_WRITES  16u
#define VOLUME_QUEUE_FETCHES 8u
#define VOLUME_QUEUE_STREAMS 4u
/* Blocks of one device read, of one fetch. */
#define VOLUME_RUN_BLOCKS VOLUME_BATCH_BLOCKS

struct volume_request_list {
	struct volume_request *first;
	struct volume_request *last;
};

/* Neighbours on the device that one request reads. They go into the request's memory and are opened
 * there, or wait for a fetch. */
struct volume_part {
	struct block_request io; /* First member: completions are cast back. */
	struct volume_request *request;
	struct volume_part *next; /* Free, or waiting for the same fetch. */
	uint32_t logical;
	uint32_t count;
	size_t piece_index; /* Of the first block. */
	size_t piece_offset;
	struct volume_entry entries[VOLUME_RUN_BLOCKS];
};

enum volume_fetch_state {
	VOLUME_FETCH_EMPTY,
	VOLUME_FETCH_UNDER_WAY,
	VOLUME_FETCH_THERE,
};

/* Ciphertext of neighbours on the device. */
struct volume_fetch {
	struct block_request io; /* First member. */
	enum volume_fetch_state state;
	struct volume_part *waiting;
	uint64_t used_at;
	uint32_t count;
	uint8_t *bytes; /* VOLUME_RUN_BLOCKS blocks. */
	struct volume_entry entries[VOLUME_RUN_BLOCKS];
};

/* Somebody who reads one block after the other. */
struct volume_stream {
	uint64_t next;    /* The block that would continue it. */
	uint64_t fetched; /* Up to here, reads ahead have been sent. */
	uint64_t used_at;
	uint32_t hits;
};

struct volume_queue {
	struct volume *volume;
	const struct block_device *device; /* The volume's own. */
	struct block_queue io;
	/* The volume's batches when no queue is attached. */
	uint8_t *batch_home;
	uint8_t *txn_batch_home;

	struct volume_request_list reads;      /* Not begun, or begun in part. */
	struct volume_request_list changes;    /* Likewise. */
	struct volume_request_list to_commit;  /* Complete with the next commit ... */
	struct volume_request_list committing; /* ... with the one whose flush is in flight. */
	struct volume_request_list finished;
	uint32_t reads_under_way; /* Begun in whole, with parts in flight. */

	struct volume_part *parts;
	struct volume_part *parts_free;
	uint32_t depth;
	struct volume_fetch fetches[VOLUME_QUEUE_FETCHES];
	size_t fetches_used; /* The others have never been: empty, and not looked at. */
	struct volume_stream streams[VOLUME_QUEUE_STREAMS];
	uint64_t clock;

	struct block_request flush;
	bool is_committing;
	/* What became of changes that had completed and are lost: the next flush says so. */
	enum status lost;
	/* Why nothing can be changed any more. */
	enum status dead;
	struct volume_queue_counters counters;
};

/* ---- volume_queue.c ------------------------------------------------------------------------ */

void volume_request_append(struct volume_request_list *list, struct volume_request *request);
struct volume_request *volume_request_take(struct volume_request_list *list);
void volume_request_finish(struct volume_queue *queue, struct volume_request *request,
			   enum status status);
/* Pass over `count` blocks of the request's memory. */
void volume_request_advance(const struct volume_request *request, size_t *piece_index,
			    size_t *piece_offset, uint64_t count);
uint8_t *volume_request_bytes(const struct volume_request *request, size_t piece_index,
			      size_t piece_offset);

/* ---- volume_queue_read.c ------------------------------------------------------------------- */

/* Begin what there is room for. */
void volume_queue_reads_begin(struct volume_queue *queue);
/* The device has completed a part; a fetch has, and the part is one of those that waited. */
void volume_queue_part_done(struct volume_queue *queue, struct volume_part *part);
void volume_queue_part_fetched(struct volume_queue *queue, struct volume_part *part,
			       const struct volume_fetch *fetch);

/* ---- volume_readahead.c -------------------------------------------------------------------- */

/* A read of these blocks is about to begin: follow streams, fetch ahead. */
void volume_readahead_note(struct volume_queue *queue, uint64_t first, uint64_t count);
/* The fetch that has or will have this very block; NULL: none. */
struct volume_fetch *volume_fetch_find(struct volume_queue *queue,
				       const struct volume_entry *entry);
const uint8_t *volume_fetch_bytes(const struct volume_fetch *fetch,
				  const struct volume_entry *entry);
/* Begin to fetch neighbours on the device. NULL: no buffer is free. */
struct volume_fetch *volume_fetch_begin(struct volume_queue *queue,
					const struct volume_entry *entries, uint32_t count);
void volume_queue_fetch_done(struct volume_queue *queue, struct volume_fetch *fetch);

/* ---- volume_queue_write.c ------------------------------------------------------------------ */

/* Stage what there is room for, and begin a commit if one is wanted. */
void volume_queue_changes_begin(struct volume_queue *queue);
/* If a write behind has failed, what is staged is lost: forget it, so that nobody reads what never
 * reached the device. */
void volume_queue_loss_check(struct volume_queue *queue);
/* The flush of the commit has completed. */
void volume_queue_commit_done(struct volume_queue *queue);
