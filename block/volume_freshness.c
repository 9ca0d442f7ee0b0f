// SPDX-License-Identifier: MIT
/* Is this the newest state of the one history? What the witness's memory means for a volume, and
 * when a commit may be acknowledged. docs/volume-format.md, section "Freshness".
 *
 * The other files of the volume call in here at six places: superblock known, record replayed, log
 * replayed, ready to write, commit about to be written, commit flushed; and a checkpoint seals what
 * is known. */
#include <string.h>

#include "base/log.h"
#include "block/volume_freshness_internal.h"
#include "block/volume_internal.h"

/* ---- Policies ------------------------------------------------------------------------------ */

static uint64_t now_us(const struct volume_witness_state *state)
{
	return state->clock == NULL ? 0 : state->clock->now_us(state->clock->context);
}

/* BOUNDED: as much is outstanding as may be. Without a clock any time may have passed. */
static bool is_due(const struct volume_witness_state *state)
{
	if (state->commits_behind == 0) {
		return false;
	}
	if (state->commits_behind >= state->policy.commits) {
		return true;
	}
	uint64_t limit_us = (uint64_t)state->policy.seconds * 1000000u;
	return limit_us != 0 &&
	       (state->clock == NULL || now_us(state) - state->behind_since_us >= limit_us);
}

/* ---- Mount: following the chain -------------------------------------------------------------- */

void volume_freshness_begin(struct volume *volume, const struct volume_environment *environment)
{
	volume->freshness = (struct volume_witness_state){
		.witness = environment->witness,
		.clock = environment->clock,
		.decision = environment->witness_decision,
		.answer = STATUS_NO_DEVICE,
	};
}

void volume_freshness_ask(struct volume *volume)
{
	volume->freshness.policy = volume->superblock.witness_policy;
	volume_witness_open(volume);
}

static struct witness_mark mark_now(const struct volume *volume)
{
	struct witness_mark mark = {.sequence = volume->log.sequence};
	memcpy(mark.anchor, volume->log.anchor, VOLUME_ANCHOR_BYTES);
	return mark;
}

static void chain_compare(struct volume *volume)
{
	struct volume_witness_state *state = &volume->freshness;
	const struct witness_mark here = mark_now(volume);
	if (state->answer == STATUS_OK && volume_witness_marks_equal(&here, &state->remembered)) {
		state->is_on_chain = true;
	}
}

void volume_freshness_rewind(struct volume *volume)
{
	struct volume_witness_state *state = &volume->freshness;
	const struct volume_superblock *superblock = &volume->superblock;
	state->acknowledged.sequence = superblock->witness_sequence;
	memcpy(state->acknowledged.anchor, superblock->witness_anchor, VOLUME_ANCHOR_BYTES);
	state->doubt.sequence = superblock->witness_doubt_sequence;
	memcpy(state->doubt.anchor, superblock->witness_doubt_anchor, VOLUME_ANCHOR_BYTES);
	state->is_on_chain = false;
	/* Of what is behind the head only the records can be counted: at least as many. */
	state->commits_behind = superblock->log_sequence > superblock->witness_sequence
					? superblock->log_sequence - superblock->witness_sequence
					: 0;
}

void volume_freshness_follow(struct volume *volume, const struct volume_record *record)
{
	struct volume_witness_state *state = &volume->freshness;
	chain_compare(volume);
	if ((record->flags & VOLUME_RECORD_UNANCHORED) == 0) {
		/* Its writer had the witness's word for all that came before it. */
		state->acknowledged = mark_now(volume);
		state->commits_behind = 0;
	}
	if (state->doubt.sequence <= state->acknowledged.sequence) {
		state->doubt = (struct witness_mark){.sequence = 0};
	}
	if ((record->flags & VOLUME_RECORD_COMMIT) != 0 &&
	    record->sequence > state->acknowledged.sequence) {
		state->commits_behind++;
	}
}

/* ---- Mount: judging -------------------------------------------------------------------------- */

/* STATUS_OK: what the witness remembers is a point of this history. */
static enum status remembered_compare(const struct volume *volume)
{
	const struct volume_witness_state *state = &volume->freshness;
	const struct witness_mark *mark = &state->remembered;
	if (mark->sequence > state->committed.sequence) {
		return STATUS_ROLLBACK;
	}
	/* It acknowledged more than that: it is another witness, or was itself turned back. */
	if (mark->sequence == 0 || mark->sequence < state->acknowledged.sequence) {
		return STATUS_FORK;
	}
	/* Older than the log, whose anchors before its head nobody has any more. */
	bool is_sealed = volume_witness_marks_equal(mark, &state->acknowledged) ||
			 volume_witness_marks_equal(mark, &state->doubt);
	return state->is_on_chain || is_sealed ? STATUS_OK : STATUS_FORK;
}

