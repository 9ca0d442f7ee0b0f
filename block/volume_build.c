// SPDX-License-Identifier: MIT
/* What a checkpoint builds beside the durable state: data, nodes, bitmaps, session table. Each turn
 * is a small part of one phase, so that transactions can go on between any two. */
#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"

#include <string.h>

/* Blocks besides data and nodes: the session table's new home. */
#define TABLE_BLOCKS 1u
/* Nodes that a sweep may touch for each of its blocks. */
#define SWEEP_NODES_PER_BLOCK 2u
/* Blocks and nodes that a sweep looks at in one checkpoint, unless somebody waits for it. */
#define SWEEP_TURNS 1024u
/* Blocks of one leaf that one turn brings home, of which it seals one at most: as many as one write
 * of the largest size stages between two steps. */
#define REHOME_BLOCKS VOLUME_BATCH_BLOCKS
/* Numbers that one turn of a sort moves. */
#define SORT_TURNS 64u
/* Weight of what comes after the bitmaps. */
#define TAIL_TURNS 16u

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

/* ---- Beginning ----------------------------------------------------------------------------- */

void volume_build_begin(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	const struct volume_bitmaps *bitmaps = &volume->bitmaps;
	const struct volume_session_row *poorest = poorest_session(volume);
	/* What the frozen blocks take at most, and what the sweep does. */
	uint64_t need =
		volume_checkpoint_need(volume->frozen.count, 2ull * volume->frozen.count + 1) +
		sweep_need(volume);
	bool sweeps =
		sweep_is_wanted(volume) && poorest != NULL && need <= volume_space_left(volume);
	uint32_t victim = sweeps ? poorest->id : 0;
	build->superblock = volume->superblock;
	build->table = volume->table;
	build->batch.count = 0;
	build->sweep.at = victim == build->sweep.victim ? build->sweep.at : 0;
	build->sweep.victim = victim;
	build->sweep.slot = 0;
	build->sweep.budget = SWEEP_TURNS;
	build->deltas.count = 0;
	build->done = 0;
	build->free_count = bitmaps->free_count;
	build->taken = 0;
	build->from_cursor = bitmaps->cursor;
	build->from_left = bitmaps->left;
	build->from_log_taken = bitmaps->log_taken;
	build->phase = VOLUME_PHASE_HEAL;
	volume_rotate_build_begin(volume);
}

/* ---- Building ------------------------------------------------------------------------------ */

void volume_build_phase_end(struct volume *volume)
{
	volume->build.phase = (enum volume_phase)(volume->build.phase + 1);
}

static enum status heal_turn(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	bool done = false;
	enum status status = volume_pairs_heal_one(volume, &done);
	if (status == STATUS_OK && done) {
		volume_map_order_carried(&volume->frozen, &volume->geometry, build->head.offset,
					 build->order, build->carried);
		/* The memory of the deltas, of which there are none yet: it is larger. */
		volume_sort_begin(&build->sorter, build->order, build->carried, build->deltas.all,
				  VOLUME_MAP_ORDER_SHIFT);
		volume_build_phase_end(volume);
	}
	return status;
}

static enum status move_turn(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	if (build->done < build->carried) {
		return volume_build_move(volume);
	}
	build->done = 0;
	build->run = 0;
	const uint32_t runs = volume_map_order(&volume->frozen, build->order);
	/* Again memory of the deltas: so far there is one for each move at most, which is no more
	 * than a sixth. */
	volume_sort_begin(&build->sorter, build->order, runs,
			  build->deltas.all + build->deltas.count, VOLUME_MAP_ORDER_SHIFT);
	volume_build_phase_end(volume);
	return STATUS_OK;
}

/* The blocks are at their homes; what the log carried the checkpoint itself has put there. */
static enum status placed_rehome(struct volume *volume, const struct volume_run *run,
				 bool is_carried)
{
	struct volume_entry entries[VOLUME_BATCH_BLOCKS];
	for (uint32_t i = 0; i < run->count; i++) {
		const struct volume_map_entry *entry =
			volume_map_at(&volume->frozen, run->index + i);
		entries[i] = entry->entry;
		entries[i].physical = is_carried ? entry->home : entry->entry.physical;
	}
	enum status status =
		is_carried ? STATUS_OK : volume_build_take_all(volume, entries, run->count);
	return status == STATUS_OK ? volume_cursor_place(volume, run->logical, entries, run->count)
				   : status;
}

static enum status run_rehome(struct volume *volume, const struct volume_run *run)
{
	const struct volume_map_entry *first = volume_map_at(&volume->frozen, run->index);
	switch (first->kind) {
	case VOLUME_MAP_CONTENT:
		return volume_cursor_put(volume, run->logical,
					 volume_map_content(&volume->frozen, first));
	case VOLUME_MAP_HOLE: return volume_cursor_put(volume, run->logical, NULL);
	case VOLUME_MAP_PLACED: return placed_rehome(volume, run, false);
	case VOLUME_MAP_CARRIED: return placed_rehome(volume, run, true);
	case VOLUME_MAP_LOST: break;
	}
	/* The old block has to stay unreadable: if the host put its bytes back, the block would
	 * open without the patch, which is older than the rest of the volume. */
	return volume_cursor_spoil(volume, run->logical);
}

