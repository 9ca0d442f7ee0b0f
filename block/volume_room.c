// SPDX-License-Identifier: MIT
/* Room for transactions of the block profile, and the pace of the checkpoint that makes it.
 *
 * Log, overlay and free space are what a checkpoint gives back. It begins when half of one of them
 * is used up, and runs while transactions use the other half: each of their calls runs as many
 * steps as keep it ahead of them, so that it ends before the room does and no call waits for much
 * of it. Only if the room runs out all the same does a transaction run it to its end. */
#include "block/volume_internal.h"

/* Shares are counted in so many parts. */
#define SCALE 65536u
/* The checkpoint is to have ended when three quarters of the room are used. */
#define AHEAD_NUMERATOR   4u
#define AHEAD_DENOMINATOR 3u
/* One step in each call keeps up, mostly. If the lag grows beyond this, there are more. */
#define LAG_MAX   (SCALE / 32)
#define STEPS_MAX 8u
/* For want of space alone a checkpoint begins only if the overlay is at least so full: a volume
 * that has little space for good must not run one after the other. */
#define SPACE_SHARE 16u

/* ---- What is needed ------------------------------------------------------------------------ */

uint64_t volume_room_nodes(const struct volume *volume, uint64_t blocks)
{
	uint64_t nodes = 0;
	for (uint32_t level = 1; level <= volume->geometry.tree_levels; level++) {
		uint64_t there =
			(volume->geometry.logical_blocks >> (level * VOLUME_NODE_SHIFT)) + 1;
		nodes += blocks < there ? blocks : there;
	}
	return nodes;
}

/* Free blocks that are not spoken for. A checkpoint that runs has yet to take its rest; and if the
 * power fails, the next mount needs space for another one, of all that the log then holds.
 * `unstaged`: blocks that the transaction is going to change besides. */
static uint64_t space_spare(const struct volume *volume, uint64_t unstaged)
{
	uint64_t pending = (uint64_t)volume->pool.taken + volume->txn.staged.count + unstaged;
	uint64_t contents = (uint64_t)volume_pool_contents(&volume->pool) + volume->pool.carried +
			    VOLUME_INLINE_BLOCKS;
	uint64_t need = volume_checkpoint_need(contents, volume_room_nodes(volume, pending)) +
			volume_checkpoint_rest(volume);
	uint64_t left = volume_space_left(volume);
	return left > need ? left - need : 0;
}

bool volume_room_has_space(const struct volume *volume, uint64_t more, uint64_t reserve)
{
	/* As if they were asked for one by one: before the last, the others are staged. */
	return space_spare(volume, more - 1) >= more + reserve;
}

bool volume_txn_has_room(const struct volume *volume, struct block_count count)
{
	const struct volume_map *staged = &volume->txn.staged;
	if (!volume->txn.open || volume->txn.failure != STATUS_OK ||
	    count.n > staged->pool->room - staged->count) {
		return false;
	}
	/* What is staged in memory has not taken its place on the device yet. */
	uint64_t in_memory = volume_pool_contents(staged->pool);
	return space_spare(volume, count.n) >= count.n + in_memory + 1 + VOLUME_RESERVE_BLOCKS;
}

/* The largest transaction, and one more copy of it. */
static uint64_t space_need(const struct volume *volume)
{
	return 2 * (uint64_t)volume->geometry.txn_blocks + VOLUME_RESERVE_BLOCKS;
}

uint64_t volume_room_slack(const struct volume *volume)
{
	uint64_t spare = space_spare(volume, 0);
	uint64_t need = space_need(volume);
	return spare > need ? spare - need : 0;
}

/* Ring blocks that the records of the largest transaction take, with what they skip. */
static uint32_t ring_need(const struct volume *volume)
{
	size_t bytes = volume->geometry.txn_blocks * VOLUME_EXTENT_BYTES(1);
	size_t records = bytes / ((VOLUME_RECORD_BLOCKS_CUT - 1) * BLOCK_BYTES) + 1;
	return (uint32_t)records * VOLUME_RECORD_BLOCKS_CUT + 2 * VOLUME_RECORD_BLOCKS_INLINE;
}

/* The log must not speak of more sessions than the table can take in, with one row to spare: the
 * checkpoint that empties the log runs in a session of its own, if nobody writes before the next
 * mount. */
