// SPDX-License-Identifier: MIT
/* A checkpoint moves what the log holds to its homes and releases the ring:
 *
 *   data, nodes, bitmaps, session table     to blocks that the durable state does not use
 *   FLUSH
 *   superblock of epoch + 1                 one copy, FLUSH, other copy, FLUSH
 *   accept                                  only now are old blocks and the ring free
 *
 * The next state is built beside the current one, so a failure on the way changes nothing.
 *
 * It runs in steps of about one device call. At its beginning the overlay is frozen and an empty
 * one takes its place; from then on records belong behind the head that the next superblock names.
 * So transactions go on, and may be open, while it runs; the state profile runs it to its end. */
#include "block/volume_freshness_internal.h"
#include "block/volume_internal.h"

#include <string.h>

/* Turns of a step in which the device has nothing to do. */
#define TURNS_MAX 64u

/* ---- Freezing ------------------------------------------------------------------------------ */

static void overlay_freeze(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	volume_map_freeze(&volume->overlay, &volume->frozen);
	volume->bitmaps.late = 0;
	build->is_patient = false;
	build->head = volume->log;
	build->contents = volume_pool_contents(&volume->pool);
	build->carried = volume->pool.carried;
	build->need = volume_checkpoint_need((uint64_t)build->contents + build->carried,
					     volume_room_nodes(volume, volume->frozen.count));
	volume_build_begin(volume);
	build->slack = volume_room_slack(volume);
}

/* Nothing was committed since then: as if it had never been frozen. */
static void overlay_thaw(struct volume *volume)
{
	struct volume_map empty = volume->overlay;
	volume->overlay = volume->frozen;
	volume->frozen = empty;
	volume->build.phase = VOLUME_PHASE_IDLE;
}

static void build_give_up(struct volume *volume)
{
	volume_build_give_up(volume);
	volume->build.sweep.victim = 0;
	if (volume->log.sequence == volume->build.head.sequence) {
		overlay_thaw(volume);
	} else {
		volume_build_begin(volume);
	}
}

static enum status begin(struct volume *volume)
{
	enum status status = volume_session_renew(volume);
	if (status == STATUS_OK) {
		overlay_freeze(volume);
	}
	return status;
}

/* ---- Making it durable --------------------------------------------------------------------- */

static enum status flush_turn(struct volume *volume)
{
	volume->transfers++;
	enum status status = volume_note_write(volume, block_flush(volume->device), UINT64_MAX);
	if (status == STATUS_OK) {
		volume_build_phase_end(volume);
	}
	return status;
}

static void superblock_fill(struct volume *volume)
{
	struct volume_superblock *next = &volume->build.superblock;
	const struct volume_log *head = &volume->build.head;
	const struct volume_session *session = &volume->session;
	next->geometry = volume->geometry;
	next->generation = volume->master.generation;
	next->epoch = volume->superblock.epoch + 1;
	/* If nobody waits for it, others may commit before it is durable. */
	bool may_be_late = !volume->build.is_patient || volume->log.sequence != head->sequence;
	next->flags = may_be_late ? VOLUME_SUPERBLOCK_LATE : 0;
	if (volume->geometry.profile == VOLUME_PROFILE_BLOCK) {
		next->flags |= VOLUME_SUPERBLOCK_CARRIES;
	}
	next->log_offset = head->offset;
	next->log_sequence = head->sequence;
	memcpy(next->log_tag, head->tag, AEAD_TAG_BYTES);
	memcpy(next->anchor, head->anchor, VOLUME_ANCHOR_BYTES);
	next->session = session->id;
	next->session_generation = session->generation;
	memcpy(next->session_salt, session->salt, VOLUME_SALT_BYTES);
	next->next_session = session->id + 1;
	if (volume->geometry.profile == VOLUME_PROFILE_BLOCK) {
		next->cursor = volume->build.round_cursor;
		next->free_count = volume->build.free_count;
	}
	volume_rotate_fill(volume, next);
	next->keyslot_epoch = volume->keyslots.epoch;
	memcpy(next->keyslot_digest, volume->keyslots_digest, SHA256_BYTES);
}

/* No bitmap is changed any more: that block's memory holds this one until both copies are written.
 * (The batch's would not do: a request queue may exchange it in between.) */
static enum status superblock_seal(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	volume_build_round(volume);
	superblock_fill(volume);
	enum status status = volume_freshness_seal(volume, &build->superblock);
	if (status == STATUS_OK) {
		status = volume_superblock_seal(volume, &build->superblock, build->bitmap);
	}
	if (status == STATUS_OK) {
		volume_build_phase_end(volume);
	}
	return status;
}

