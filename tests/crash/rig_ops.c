// SPDX-License-Identifier: MIT
/* The operations: which blocks they change, what has to come of them. */
#include <string.h>

#include "base/check.h"
#include "block/volume_internal.h"
#include "rig_internal.h"

#define ROTATE_STEPS_MAX 6u

bool rig_is_block(const struct rig *rig)
{
	return rig->checker->profile == VOLUME_PROFILE_BLOCK;
}

const char *op_name(enum op op)
{
	switch (op) {
	case OP_WRITE: return "write";
	case OP_OVERWRITE: return "overwrite";
	case OP_DISCARD: return "discard";
	case OP_MULTI: return "multi-block write";
	case OP_CHECKPOINT: return "checkpoint";
	case OP_REMOUNT: return "remount";
	case OP_KEY_ADD: return "key add";
	case OP_KEY_REMOVE: return "key remove";
	case OP_NOOP: return "no-op commit";
	case OP_LARGE: return "large write";
	case OP_CHAIN: return "write of several records";
	case OP_ABORT: return "aborted write";
	case OP_STEP: return "checkpoint steps";
	case OP_KEY_CHANGE: return "key change";
	case OP_EPOCH: return "new epoch";
	case OP_GROW: return "grow";
	case OP_ROTATE: return "rotation";
	case OP_EXHAUST: return "new salt";
	case OP_COUNT: break;
	}
	return "nothing";
}

static const enum op state_sequenced[] = {
	OP_WRITE,   OP_OVERWRITE,  OP_DISCARD, OP_MULTI, OP_CHECKPOINT, OP_REMOUNT,
	OP_KEY_ADD, OP_KEY_REMOVE, OP_NOOP,    OP_LARGE, OP_GROW,       OP_ROTATE,
};
static const enum op block_sequenced[] = {
	OP_WRITE, OP_OVERWRITE, OP_DISCARD, OP_CHECKPOINT, OP_REMOUNT, OP_LARGE,
	OP_CHAIN, OP_ABORT,     OP_KEY_ADD, OP_STEP,       OP_GROW,    OP_ROTATE,
};

uint32_t rig_epochs_most(enum op op)
{
	const uint32_t grow = 3;
	const uint32_t rotation = 2 + ROTATE_STEPS_MAX; /* Two at its beginning. */
	return 1 + (op == OP_ROTATE ? rotation : grow);
}

uint32_t rig_sequenced_count(enum volume_profile profile)
{
	return profile == VOLUME_PROFILE_BLOCK ? (uint32_t)ARRAY_COUNT(block_sequenced)
					       : (uint32_t)ARRAY_COUNT(state_sequenced);
}

enum op rig_sequenced(enum volume_profile profile, uint64_t index)
{
	return profile == VOLUME_PROFILE_BLOCK ? block_sequenced[index] : state_sequenced[index];
}

/* ---- Choosing blocks ----------------------------------------------------------------------- */

/* The chain's places are the last two. */
static bool has_chain(const struct rig *rig)
{
	return rig->checker->places[rig->checker->place_count - 2].count > 1;
}

static uint32_t ordinary_places(const struct rig *rig)
{
	return rig->checker->place_count - (has_chain(rig) ? 2u : 0u);
}

/* An index whose block is (or is not) a hole; any, if there is none of that kind. */
static uint32_t block_choose(const struct rig *rig, bool hole)
{
	struct checker *checker = rig->checker;
	uint32_t places = ordinary_places(rig);
	uint32_t start = (uint32_t)random_stream_below(&checker->dice, places);
	for (uint32_t i = 0; i < places; i++) {
		uint32_t at = (start + i) % places;
		if ((rig->now.contents.number[at] == 0) == hole) {
			return at;
		}
	}
	return start;
}

static uint64_t changed_content(struct checker *checker, uint64_t number)
{
	bool patch = number % MODEL_VARIANTS + 1 < MODEL_VARIANTS && number != 0 &&
		     random_stream_below(&checker->dice, 2) == 0;
	return patch ? number + 1 : rig_new_content(checker);
}

