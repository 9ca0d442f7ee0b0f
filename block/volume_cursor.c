// SPDX-License-Identifier: MIT
/* The radix tree, write side: a cursor that holds one path in memory. A checkpoint feeds it changes
 * in logical order; a node is sealed and written once, when the cursor leaves it, so that any
 * number of changes needs one node buffer for each level. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_internal.h"

static uint8_t *node_at(struct volume *volume, uint32_t level)
{
	return volume->build.cursor.nodes + (size_t)(level - VOLUME_LEVEL_LEAF) * BLOCK_BYTES;
}

static uint32_t root_level(const struct volume *volume)
{
	return volume->geometry.tree_levels;
}

static uint32_t slot_in_parent(uint64_t index)
{
	return (uint32_t)(index & (VOLUME_NODE_ENTRIES - 1));
}

/* The entry that points at the node of this level on the path. */
static enum status parent_entry_get(struct volume *volume, uint32_t level, uint64_t index,
				    struct volume_entry *entry)
{
	if (level == root_level(volume)) {
		*entry = volume->build.superblock.tree;
		return STATUS_OK;
	}
	return volume_node_entry(volume, node_at(volume, level + 1), level + 1,
				 index >> VOLUME_NODE_SHIFT, slot_in_parent(index), entry);
}

static void parent_entry_set(struct volume *volume, uint32_t level, uint64_t index,
			     const struct volume_entry *entry)
{
	if (level == root_level(volume)) {
		volume->build.superblock.tree = *entry;
		return;
	}
	volume_entry_encode(node_at(volume, level + 1) +
				    (size_t)slot_in_parent(index) * VOLUME_ENTRY_BYTES,
			    entry);
	volume->build.cursor.dirty[level + 1 - VOLUME_LEVEL_LEAF] = true;
}

static enum status release(struct volume *volume, const struct volume_entry *old)
{
	if (old->physical == 0) {
		return STATUS_OK;
	}
	enum status status = volume_build_free(volume, old->physical);
	return status == STATUS_OK ? volume_build_count(volume, old->session, -1) : status;
}

/* Seal `plain` into a fresh block of the next state. */
static enum status place(struct volume *volume, uint32_t level, uint64_t index,
			 const uint8_t *plain, struct volume_entry *entry)
{
	uint64_t physical = 0;
	uint8_t *room = NULL;
	enum status status = volume_build_count(volume, volume->session.id, 1);
	if (status == STATUS_OK) {
		status = volume_build_allocate(volume, &physical);
	}
	if (status == STATUS_OK) {
		status = volume_batch_next(volume, physical, &room);
	}
	if (status == STATUS_OK) {
		status = volume_block_seal(volume, level, index, physical, plain, room, entry);
	}
	return status;
}

/* Write the node of a level if it changed, and tell its parent. */
static enum status level_leave(struct volume *volume, uint32_t level)
{
	struct volume_cursor *cursor = &volume->build.cursor;
	const uint32_t at = level - VOLUME_LEVEL_LEAF;
	if (!cursor->loaded[at] || !cursor->dirty[at]) {
		cursor->loaded[at] = false;
		return STATUS_OK;
	}
	const uint8_t *node = node_at(volume, level);
	struct volume_entry old;
	struct volume_entry made = {.physical = 0};
	enum status status = parent_entry_get(volume, level, cursor->index[at], &old);
	if (status == STATUS_OK) {
		status = release(volume, &old);
	}
	/* A node without entries is a hole in its parent. */
	if (status == STATUS_OK && !bytes_are_zero(node, BLOCK_BYTES)) {
		status = place(volume, level, cursor->index[at], node, &made);
	}
	if (status != STATUS_OK) {
		return status;
	}
	parent_entry_set(volume, level, cursor->index[at], &made);
	cursor->loaded[at] = false;
	cursor->dirty[at] = false;
	return STATUS_OK;
}

static enum status level_enter(struct volume *volume, uint32_t level, uint64_t index)
{
	struct volume_cursor *cursor = &volume->build.cursor;
	const uint32_t at = level - VOLUME_LEVEL_LEAF;
	struct volume_entry entry;
	enum status status = parent_entry_get(volume, level, index, &entry);
	if (status != STATUS_OK) {
		return status;
	}
	if (entry.physical == 0) {
		memset(node_at(volume, level), 0, BLOCK_BYTES);
	} else {
		const uint8_t *node = NULL;
		status = volume_node_get(volume, level, index, &entry, &node);
		if (status != STATUS_OK) {
			return status;
		}
		memcpy(node_at(volume, level), node, BLOCK_BYTES);
	}
	cursor->loaded[at] = true;
	cursor->index[at] = index;
	cursor->dirty[at] = entry.physical != 0 && entry.session == volume->build.victim;
	return STATUS_OK;
}