/* May it be brought home in one turn with others of `leaf`, of which there are `count`? */
static bool run_goes_along(const struct volume *volume, const struct volume_run *run, uint32_t leaf,
			   uint32_t count)
{
	return run->logical >> VOLUME_NODE_SHIFT == leaf && count + run->count <= REHOME_BLOCKS &&
	       volume_map_at(&volume->frozen, run->index)->kind != VOLUME_MAP_CONTENT;
}

/* The next run, which has been sought, and those behind it that are in the same leaf and have no
 * content to seal. */
static enum status runs_rehome(struct volume *volume, struct volume_run run)
{
	struct volume_build *build = &volume->build;
	const size_t end = volume->frozen.count;
	const uint32_t leaf = run.logical >> VOLUME_NODE_SHIFT;
	uint32_t count = 0;
	enum status status = STATUS_OK;
	do {
		status = run_rehome(volume, &run);
		count += run.count;
		build->done += run.count;
		build->run++;
		if (status != STATUS_OK || build->done == end) {
			break;
		}
		run = volume_run_decode(build->order[build->run]);
	} while (run_goes_along(volume, &run, leaf, count));
	return status;
}

static bool tree_is_rotated(const struct volume *volume)
{
	return volume->build.rotates == VOLUME_ROTATES_STEP &&
	       volume->superblock.rotation == VOLUME_ROTATION_TREE;
}

static enum status rehome_turn(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	if (build->done == volume->frozen.count) {
		/* Nodes of this checkpoint may have to be read back by a sweep. */
		bool sweeps = build->sweep.victim != 0 || tree_is_rotated(volume);
		build->phase = sweeps ? VOLUME_PHASE_LEAVE : VOLUME_PHASE_SWEPT;
		return build->grows ? volume_grow_build(volume) : STATUS_OK;
	}
	const struct volume_run run = volume_run_decode(build->order[build->run]);
	bool there = false;
	enum status status = volume_cursor_seek(volume, run.logical, &there);
	return status == STATUS_OK && there ? runs_rehome(volume, run) : status;
}

static enum status leave_turn(struct volume *volume)
{
	bool done = false;
	enum status status = volume_cursor_end(volume, &done);
	if (status == STATUS_OK && done) {
		volume_build_phase_end(volume);
	}
	return status;
}

/* The table has one block. Before it is full, the blocks of the session with the fewest are sealed
 * again under the running one; where there is no room for that, a later checkpoint will. */
static enum status sweep_turn(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	const uint64_t taken = build->taken;
	bool done = false;
	enum status status = volume_cursor_sweep(volume, &done);
	build->need += build->taken - taken; /* It comes on top. */
	if (!build->is_patient || tree_is_rotated(volume)) {
		build->sweep.budget--;
	}
	if (status == STATUS_OK && (done || build->sweep.budget == 0)) {
		volume_build_phase_end(volume);
	}
	return status;
}

/* There is room for the worst case, three nodes for each block and no two neighbours; mostly most
 * of it is free. */
static void deltas_sort_begin(struct volume_build *build)
{
	const struct volume_deltas *deltas = &build->deltas;
	uint64_t *rest = deltas->all + deltas->count;
	volume_sort_begin(&build->sorter, deltas->all, deltas->count,
			  deltas->count <= deltas->room - deltas->count ? rest : NULL,
			  VOLUME_DELTA_ORDER_SHIFT);
}

/* Bitmaps last among what is counted: the table's own new home has to be in them, and their
 * sessions in the table. */
static enum status table_place(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	enum status status = volume_build_allocate_one(volume, &build->table_place);
	if (status == STATUS_OK && build->superblock.table.physical != 0) {
		status = volume_build_free(volume, build->superblock.table.physical, 1);
	}
	if (status == STATUS_OK) {
		deltas_sort_begin(build);
		volume_build_phase_end(volume);
	}
	return status;
}

static enum status sort_turn(struct volume *volume)
{
	if (volume_sort(&volume->build.sorter, SORT_TURNS)) {
		if (volume->build.phase == VOLUME_PHASE_SORT) {
			volume_cursor_begin(volume);
		} else if (volume->build.phase == VOLUME_PHASE_SORT_DELTA) {
			volume_build_bitmaps_begin(volume);
		}
		volume_build_phase_end(volume);
	}
	return STATUS_OK;
}

