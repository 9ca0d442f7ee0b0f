// SPDX-License-Identifier: MIT
/* Walk everything that the durable superblock reaches. Afterwards the set of blocks that were
 * reached has to be the bitmap, and the blocks of each session what the table says. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_internal.h"

struct walk {
	struct volume *volume;
	volume_progress progress;
	void *context;
	uint64_t done;
	uint64_t total;
};

/* `next` is free between checkpoints: here it collects what was reached. The build's table counts
 * down from the durable one to zero. */
static enum status reached(struct walk *walk, uint32_t level, uint64_t index,
			   const struct volume_entry *entry)
{
	struct volume *volume = walk->volume;
	enum status status = STATUS_OK;
	if (volume_bitmap_test(volume, volume->bitmaps.next, entry->physical)) {
		status = STATUS_AUTH_META; /* Two owners. */
	}
	volume_bitmap_set(volume, volume->bitmaps.next, entry->physical);
	if (status == STATUS_OK && level != VOLUME_LEVEL_TABLE) {
		struct volume_session_row *row =
			volume_table_find(&volume->build.table, entry->session);
		if (row == NULL || row->live_blocks == 0) {
			status = STATUS_AUTH_META;
		} else {
			row->live_blocks--;
		}
	}
	walk->done++;
	if (walk->progress != NULL) {
		walk->progress(walk->context, walk->done, walk->total);
	}
	return volume_note(volume, status, level, index, entry->physical);
}

