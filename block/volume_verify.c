// SPDX-License-Identifier: MIT
/* Walk everything that the durable superblock reaches. Afterwards the set of blocks that were
 * reached has to be the bitmap, and the blocks of each session what the table says.
 *
 * Verification ends at the first fault. A survey reports it and goes on behind what it hides; the
 * sums cannot hold then, and are left out. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"

struct walk {
	struct volume *volume;
	volume_progress progress;
	void *context;
	uint64_t done; /* Blocks reached. */
	uint64_t free; /* Clear bits. */
	uint64_t total;
	volume_fault_visit visit; /* NULL: end at the first fault. */
	void *visit_context;
	enum status first_fault;
};

/* A fault ends a verification; a survey reports it and returns OK. A device that is gone, or that
 * answers no more, ends both. */
static enum status fault(struct walk *walk, enum status status, enum volume_fault_kind kind,
			 const struct volume_failure *where)
{
	bool is_fault =
		status == STATUS_AUTH_DATA || status == STATUS_AUTH_META || status == STATUS_IO;
	if (walk->visit == NULL || !is_fault) {
		return status;
	}
	struct volume_fault fault = {.kind = kind, .where = *where};
	fault.where.status = status;
	fault.where.epoch = walk->volume->superblock.epoch;
	if (kind == VOLUME_FAULT_DATA || kind == VOLUME_FAULT_NODE) {
		fault.first_logical = where->logical << (where->level * VOLUME_NODE_SHIFT);
		fault.logical_count = UINT64_C(1) << (where->level * VOLUME_NODE_SHIFT);
	}
	walk->visit(walk->visit_context, &fault);
	if (walk->first_fault == STATUS_OK) {
		walk->first_fault = status;
	}
	return STATUS_OK;
}

static struct volume_failure place(uint32_t level, uint64_t index, uint64_t physical)
{
	return (struct volume_failure){.level = level, .logical = index, .physical = physical};
}

/* That a block is reached at most once needs no memory: each opens only at its own place in the
 * tree, and no place is visited twice. So if all that is reached is in the bitmap, and there is as
 * much of it as the bitmap has, they are the same set. The build's table counts down from the
 * durable one to zero. */
static enum status session_uncount(struct volume *volume, uint32_t session)
{
	struct volume_session_row *row = volume_table_find(&volume->build.table, session);
	if (row == NULL || row->live_blocks == 0) {
		return STATUS_AUTH_META;
	}
	row->live_blocks--;
	return STATUS_OK;
}

static enum status bit_is_set(struct volume *volume, uint64_t physical)
{
	uint64_t offset = physical - volume->geometry.group_first;
	uint64_t bit = offset % VOLUME_GROUP_BLOCKS;
	uint8_t *bitmap = NULL;
	enum status status =
		volume_bitmap_get(volume, (uint32_t)(offset / VOLUME_GROUP_BLOCKS), &bitmap);
	if (status != STATUS_OK) {
		return status;
	}
	return (bitmap[bit / 8] >> (bit % 8) & 1) != 0 ? STATUS_OK : STATUS_AUTH_META;
}

static enum status reached(struct walk *walk, uint32_t level, uint64_t index,
			   const struct volume_entry *entry)
{
	struct volume *volume = walk->volume;
	enum status status = bit_is_set(volume, entry->physical);
	if (status == STATUS_OK && level != VOLUME_LEVEL_TABLE) {
		status = session_uncount(volume, entry->session);
	}
	walk->done++;
	if (walk->progress != NULL) {
		walk->progress(walk->context, walk->done, walk->total);
	}
	const struct volume_failure where = place(level, index, entry->physical);
	return fault(walk, volume_note(volume, status, level, index, entry->physical),
		     VOLUME_FAULT_META, &where);
}

/* Has the log replaced the block? In the block profile nothing needs the old one then, and it may
 * be one that was lost and healed by being overwritten. (In the state profile a patch may need it.)
 */