void volume_cursor_begin(struct volume *volume)
{
	struct volume_cursor *cursor = &volume->build.cursor;
	memset(cursor->loaded, 0, sizeof(cursor->loaded));
	memset(cursor->dirty, 0, sizeof(cursor->dirty));
}

/* Bring the path down to `lowest` into memory. */
static enum status seek_level(struct volume *volume, uint32_t logical, uint32_t lowest)
{
	struct volume_cursor *cursor = &volume->build.cursor;
	enum status status = STATUS_OK;
	/* Leave from the leaf up: a node's entry has to be in its parent before that is sealed. */
	for (uint32_t level = VOLUME_LEVEL_LEAF; level <= root_level(volume); level++) {
		const uint32_t at = level - VOLUME_LEVEL_LEAF;
		if (cursor->loaded[at] &&
		    cursor->index[at] != (uint64_t)logical >> (level * VOLUME_NODE_SHIFT)) {
			status = level_leave(volume, level);
			if (status != STATUS_OK) {
				return status;
			}
		}
	}
	for (uint32_t level = root_level(volume); level >= lowest; level--) {
		if (!cursor->loaded[level - VOLUME_LEVEL_LEAF]) {
			status = level_enter(volume, level,
					     (uint64_t)logical >> (level * VOLUME_NODE_SHIFT));
			if (status != STATUS_OK) {
				return status;
			}
		}
	}
	return STATUS_OK;
}

/* Give up what the sought slot holds, and let `made` take its place. */
static enum status leaf_replace(struct volume *volume, uint32_t logical,
				const struct volume_entry *made)
{
	struct volume_entry old;
	uint8_t *leaf = node_at(volume, VOLUME_LEVEL_LEAF);
	uint32_t slot = slot_in_parent(logical);
	enum status status = volume_node_entry(volume, leaf, VOLUME_LEVEL_LEAF,
					       logical >> VOLUME_NODE_SHIFT, slot, &old);
	if (status != STATUS_OK || (made->physical == 0 && old.physical == 0)) {
		return status;
	}
	status = release(volume, &old);
	if (status == STATUS_OK) {
		volume_entry_encode(leaf + (size_t)slot * VOLUME_ENTRY_BYTES, made);
		volume->build.cursor.dirty[0] = true;
	}
	return status;
}

enum status volume_cursor_seek(struct volume *volume, uint32_t logical)
{
	return seek_level(volume, logical, VOLUME_LEVEL_LEAF);
}

enum status volume_cursor_put(struct volume *volume, uint32_t logical, const uint8_t *content)
{
	struct volume_entry made = {.physical = 0};
	enum status status = STATUS_OK;
	if (content != NULL) {
		status = place(volume, VOLUME_LEVEL_DATA, logical, content, &made);
	}
	return status == STATUS_OK ? leaf_replace(volume, logical, &made) : status;
}

enum status volume_cursor_place(struct volume *volume, uint32_t logical,
				const struct volume_entry *entry)
{
	enum status status = volume_build_count(volume, entry->session, 1);
	if (status == STATUS_OK) {
		status = volume_build_take(volume, entry->physical);
	}
	return status == STATUS_OK ? leaf_replace(volume, logical, entry) : status;
}

enum status volume_cursor_spoil(struct volume *volume, uint32_t logical)
{
	struct volume_entry entry;
	uint8_t *leaf = node_at(volume, VOLUME_LEVEL_LEAF);
	uint32_t slot = slot_in_parent(logical);
	enum status status = volume_node_entry(volume, leaf, VOLUME_LEVEL_LEAF,
					       logical >> VOLUME_NODE_SHIFT, slot, &entry);
	if (status != STATUS_OK || entry.physical == 0) {
		return status;
	}
	for (size_t i = 0; i < AEAD_TAG_BYTES; i++) {
		entry.tag[i] = (uint8_t)~entry.tag[i];
	}
	volume_entry_encode(leaf + (size_t)slot * VOLUME_ENTRY_BYTES, &entry);
	volume->build.cursor.dirty[0] = true;
	return STATUS_OK;
}

