// SPDX-License-Identifier: MIT
/* What store.c (reading) and store_txn.c (changing) share. */
#pragma once

#include "block/store.h"

/* A part of one data block: what a byte range is cut into. */
struct extent {
	uint64_t block_index; /* Within the object's data. */
	size_t at;            /* First byte within the block. */
	size_t size_bytes;    /* At least 1. */
};

struct extent store_extent_at(uint64_t offset_bytes, size_t left_bytes);

static inline struct logical_block store_index_block(void)
{
	return (struct logical_block){0};
}

/* Slot i has slice i + 1; its metadata is in the slice's first block. */
static inline struct logical_block store_object_block(const struct store *store, uint32_t slot)
{
	return (struct logical_block){((uint64_t)slot + 1) * store->slice_blocks};
}

static inline struct logical_block store_data_block(const struct store *store, uint32_t slot,
						    uint64_t index)
{
	return (struct logical_block){store_object_block(store, slot).n + 1 + index};
}

/* Read into the scratch block what the transaction, or else the volume, holds. */
MUST_CHECK
enum status store_block_load(struct store *store, struct logical_block block);

/* What the next look-up of the slot finds; NULL: that it has to read. */
void store_object_remember(struct store *store, uint32_t slot,
			   const struct store_object_info *object);

/* Find the object and read its metadata. The only source of STATUS_NOT_FOUND. */
MUST_CHECK
enum status store_object_find(struct store *store, const char *name, uint32_t *slot,
			      struct store_object_info *object);
