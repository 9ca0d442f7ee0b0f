// SPDX-License-Identifier: MIT
/* A simulated disk: an image that survives, and the writes since the last flush, which may not.
 *
 * A crash keeps any subset of the unflushed 512-byte sectors. Marks make whole trees of crashes
 * cheap: everything after sim_disk_mark() is undone by sim_disk_revert(). The k-th operation can be
 * made to fail. Blocks that were never written hold noise. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block/block_device.h"

#define SIM_DISK_MARKS_MAX   4u
#define SIM_DISK_PENDING_MAX 4096u

struct sim_pending {
	uint64_t block;
	uint8_t bytes[BLOCK_BYTES];
};

struct sim_undo {
	uint64_t block;
	uint8_t bytes[BLOCK_BYTES];
};

struct sim_mark {
	size_t undo_count;
	size_t pending_count;
	struct sim_pending *pending;
};

enum sim_failure {
	SIM_FAIL_ONCE,     /* Only the k-th operation. */
	SIM_FAIL_FOR_GOOD, /* It and everything after it. */
};

struct sim_disk {
	struct block_device device;
	struct block_device_counters counters;
	uint8_t *media;
	bool is_sparse;
	struct sim_pending *pending; /* One block each, in order. */
	size_t pending_count;
	struct sim_undo *undo;
	size_t undo_count;
	size_t undo_room;
	struct sim_mark marks[SIM_DISK_MARKS_MAX];
	size_t mark_count;
	uint64_t operations; /* Since sim_disk_fail_at. */
	uint64_t fail_at;    /* Counts from 1; 0: never. */
	enum sim_failure failure;
	enum status fail_status;
	bool write_path_failed;  /* A write or a flush has failed since sim_disk_fail_at. */
	bool failed_writes_land; /* A write that reports failure reaches the disk all the same. */
	/* Called when a flush is asked for, before it takes place: the moment at which everything
	 * unflushed may still be lost.
	 * The callee guards against its own flushes. */
	void (*before_flush)(void *context);
	void *before_flush_context;
	size_t flush_covers; /* Unflushed blocks that the next flush makes durable; SIZE_MAX: all.
			      */
	uint64_t bad_block;  /* Reads of it fail; UINT64_MAX: none. */
};

void sim_disk_init(struct sim_disk *disk, uint64_t blocks);
void sim_disk_fini(struct sim_disk *disk);
void sim_disk_counters_reset(struct sim_disk *disk);

/* Let the k-th operation from now fail (k == 0: none). */
void sim_disk_fail_at(struct sim_disk *disk, uint64_t k, enum sim_failure failure,
		      enum status status);

/* True: this unflushed sector survives. Sectors are counted over all unflushed blocks, in order. */
typedef bool (*sim_survives)(void *context, size_t sector);
size_t sim_disk_pending_sectors(const struct sim_disk *disk);
/* Power off and on: keep what `survives` says, lose the rest. */
void sim_disk_crash(struct sim_disk *disk, sim_survives survives, void *context);

void sim_disk_mark(struct sim_disk *disk);
/* Back to the last mark, which stays. */
void sim_disk_revert(struct sim_disk *disk);
/* Forget the last mark; what happened since stays. */
void sim_disk_unmark(struct sim_disk *disk);

/* A block on the media, to be changed by the caller; undone by revert. Nothing may be pending. */
uint8_t *sim_disk_edit(struct sim_disk *disk, uint64_t block);
const uint8_t *sim_disk_look(const struct sim_disk *disk, uint64_t block);
void sim_disk_flip(struct sim_disk *disk, uint64_t block, uint32_t bit);