enum status volume_cursor_end(struct volume *volume)
{
	enum status status = STATUS_OK;
	for (uint32_t level = VOLUME_LEVEL_LEAF; level <= root_level(volume) && status == STATUS_OK;
	     level++) {
		status = level_leave(volume, level);
	}
	return status;
}

/* ---- Sweeping a session -------------------------------------------------------------------- */

/* Re-seal the victim's data blocks below the leaf that was sought. */
static enum status leaf_sweep(struct volume *volume, uint64_t leaf_index)
{
	const uint8_t *leaf = node_at(volume, VOLUME_LEVEL_LEAF);
	for (uint32_t slot = 0; slot < VOLUME_NODE_ENTRIES; slot++) {
		struct volume_entry entry;
		enum status status = volume_node_entry(volume, leaf, VOLUME_LEVEL_LEAF, leaf_index,
						       slot, &entry);
		if (status != STATUS_OK) {
			return status;
		}
		if (entry.physical == 0 || entry.session != volume->build.victim) {
			continue;
		}
		uint64_t logical = (leaf_index << VOLUME_NODE_SHIFT) + slot;
		status =
			volume_block_open(volume, VOLUME_LEVEL_DATA, logical, &entry, volume->base);
		if (status == STATUS_AUTH_DATA) {
			continue; /* Lost already; it costs its block, not the checkpoint. */
		}
		if (status == STATUS_OK) {
			status = volume_cursor_put(volume, (uint32_t)logical, volume->base);
		}
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

/* True if there is something below `slot` of the node at `level` on the path. */
static bool has_child(struct volume *volume, uint32_t level, uint32_t slot)
{
	const uint8_t *entry = node_at(volume, level) + (size_t)slot * VOLUME_ENTRY_BYTES;
	return !bytes_are_zero(entry, VOLUME_ENTRY_BYTES);
}

/* A sweep may stop early: what it has re-sealed is done, and the next checkpoint goes on. */
static bool sweep_has_room(const struct volume *volume)
{
	const struct volume_deltas *deltas = &volume->build.deltas;
	/* One more leaf: its blocks, and a path for each of them at worst. */
	const size_t most = 2 * (VOLUME_NODE_ENTRIES + 2 * VOLUME_TREE_LEVELS_MAX);
	return deltas->room - deltas->count > most && volume->bitmaps.left > most &&
	       volume_space_left(volume) > volume->build.taken + most;
}

/* The next logical block at or after `logical` that has a leaf, or logical_blocks: descends from
 * the root along what the cursor loads. */
static enum status next_leaf(struct volume *volume, uint64_t *logical)
{
	uint64_t at = *logical;
	while (at < volume->geometry.logical_blocks) {
		uint32_t level = root_level(volume);
		enum status status = seek_level(volume, (uint32_t)at, level);
		while (status == STATUS_OK && level > VOLUME_LEVEL_LEAF &&
		       has_child(volume, level,
				 slot_in_parent(at >> ((level - 1) * VOLUME_NODE_SHIFT)))) {
			level--;
			status = seek_level(volume, (uint32_t)at, level);
		}
		if (status != STATUS_OK || level == VOLUME_LEVEL_LEAF) {
			*logical = at;
			return status;
		}
		/* Nothing there: past the missing child. */
		uint32_t shift = (level - 1) * VOLUME_NODE_SHIFT;
		at = ((at >> shift) + 1) << shift;
	}
	*logical = volume->geometry.logical_blocks;
	return STATUS_OK;
}

enum status volume_cursor_sweep(struct volume *volume)
{
	enum status status = STATUS_OK;
	uint64_t at = 0;
	if (volume->build.superblock.tree.physical == 0) {
		return STATUS_OK;
	}
	while (status == STATUS_OK && sweep_has_room(volume)) {
		status = next_leaf(volume, &at);
		if (status != STATUS_OK || at >= volume->geometry.logical_blocks) {
			break;
		}
		status = leaf_sweep(volume, at >> VOLUME_NODE_SHIFT);
		at = ((at >> VOLUME_NODE_SHIFT) + 1) << VOLUME_NODE_SHIFT;
	}
	return status;
}
