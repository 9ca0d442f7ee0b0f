// SPDX-License-Identifier: MIT
/* A checkpoint moves what the log holds to its homes and releases the ring:
 *
 *   data, nodes, bitmaps, session table     to blocks that the durable state does not use
 *   FLUSH
 *   superblock of epoch + 1                 one copy, FLUSH, other copy, FLUSH
 *   accept                                  only now are old blocks and the ring free
 *
 * The next state is built beside the current one, so a failure on the way changes nothing. */
#include "block/volume_internal.h"

#include <string.h>

#include "base/log.h"

/* Blocks besides data and nodes: the session table's new home. */
#define TABLE_BLOCKS 1u
/* Nodes that a sweep may touch for each of its blocks. */
#define SWEEP_NODES_PER_BLOCK 2u

static bool sweep_is_wanted(const struct volume *volume)
{
	return volume->table.count >= VOLUME_SESSIONS_SOFT;
}

/* The session with the fewest blocks; never one that still seals. */
static const struct volume_session_row *poorest_session(const struct volume *volume)
{
	const struct volume_session_row *poorest = NULL;
	for (uint32_t i = 0; i < volume->table.count; i++) {
		const struct volume_session_row *row = &volume->table.rows[i];
		if (row->id != volume->session.id &&
		    (poorest == NULL || row->live_blocks < poorest->live_blocks)) {
			poorest = row;
		}
	}
	return poorest;
}

/* The block profile sweeps as much as there is room for, a part at a time. */
static uint64_t sweep_need(const struct volume *volume)
{
	if (volume->geometry.profile == VOLUME_PROFILE_BLOCK) {
		return 0;
	}
	const struct volume_session_row *poorest =
		sweep_is_wanted(volume) ? poorest_session(volume) : NULL;
	return poorest == NULL ? 0
			       : (uint64_t)poorest->live_blocks * (1 + SWEEP_NODES_PER_BLOCK) + 1;
}

uint64_t volume_checkpoint_need(uint64_t contents, uint64_t nodes)
{
	return contents + nodes + TABLE_BLOCKS;
}

/* ---- Building ------------------------------------------------------------------------------ */

static enum status entry_rehome(struct volume *volume, const struct volume_map_entry *entry)
{
	enum status status = volume_cursor_seek(volume, entry->logical);
	if (status != STATUS_OK) {
		return status;
	}
	switch (entry->kind) {
	case VOLUME_MAP_CONTENT:
		return volume_cursor_put(volume, entry->logical,
					 volume_map_content(&volume->overlay, entry));
	case VOLUME_MAP_HOLE: return volume_cursor_put(volume, entry->logical, NULL);
	case VOLUME_MAP_PLACED: return volume_cursor_place(volume, entry->logical, &entry->entry);
	case VOLUME_MAP_LOST: break;
	}
	/* The old block has to stay unreadable: if the host put its bytes back, the block would
	 * open without the patch, which is older than the rest of the volume. */
	return volume_cursor_spoil(volume, entry->logical);
}

