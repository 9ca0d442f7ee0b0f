// SPDX-License-Identifier: MIT
/* Rotation of the master key, while the volume is in use.
 *
 * It begins like a key change: the keyslots get a new master key of generation g+1, first in the
 * one area, then in the other, each with a superblock that names it. From the first of them on all
 * that is sealed is sealed under g+1, and the superblock's body keeps the key of generation g.
 *
 * Then a sweep re-seals what is of generation g, by ordinary copy-on-write, a bounded part in each
 * step: data and nodes by logical address, then bitmaps and the group tree. Nothing refers to
 * anything of g then, and what is left of it on the device is overwritten: the ring, whose records
 * have salts in clear, and free blocks. The superblock says how far that is, so a step that was
 * interrupted is made again. Two last superblocks no longer have the old key. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_freshness_internal.h"
#include "block/volume_internal.h"
#include "crypto/random.h"

/* Blocks and nodes that a step looks at; groups; blocks that it overwrites, or looks at for that.
 */
#define STEP_TURNS  1024u
#define STEP_GROUPS VOLUME_NODE_ENTRIES
#define STEP_ERASES 2048u
#define STEP_LOOKS  (4u * VOLUME_GROUP_BLOCKS)
/* A group that is passed without a look at its blocks. */
#define GROUP_LOOKS 64u

/* ---- What a checkpoint asks ----------------------------------------------------------------- */

bool volume_session_is_stale(struct volume *volume, uint32_t session)
{
	const struct volume_build *build = &volume->build;
	if (build->sweep.victim != 0 && session == build->sweep.victim) {
		return true;
	}
	if (build->rotates == VOLUME_ROTATES_NOT || session == volume->session.id) {
		return false;
	}
	const struct volume_session_row *row = volume_table_find(&volume->build.table, session);
	return row != NULL && row->generation != volume->master.generation;
}

void volume_rotate_build_begin(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	const uint64_t cursor = volume->superblock.sweep_cursor;
	if (build->rotates != VOLUME_ROTATES_STEP) {
		return;
	}
	/* One sweep at a time. */
	build->sweep = (struct volume_sweep){.budget = 0};
	build->visit_first = 0;
	build->visit_end = 0;
	if (volume->superblock.rotation == VOLUME_ROTATION_TREE) {
		build->sweep.slot = (uint32_t)(cursor % VOLUME_NODE_ENTRIES);
		build->sweep.at = cursor - build->sweep.slot;
		build->sweep.budget = STEP_TURNS;
	} else if (volume->superblock.rotation == VOLUME_ROTATION_GROUPS) {
		uint64_t rest = volume->geometry.group_count - cursor;
		build->visit_first = (uint32_t)cursor;
		build->visit_end = (uint32_t)(cursor + (rest < STEP_GROUPS ? rest : STEP_GROUPS));
	}
}

static void phase_set(struct volume_superblock *next, enum volume_rotation phase)
{
	next->rotation = phase;
	next->sweep_cursor = 0;
	if (phase == VOLUME_ROTATION_NONE) {
		secure_zero(next->previous_key, sizeof(next->previous_key));
	}
}

static void step_fill(struct volume *volume, struct volume_superblock *next)
{
	const struct volume_build *build = &volume->build;
	const struct volume_geometry *geometry = &volume->geometry;
	switch (next->rotation) {
	case VOLUME_ROTATION_NONE: break;
	case VOLUME_ROTATION_TREE:
		next->sweep_cursor = build->sweep.at + build->sweep.slot;
		if (next->sweep_cursor >= geometry->logical_blocks || next->tree.physical == 0) {
			phase_set(next, VOLUME_ROTATION_GROUPS);
		}
		break;
	case VOLUME_ROTATION_GROUPS:
		next->sweep_cursor = build->visit_end;
		if (build->visit_end == geometry->group_count) {
			phase_set(next, VOLUME_ROTATION_ERASE);
		}
		break;
	case VOLUME_ROTATION_ERASE:
		next->sweep_cursor = build->erased_to;
		if (build->erased_to == geometry->group_end) {
			phase_set(next, VOLUME_ROTATION_NONE);
		}
		break;
	}
}

