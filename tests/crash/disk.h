// SPDX-License-Identifier: MIT
/* A simulated disk for the crash checker: a sparse image that survives a power cut, and the writes
 * since the last flush, any 512-byte sectors of which may not.
 *
 * Images share their blocks and the tables of them (copy on write), so that a campaign can keep as
 * many states of a disk as it likes: a copy costs one pointer for each 64 blocks. A disk can also
 * fail or lie at one chosen operation. Blocks that were never written hold noise, as on a used
 * disk. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block/block_device.h"

/* One block's bytes, shared by every image that holds them. Never changed once shared. */
struct page;
/* The pages of neighbouring blocks, shared likewise. */
struct chunk;

struct image {
	uint64_t blocks;
	struct chunk **chunks; /* NULL: never written. */
};

/* An image of noise. */
void image_init(struct image *image, uint64_t blocks);
void image_copy(struct image *to, const struct image *from);
void image_fini(struct image *image);
const uint8_t *image_look(const struct image *image, uint64_t block);
bool image_is_written(const struct image *image, uint64_t block);
/* A block to be changed: what other images see stays as it is. */
uint8_t *image_edit(struct image *image, uint64_t block);
/* Put `from`'s block `source` at `block`. */
void image_take(struct image *image, uint64_t block, const struct image *from, uint64_t source);
bool image_block_equals(const struct image *a, const struct image *b, uint64_t block);

struct pending {
	uint64_t block;
	struct page *page;
	bool again; /* An earlier pending write has the same block. */
};

/* What goes wrong at the operation `at`. */
enum fault_kind {
	FAULT_NONE,
	/* An honest device that breaks. */
	FAULT_ERROR,      /* Reports an error; nothing happened. */
	FAULT_ERROR_DONE, /* Reports an error, although it did it. */
	FAULT_ERROR_TORN, /* Reports an error; of a write, some sectors went through. */
	FAULT_DEAD,       /* Reports errors from now on. */
	FAULT_BAD_HOST,   /* The driver caught the device lying: dead from now on. */
	FAULT_NO_READS,   /* Reports errors for reads from now on; writes are carried out. */
	/* A device that lies. */
	FAULT_LOST,        /* Reports success, but a write or flush did not happen. */
	FAULT_NEVER_FLUSH, /* Reports success for every flush from now on; none happens. */
	FAULT_FLIPPED,     /* One bit of what is read or written is wrong. */
	FAULT_MISPLACED,   /* Reads or writes the neighbouring block. */
	FAULT_KINDS,
};

struct fault {
	enum fault_kind kind;
	uint64_t at; /* Counts operations from 1. */
};

struct disk {
	struct block_device device;
	struct image image;      /* What survives for certain. */
	struct pending *pending; /* In the order of the writes. */
	size_t pending_count;
	size_t pending_room;
	struct fault fault;
	uint64_t operations;
	struct block_device_counters counters;
	/* Asked for a flush, before it takes place: the moment at which everything that was not
	 * flushed may still be lost. */
	void (*before_flush)(void *context, struct disk *disk);
	void *before_flush_context;
	bool secret_seen; /* A block with plaintext or a key in it was written. */
};

void disk_init(struct disk *disk, uint64_t blocks);
/* A disk whose image is a copy of `image`, nothing pending. */
void disk_init_from(struct disk *disk, const struct image *image);
/* The whole disk, pending writes too; without its hook and fault. */
void disk_copy(struct disk *to, const struct disk *from);
void disk_fini(struct disk *disk);
/* Whether an operation after the first `operations` was answered with a lie that was told once: to
 * the same question there is another answer now. */
bool disk_has_lied_since(const struct disk *disk, uint64_t operations);

/* Everything that was accepted becomes durable. */
void disk_settle(struct disk *disk);

/* A sector that was written since the last flush and differs from what it replaces. */
struct torn_sector {
	uint32_t pending; /* Index. */
	uint32_t sector;  /* In its block. */
};

/* Sets `*sectors` (free() it) and returns how many there are. */
size_t disk_torn_sectors(const struct disk *disk, struct torn_sector **sectors);

/* Power off and on: of `sectors`, those with `keep` set survive. */
void disk_crash(struct disk *disk, const struct torn_sector *sectors, const bool *keep,
		size_t count);

/* Texts that must never be written to a disk in clear. Borrowed for good. */
void disk_secret_add(const uint8_t *bytes, size_t size_bytes);