static bool is_superseded(const struct volume *volume, uint64_t logical)
{
	return volume->geometry.profile == VOLUME_PROFILE_BLOCK &&
	       volume_pending_find(volume, (uint32_t)logical) != NULL;
}

static enum status data_walk(struct walk *walk, const uint8_t *leaf, uint64_t leaf_index,
			     uint32_t slot)
{
	struct volume *volume = walk->volume;
	struct volume_entry entry = {.physical = VOLUME_NOT_A_BLOCK};
	uint64_t logical = (leaf_index << VOLUME_NODE_SHIFT) + slot;
	enum status status =
		volume_node_entry(volume, leaf, VOLUME_LEVEL_LEAF, leaf_index, slot, &entry);
	if (status == STATUS_OK && entry.physical == 0) {
		return STATUS_OK;
	}
	if (status == STATUS_OK) {
		status = reached(walk, VOLUME_LEVEL_DATA, logical, &entry);
	}
	if (status == STATUS_OK && !is_superseded(volume, logical)) {
		status =
			volume_block_open(volume, VOLUME_LEVEL_DATA, logical, &entry, volume->base);
	}
	if (status == STATUS_AUTH_DATA && walk->visit != NULL &&
	    volume_pending_find(volume, (uint32_t)logical) != NULL) {
		/* The log has a newer version: the next checkpoint drops this one. */
		return STATUS_OK;
	}
	const struct volume_failure where = place(VOLUME_LEVEL_DATA, logical, entry.physical);
	return fault(walk, status, VOLUME_FAULT_DATA, &where);
}

static enum status leaf_walk(struct walk *walk, const uint8_t *leaf, uint64_t leaf_index)
{
	enum status status = STATUS_OK;
	for (uint32_t slot = 0; slot < VOLUME_NODE_ENTRIES && status == STATUS_OK; slot++) {
		status = data_walk(walk, leaf, leaf_index, slot);
	}
	return status;
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
	if (status != STATUS_OK) {
		/* For a survey, a node that is lost is one without entries. */
		memset(*node, 0, BLOCK_BYTES);
	}
	const struct volume_failure where = place(level, index, entry->physical);
	return fault(walk, status, VOLUME_FAULT_NODE, &where);
}

/* The tree, depth first: an index and the next slot for each level instead of recursion. */
static enum status tree_walk(struct walk *walk)
{
	struct volume *volume = walk->volume;
	const uint32_t root = volume->geometry.tree_levels;
	uint8_t *nodes[VOLUME_TREE_LEVELS_MAX + 1] = {NULL};
	uint64_t index[VOLUME_TREE_LEVELS_MAX + 1] = {0};
	uint32_t slot[VOLUME_TREE_LEVELS_MAX + 1] = {0};
	uint32_t level = root;
	if (volume->superblock.tree.physical == 0) {
		return STATUS_OK;
	}
	enum status status = node_enter(walk, root, 0, &volume->superblock.tree, &nodes[root]);
	while (status == STATUS_OK && level <= root) {
		struct volume_entry below;
		uint64_t child = (index[level] << VOLUME_NODE_SHIFT) + slot[level];
		if (slot[level] == VOLUME_NODE_ENTRIES) {
			level++;
			continue;
		}
		status = volume_node_entry(volume, nodes[level], level, index[level], slot[level]++,
					   &below);
		if (status != STATUS_OK) {
			const struct volume_failure where =
				place(level - 1, child, VOLUME_NOT_A_BLOCK);
			status = fault(walk, status, VOLUME_FAULT_NODE, &where);
			continue;
		}
		if (below.physical == 0) {
			continue;
		}
		status = node_enter(walk, level - 1, child, &below, &nodes[level - 1]);
		if (status == STATUS_OK && level - 1 == VOLUME_LEVEL_LEAF) {
			status = leaf_walk(walk, nodes[VOLUME_LEVEL_LEAF], child);
		} else if (status == STATUS_OK) {
			level--;
			index[level] = child;
			slot[level] = 0;
		}
	}
	return status;
}