static bool has_session_room(struct volume *volume)
{
	return volume_table_find(&volume->table, volume->session.id) != NULL ||
	       volume->table.count + 1 < VOLUME_SESSIONS_MAX;
}

static bool has_room(struct volume *volume)
{
	const struct volume_pool *pool = &volume->pool;
	return volume_log_has_room(volume, ring_need(volume)) &&
	       pool->room - pool->taken >= volume->geometry.txn_blocks &&
	       pool->contents_free >= VOLUME_INLINE_BLOCKS && has_session_room(volume) &&
	       space_spare(volume, 0) >= space_need(volume);
}

/* ---- When, and how fast -------------------------------------------------------------------- */

static bool checkpoint_is_due(const struct volume *volume)
{
	const struct volume_pool *pool = &volume->pool;
	return volume->log.used + ring_need(volume) > volume->geometry.ring_blocks / 2 ||
	       pool->taken > pool->room / 2 || pool->contents_free < pool->contents_room / 2 ||
	       (volume_room_slack(volume) < space_need(volume) &&
		pool->taken >= pool->room / SPACE_SHARE);
}

static uint64_t share(uint64_t used, uint64_t room)
{
	return used < room ? used * SCALE / room : SCALE;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* How much of the room that there was when the checkpoint began is used up. */
static uint64_t room_used(const struct volume *volume)
{
	const struct volume_build *build = &volume->build;
	const struct volume_pool *pool = &volume->pool;
	const uint64_t frozen = (uint64_t)volume->frozen.count + volume->geometry.txn_blocks;
	const uint64_t contents = (uint64_t)build->contents + VOLUME_INLINE_BLOCKS;
	const uint64_t ring = (uint64_t)build->head.used + ring_need(volume);
	const uint64_t slack = volume_room_slack(volume);
	uint64_t used = share((uint64_t)volume->overlay.count + volume->txn.staged.count,
			      pool->room > frozen ? pool->room - frozen : 0);
	used = larger(used,
		      share(volume_pool_contents(pool) - build->contents,
			    pool->contents_room > contents ? pool->contents_room - contents : 0));
	used = larger(used, share(volume->log.used - build->head.used,
				  volume->geometry.ring_blocks > ring
					  ? volume->geometry.ring_blocks - ring
					  : 0));
	return larger(used, share(build->slack > slack ? build->slack - slack : 0, build->slack));
}

/* By how much the checkpoint is behind the room that is used. */
static uint64_t lag(const struct volume *volume)
{
	uint64_t goal = room_used(volume) * AHEAD_NUMERATOR / AHEAD_DENOMINATOR;
	uint64_t done = volume_checkpoint_progress(volume, SCALE);
	return goal > done ? goal - done : 0;
}

enum status volume_room_pace(struct volume *volume)
{
	for (uint32_t i = 0; i < STEPS_MAX && volume_checkpoint_is_running(volume); i++) {
		bool done = false;
		if (lag(volume) <= (i == 0 ? 0 : LAG_MAX)) {
			return STATUS_OK;
		}
		enum status status = volume_checkpoint_step(volume, &done);
		if (status != STATUS_OK) {
			/* While there is room, it is for the checkpoint to try again. */
			return volume->writable ? STATUS_OK : status;
		}
	}
	return STATUS_OK;
}

/* The room is gone. */
static enum status stall(struct volume *volume)
{
	enum status status = STATUS_OK;
	if (volume->log.used != 0) {
		volume->counters.checkpoint_stalls++;
		status = volume_checkpoint_finish(volume);
	}
	if (status == STATUS_OK && !has_room(volume)) {
		status = volume_checkpoint_begin(volume);
	}
	if (status == STATUS_OK) {
		status = volume_checkpoint_finish(volume);
	}
	return status == STATUS_OK && !has_session_room(volume) ? STATUS_NO_SPACE : status;
}

enum status volume_room_make(struct volume *volume)
{
	enum status status = STATUS_OK;
	if (volume_checkpoint_is_running(volume) && volume_session_is_worn(volume)) {
		status = stall(volume);
	}
	if (status == STATUS_OK) {
		status = volume_session_renew(volume);
	}
	if (status != STATUS_OK) {
		return status;
	}
	if (!has_room(volume)) {
		return stall(volume);
	}
	if (!volume_checkpoint_is_running(volume) && checkpoint_is_due(volume)) {
		status = volume_checkpoint_begin(volume);
	}
	return status == STATUS_OK ? volume_room_pace(volume) : status;
}