static void change_several(struct rig *rig, uint32_t count, bool full, struct contents *next)
{
	struct checker *checker = rig->checker;
	uint32_t places = ordinary_places(rig);
	uint32_t first = (uint32_t)random_stream_below(&checker->dice, places);
	for (uint32_t i = 0; i < count && i < places; i++) {
		uint32_t at = (first + i) % places;
		bool discards = next->number[at] != 0 && random_stream_one_in(&checker->dice, 4);
		uint64_t number = full ? rig_full_content(checker)
				       : changed_content(checker, next->number[at]);
		next->number[at] = discards ? 0 : number;
	}
}

/* Neighbours, all of them written: out of line. */
static void change_run(struct rig *rig, struct contents *next)
{
	struct checker *checker = rig->checker;
	uint32_t places = ordinary_places(rig);
	uint32_t count =
		VOLUME_INLINE_BLOCKS + 1 + (uint32_t)random_stream_below(&checker->dice, 4);
	uint32_t first = places < count ? 0 : places - count;
	for (uint32_t at = first; at < places; at++) {
		next->number[at] = rig_new_content(checker);
	}
}

static bool change(struct rig *rig, enum op op)
{
	struct checker *checker = rig->checker;
	struct contents next = rig->now.contents;
	if (op == OP_WRITE) {
		next.number[block_choose(rig, true)] = rig_new_content(checker);
	} else if (op == OP_OVERWRITE) {
		uint32_t at = block_choose(rig, false);
		next.number[at] = changed_content(checker, next.number[at]);
	} else if (op == OP_DISCARD) {
		next.number[block_choose(rig, false)] = 0;
	} else if (op == OP_LARGE && rig_is_block(rig)) {
		change_run(rig, &next);
	} else {
		uint64_t count = op == OP_MULTI ? 2 + random_stream_below(&checker->dice, 4)
						: 20 + random_stream_below(&checker->dice, 50);
		change_several(rig, (uint32_t)count, op == OP_LARGE, &next);
	}
	return rig_commit(rig, &next);
}

/* ---- The other operations ------------------------------------------------------------------ */

/* Two records, of which only the second commits; with the chain's places, an ordinary one. The last
 * of them is discarded every other time: what a discard has to look up is looked up when one record
 * is on its way already. */
static bool chain(struct rig *rig)
{
	struct contents next = rig->now.contents;
	if (!has_chain(rig)) {
		return change(rig, OP_LARGE);
	}
	uint64_t *last = &next.number[rig->checker->place_count - 1];
	next.number[rig->checker->place_count - 2] = rig_new_content(rig->checker);
	*last = *last == 0 ? rig_new_content(rig->checker) : 0;
	next.number[block_choose(rig, false)] = rig_new_content(rig->checker);
	return rig_commit_records(rig, &next, CHECKER_CHAIN_RECORDS);
}

/* What was written out of line already is nobody's. */
static bool write_and_abort(struct rig *rig)
{
	struct contents next = rig->now.contents;
	uint8_t content[BLOCK_BYTES];
	if (random_stream_below(&rig->checker->dice, 2) == 0) {
		change_run(rig, &next);
	}
	enum status status = rig_stage(rig, &next);
	/* More than is kept in memory, so that something reaches the device. */
	for (uint32_t i = 0; i < 40 && status == STATUS_OK; i++) {
		struct logical_block block = {1200 + i};
		model_content(rig_full_content(rig->checker), content);
		status = volume_txn_put(rig->volume, block, content);
		if (status == STATUS_OK && i % 8 == 7) { /* Few: it is to be aborted half way. */
			status = rig_step_now_and_then(rig);
		}
	}
	if (status != STATUS_OK) {
		volume_txn_abort(rig->volume);
		return rig_failed(rig, "staging", status);
	}
	volume_txn_abort(rig->volume);
	return rig_acknowledged(rig);
}

static bool checkpoint(struct rig *rig)
{
	enum status status = volume_checkpoint(rig->volume);
	return status == STATUS_OK ? rig_acknowledged(rig) : rig_failed(rig, "checkpoint", status);
}

/* Part of a checkpoint; transactions go on in between, and may find it half done. */
static bool checkpoint_steps(struct rig *rig)
{
	uint64_t steps = 1 + random_stream_below(&rig->checker->dice, 2);
	bool done = false;
	enum status status = volume_checkpoint_begin(rig->volume);
	while (steps-- > 0 && status == STATUS_OK && !done) {
		status = volume_checkpoint_step(rig->volume, &done);
	}
	return status == STATUS_OK ? rig_acknowledged(rig)
				   : rig_failed(rig, "checkpoint step", status);
}