/* The bitmap in `base` has to be what allocation goes by. */
static enum status bitmap_check(struct walk *walk, uint32_t group)
{
	struct volume *volume = walk->volume;
	uint8_t *cached = NULL;
	walk->free += volume_bitmap_free_count(volume->base);
	enum status status = volume_bitmap_check(volume, group, volume->base);
	if (status == STATUS_OK) {
		status = volume_bitmap_get(volume, group, &cached);
	}
	if (status == STATUS_OK && memcmp(cached, volume->base, BLOCK_BYTES) != 0) {
		status = volume_note(volume, STATUS_AUTH_META, VOLUME_LEVEL_BITMAP, group,
				     UINT64_MAX);
	}
	return status;
}

static uint32_t group_level(uint32_t height)
{
	return height == 0 ? (uint32_t)VOLUME_LEVEL_BITMAP : VOLUME_LEVEL_GROUPS + height;
}

/* One bitmap, or one node of the group tree, as it is on the disk now. */
static enum status group_block_walk(struct walk *walk, uint32_t height, uint64_t index)
{
	struct volume *volume = walk->volume;
	const uint32_t level = group_level(height);
	struct volume_entry entry;
	enum status status = volume_group_entry(volume, height, index, &entry);
	if (status != STATUS_OK) {
		return status;
	}
	if (entry.physical == 0) {
		volume_bitmap_blank(&volume->geometry, (uint32_t)index, volume->base);
	} else {
		status = volume_note(volume, session_uncount(volume, entry.session), level, index,
				     entry.physical);
		if (status == STATUS_OK) {
			status = volume_block_open(volume, level, index, &entry, volume->base);
		}
	}
	if (status == STATUS_OK && height == 0) {
		status = bitmap_check(walk, (uint32_t)index);
	}
	return status;
}

static enum status groups_walk(struct walk *walk)
{
	const struct volume_geometry *geometry = &walk->volume->geometry;
	enum status status = STATUS_OK;
	for (uint32_t height = 0; height <= geometry->group_levels; height++) {
		for (uint64_t index = 0;
		     index << (height * VOLUME_NODE_SHIFT) < geometry->group_count; index++) {
			/* A missing node covers missing bitmaps, which count as blank ones. */
			status = group_block_walk(walk, height, index);
			const struct volume_failure where =
				place(group_level(height), index, VOLUME_NOT_A_BLOCK);
			status = fault(walk, status, VOLUME_FAULT_META, &where);
			if (status != STATUS_OK) {
				return status;
			}
		}
	}
	return status;
}

static enum status table_walk(struct walk *walk)
{
	struct volume *volume = walk->volume;
	enum status status = reached(walk, VOLUME_LEVEL_TABLE, 0, &volume->superblock.table);
	if (status == STATUS_OK) {
		status = volume_block_open(volume, VOLUME_LEVEL_TABLE, 0, &volume->superblock.table,
					   volume->base);
	}
	const struct volume_failure where =
		place(VOLUME_LEVEL_TABLE, 0, volume->superblock.table.physical);
	return fault(walk, status, VOLUME_FAULT_META, &where);
}

/* Copies that the mount found bad. */
static void pairs_survey(struct walk *walk)
{
	const struct volume *volume = walk->volume;
	for (uint32_t which = 0; which < 2; which++) {
		const struct volume_pair *pairs[] = {&volume->superblock_pairs[which],
						     &volume->keyslots_pairs[which]};
		for (size_t i = 0; i < 2; i++) {
			if (!pairs[i]->needs_heal) {
				continue;
			}
			const struct volume_failure where =
				place(i == 0 ? VOLUME_LEVEL_SUPERBLOCK : VOLUME_LEVEL_KEYSLOTS,
				      which, pairs[i]->places[VOLUME_COPIES - 1 - pairs[i]->good]);
			(void)fault(walk, STATUS_AUTH_META, VOLUME_FAULT_COPY, &where);
		}
	}
}