void volume_rotate_fill(struct volume *volume, struct volume_superblock *next)
{
	switch (volume->build.rotates) {
	case VOLUME_ROTATES_NOT: break;
	case VOLUME_ROTATES_BEGIN:
		phase_set(next, VOLUME_ROTATION_TREE);
		memcpy(next->previous_key, volume->previous.key, VOLUME_KEY_BYTES);
		break;
	case VOLUME_ROTATES_STEP: step_fill(volume, next); break;
	}
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static enum status allowed(const struct volume *volume)
{
	if (volume->txn.open) {
		return STATUS_BUSY;
	}
	return volume->writable ? STATUS_OK : STATUS_READ_ONLY;
}

/* Which slot each key opens, and which ones none of them does. */
static enum status slots_find(struct volume *volume, const struct volume_key *keys,
			      size_t key_count, const struct volume_key *of_slot[])
{
	for (size_t i = 0; i < key_count; i++) {
		uint32_t slot = 0;
		enum status status = volume_key_check(&keys[i]);
		if (status == STATUS_OK) {
			status = volume_keyslot_of(volume, &keys[i], &slot);
		}
		if (status != STATUS_OK) {
			return status;
		}
		of_slot[slot] = &keys[i];
	}
	return key_count == 0 ? STATUS_NO_KEY : STATUS_OK;
}

static uint32_t slots_missing(const struct volume *volume, const struct volume_key *const of_slot[])
{
	uint32_t missing = 0;
	for (uint32_t i = 0; i < VOLUME_KEYSLOTS_MAX; i++) {
		if (volume->keyslots.slots[i].type != 0 && of_slot[i] == NULL) {
			missing |= 1u << i;
		}
	}
	return missing;
}

static enum status slots_wrap(struct volume *volume, const struct volume_key *const of_slot[],
			      struct volume_keyslots *keyslots)
{
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < VOLUME_KEYSLOTS_MAX && status == STATUS_OK; i++) {
		keyslots->slots[i] = (struct volume_keyslot){.type = 0};
		if (of_slot[i] != NULL) {
			status = volume_keyslot_wrap(volume, of_slot[i], &keyslots->slots[i]);
		}
	}
	return status;
}

/* From here on everything is sealed under the new key. */
static enum status master_renew(struct volume *volume, const struct volume_key *const of_slot[],
				struct volume_keyslots *keyslots)
{
	struct volume_master made = {.generation = volume->master.generation + 1};
	enum status status = random_fill(volume->random, made.key, sizeof(made.key));
	if (status == STATUS_OK) {
		volume->previous = volume->master;
		volume->master = made;
		status = slots_wrap(volume, of_slot, keyslots);
	}
	if (status == STATUS_OK) {
		status = volume_session_begin(volume, volume->session.id + 1);
	}
	secure_zero(&made, sizeof(made));
	return status;
}

/* No superblock says that there is a new key. */
static void master_restore(struct volume *volume, const struct volume_master *old)
{
	volume->master = *old;
	secure_zero(&volume->previous, sizeof(volume->previous));
	if (volume_session_begin(volume, volume->session.id + 1) != STATUS_OK) {
		volume->writable = false;
	}
}

/* The second area, and the second slot. */
static enum status area_renew(struct volume *volume)
{
	struct volume_keyslots keyslots = volume->keyslots;
	enum status status = volume_keyslots_write(volume, &keyslots);
	if (status == STATUS_OK) {
		volume->area_is_stale = false;
	}
	return status;
}

static enum status begin(struct volume *volume, const struct volume_key *const of_slot[])
{
	struct volume_master old = volume->master;
	struct volume_keyslots keyslots = volume->keyslots;
	enum status status = master_renew(volume, of_slot, &keyslots);
	if (status == STATUS_OK) {
		volume->build.rotates = VOLUME_ROTATES_BEGIN;
		status = volume_keyslots_write(volume, &keyslots);
		volume->build.rotates = VOLUME_ROTATES_NOT;
	}
	if (volume->superblock.rotation == VOLUME_ROTATION_NONE) {
		master_restore(volume, &old);
	} else {
		volume->area_is_stale = true;
		/* The chain of anchors goes on from where it is, under a key of the new generation.
		 */
		enum status derived = volume_anchor_key_derive(volume);
		status = status == STATUS_OK ? derived : status;
	}
	secure_zero(&old, sizeof(old));
	if (status == STATUS_OK) {
		status = area_renew(volume);
	}
	/* Or an image from before would pass for this one, and its keys with it. */
	return status == STATUS_OK ? volume_freshness_mark(volume) : status;
}