static bool remount(struct rig *rig)
{
	volume_unmount(rig->volume);
	rig->volume = NULL;
	enum status status = checker_mount(rig->checker, rig->disk, rig->depth, CHECKER_MAIN_KEY,
					   false, &rig->volume);
	return status == STATUS_OK ? rig_acknowledged(rig) : rig_failed(rig, "remount", status);
}

static bool key_change(struct rig *rig, bool adds)
{
	uint32_t key = 1 + (uint32_t)random_stream_below(&rig->checker->dice, CHECKER_KEYS - 1);
	bool is_there = (rig->now.keys >> key & 1) != 0;
	if (adds != is_there) {
		rig->watch.after.keys ^= 1u << key;
	}
	enum status expected =
		adds == is_there ? (adds ? STATUS_EXISTS : STATUS_WRONG_KEY) : STATUS_OK;
	enum status status = adds ? volume_key_add(rig->volume, &checker_keys[key])
				  : volume_key_remove(rig->volume, &checker_keys[key]);
	if (status != expected) {
		return rig_failed(rig, adds ? "key add" : "key remove", status);
	}
	return rig_acknowledged(rig);
}

/* Key 1 for key 2 or the other way round, whichever is there. */
static bool key_exchange(struct rig *rig)
{
	uint32_t old = (rig->now.keys & 2u) != 0 ? 1u : 2u;
	uint32_t new = 3u - old;
	bool has_old = (rig->now.keys >> old & 1) != 0;
	bool has_new = (rig->now.keys >> new & 1) != 0;
	if (!has_old || has_new) {
		return true;
	}
	rig->watch.after.keys ^= 6u;
	enum status status = volume_key_change(rig->volume, &checker_keys[old], &checker_keys[new]);
	return status == STATUS_OK ? rig_acknowledged(rig) : rig_failed(rig, "key change", status);
}

static bool epoch_begin(struct rig *rig)
{
	enum status status = volume_epoch_begin(rig->volume);
	return status == STATUS_OK ? rig_acknowledged(rig) : rig_failed(rig, "new epoch", status);
}

static bool rotation_runs(const struct rig *rig)
{
	struct volume_rotation_info info;
	volume_key_rotation_get(rig->volume, &info);
	return info.is_running;
}

static bool rotate(struct rig *rig)
{
	struct volume_key keys[CHECKER_KEYS];
	uint64_t steps = 1 + random_stream_below(&rig->checker->dice, ROTATE_STEPS_MAX);
	uint32_t missing = 0;
	size_t count = 0;
	bool done = false;
	enum status status = STATUS_OK;
	for (uint32_t key = 0; key < CHECKER_KEYS; key++) {
		if ((rig->now.keys >> key & 1) != 0) {
			keys[count++] = checker_keys[key];
		}
	}
	if (!rotation_runs(rig)) {
		status = volume_key_rotate_begin(rig->volume, keys, count, false, &missing);
		if (status == STATUS_BUSY) { /* A grow was interrupted. */
			return rig_acknowledged(rig);
		}
	}
	while (steps-- > 0 && status == STATUS_OK && !done) {
		status = volume_key_rotate_step(rig->volume, &done);
	}
	return status == STATUS_OK ? rig_acknowledged(rig) : rig_failed(rig, "rotation", status);
}

static uint64_t size_now(const struct rig *rig)
{
	struct volume_info info;
	volume_info_get(rig->volume, &info);
	return info.open.size.n;
}

static bool grow(struct rig *rig)
{
	uint64_t size = size_now(rig) + CHECKER_GROW_STEP;
	if (size > rig->disk->device.capacity.n) {
		size = rig->disk->device.capacity.n;
	}
	enum status status = volume_grow(rig->volume, (struct block_count){size});
	if (status == STATUS_BUSY && rotation_runs(rig)) {
		return rig_acknowledged(rig);
	}
	if (status != STATUS_OK) {
		return rig_failed(rig, "grow", status);
	}
	if (size_now(rig) != size) {
		checker_violation(rig->checker, "a volume did not grow");
	}
	return rig_acknowledged(rig);
}

