// SPDX-License-Identifier: MIT
/* The radix tree, write side: a cursor that holds one path in memory. A checkpoint feeds it changes
 * in logical order; a node is sealed and written once, when the cursor leaves it, so that any
 * number of changes needs one node buffer for each level. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"

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
	enum status status = volume_build_free(volume, old->physical, 1);
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
		status = volume_build_allocate_one(volume, &physical);
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
	/* Whoever reads below it next, once the checkpoint is durable, need not open it. */
	if (made.physical != 0) {
		volume_node_keep(volume, level, cursor->index[at], &old, &made, node);
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
	cursor->dirty[at] = entry.physical != 0 && volume_session_is_stale(volume, entry.session);
	return STATUS_OK;
}

void volume_cursor_begin(struct volume *volume)
{
	struct volume_cursor *cursor = &volume->build.cursor;
	memset(cursor->loaded, 0, sizeof(cursor->loaded));
	memset(cursor->dirty, 0, sizeof(cursor->dirty));
}

/* Bring the path down to `lowest` into memory: one node in each call, until `*there`. */
static enum status seek_level(struct volume *volume, uint32_t logical, uint32_t lowest, bool *there)
{
	struct volume_cursor *cursor = &volume->build.cursor;
	*there = false;
	/* Leave from the leaf up: a node's entry has to be in its parent before that is sealed. */
	for (uint32_t level = VOLUME_LEVEL_LEAF; level <= root_level(volume); level++) {
		const uint32_t at = level - VOLUME_LEVEL_LEAF;
		if (cursor->loaded[at] &&
		    cursor->index[at] != (uint64_t)logical >> (level * VOLUME_NODE_SHIFT)) {
			return level_leave(volume, level);
		}
	}
	for (uint32_t level = root_level(volume); level >= lowest; level--) {
		if (!cursor->loaded[level - VOLUME_LEVEL_LEAF]) {
			return level_enter(volume, level,
					   (uint64_t)logical >> (level * VOLUME_NODE_SHIFT));
		}
	}
	*there = true;
	return STATUS_OK;
}

/* What the sought slot holds. */
static enum status slot_get(struct volume *volume, uint32_t logical, struct volume_entry *entry)
{
	return volume_node_entry(volume, node_at(volume, VOLUME_LEVEL_LEAF), VOLUME_LEVEL_LEAF,
				 logical >> VOLUME_NODE_SHIFT, slot_in_parent(logical), entry);
}

/* That slot, and those behind it. */
static void slots_set(struct volume *volume, uint32_t logical, const struct volume_entry *entries,
		      uint32_t count)
{
	uint8_t *slot = node_at(volume, VOLUME_LEVEL_LEAF) +
			(size_t)slot_in_parent(logical) * VOLUME_ENTRY_BYTES;
	for (uint32_t i = 0; i < count; i++) {
		volume_entry_encode(slot + (size_t)i * VOLUME_ENTRY_BYTES, &entries[i]);
	}
	volume->build.cursor.dirty[0] = true;
}

/* Give up what the sought slot holds, and let `made` take its place. */
static enum status leaf_replace(struct volume *volume, uint32_t logical,
				const struct volume_entry *made)
{
	struct volume_entry old;
	enum status status = slot_get(volume, logical, &old);
	if (status != STATUS_OK || (made->physical == 0 && old.physical == 0)) {
		return status;
	}
	status = release(volume, &old);
	if (status == STATUS_OK) {
		slots_set(volume, logical, made, 1);
	}
	return status;
}

enum status volume_cursor_seek(struct volume *volume, uint32_t logical, bool *there)
{
	return seek_level(volume, logical, VOLUME_LEVEL_LEAF, there);
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

/* Each of `made` is one block more of its session, and its `old` one fewer: mostly of the same,
 * whose count then stays what it is. */
static enum status sessions_count(struct volume *volume, const struct volume_entry *old,
				  const struct volume_entry *made, uint32_t count)
{
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
		if (old[i].physical != 0 && old[i].session == made[i].session) {
			continue;
		}
		status = volume_build_count(volume, made[i].session, 1);
		if (status == STATUS_OK && old[i].physical != 0) {
			status = volume_build_count(volume, old[i].session, -1);
		}
	}
	return status;
}

enum status volume_cursor_place(struct volume *volume, uint32_t logical,
				const struct volume_entry *entries, uint32_t count)
{
	struct volume_entry old[VOLUME_BATCH_BLOCKS];
	enum status status = volume_node_entries(volume, node_at(volume, VOLUME_LEVEL_LEAF),
						 VOLUME_LEVEL_LEAF, logical >> VOLUME_NODE_SHIFT,
						 slot_in_parent(logical), count, old);
	if (status == STATUS_OK) {
		status = sessions_count(volume, old, entries, count);
	}
	if (status == STATUS_OK) {
		status = volume_build_free_all(volume, old, count);
	}
	if (status == STATUS_OK) {
		slots_set(volume, logical, entries, count);
	}
	return status;
}

enum status volume_cursor_spoil(struct volume *volume, uint32_t logical)
{
	struct volume_entry entry;
	enum status status = slot_get(volume, logical, &entry);
	if (status != STATUS_OK || entry.physical == 0) {
		return status;
	}
	for (size_t i = 0; i < AEAD_TAG_BYTES; i++) {
		entry.tag[i] = (uint8_t)~entry.tag[i];
	}
	slots_set(volume, logical, &entry, 1);
	return STATUS_OK;
}