enum status volume_key_rotate_begin(struct volume *volume, const struct volume_key *keys,
				    size_t key_count, bool drop_others, uint32_t *missing_slots)
{
	const struct volume_key *of_slot[VOLUME_KEYSLOTS_MAX] = {NULL};
	enum status status = allowed(volume);
	if (status == STATUS_OK && (volume->superblock.rotation != VOLUME_ROTATION_NONE ||
				    volume->geometry.usable != volume->geometry.size)) {
		status = STATUS_BUSY;
	}
	if (status == STATUS_OK && volume->master.generation == UINT32_MAX) {
		status = STATUS_LIMIT;
	}
	if (status == STATUS_OK) {
		status = slots_find(volume, keys, key_count, of_slot);
	}
	if (status != STATUS_OK) {
		return status;
	}
	*missing_slots = slots_missing(volume, of_slot);
	if (*missing_slots != 0 && !drop_others) {
		return STATUS_NO_KEY;
	}
	/* No record of the old generation may be needed by the new epoch. */
	status = volume_checkpoint_run(volume, false);
	return status == STATUS_OK ? begin(volume, of_slot) : status;
}

/* ---- Overwriting ----------------------------------------------------------------------------- */

/* Is one of a group's first blocks a bitmap or a node that the durable state refers to? */
static enum status reserved_is_used(struct volume *volume, uint32_t group, uint32_t bit, bool *used)
{
	const uint32_t height = bit / 2;
	const uint64_t physical = volume_bitmap_place(&volume->geometry, group, bit);
	struct volume_entry entry = {.physical = 0};
	enum status status = STATUS_OK;
	bool has_node = height <= volume->geometry.group_levels &&
			group % ((uint64_t)1 << (height * VOLUME_NODE_SHIFT)) == 0;
	if (has_node) {
		status = volume_group_entry(
			volume, height, (uint64_t)group >> (height * VOLUME_NODE_SHIFT), &entry);
	}
	*used = entry.physical == physical;
	return status;
}

static enum status block_is_used(struct volume *volume, uint64_t physical, bool *used)
{
	const struct volume_geometry *geometry = &volume->geometry;
	uint8_t *bitmap = NULL;
	*used = false;
	if (physical < geometry->group_first) {
		return STATUS_OK; /* The ring, and no record is needed. */
	}
	uint64_t offset = physical - geometry->group_first;
	uint32_t group = (uint32_t)(offset / VOLUME_GROUP_BLOCKS);
	uint64_t bit = offset % VOLUME_GROUP_BLOCKS;
	if (bit < geometry->group_reserved) {
		return reserved_is_used(volume, group, (uint32_t)bit, used);
	}
	enum status status = volume_bitmap_get(volume, group, &bitmap);
	if (status == STATUS_OK) {
		*used = (bitmap[bit / 8] >> (bit % 8) & 1) != 0;
	}
	return status;
}

/* Nothing was ever allocated in the group that begins here. */
static enum status group_is_untouched(struct volume *volume, uint64_t physical, bool *untouched)
{
	const struct volume_geometry *geometry = &volume->geometry;
	struct volume_entry entry;
	*untouched = false;
	if (geometry->group_levels == 0 || physical < geometry->group_first ||
	    (physical - geometry->group_first) % VOLUME_GROUP_BLOCKS != geometry->group_reserved) {
		return STATUS_OK;
	}
	enum status status = volume_group_entry(
		volume, 0, (physical - geometry->group_first) / VOLUME_GROUP_BLOCKS, &entry);
	*untouched = status == STATUS_OK && entry.physical == 0;
	return status;
}

enum status volume_blocks_erase(struct volume *volume, uint64_t first, uint64_t count)
{
	/* No transaction is open: the record buffer holds nothing. */
	memset(volume->log.record, 0, (size_t)count * BLOCK_BYTES);
	return volume_note_write(volume,
				 block_write(volume->device, (struct physical_block){first},
					     (struct block_count){count}, volume->log.record),
				 first);
}