/* 2^32 seals take too long: say that they happened. */
static bool exhaust(struct rig *rig)
{
	struct volume_session *session = &rig->volume->session;
	session->log_seals = VOLUME_SEALS_MAX - VOLUME_SEALS_MARGIN;
	return true;
}

/* Content that is there already: a commit without a device operation. */
static bool change_nothing(struct rig *rig)
{
	const struct block_device_counters before = rig->disk->counters;
	uint8_t content[BLOCK_BYTES];
	uint32_t at = block_choose(rig, false);
	struct logical_block block = {rig->checker->places[at].logical};
	model_content(rig->now.contents.number[at], content);
	enum status status = volume_txn_begin(rig->volume);
	if (status == STATUS_OK) {
		status = volume_txn_put(rig->volume, block, content);
	}
	if (status == STATUS_OK) {
		status = volume_txn_commit(rig->volume);
	}
	if (status != STATUS_OK) {
		return rig_failed(rig, "no-op commit", status);
	}
	const struct block_device_counters *now = &rig->disk->counters;
	if (now->writes != before.writes || now->flushes != before.flushes) {
		checker_violation(rig->checker, "a commit of nothing wrote something");
	}
	return rig_acknowledged(rig);
}

bool rig_op(struct rig *rig, enum op op)
{
	if (!checker_goes_on(rig->checker)) {
		return false;
	}
	rig->failure = STATUS_OK;
	rig->was_building = volume_checkpoint_is_running(rig->volume);
	rig->watch.before = rig->now;
	rig->watch.after = rig->now;
	switch (op) {
	case OP_WRITE:
	case OP_OVERWRITE:
	case OP_DISCARD:
	case OP_MULTI:
	case OP_LARGE: return change(rig, op);
	case OP_CHAIN: return chain(rig);
	case OP_ABORT: return write_and_abort(rig);
	case OP_STEP: return checkpoint_steps(rig);
	case OP_CHECKPOINT: return checkpoint(rig);
	case OP_REMOUNT: return remount(rig);
	case OP_KEY_ADD: return key_change(rig, true);
	case OP_KEY_REMOVE: return key_change(rig, false);
	case OP_NOOP: return change_nothing(rig);
	case OP_KEY_CHANGE: return key_exchange(rig);
	case OP_EPOCH: return epoch_begin(rig);
	case OP_GROW: return grow(rig);
	case OP_ROTATE: return rotate(rig);
	case OP_EXHAUST: return exhaust(rig);
	case OP_COUNT: break;
	}
	return false;
}

static enum op block_op_choose(struct checker *checker)
{
	static const enum op choices[] = {
		OP_WRITE,      OP_OVERWRITE, OP_OVERWRITE, OP_DISCARD,    OP_MULTI,
		OP_LARGE,      OP_LARGE,     OP_LARGE,     OP_CHAIN,      OP_CHECKPOINT,
		OP_CHECKPOINT, OP_REMOUNT,   OP_REMOUNT,   OP_ABORT,      OP_KEY_ADD,
		OP_KEY_REMOVE, OP_STEP,      OP_STEP,      OP_STEP,       OP_STEP,
		OP_STEP,       OP_GROW,      OP_EPOCH,     OP_KEY_CHANGE, OP_EXHAUST,
	};
	return choices[random_stream_below(&checker->dice, ARRAY_COUNT(choices))];
}

enum op rig_op_choose(struct checker *checker)
{
	if (checker->profile == VOLUME_PROFILE_BLOCK) {
		return block_op_choose(checker);
	}
	static const enum op choices[] = {
		OP_WRITE,      OP_WRITE,   OP_OVERWRITE, OP_OVERWRITE,  OP_OVERWRITE,
		OP_DISCARD,    OP_MULTI,   OP_MULTI,     OP_CHECKPOINT, OP_CHECKPOINT,
		OP_CHECKPOINT, OP_REMOUNT, OP_KEY_ADD,   OP_KEY_REMOVE, OP_NOOP,
		OP_KEY_CHANGE, OP_EPOCH,   OP_EXHAUST,   OP_GROW,
	};
	return choices[random_stream_below(&checker->dice, ARRAY_COUNT(choices))];
}