static enum status silence_judge(const struct volume *volume)
{
	const struct volume_witness_state *state = &volume->freshness;
	if (volume->read_only || state->decision == VOLUME_WITNESS_ACCEPT) {
		return STATUS_OK;
	}
	if (state->decision == VOLUME_WITNESS_ENROL) {
		return STATUS_UNANCHORED;
	}
	switch (state->policy.kind) {
	case VOLUME_WITNESS_OPEN: return STATUS_OK;
	case VOLUME_WITNESS_STRICT: return STATUS_UNANCHORED;
	case VOLUME_WITNESS_BOUNDED: break;
	}
	return state->commits_behind <= state->policy.commits ? STATUS_OK : STATUS_UNANCHORED;
}

/* Enrolling is somebody's decision; and for a volume that had a witness, which may have known a
 * later state, it is the larger one. */
static enum status first_contact_judge(const struct volume *volume)
{
	const struct volume_witness_state *state = &volume->freshness;
	if (volume->read_only) {
		return STATUS_OK;
	}
	switch (state->decision) {
	case VOLUME_WITNESS_CHECK: return STATUS_NOT_ENROLLED;
	case VOLUME_WITNESS_ACCEPT: return STATUS_OK;
	case VOLUME_WITNESS_ENROL: break;
	}
	return state->acknowledged.sequence == 0 ? STATUS_OK : STATUS_NOT_ENROLLED;
}

enum status volume_freshness_check(struct volume *volume)
{
	struct volume_witness_state *state = &volume->freshness;
	enum status status = STATUS_OK;
	chain_compare(volume);
	state->recovered = mark_now(volume);
	state->committed = state->recovered;
	state->behind_since_us = now_us(state);
	if (state->answer == STATUS_OK) {
		status = remembered_compare(volume);
		state->is_on_chain = status == STATUS_OK;
		if (state->decision == VOLUME_WITNESS_ACCEPT) {
			status = STATUS_OK;
		}
	} else if (state->answer == STATUS_NOT_FOUND) {
		status = first_contact_judge(volume);
	} else {
		status = silence_judge(volume);
	}
	if (status != STATUS_OK) {
		log_write(LOG_WARNING, "volume",
			  "sequence %llu; the witness (%s) remembers %llu, acknowledged were %llu",
			  (unsigned long long)state->committed.sequence, status_name(state->answer),
			  (unsigned long long)state->remembered.sequence,
			  (unsigned long long)state->acknowledged.sequence);
	}
	return volume_note(volume, status, VOLUME_LEVEL_LOG, UINT64_MAX, UINT64_MAX);
}

/* ---- Mount: settling ------------------------------------------------------------------------- */

/* A record without changes: the same content, and another history. */
static enum status mark_append(struct volume *volume)
{
	enum status status = volume_session_renew(volume);
	if (status == STATUS_OK && !volume_log_has_room(volume, 1)) {
		status = volume_checkpoint_run(volume, false);
	}
	if (status == STATUS_OK) {
		status = volume_log_append(volume, VOLUME_RECORD_OVERHEAD, 0, 0, true);
	}
	if (status == STATUS_OK) {
		status = volume_log_settle(volume, block_flush(volume->device));
	}
	if (status == STATUS_OK) {
		volume->freshness.committed = mark_now(volume);
	}
	return status;
}

enum status volume_freshness_settle(struct volume *volume)
{
	struct volume_witness_state *state = &volume->freshness;
	bool knows_us = state->answer == STATUS_OK;
	if (knows_us && state->is_on_chain) {
		state->is_open = true;
		state->acknowledged = state->remembered;
		state->doubt = (struct witness_mark){.sequence = 0};
		enum status status = volume_witness_catch_up(volume);
		return status == STATUS_UNANCHORED && state->policy.kind != VOLUME_WITNESS_STRICT
			       ? STATUS_OK
			       : status;
	}
	if (!knows_us && state->answer != STATUS_NOT_FOUND) {
		return STATUS_OK; /* Silent, and that was judged. */
	}
	/* Only by decision. The record parts this history from those that other copies of the
	 * image may have, so that none of them passes for it later. */
	enum status status = mark_append(volume);
	if (status == STATUS_OK) {
		status = volume_witness_set(volume);
	}
	/* That it has a witness is in the superblock from now on. */
	return status == STATUS_OK ? volume_checkpoint_run(volume, true) : status;
}

/* ---- Commits ------------------------------------------------------------------------------- */

enum status volume_freshness_admit(struct volume *volume)
{
	const struct volume_witness_state *state = &volume->freshness;
	bool asks = false;
	switch (state->policy.kind) {
	case VOLUME_WITNESS_OPEN: break;
	case VOLUME_WITNESS_STRICT: asks = !state->is_open; break;
	case VOLUME_WITNESS_BOUNDED: asks = is_due(state); break;
	}
	return asks ? volume_witness_catch_up(volume) : STATUS_OK;
}

enum status volume_freshness_confirm(struct volume *volume)
{
	struct volume_witness_state *state = &volume->freshness;
	state->committed = mark_now(volume);
	if (state->commits_behind++ == 0) {
		state->behind_since_us = now_us(state);
	}
	if (state->policy.kind != VOLUME_WITNESS_STRICT) {
		return STATUS_OK;
	}
	return volume_note_write(volume, volume_witness_catch_up(volume), UINT64_MAX);
}