enum status volume_cursor_end(struct volume *volume, bool *done)
{
	const struct volume_cursor *cursor = &volume->build.cursor;
	*done = false;
	for (uint32_t level = VOLUME_LEVEL_LEAF; level <= root_level(volume); level++) {
		if (cursor->loaded[level - VOLUME_LEVEL_LEAF]) {
			return level_leave(volume, level);
		}
	}
	*done = true;
	return STATUS_OK;
}

enum status volume_cursor_raise(struct volume *volume, uint32_t level)
{
	struct volume_entry *root = &volume->build.superblock.tree;
	uint8_t *node = node_at(volume, level);
	if (root->physical == 0) {
		return STATUS_OK;
	}
	memset(node, 0, BLOCK_BYTES);
	volume_entry_encode(node, root);
	return place(volume, level, 0, node, root);
}

/* ---- Sweeping a session -------------------------------------------------------------------- */

/* The victim's next data block below the leaf that was sought. */
static enum status victim_find(struct volume *volume, bool *found, struct volume_entry *entry)
{
	const uint8_t *leaf = node_at(volume, VOLUME_LEVEL_LEAF);
	struct volume_sweep *sweep = &volume->build.sweep;
	*found = false;
	for (; sweep->slot < VOLUME_NODE_ENTRIES; sweep->slot++) {
		enum status status =
			volume_node_entry(volume, leaf, VOLUME_LEVEL_LEAF,
					  sweep->at >> VOLUME_NODE_SHIFT, sweep->slot, entry);
		*found = entry->physical != 0 && volume_session_is_stale(volume, entry->session);
		if (status != STATUS_OK || *found) {
			return status;
		}
	}
	return STATUS_OK;
}

/* A lost block goes on being lost without the key that it was sealed under: zeroes take its place,
 * under a tag that nothing matches. */
static enum status lost_seal(struct volume *volume, uint64_t logical)
{
	memset(volume->base, 0, BLOCK_BYTES);
	enum status status = volume_cursor_put(volume, (uint32_t)logical, volume->base);
	return status == STATUS_OK ? volume_cursor_spoil(volume, (uint32_t)logical) : status;
}

/* Re-seal one block of the leaf that was sought, or go on to the next leaf. */
static enum status leaf_sweep(struct volume *volume)
{
	struct volume_sweep *sweep = &volume->build.sweep;
	struct volume_entry entry = {.physical = 0};
	bool found = false;
	enum status status = victim_find(volume, &found, &entry);
	if (status != STATUS_OK) {
		return status;
	}
	if (!found) {
		sweep->at += VOLUME_NODE_ENTRIES;
		sweep->slot = 0;
		return STATUS_OK;
	}
	uint64_t logical = sweep->at + sweep->slot++;
	status = volume_block_open(volume, VOLUME_LEVEL_DATA, logical, &entry, volume->base);
	if (status == STATUS_AUTH_DATA) {
		/* Lost already; it costs its block, not the checkpoint. */
		return volume->build.rotates == VOLUME_ROTATES_NOT ? STATUS_OK
								   : lost_seal(volume, logical);
	}
	return status == STATUS_OK ? volume_cursor_put(volume, (uint32_t)logical, volume->base)
				   : status;
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
	const size_t leaf = 2 * (VOLUME_NODE_ENTRIES + 2 * VOLUME_TREE_LEVELS_MAX);
	/* A rotation has to come through on a full volume: one more block, and its path. */
	const size_t block = 4 * (1 + VOLUME_TREE_LEVELS_MAX);
	const size_t most = volume->build.rotates == VOLUME_ROTATES_NOT ? leaf : block;
	/* Beside transactions it leaves them what they may take. */
	uint64_t space =
		volume->build.is_patient ? volume_space_left(volume) : volume_room_slack(volume);
	return deltas->room - deltas->count > most && volume->bitmaps.left > most && space > most;
}

/* Bring the next leaf at or after `*logical` into memory: one node, or one hole passed, in each
 * call, until `*there` or the end of the volume. Descends from the root along what the cursor
 * loads. */
static enum status leaf_seek(struct volume *volume, uint64_t *logical, bool *there)
{
	for (uint32_t level = root_level(volume);; level--) { /* Ends at the leaf. */
		bool has_arrived = false;
		enum status status = seek_level(volume, (uint32_t)*logical, level, &has_arrived);
		*there = has_arrived && level == VOLUME_LEVEL_LEAF;
		if (status != STATUS_OK || !has_arrived || *there) {
			return status;
		}
		uint32_t shift = (level - 1) * VOLUME_NODE_SHIFT;
		uint32_t slot = slot_in_parent(*logical >> shift);
		if (!has_child(volume, level, slot)) {
			*logical = ((*logical >> shift) + 1) << shift;
			return STATUS_OK;
		}
	}
}

enum status volume_cursor_sweep(struct volume *volume, bool *done)
{
	struct volume_sweep *sweep = &volume->build.sweep;
	bool there = false;
	*done = sweep->at >= volume->geometry.logical_blocks ||
		volume->build.superblock.tree.physical == 0 || !sweep_has_room(volume);
	if (*done) {
		return STATUS_OK;
	}
	enum status status = leaf_seek(volume, &sweep->at, &there);
	return status == STATUS_OK && there ? leaf_sweep(volume) : status;
}