/* What the log has on the device and the tree does not have yet. A patch whose base was lost is
 * lost data. */
static enum status pending_walk(struct walk *walk, const struct volume_map *map)
{
	struct volume *volume = walk->volume;
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < map->count && status == STATUS_OK; i++) {
		const struct volume_map_entry *pending = volume_map_at(map, i);
		struct volume_failure where =
			place(VOLUME_LEVEL_DATA, pending->logical, VOLUME_NOT_A_BLOCK);
		if (pending->kind == VOLUME_MAP_PLACED || pending->kind == VOLUME_MAP_CARRIED) {
			where.physical = pending->entry.physical;
			status = volume_block_open(volume, VOLUME_LEVEL_DATA, pending->logical,
						   &pending->entry, volume->base);
		} else if (pending->kind == VOLUME_MAP_LOST) {
			status = volume_note(volume, STATUS_AUTH_DATA, VOLUME_LEVEL_DATA,
					     pending->logical, VOLUME_NOT_A_BLOCK);
		}
		if (walk->progress != NULL) {
			walk->progress(walk->context, walk->done, walk->total);
		}
		status = fault(walk, status, VOLUME_FAULT_DATA, &where);
	}
	return status;
}

/* Something is frozen only if the checkpoint that was to move it ended writing. */
static enum status overlay_walk(struct walk *walk)
{
	enum status status = pending_walk(walk, &walk->volume->frozen);
	return status == STATUS_OK ? pending_walk(walk, &walk->volume->overlay) : status;
}

static enum status sums_check(const struct walk *walk)
{
	struct volume *volume = walk->volume;
	uint64_t all = volume_allocatable_count(&volume->geometry);
	enum status status = STATUS_OK;
	if (walk->done + walk->free != all || walk->free != volume->bitmaps.free_count) {
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

static enum status walk_all(struct walk *walk)
{
	struct volume *volume = walk->volume;
	struct volume_info info;
	if (volume->txn.open) {
		return STATUS_BUSY;
	}
	/* The walk uses a checkpoint's buffers. If nothing can be written any more, there will be
	 * none. */
	if (volume->writable) {
		enum status finished = volume_checkpoint_finish(volume);
		if (finished != STATUS_OK && volume->writable) {
			return finished;
		}
	}
	volume_info_get(volume, &info);
	walk->total = info.blocks_used.n;
	volume->build.table = volume->table;
	enum status status = table_walk(walk);
	if (status == STATUS_OK) {
		status = groups_walk(walk);
	}
	if (status == STATUS_OK) {
		status = tree_walk(walk);
	}
	if (status == STATUS_OK) {
		status = overlay_walk(walk);
	}
	if (status == STATUS_OK && walk->first_fault == STATUS_OK) {
		status = sums_check(walk);
		const struct volume_failure where =
			place(VOLUME_LEVEL_BITMAP, UINT64_MAX, VOLUME_NOT_A_BLOCK);
		status = fault(walk, status, VOLUME_FAULT_META, &where);
	}
	if (status == STATUS_OK && walk->visit != NULL) {
		pairs_survey(walk);
	}
	return status == STATUS_OK ? walk->first_fault : status;
}

enum status volume_verify(struct volume *volume, volume_progress progress, void *progress_context)
{
	struct walk walk = {.volume = volume, .progress = progress, .context = progress_context};
	return walk_all(&walk);
}

enum status volume_survey(struct volume *volume, volume_fault_visit visit, void *visit_context,
			  volume_progress progress, void *progress_context)
{
	struct walk walk = {
		.volume = volume,
		.progress = progress,
		.context = progress_context,
		.visit = visit,
		.visit_context = visit_context,
	};
	return walk_all(&walk);
}