static enum status overlay_rehome(struct volume *volume)
{
	const struct volume_map *overlay = &volume->overlay;
	uint64_t *order = volume->build.order;
	volume_map_sort(overlay, order);
	for (uint32_t i = 0; i < overlay->count; i++) {
		enum status status = entry_rehome(volume, &overlay->entries[(uint32_t)order[i]]);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

/* The table has one block. Before it is full, the blocks of the session with the fewest are sealed
 * again under the running one; where there is no room for that, a later checkpoint will. */
static enum status poorest_sweep(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	if (build->victim == 0) {
		return STATUS_OK;
	}
	/* Nodes of this checkpoint may have to be read back. */
	enum status status = volume_cursor_end(volume);
	if (status == STATUS_OK) {
		status = volume_batch_write(volume);
	}
	if (status == STATUS_OK) {
		status = volume_cursor_sweep(volume);
	}
	return status;
}

static enum status tree_build(struct volume *volume)
{
	volume_cursor_begin(volume);
	enum status status = overlay_rehome(volume);
	if (status == STATUS_OK) {
		status = poorest_sweep(volume);
	}
	if (status == STATUS_OK) {
		status = volume_cursor_end(volume);
	}
	return status;
}

static void table_drop_unused(struct volume *volume)
{
	struct volume_session_table *table = &volume->build.table;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < table->count; i++) {
		if (table->rows[i].live_blocks != 0) {
			table->rows[kept++] = table->rows[i];
		}
	}
	table->count = kept;
}

/* Bitmaps last among what is counted: the table's own new home has to be in them, and their
 * sessions in the table. */
static enum status table_and_bitmaps_build(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	uint64_t physical = 0;
	uint8_t *room = NULL;
	enum status status = volume_build_allocate(volume, &physical);
	if (status != STATUS_OK) {
		return status;
	}
	if (build->superblock.table.physical != 0) {
		status = volume_build_free(volume, build->superblock.table.physical);
	}
	if (status == STATUS_OK) {
		status = volume_build_bitmaps(volume);
	}
	if (status == STATUS_OK) {
		status = volume_batch_next(volume, physical, &room);
	}
	if (status == STATUS_OK) {
		table_drop_unused(volume);
		volume_table_encode(volume->base, &build->table);
		status = volume_block_seal(volume, VOLUME_LEVEL_TABLE, 0, physical, volume->base,
					   room, &build->superblock.table);
	}
	if (status == STATUS_OK) {
		status = volume_batch_write(volume);
	}
	if (status == STATUS_OK) {
		status = volume_note_write(volume, block_flush(volume->device), UINT64_MAX);
	}
	return status;
}

static void superblock_fill(struct volume *volume)
{
	struct volume_superblock *next = &volume->build.superblock;
	const struct volume_session *session = &volume->session;
	next->epoch = volume->superblock.epoch + 1;
	next->log_offset = volume->log.offset;
	next->log_sequence = volume->log.sequence;
	memcpy(next->log_tag, volume->log.tag, AEAD_TAG_BYTES);
	memcpy(next->anchor, volume->log.anchor, VOLUME_ANCHOR_BYTES);
	next->session = session->id;
	next->session_generation = session->generation;
	memcpy(next->session_salt, session->salt, VOLUME_SALT_BYTES);
	next->next_session = session->id + 1;
	if (volume->geometry.profile == VOLUME_PROFILE_BLOCK) {
		next->cursor = volume->bitmaps.cursor;
		next->free_count = volume->build.free_count;
	}
	next->keyslot_epoch = volume->keyslots.epoch;
	memcpy(next->keyslot_digest, volume->keyslots_digest, SHA256_BYTES);
}

static enum status superblock_write(struct volume *volume)
{
	const struct volume_superblock *next = &volume->build.superblock;
	enum status status = volume_superblock_seal(volume, next, volume->scratch);
	if (status != STATUS_OK) {
		return status;
	}
	return volume_pair_write(volume, &volume->superblock_pairs[next->epoch % 2],
				 volume->scratch);
}

static void build_accept(struct volume *volume)
{
	const struct volume_map *overlay = &volume->overlay;
	for (uint32_t i = 0; i < overlay->count; i++) {
		volume->counters.rehomed_blocks +=
			overlay->entries[i].kind == VOLUME_MAP_CONTENT ? 1u : 0u;
	}
	volume->superblock = volume->build.superblock;
	volume->table = volume->build.table;
	volume_bitmaps_accept(volume);
	volume_map_clear(&volume->overlay);
	volume->log.used = 0;
	volume->counters.checkpoints++;
}

static void build_begin(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	const struct volume_session_row *poorest = poorest_session(volume);
	/* What the overlay takes at most, and what the sweep does. */
	uint64_t need =
		volume_checkpoint_need(volume->overlay.count, 2ull * volume->overlay.count + 1) +
		sweep_need(volume);
	bool sweeps =
		sweep_is_wanted(volume) && poorest != NULL && need <= volume_space_left(volume);
	build->superblock = volume->superblock;
	build->table = volume->table;
	build->batch.count = 0;
	build->victim = sweeps ? poorest->id : 0;
	build->deltas.count = 0;
	build->free_count = volume->bitmaps.free_count;
	build->taken = 0;
}

static enum status build_and_write(struct volume *volume)
{
	const uint64_t cursor = volume->bitmaps.cursor;
	const uint64_t left = volume->bitmaps.left;
	build_begin(volume);
	enum status status = tree_build(volume);
	if (status == STATUS_OK) {
		status = table_and_bitmaps_build(volume);
	}
	if (status == STATUS_OK) {
		superblock_fill(volume);
		status = superblock_write(volume);
	}
	if (status != STATUS_OK) {
		/* Nothing refers to what was written, so the next attempt may begin there too. */
		volume->bitmaps.cursor = cursor;
		volume->bitmaps.left = left;
	}
	return status;
}

enum status volume_checkpoint_run(struct volume *volume, bool always)
{
	if (!volume->writable) {
		return STATUS_READ_ONLY;
	}
	if (!always && volume->log.used == 0) {
		return STATUS_OK;
	}
	enum status status = volume_session_renew(volume);
	if (status == STATUS_OK) {
		status = volume_pairs_heal(volume);
	}
	if (status == STATUS_OK) {
		status = build_and_write(volume);
	}
	if (status == STATUS_OK) {
		build_accept(volume);
	}
	return status;
}

enum status volume_checkpoint(struct volume *volume)
{
	if (volume->txn.open) {
		return STATUS_BUSY;
	}
	return volume_checkpoint_run(volume, false);
}

enum status volume_epoch_begin(struct volume *volume)
{
	if (volume->txn.open) {
		return STATUS_BUSY;
	}
	return volume_checkpoint_run(volume, true);
}