uint32_t volume_freshness_flags(const struct volume *volume)
{
	const struct volume_witness_state *state = &volume->freshness;
	bool has_all = state->is_open && state->acknowledged.sequence != 0 &&
		       state->acknowledged.sequence == volume->log.sequence;
	return has_all ? 0 : (uint32_t)VOLUME_RECORD_UNANCHORED;
}

/* ---- Checkpoints and changes of state -------------------------------------------------------- */

/* Best effort: what the witness has, or may have, is in the superblock and will be known again. */
static enum status catch_up_if_possible(struct volume *volume)
{
	enum status status = volume_witness_catch_up(volume);
	return status == STATUS_UNANCHORED ? STATUS_OK : status;
}

enum status volume_freshness_seal(struct volume *volume, struct volume_superblock *next)
{
	struct volume_witness_state *state = &volume->freshness;
	enum status status = catch_up_if_possible(volume);
	next->witness_sequence = state->acknowledged.sequence;
	memcpy(next->witness_anchor, state->acknowledged.anchor, VOLUME_ANCHOR_BYTES);
	next->witness_doubt_sequence = state->doubt.sequence;
	memcpy(next->witness_doubt_anchor, state->doubt.anchor, VOLUME_ANCHOR_BYTES);
	next->witness_policy = state->policy;
	return status;
}

enum status volume_freshness_mark(struct volume *volume)
{
	if (!volume->freshness.is_open) {
		return STATUS_OK;
	}
	enum status status = volume_freshness_admit(volume);
	if (status == STATUS_OK) {
		status = mark_append(volume);
	}
	if (status == STATUS_OK) {
		status = volume_freshness_confirm(volume);
	}
	return status == STATUS_OK ? catch_up_if_possible(volume) : status;
}

static enum status policy_change_allowed(struct volume *volume,
					 const struct volume_witness_policy *policy)
{
	if (!volume_witness_policy_is_sane(policy)) {
		return STATUS_INVALID;
	}
	if (volume->txn.open) {
		return STATUS_BUSY;
	}
	if (!volume->writable) {
		return STATUS_READ_ONLY;
	}
	return policy->kind == VOLUME_WITNESS_OPEN ? STATUS_OK : volume_witness_catch_up(volume);
}

/* As with keyslots, both superblock slots get it: no damage to one brings the old policy back. */
enum status volume_witness_policy_set(struct volume *volume,
				      const struct volume_witness_policy *policy)
{
	struct volume_witness_state *state = &volume->freshness;
	const struct volume_witness_policy old = state->policy;
	enum status status = policy_change_allowed(volume, policy);
	if (status == STATUS_OK) {
		status = volume_checkpoint_finish(volume); /* It may be sealed already. */
	}
	if (status != STATUS_OK) {
		return status;
	}
	uint64_t epoch = volume->superblock.epoch;
	state->policy = *policy;
	for (uint32_t slot = 0; slot < 2 && status == STATUS_OK; slot++) {
		status = volume_checkpoint_run(volume, true);
	}
	if (status != STATUS_OK && volume->superblock.epoch == epoch) {
		state->policy = old;
	}
	return status == STATUS_OK ? volume_freshness_mark(volume) : status;
}

/* ---- Facts --------------------------------------------------------------------------------- */

const char *volume_freshness_name(enum volume_freshness freshness)
{
	switch (freshness) {
	case VOLUME_FRESHNESS_UNANCHORED: return "unanchored";
	case VOLUME_FRESHNESS_NOT_ENROLLED: return "not-enrolled";
	case VOLUME_FRESHNESS_ANCHORED: return "anchored";
	case VOLUME_FRESHNESS_BEHIND: return "behind";
	}
	return "unknown";
}

static enum volume_freshness freshness_of(const struct volume *volume)
{
	const struct volume_witness_state *state = &volume->freshness;
	const struct witness_mark *has =
		volume->read_only ? &state->remembered : &state->acknowledged;
	bool is_compared = volume->read_only ? state->answer == STATUS_OK && state->is_on_chain
					     : state->is_open;
	if (is_compared) {
		return volume_witness_marks_equal(has, &state->committed)
			       ? VOLUME_FRESHNESS_ANCHORED
			       : VOLUME_FRESHNESS_BEHIND;
	}
	return state->answer == STATUS_NOT_FOUND ? VOLUME_FRESHNESS_NOT_ENROLLED
						 : VOLUME_FRESHNESS_UNANCHORED;
}

void volume_freshness_get(const struct volume *volume, struct volume_freshness_info *info)
{
	const struct volume_witness_state *state = &volume->freshness;
	*info = (struct volume_freshness_info){
		.policy = state->policy,
		.freshness = freshness_of(volume),
		.acknowledged_sequence = state->acknowledged.sequence,
		.commits_behind = state->commits_behind,
		.cause = state->answer,
	};
}
