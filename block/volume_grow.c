// SPDX-License-Identifier: MIT
/* Growing a mounted volume, in two moves. A crash at any point leaves the volume at its old size or
 * at its new one, and the same call again goes on from there.
 *
 * First the second copies move to the new end. Both keyslot areas and both superblock slots are
 * written anew, a pair at a time, each area named by the superblock after it: what a pair held
 * before is found at the old end until its first copy is whole. All of these superblocks say that
 * the groups still end where they did, so nothing is put where the old copies are.
 *
 * Then nothing needs the old copies any more, and one checkpoint makes the rest of the device part
 * of the groups: the last group becomes longer, new groups are empty, and where the trees have to
 * be higher, a root is put above the root. */
#include <string.h>

#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"

/* ---- Moving the copies --------------------------------------------------------------------- */

/* One area and the superblock that names it, at the end of `size`. */
static enum status pair_move(struct volume *volume)
{
	struct volume_keyslots keyslots = volume->keyslots;
	keyslots.size = volume->geometry.size;
	return volume_keyslots_write(volume, &keyslots);
}

static enum status copies_move(struct volume *volume, uint64_t size)
{
	const struct volume_geometry old = volume->geometry;
	enum status status = volume_geometry_grown((uint32_t)old.profile, size, old.usable,
						   old.ring_blocks, &volume->geometry);
	for (uint32_t i = 0; i < 2 && status == STATUS_OK; i++) {
		status = pair_move(volume);
	}
	if (status != STATUS_OK && volume->superblock.geometry.size == old.size) {
		volume->geometry = old; /* Nothing that counts says otherwise. */
	}
	return status;
}

/* No superblock, and no key that has been removed since, is to be found at the old end: the blocks
 * may not be written for a long time. */
static enum status copies_erase(struct volume *volume)
{
	uint64_t first = volume_keyslots_place(volume->geometry.usable, 0, 1);
	return volume_blocks_erase(volume, first, volume->geometry.usable - first);
}

/* ---- Higher trees -------------------------------------------------------------------------- */

/* A node of the group tree above its root. Its places are group 0's, and no smaller volume uses
 * them, so it may be written before the superblock that names it. */
static enum status group_root_raise(struct volume *volume, uint32_t height)
{
	struct volume_entry *root = &volume->superblock.groups[0];
	struct volume_session_row *row = NULL;
	uint8_t *room = NULL;
	uint64_t place = volume_group_node_place(&volume->geometry, height, 0, 0);
	memset(volume->base, 0, BLOCK_BYTES);
	volume_entry_encode(volume->base, root);
	enum status status = volume_session_learn(volume, volume->session.id,
						  volume->session.generation, volume->session.salt);
	if (status == STATUS_OK) {
		row = volume_table_find(&volume->table, volume->session.id);
		row->live_blocks++;
		status = volume_batch_next(volume, place, &room);
	}
	if (status == STATUS_OK) {
		status = volume_block_seal(volume, VOLUME_LEVEL_GROUPS + height, 0, place,
					   volume->base, room, root);
	}
	return status == STATUS_OK ? volume_batch_write(volume) : status;
}

enum status volume_grow_build(struct volume *volume)
{
	const struct volume_geometry *old = &volume->superblock.geometry;
	enum status status = STATUS_OK;
	for (uint32_t level = old->tree_levels + 1;
	     level <= volume->geometry.tree_levels && status == STATUS_OK; level++) {
		status = volume_cursor_raise(volume, level);
	}
	volume->build.free_count += volume->build.grows_to - volume->build.grows_from;
	return status;
}

void volume_grow_bitmap(const struct volume *volume, uint32_t group, uint8_t *bitmap)
{
	uint64_t first = volume_bitmap_place(&volume->geometry, group, 0);
	for (uint64_t at = volume->build.grows_from; at < volume->build.grows_to; at++) {
		uint64_t bit = at - first;
		bitmap[bit / 8] = (uint8_t)(bitmap[bit / 8] & ~(1u << (bit % 8)));
	}
}

/* ---- Longer groups ------------------------------------------------------------------------- */

/* What a grow changes in memory, to be put back if it does not come about. */
struct before {
	struct volume_geometry geometry;
	struct volume_entry group_root;
	struct volume_session_table table;
};

/* Buffers for volume->geometry, empty caches, and the bitmaps of the durable state. */
static enum status relayout(struct volume *volume)
{
	enum status status = volume_arena_lay_out(volume);
	if (status != STATUS_OK) {
		return status;
	}
	memset(volume->bitmaps.cache, 0, sizeof(volume->bitmaps.cache));
	return volume_bitmaps_load(volume);
}