/* Overwrite unused blocks from `at` on. */
static enum status erase_some(struct volume *volume, uint64_t at)
{
	const uint64_t end = volume->geometry.group_end;
	uint64_t run = 0; /* Unused blocks right before `at`. */
	uint32_t erased = 0;
	enum status status = STATUS_OK;
	at = at < volume->geometry.ring_first ? volume->geometry.ring_first : at;
	for (uint32_t looks = 0; at < end && looks < STEP_LOOKS && erased < STEP_ERASES;) {
		bool skips = false;
		bool used = true;
		status = group_is_untouched(volume, at, &skips);
		if (status == STATUS_OK && !skips) {
			status = block_is_used(volume, at, &used);
		}
		if (status == STATUS_OK && run != 0 && (used || run == VOLUME_BATCH_BLOCKS)) {
			status = volume_blocks_erase(volume, at - run, run);
			run = 0;
		}
		if (status != STATUS_OK) {
			return status;
		}
		looks += skips ? GROUP_LOOKS : 1;
		run += used ? 0 : 1;
		erased += used ? 0 : 1;
		at += skips ? VOLUME_GROUP_BLOCKS - volume->geometry.group_reserved : 1;
	}
	if (run != 0) {
		status = volume_blocks_erase(volume, at - run, run);
	}
	volume->build.erased_to = at < end ? at : end;
	return status;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* Nothing may be given up that something still needs. */
static enum status nothing_is_stale(struct volume *volume)
{
	for (uint32_t i = 0; i < volume->table.count; i++) {
		const struct volume_session_row *row = &volume->table.rows[i];
		if (row->generation != volume->master.generation && row->live_blocks != 0) {
			return volume_note(volume, STATUS_AUTH_META, VOLUME_LEVEL_TABLE, i,
					   UINT64_MAX);
		}
	}
	return STATUS_OK;
}

/* The superblock that is durable no longer has the old key: nor do we; nor, soon, the other one. */
static enum status end(struct volume *volume)
{
	secure_zero(&volume->previous, sizeof(volume->previous));
	secure_zero(volume->key_cache, sizeof(volume->key_cache));
	secure_zero(&volume->log_key, sizeof(volume->log_key));
	secure_zero(&volume->build.superblock, sizeof(volume->build.superblock));
	volume->slot_is_stale = true;
	enum status status = volume_checkpoint_run(volume, true);
	if (status == STATUS_OK) {
		volume->slot_is_stale = false;
	}
	return status;
}

static enum status step(struct volume *volume)
{
	const enum volume_rotation phase = volume->superblock.rotation;
	const uint64_t cursor = volume->superblock.sweep_cursor;
	/* So that the log is empty and needs nothing of what is free. */
	enum status status = volume_checkpoint_run(volume, false);
	if (status == STATUS_OK && phase == VOLUME_ROTATION_ERASE) {
		status = nothing_is_stale(volume);
		if (status == STATUS_OK) {
			status = erase_some(volume, cursor);
		}
	}
	if (status == STATUS_OK) {
		volume->build.rotates = VOLUME_ROTATES_STEP;
		status = volume_checkpoint_run(volume, true);
		volume->build.rotates = VOLUME_ROTATES_NOT;
		volume->build.sweep = (struct volume_sweep){.victim = 0};
		volume->build.visit_end = 0;
	}
	if (status == STATUS_OK && volume->superblock.rotation == phase &&
	    volume->superblock.sweep_cursor == cursor) {
		return STATUS_NO_SPACE; /* Not even one block could be sealed anew. */
	}
	return status == STATUS_OK && volume->superblock.rotation == VOLUME_ROTATION_NONE
		       ? end(volume)
		       : status;
}

enum status volume_key_rotate_step(struct volume *volume, bool *done)
{
	enum status status = allowed(volume);
	*done = false;
	if (status != STATUS_OK) {
		return status;
	}
	if (volume->superblock.rotation == VOLUME_ROTATION_NONE) {
		status = volume->slot_is_stale ? end(volume) : STATUS_OK;
	} else {
		status = volume->area_is_stale ? area_renew(volume) : step(volume);
	}
	*done = status == STATUS_OK && volume->superblock.rotation == VOLUME_ROTATION_NONE;
	return status;
}

/* ---- How far --------------------------------------------------------------------------------- */

void volume_key_rotation_get(const struct volume *volume, struct volume_rotation_info *info)
{
	const struct volume_geometry *geometry = &volume->geometry;
	const struct volume_superblock *superblock = &volume->superblock;
	const uint64_t tree = geometry->logical_blocks;
	const uint64_t groups = geometry->group_count;
	*info = (struct volume_rotation_info){.total = tree + groups + geometry->group_end};
	switch (superblock->rotation) {
	case VOLUME_ROTATION_NONE:
		info->is_running = volume->slot_is_stale;
		info->done = info->total;
		return;
	case VOLUME_ROTATION_TREE: info->done = superblock->sweep_cursor; break;
	case VOLUME_ROTATION_GROUPS: info->done = tree + superblock->sweep_cursor; break;
	case VOLUME_ROTATION_ERASE: info->done = tree + groups + superblock->sweep_cursor; break;
	}
	info->is_running = true;
}
