// SPDX-License-Identifier: MIT
/* Talking to the witness. What its answers mean for a volume is decided in volume_freshness.c.
 *
 * An advance that got no answer may have been made. It stays in `doubt`, is sent again before
 * anything later is (the port's compare-and-set takes it twice), and goes into the superblock, so
 * that a later mount knows it for a point of this history. So there is never more than one. */
#include "block/volume_witness.h"

#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "block/volume_freshness_internal.h"
#include "block/volume_internal.h"

STATIC_ASSERT(WITNESS_UUID_BYTES == VOLUME_UUID_BYTES, "the port's copy of the size");
STATIC_ASSERT(WITNESS_ANCHOR_BYTES == VOLUME_ANCHOR_BYTES, "likewise");

bool volume_witness_marks_equal(const struct witness_mark *a, const struct witness_mark *b)
{
	return a->sequence == b->sequence &&
	       bytes_equal_constant_time(a->anchor, b->anchor, WITNESS_ANCHOR_BYTES);
}

/* The witness says that this is not the one history. Whatever we write from now on, somebody else
 * may be writing its other half. */
static enum status writing_end(struct volume *volume, enum status status)
{
	volume->freshness.is_open = false;
	return volume_note_write(volume, status, UINT64_MAX);
}

/* It could not be asked, or does not know us: the cause is kept for those who report. */
static enum status silence(struct volume *volume)
{
	log_write(LOG_WARNING, "volume", "the freshness witness cannot be asked: %s",
		  status_name(volume->freshness.answer));
	return STATUS_UNANCHORED;
}

void volume_witness_open(struct volume *volume)
{
	struct volume_witness_state *state = &volume->freshness;
	const struct witness *witness = state->witness;
	if (witness == NULL) {
		state->answer = STATUS_NO_DEVICE;
		return;
	}
	struct witness_mark mark = {.sequence = 0};
	uint64_t token = 0;
	state->answer = volume->read_only
				? witness->ops->peek(witness->context, volume->uuid, &mark)
				: witness->ops->open(witness->context, volume->uuid, &mark, &token);
	if (state->answer == STATUS_OK) {
		state->remembered = mark;
		state->token = token;
	}
}

/* ---- A witness that was not there when the volume was mounted -------------------------------- */

static bool is_known(const struct volume *volume, const struct witness_mark *mark)
{
	const struct volume_witness_state *state = &volume->freshness;
	struct witness_mark head = {.sequence = volume->superblock.log_sequence};
	memcpy(head.anchor, volume->superblock.anchor, VOLUME_ANCHOR_BYTES);
	return volume_witness_marks_equal(mark, &state->acknowledged) ||
	       volume_witness_marks_equal(mark, &state->doubt) ||
	       volume_witness_marks_equal(mark, &state->recovered) ||
	       volume_witness_marks_equal(mark, &head);
}

/* The anchors between the head of the log and its end are gone: only the marks that a mount keeps
 * can be compared. Another one in between is for the next mount to tell. */
static enum status reopen(struct volume *volume)
{
	struct volume_witness_state *state = &volume->freshness;
	volume_witness_open(volume);
	if (state->answer != STATUS_OK) {
		return silence(volume);
	}
	const struct witness_mark *mark = &state->remembered;
	if (mark->sequence > state->committed.sequence) {
		return writing_end(volume, STATUS_ROLLBACK);
	}
	if (mark->sequence > state->acknowledged.sequence &&
	    mark->sequence < state->recovered.sequence && !is_known(volume, mark)) {
		log_write(LOG_WARNING, "volume",
			  "the witness remembers sequence %llu, which only a mount can compare",
			  (unsigned long long)mark->sequence);
		return STATUS_UNANCHORED;
	}
	if (mark->sequence == 0 || mark->sequence < state->acknowledged.sequence ||
	    !is_known(volume, mark)) {
		return writing_end(volume, STATUS_FORK);
	}
	state->acknowledged = *mark;
	state->doubt = (struct witness_mark){.sequence = 0};
	state->is_open = true;
	return STATUS_OK;
}

/* ---- Advancing ----------------------------------------------------------------------------- */

static enum status advance(struct volume *volume, struct witness_mark to)
{
	struct volume_witness_state *state = &volume->freshness;
	const struct witness *witness = state->witness;
	state->doubt = to;
	state->answer = witness->ops->advance(witness->context, volume->uuid, state->token,
					      &state->acknowledged, &to);
	if (state->answer == STATUS_FORK) {
		return writing_end(volume, STATUS_FORK);
	}
	if (state->answer != STATUS_OK) {
		return silence(volume);
	}
	state->acknowledged = to;
	state->doubt = (struct witness_mark){.sequence = 0};
	volume->counters.witness_advances++;
	return STATUS_OK;
}

enum status volume_witness_catch_up(struct volume *volume)
{
	struct volume_witness_state *state = &volume->freshness;
	if (state->witness == NULL) {
		return STATUS_UNANCHORED;
	}
	enum status status = state->is_open ? STATUS_OK : reopen(volume);
	if (status == STATUS_OK && state->doubt.sequence != 0) {
		status = advance(volume, state->doubt);
	}
	if (status == STATUS_OK &&
	    !volume_witness_marks_equal(&state->acknowledged, &state->committed)) {
		status = advance(volume, state->committed);
	}
	if (status == STATUS_OK) {
		state->commits_behind = 0;
	}
	return status;
}

/* ---- By decision --------------------------------------------------------------------------- */

enum status volume_witness_set(struct volume *volume)
{
	struct volume_witness_state *state = &volume->freshness;
	const struct witness *witness = state->witness;
	const struct witness_mark *to = &state->committed;
	bool knows_us = state->answer == STATUS_OK;
	state->answer =
		knows_us ? witness->ops->replace(witness->context, volume->uuid, state->token,
						 &state->remembered, to)
			 : witness->ops->enrol(witness->context, volume->uuid, to, &state->token);
	if (state->answer == STATUS_FORK || state->answer == STATUS_EXISTS) {
		return writing_end(volume, STATUS_FORK); /* Somebody else was quicker. */
	}
	if (state->answer != STATUS_OK) {
		return silence(volume);
	}
	state->acknowledged = *to;
	state->doubt = (struct witness_mark){.sequence = 0};
	state->commits_behind = 0;
	state->is_open = true;
	return STATUS_OK;
}

enum status volume_witness_sync(struct volume *volume)
{
	if (volume->txn.open) {
		return STATUS_BUSY;
	}
	return volume->writable ? volume_witness_catch_up(volume) : STATUS_READ_ONLY;
}