static enum status bitmaps_turn(struct volume *volume)
{
	bool done = false;
	enum status status = volume_build_bitmaps(volume, &done);
	if (status == STATUS_OK && done) {
		volume_build_phase_end(volume);
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

static enum status table_seal(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	uint8_t *room = NULL;
	enum status status = volume_batch_next(volume, build->table_place, &room);
	if (status == STATUS_OK) {
		table_drop_unused(volume);
		volume_table_encode(volume->base, &build->table);
		status = volume_block_seal(volume, VOLUME_LEVEL_TABLE, 0, build->table_place,
					   volume->base, room, &build->superblock.table);
	}
	if (status == STATUS_OK) {
		volume_build_phase_end(volume);
	}
	return status;
}

static enum status batch_turn(struct volume *volume)
{
	enum status status = volume_batch_write(volume);
	if (status == STATUS_OK) {
		volume_build_phase_end(volume);
	}
	return status;
}

/* ---- Turns --------------------------------------------------------------------------------- */

/* In these a turn takes a block or two. */
static bool takes_blocks(enum volume_phase phase)
{
	return phase == VOLUME_PHASE_MOVE || phase == VOLUME_PHASE_REHOME ||
	       phase == VOLUME_PHASE_LEAVE || phase == VOLUME_PHASE_SWEEP ||
	       phase == VOLUME_PHASE_SWEPT || phase == VOLUME_PHASE_TABLE;
}

static enum status phase_turn(struct volume *volume)
{
	switch (volume->build.phase) {
	case VOLUME_PHASE_IDLE: break;
	case VOLUME_PHASE_HEAL: return heal_turn(volume);
	case VOLUME_PHASE_SORT_LOG:
	case VOLUME_PHASE_SORT:
	case VOLUME_PHASE_SORT_DELTA: return sort_turn(volume);
	case VOLUME_PHASE_MOVE: return move_turn(volume);
	case VOLUME_PHASE_REHOME: return rehome_turn(volume);
	case VOLUME_PHASE_LEAVE:
	case VOLUME_PHASE_SWEPT: return leave_turn(volume);
	case VOLUME_PHASE_SWEEP: return sweep_turn(volume);
	case VOLUME_PHASE_TABLE: return table_place(volume);
	case VOLUME_PHASE_BITMAPS: return bitmaps_turn(volume);
	case VOLUME_PHASE_TABLE_SEAL: return table_seal(volume);
	case VOLUME_PHASE_SETTLE:
	case VOLUME_PHASE_TABLE_WRITE: return batch_turn(volume);
	case VOLUME_PHASE_FLUSH:
	case VOLUME_PHASE_SUPERBLOCK:
	case VOLUME_PHASE_COPY_0:
	case VOLUME_PHASE_COPY_1:
	case VOLUME_PHASE_ACCEPT: break; /* It is built: volume_checkpoint.c. */
	}
	return STATUS_OK;
}

/* A turn makes a device call at most, or two where a bitmap is read and written. So free space is
 * looked for before it is taken, a group in each turn: on a nearly full volume many are passed. */
enum status volume_build_turn(struct volume *volume)
{
	const uint64_t transfers = volume->transfers;
	bool found = true;
	enum status status = STATUS_OK;
	if (takes_blocks(volume->build.phase) && volume->bitmaps.left > 0) {
		status = volume_allocate_seek(volume, &found);
	}
	if (status != STATUS_OK || !found || volume->transfers != transfers) {
		return status;
	}
	return phase_turn(volume);
}

/* ---- How far ------------------------------------------------------------------------------- */

uint64_t volume_checkpoint_rest(const struct volume *volume)
{
	const struct volume_build *build = &volume->build;
	return volume_checkpoint_is_running(volume) && build->need > build->taken
		       ? build->need - build->taken
		       : 0;
}

/* Entries, turns of the sweep and groups are what it has to do; the rest is small. */
uint64_t volume_checkpoint_progress(const struct volume *volume, uint64_t scale)
{
	const struct volume_build *build = &volume->build;
	const uint64_t moves = build->carried;
	const uint64_t entries = moves + volume->frozen.count;
	const uint64_t sweep = build->sweep.victim != 0 ? SWEEP_TURNS : 0;
	const uint64_t all_groups = volume->geometry.group_count;
	/* Read and written. */
	const uint64_t groups = 2 * (all_groups < entries + 1 ? all_groups : entries + 1);
	uint64_t done = 0;
	if (build->phase == VOLUME_PHASE_MOVE) {
		done = build->done;
	} else if (build->phase == VOLUME_PHASE_SORT || build->phase == VOLUME_PHASE_REHOME) {
		done = moves + build->done;
	} else if (build->phase > VOLUME_PHASE_REHOME && build->phase <= VOLUME_PHASE_SWEEP) {
		done = entries + sweep - (sweep != 0 ? build->sweep.budget : 0);
	} else if (build->phase > VOLUME_PHASE_SWEEP) {
		done = entries + sweep;
	}
	if (build->phase == VOLUME_PHASE_BITMAPS) {
		done += groups * build->done / build->deltas.count; /* The table's, at least. */
	} else if (build->phase > VOLUME_PHASE_BITMAPS) {
		done += groups + (uint64_t)(build->phase - VOLUME_PHASE_BITMAPS);
	}
	return done * scale / (entries + sweep + groups + TAIL_TURNS);
}