static enum status superblock_copy_write(struct volume *volume, uint32_t copy)
{
	const struct volume_build *build = &volume->build;
	volume->superblock_in_doubt = true;
	enum status status = volume_pair_copy_write(
		volume, &volume->superblock_pairs[build->superblock.epoch % 2], copy,
		build->bitmap);
	if (status == STATUS_OK) {
		volume_build_phase_end(volume);
	}
	return status;
}

static void build_accept(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	volume->counters.rehomed_blocks += (uint64_t)build->contents + build->carried;
	volume->superblock = build->superblock;
	volume->superblock_in_doubt = false;
	volume->table = build->table;
	volume_bitmaps_accept(volume);
	volume_map_clear(&volume->frozen);
	volume->log.used -= build->head.used;
	if (build->sweep.at >= volume->geometry.logical_blocks) {
		build->sweep.at = 0;
	}
	volume->counters.checkpoints++;
	build->phase = VOLUME_PHASE_IDLE;
}

static enum status turn(struct volume *volume)
{
	switch (volume->build.phase) {
	case VOLUME_PHASE_FLUSH: return flush_turn(volume);
	case VOLUME_PHASE_SUPERBLOCK: return superblock_seal(volume);
	case VOLUME_PHASE_COPY_0: return superblock_copy_write(volume, 0);
	case VOLUME_PHASE_COPY_1: return superblock_copy_write(volume, 1);
	case VOLUME_PHASE_ACCEPT: build_accept(volume); return STATUS_OK;
	case VOLUME_PHASE_IDLE:
	case VOLUME_PHASE_HEAL:
	case VOLUME_PHASE_SORT_LOG:
	case VOLUME_PHASE_MOVE:
	case VOLUME_PHASE_SORT:
	case VOLUME_PHASE_REHOME:
	case VOLUME_PHASE_LEAVE:
	case VOLUME_PHASE_SETTLE:
	case VOLUME_PHASE_SWEEP:
	case VOLUME_PHASE_SWEPT:
	case VOLUME_PHASE_TABLE:
	case VOLUME_PHASE_SORT_DELTA:
	case VOLUME_PHASE_BITMAPS:
	case VOLUME_PHASE_TABLE_SEAL:
	case VOLUME_PHASE_TABLE_WRITE: break;
	}
	return volume_build_turn(volume);
}

/* ---- Steps --------------------------------------------------------------------------------- */

enum status volume_checkpoint_step(struct volume *volume, bool *done)
{
	const uint64_t transfers = volume->transfers;
	enum status status = STATUS_OK;
	*done = !volume_checkpoint_is_running(volume);
	if (*done) {
		return STATUS_OK;
	}
	if (!volume->writable) {
		return STATUS_READ_ONLY;
	}
	volume->counters.checkpoint_steps++;
	for (uint32_t i = 0;
	     i < TURNS_MAX && !*done && status == STATUS_OK && volume->transfers == transfers;
	     i++) {
		status = turn(volume);
		*done = !volume_checkpoint_is_running(volume);
	}
	if (status != STATUS_OK) {
		build_give_up(volume);
	}
	return status;
}

bool volume_checkpoint_is_running(const struct volume *volume)
{
	return volume->build.phase != VOLUME_PHASE_IDLE;
}

/* ---- Whole checkpoints --------------------------------------------------------------------- */

enum status volume_checkpoint_finish(struct volume *volume)
{
	bool done = false;
	enum status status = STATUS_OK;
	while (status == STATUS_OK && !done) {
		status = volume_checkpoint_step(volume, &done);
	}
	return status;
}

enum status volume_checkpoint_run(struct volume *volume, bool always)
{
	if (!volume->writable) {
		return STATUS_READ_ONLY;
	}
	volume->build.is_patient = true;
	enum status status = volume_checkpoint_finish(volume);
	/* What was committed while that one ran. */
	if (status == STATUS_OK && (always || volume->log.used != 0)) {
		status = begin(volume);
		volume->build.is_patient = true;
		if (status == STATUS_OK) {
			status = volume_checkpoint_finish(volume);
		}
	}
	volume->build.is_patient = false; /* If it failed, it may go on in the background. */
	return status;
}

enum status volume_checkpoint_begin(struct volume *volume)
{
	if (volume->geometry.profile != VOLUME_PROFILE_BLOCK) {
		return STATUS_UNSUPPORTED;
	}
	if (volume->txn.open) {
		return STATUS_BUSY;
	}
	if (!volume->writable) {
		return STATUS_READ_ONLY;
	}
	if (volume_checkpoint_is_running(volume) || volume->log.used == 0) {
		return STATUS_OK;
	}
	return begin(volume);
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
	enum status status = volume_checkpoint_run(volume, true);
	return status == STATUS_OK ? volume_freshness_mark(volume) : status;
}