/* The part of the last group that the device did not have before. */
static void tail_find(struct volume *volume, const struct volume_geometry *old)
{
	uint64_t end = volume_bitmap_place(old, old->group_count, 0);
	volume->build.grows_from = old->group_end;
	volume->build.grows_to =
		end < volume->geometry.group_end ? end : volume->geometry.group_end;
}

/* In memory the volume becomes the larger one, whose last group is in use to its end. */
static enum status larger_make(struct volume *volume, const struct volume_geometry *old)
{
	uint64_t free = volume->bitmaps.free_count;
	enum status status = volume_geometry_grown((uint32_t)old->profile, old->size, old->size,
						   old->ring_blocks, &volume->geometry);
	for (uint32_t height = old->group_levels + 1;
	     height <= volume->geometry.group_levels && status == STATUS_OK &&
	     volume->superblock.groups[0].physical != 0;
	     height++) {
		status = group_root_raise(volume, height);
	}
	if (status == STATUS_OK) {
		status = relayout(volume);
	}
	tail_find(volume, old);
	uint64_t tail = volume->build.grows_to - volume->build.grows_from;
	volume->bitmaps.free_count = free + volume_allocatable_count(&volume->geometry) -
				     volume_allocatable_count(old) - tail;
	return status;
}

/* STATUS_NO_MEMORY before anything has happened, if the arena is too small for the larger volume.
 */
static enum status arena_check(struct volume *volume, uint64_t size)
{
	struct volume_geometry larger;
	enum status status = volume_geometry_grown((uint32_t)volume->geometry.profile, size, size,
						   volume->geometry.ring_blocks, &larger);
	if (status != STATUS_OK) {
		return status;
	}
	return volume_arena_bytes_of(&larger) <= volume->arena_bytes ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status groups_extend(struct volume *volume)
{
	const struct before before = {
		.geometry = volume->geometry,
		.group_root = volume->superblock.groups[0],
		.table = volume->table,
	};
	const uint64_t epoch = volume->superblock.epoch;
	enum status status = larger_make(volume, &before.geometry);
	if (status == STATUS_OK) {
		volume->build.grows = true;
		volume->build.visit_first = before.geometry.group_count - 1;
		volume->build.visit_end = before.geometry.group_count;
		status = volume_checkpoint_run(volume, true);
		volume->build.grows = false;
		volume->build.visit_end = 0;
	}
	if (volume->superblock.epoch == epoch) {
		volume->geometry = before.geometry;
		volume->superblock.groups[0] = before.group_root;
		volume->table = before.table;
	}
	/* The cached bitmaps are those of before. */
	enum status again = relayout(volume);
	if (again != STATUS_OK) {
		volume->writable = false;
	}
	return status == STATUS_OK ? again : status;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static enum status size_check(const struct volume *volume, uint64_t size)
{
	if (size < volume->geometry.size ||
	    (size != volume->geometry.size &&
	     size - volume->geometry.size < VOLUME_GROW_BLOCKS_MIN)) {
		return STATUS_INVALID;
	}
	if (size > volume_size_max((uint32_t)volume->geometry.profile)) {
		return STATUS_TOO_LARGE;
	}
	return size > volume->device->capacity.n ? STATUS_TRUNCATED : STATUS_OK;
}

static enum status grow(struct volume *volume, uint64_t size)
{
	/* What the log holds goes to its homes, so that there is nothing in memory that a new
	 * layout of it would lose. */
	enum status status = volume_checkpoint_run(volume, false);
	if (status == STATUS_OK) {
		status = copies_move(volume, size);
	}
	if (status == STATUS_OK) {
		status = copies_erase(volume);
	}
	return status == STATUS_OK ? groups_extend(volume) : status;
}

enum status volume_grow(struct volume *volume, struct block_count size)
{
	/* A request queue has lent its buffers, which a new layout would lose. */
	if (volume->txn.open || volume->io != NULL) {
		return STATUS_BUSY;
	}
	if (!volume->writable) {
		return STATUS_READ_ONLY;
	}
	enum status status = size_check(volume, size.n);
	if (status == STATUS_OK) {
		status = arena_check(volume, size.n);
	}
	if (status == STATUS_OK && volume->superblock.rotation != VOLUME_ROTATION_NONE) {
		status = STATUS_BUSY;
	}
	/* One that was interrupted is brought to its end first. */
	if (status == STATUS_OK && volume->geometry.usable != volume->geometry.size) {
		status = grow(volume, volume->geometry.size);
	}
	if (status == STATUS_OK && size.n != volume->geometry.size) {
		status = grow(volume, size.n);
	}
	return status;
}
