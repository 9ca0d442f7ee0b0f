// SPDX-License-Identifier: MIT
/* Bitmaps on the device, and the tree of their entries.
 *
 * Every bitmap and every node of the group tree has two fixed places and lives in them alternately:
 * the durable state's is never overwritten, and writing one takes no block, so nothing recurses.
 * Groups are visited in rising order with one path in memory, like the tree of the data. */
#include <string.h>

#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"

static uint8_t *node_at(struct volume *volume, uint32_t height)
{
	return volume->build.groups.nodes + (size_t)(height - 1) * BLOCK_BYTES;
}

static uint32_t slot_of(uint64_t index)
{
	return (uint32_t)(index & (VOLUME_NODE_ENTRIES - 1));
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* Where the child behind a node's slot may be: height 0 is a bitmap. */
static bool is_place_of(const struct volume_geometry *geometry, uint32_t height, uint64_t index,
			uint64_t physical)
{
	uint64_t first = volume_group_node_place(geometry, height, index, 0);
	return index << (height * VOLUME_NODE_SHIFT) < geometry->group_count &&
	       (physical == first || physical == first + 1);
}

enum status volume_group_node_entry(struct volume *volume, const uint8_t *node, uint32_t height,
				    uint64_t index, uint32_t slot, struct volume_entry *entry)
{
	uint64_t child = (index << VOLUME_NODE_SHIFT) + slot;
	enum status status = volume_entry_decode(node + (size_t)slot * VOLUME_ENTRY_BYTES, entry);
	if (status == STATUS_OK && entry->physical != 0 &&
	    !is_place_of(&volume->geometry, height - 1, child, entry->physical)) {
		status = STATUS_AUTH_META;
	}
	return volume_note(volume, status, VOLUME_LEVEL_GROUPS + height, index, UINT64_MAX);
}

enum status volume_group_entry(struct volume *volume, uint32_t lowest, uint64_t which,
			       struct volume_entry *entry)
{
	const uint32_t levels = volume->geometry.group_levels;
	*entry = volume->superblock.groups[levels == 0 ? which : 0];
	for (uint32_t height = levels; height > lowest && entry->physical != 0; height--) {
		uint64_t index = which >> ((height - lowest) * VOLUME_NODE_SHIFT);
		uint64_t child = which >> ((height - lowest - 1) * VOLUME_NODE_SHIFT);
		const uint8_t *node = NULL;
		enum status status =
			volume_node_get(volume, VOLUME_LEVEL_GROUPS + height, index, entry, &node);
		if (status == STATUS_OK) {
			status = volume_group_node_entry(volume, node, height, index,
							 slot_of(child), entry);
		}
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

/* ---- Writing ------------------------------------------------------------------------------- */

/* Seal a block into the one of its two places that `entry` does not name, and let it. */
static enum status rewrite(struct volume *volume, uint32_t height, uint64_t index,
			   const uint8_t *plain, struct volume_entry *entry)
{
	uint64_t first = volume_group_node_place(&volume->geometry, height, index, 0);
	uint64_t other = entry->physical == first ? first + 1 : first;
	uint32_t level = height == 0 ? (uint32_t)VOLUME_LEVEL_BITMAP : VOLUME_LEVEL_GROUPS + height;
	uint8_t *room = NULL;
	enum status status = STATUS_OK;
	if (entry->physical != 0) {
		status = volume_build_count(volume, entry->session, -1);
	}
	if (status == STATUS_OK) {
		status = volume_build_count(volume, volume->session.id, 1);
	}
	if (status == STATUS_OK) {
		status = volume_batch_next(volume, other, &room);
	}
	if (status == STATUS_OK) {
		status = volume_block_seal(volume, level, index, other, plain, room, entry);
	}
	return status;
}

static enum status parent_get(struct volume *volume, uint32_t height, uint64_t index,
			      struct volume_entry *entry)
{
	if (height == volume->geometry.group_levels) {
		*entry = volume->build.superblock.groups[index];
		return STATUS_OK;
	}
	return volume_group_node_entry(volume, node_at(volume, height + 1), height + 1,
				       index >> VOLUME_NODE_SHIFT, slot_of(index), entry);
}

static void parent_set(struct volume *volume, uint32_t height, uint64_t index,
		       const struct volume_entry *entry)
{
	if (height == volume->geometry.group_levels) {
		volume->build.superblock.groups[index] = *entry;
		return;
	}
	volume_entry_encode(
		node_at(volume, height + 1) + (size_t)slot_of(index) * VOLUME_ENTRY_BYTES, entry);
	volume->build.groups.dirty[height] = true;
}

static enum status node_leave(struct volume *volume, uint32_t height)
{
	struct volume_group_cursor *cursor = &volume->build.groups;
	const uint32_t at = height - 1;
	enum status status = STATUS_OK;
	if (cursor->loaded[at] && cursor->dirty[at]) {
		struct volume_entry entry;
		status = parent_get(volume, height, cursor->index[at], &entry);
		if (status == STATUS_OK) {
			status = rewrite(volume, height, cursor->index[at], node_at(volume, height),
					 &entry);
		}
		if (status == STATUS_OK) {
			parent_set(volume, height, cursor->index[at], &entry);
		}
	}
	cursor->loaded[at] = false;
	cursor->dirty[at] = false;
	return status;
}

static enum status node_enter(struct volume *volume, uint32_t height, uint64_t index)
{
	struct volume_group_cursor *cursor = &volume->build.groups;
	struct volume_entry entry;
	enum status status = parent_get(volume, height, index, &entry);
	if (status != STATUS_OK) {
		return status;
	}
	if (entry.physical == 0) {
		memset(node_at(volume, height), 0, BLOCK_BYTES);
	} else {
		const uint8_t *node = NULL;
		status =
			volume_node_get(volume, VOLUME_LEVEL_GROUPS + height, index, &entry, &node);
		if (status != STATUS_OK) {
			return status;
		}
		memcpy(node_at(volume, height), node, BLOCK_BYTES);
	}
	cursor->loaded[height - 1] = true;
	cursor->index[height - 1] = index;
	cursor->dirty[height - 1] =
		entry.physical != 0 && volume_session_is_stale(volume, entry.session);
	return STATUS_OK;
}

/* Bring the path to a group's entry into memory: one node in each call, until `*there`. */
static enum status seek(struct volume *volume, uint32_t group, bool *there)
{
	struct volume_group_cursor *cursor = &volume->build.groups;
	const uint32_t levels = volume->geometry.group_levels;
	*there = false;
	for (uint32_t height = 1; height <= levels; height++) {
		if (cursor->loaded[height - 1] &&
		    cursor->index[height - 1] != (uint64_t)group >> (height * VOLUME_NODE_SHIFT)) {
			return node_leave(volume, height);
		}
	}
	for (uint32_t height = levels; height > 0; height--) {
		if (!cursor->loaded[height - 1]) {
			return node_enter(volume, height,
					  (uint64_t)group >> (height * VOLUME_NODE_SHIFT));
		}
	}
	*there = true;
	return STATUS_OK;
}

/* Write what is left of the path, one node in each call. */
static enum status end(struct volume *volume, bool *done)
{
	const struct volume_group_cursor *cursor = &volume->build.groups;
	*done = false;
	for (uint32_t height = 1; height <= volume->geometry.group_levels; height++) {
		if (cursor->loaded[height - 1]) {
			return node_leave(volume, height);
		}
	}
	*done = true;
	return STATUS_OK;
}

/* ---- A checkpoint's list ------------------------------------------------------------------- */

/* Apply the list's runs of one group. Each block has to change its bit: anything else means that
 * the bitmap and what the superblock reaches had come apart. */
static enum status deltas_apply(struct volume *volume, const uint64_t *deltas, size_t count,
				uint8_t *bitmap)
{
	uint64_t *free_count = &volume->build.free_count;
	for (size_t i = 0; i < count; i++) {
		const struct volume_delta delta = volume_delta_decode(deltas[i]);
		if (!volume_delta_apply(&delta, bitmap)) {
			return STATUS_AUTH_META;
		}
		*free_count = delta.frees ? *free_count + delta.count : *free_count - delta.count;
	}
	return STATUS_OK;
}

/* Sealed by a session that this checkpoint wants to be rid of. */
static bool is_stale(struct volume *volume, const struct volume_entry *entry)
{
	return entry->physical != 0 && volume_session_is_stale(volume, entry->session);
}

static bool group_grows(const struct volume *volume, uint32_t group)
{
	const struct volume_build *build = &volume->build;
	return build->grows && build->grows_from < build->grows_to &&
	       (build->grows_from - volume->geometry.group_first) / VOLUME_GROUP_BLOCKS == group;
}

static enum status group_rewrite(struct volume *volume, uint32_t group, const uint64_t *deltas,
				 size_t count)
{
	struct volume_entry entry = {.physical = 0};
	uint8_t *bitmap = NULL;
	enum status status = parent_get(volume, 0, group, &entry);
	bool is_hole = entry.physical == 0;
	/* A hole is the bitmap of an empty group; the state profile writes it all the same. */
	bool moves = is_hole ? count != 0 || volume->geometry.group_levels == 0
			     : count != 0 || is_stale(volume, &entry) || group_grows(volume, group);
	if (status != STATUS_OK || !moves) {
		return status;
	}
	status = volume_bitmap_get(volume, group, &bitmap);
	if (status != STATUS_OK) {
		return status;
	}
	memcpy(volume->build.bitmap, bitmap, BLOCK_BYTES);
	if (group_grows(volume, group)) {
		volume_grow_bitmap(volume, group, volume->build.bitmap);
	}
	status = volume_note(volume, deltas_apply(volume, deltas, count, volume->build.bitmap),
			     VOLUME_LEVEL_BITMAP, group, UINT64_MAX);
	if (status == STATUS_OK && (memcmp(volume->build.bitmap, bitmap, BLOCK_BYTES) != 0 ||
				    is_hole || is_stale(volume, &entry))) {
		status = rewrite(volume, 0, group, volume->build.bitmap, &entry);
		if (status == STATUS_OK) {
			parent_set(volume, 0, group, &entry);
		}
	}
	return status;
}

void volume_build_bitmaps_begin(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	memset(build->groups.loaded, 0, sizeof(build->groups.loaded));
	memset(build->groups.dirty, 0, sizeof(build->groups.dirty));
	build->done = 0;
	build->group = 0;
}

static uint32_t group_of(uint64_t delta)
{
	return volume_delta_decode(delta).group;
}

/* The next group at or after `group` that has changes, or that has to be looked at in any case:
 * all of them if there are few, or if some may have to move without a change. */
static uint32_t group_next(const struct volume *volume, uint32_t group)
{
	const struct volume_build *build = &volume->build;
	if (volume->geometry.group_levels == 0 || build->sweep.victim != 0) {
		return group;
	}
	uint32_t next = volume->geometry.group_count;
	if (build->done < build->deltas.count) {
		next = group_of(build->deltas.all[build->done]);
	}
	uint32_t visit = group < build->visit_first ? build->visit_first : group;
	return visit < build->visit_end && visit < next ? visit : next;
}

enum status volume_build_bitmaps(struct volume *volume, bool *done)
{
	struct volume_build *build = &volume->build;
	const struct volume_deltas *deltas = &build->deltas;
	bool there = false;
	*done = false;
	build->group = group_next(volume, build->group);
	if (build->group == volume->geometry.group_count) {
		return end(volume, done);
	}
	enum status status = seek(volume, build->group, &there);
	if (status != STATUS_OK || !there) {
		return status;
	}
	size_t first = build->done;
	size_t last = first;
	while (last < deltas->count && group_of(deltas->all[last]) == build->group) {
		last++;
	}
	status = group_rewrite(volume, build->group, deltas->all + first, last - first);
	build->done = last;
	build->group++;
	return status;
}