static enum status leaf_walk(struct walk *walk, const uint8_t *leaf, uint64_t leaf_index)
{
	struct volume *volume = walk->volume;
	for (uint32_t slot = 0; slot < VOLUME_NODE_ENTRIES; slot++) {
		struct volume_entry entry;
		uint64_t logical = (leaf_index << VOLUME_NODE_SHIFT) + slot;
		enum status status = volume_node_entry(volume, leaf, VOLUME_LEVEL_LEAF, leaf_index,
						       slot, &entry);
		if (status == STATUS_OK && entry.physical == 0) {
			continue;
		}
		if (status == STATUS_OK) {
			status = reached(walk, VOLUME_LEVEL_DATA, logical, &entry);
		}
		if (status == STATUS_OK) {
			status = volume_block_open(volume, VOLUME_LEVEL_DATA, logical, &entry,
						   volume->base);
		}
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

static enum status node_enter(struct walk *walk, uint32_t level, uint64_t index,
			      const struct volume_entry *entry, uint8_t **node)
{
	struct volume *volume = walk->volume;
	/* Not through the cache: what is on the disk now is what counts. */
	*node = volume->build.cursor.nodes + (size_t)(level - VOLUME_LEVEL_LEAF) * BLOCK_BYTES;
	enum status status = reached(walk, level, index, entry);
	if (status == STATUS_OK) {
		status = volume_block_open(volume, level, index, entry, *node);
	}
	if (status == STATUS_OK && bytes_are_zero(*node, BLOCK_BYTES)) {
		status = volume_note(volume, STATUS_AUTH_META, level, index, entry->physical);
	}
	return status;
}

static enum status slice_walk(struct walk *walk, const struct volume_entry *entry, uint64_t slice)
{
	uint8_t *node = NULL;
	enum status status = node_enter(walk, VOLUME_LEVEL_LEAF + 1, slice, entry, &node);
	for (uint32_t slot = 0; slot < VOLUME_NODE_ENTRIES && status == STATUS_OK; slot++) {
		struct volume_entry below;
		uint8_t *leaf = NULL;
		uint64_t index = (slice << VOLUME_NODE_SHIFT) + slot;
		status = volume_node_entry(walk->volume, node, VOLUME_LEVEL_LEAF + 1, slice, slot,
					   &below);
		if (status != STATUS_OK || below.physical == 0) {
			continue;
		}
		status = node_enter(walk, VOLUME_LEVEL_LEAF, index, &below, &leaf);
		if (status == STATUS_OK) {
			status = leaf_walk(walk, leaf, index);
		}
	}
	return status;
}

static enum status tree_walk(struct walk *walk)
{
	struct volume *volume = walk->volume;
	const struct volume_entry *root = &volume->superblock.tree;
	uint8_t *node = NULL;
	if (root->physical == 0) {
		return STATUS_OK;
	}
	enum status status = node_enter(walk, VOLUME_LEVEL_ROOT, 0, root, &node);
	for (uint32_t slot = 0; slot < VOLUME_NODE_ENTRIES && status == STATUS_OK; slot++) {
		struct volume_entry below;
		status = volume_node_entry(volume, node, VOLUME_LEVEL_ROOT, 0, slot, &below);
		if (status == STATUS_OK && below.physical != 0) {
			status = slice_walk(walk, &below, slot);
		}
	}
	return status;
}

static enum status fixed_walk(struct walk *walk)
{
	struct volume *volume = walk->volume;
	enum status status = reached(walk, VOLUME_LEVEL_TABLE, 0, &volume->superblock.table);
	if (status == STATUS_OK) {
		status = volume_block_open(volume, VOLUME_LEVEL_TABLE, 0, &volume->superblock.table,
					   volume->base);
	}
	for (uint32_t i = 0; i < volume->geometry.group_count && status == STATUS_OK; i++) {
		const struct volume_entry *entry = &volume->superblock.groups[i];
		struct volume_session_row *row =
			volume_table_find(&volume->build.table, entry->session);
		if (row == NULL || row->live_blocks == 0) {
			return volume_note(volume, STATUS_AUTH_META, VOLUME_LEVEL_BITMAP, i,
					   entry->physical);
		}
		row->live_blocks--;
		status = volume_block_open(volume, VOLUME_LEVEL_BITMAP, i, entry, volume->base);
	}
	return status;
}

/* The set that a volume without blocks has: reserved bits only. */
static void reached_reset(struct volume *volume)
{
	const struct volume_geometry *geometry = &volume->geometry;
	uint64_t end =
		geometry->group_first + (uint64_t)geometry->group_count * VOLUME_GROUP_BLOCKS;
	memset(volume->bitmaps.next, 0, (size_t)geometry->group_count * BLOCK_BYTES);
	for (uint64_t block = geometry->group_first; block < end; block++) {
		if (!volume_is_allocatable(geometry, block)) {
			volume_bitmap_set(volume, volume->bitmaps.next, block);
		}
	}
}

static enum status sums_check(struct volume *volume)
{
	enum status status = STATUS_OK;
	if (memcmp(volume->bitmaps.next, volume->bitmaps.now,
		   (size_t)volume->geometry.group_count * BLOCK_BYTES) != 0) {
		status = volume_note(volume, STATUS_AUTH_META, VOLUME_LEVEL_BITMAP, UINT64_MAX,
				     UINT64_MAX);
	}
	for (uint32_t i = 0; i < volume->build.table.count && status == STATUS_OK; i++) {
		if (volume->build.table.rows[i].live_blocks != 0) {
			status = volume_note(volume, STATUS_AUTH_META, VOLUME_LEVEL_TABLE, i,
					     UINT64_MAX);
		}
	}
	return status;
}

enum status volume_verify(struct volume *volume, volume_progress progress, void *progress_context)
{
	struct volume_info info;
	if (volume->txn.open) {
		return STATUS_BUSY;
	}
	volume_info_get(volume, &info);
	struct walk walk = {
		.volume = volume,
		.progress = progress,
		.context = progress_context,
		.total = info.blocks_used.n,
	};
	reached_reset(volume);
	volume->build.table = volume->table;
	enum status status = fixed_walk(&walk);
	if (status == STATUS_OK) {
		status = tree_walk(&walk);
	}
	return status == STATUS_OK ? sums_check(volume) : status;
}
