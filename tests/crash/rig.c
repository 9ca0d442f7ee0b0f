// SPDX-License-Identifier: MIT
#include "rig.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "rig_internal.h"

#define FILLER_FIRST 1000000u /* Logical. */
#define FILLER_STEP  64u

/* ---- Life ---------------------------------------------------------------------------------- */

void rig_init_recovered(struct rig *rig, struct checker *checker, struct disk *disk, uint32_t depth,
			struct volume *volume, const struct point *now)
{
	*rig = (struct rig){
		.checker = checker, .disk = disk, .volume = volume, .depth = depth, .now = *now};
	rig->watch =
		(struct watch){.checker = checker, .depth = depth, .before = *now, .after = *now};
}

void rig_init(struct rig *rig, struct checker *checker, struct disk *disk)
{
	fake_witness_init(&checker->witnesses[0]);
	checker->witness_decision =
		checker->has_witness ? VOLUME_WITNESS_ENROL : VOLUME_WITNESS_CHECK;
	const struct volume_environment environment = checker_environment(checker, disk, 0);
	const struct volume_create_params params = {
		.profile = checker->profile,
		.size = {checker->blocks},
		.witness_policy = checker->has_witness ? checker->witness_policy
						       : (struct volume_witness_policy){0},
	};
	struct point empty = {.keys = 1u << CHECKER_MAIN_KEY};
	struct volume *volume = NULL;
	CHECK(volume_create_with(&environment, &params, &checker_keys[CHECKER_MAIN_KEY]) ==
	      STATUS_OK);
	CHECK(checker_mount(checker, disk, 0, CHECKER_MAIN_KEY, false, &volume) == STATUS_OK);
	checker->witness_decision = VOLUME_WITNESS_CHECK;
	struct volume_info info;
	volume_info_get(volume, &info);
	empty.sequence = info.sequence;
	rig_init_recovered(rig, checker, disk, 0, volume, &empty);
}

void rig_watch(struct rig *rig, const struct crash_plan *plans)
{
	rig->watch.plans = plans;
	crashes_watch(&rig->watch, rig->disk);
}

void rig_unwatch(struct rig *rig)
{
	rig->watch.plans = NULL;
	crashes_unwatch(rig->disk);
}

/* ---- Transactions -------------------------------------------------------------------------- */

uint64_t rig_new_content(struct checker *checker)
{
	return ++checker->next_base * MODEL_VARIANTS;
}

static enum status place_stage(struct rig *rig, const struct place *place, uint64_t number)
{
	uint8_t content[BLOCK_BYTES];
	enum status status = STATUS_OK;
	for (uint32_t k = 0; k < place->count && status == STATUS_OK; k++) {
		struct logical_block block = checker_place_block(place, k);
		if (number == 0) {
			status = volume_txn_discard(rig->volume, block);
			continue;
		}
		checker_place_content(number, k, content);
		status = volume_txn_put(rig->volume, block, content);
	}
	return status;
}

enum status rig_step_now_and_then(struct rig *rig)
{
	bool done = false;
	bool steps = volume_checkpoint_is_running(rig->volume) &&
		     random_stream_one_in(&rig->checker->dice, 4);
	return steps ? volume_checkpoint_step(rig->volume, &done) : STATUS_OK;
}

enum status rig_stage(struct rig *rig, const struct contents *next)
{
	enum status status = volume_txn_begin(rig->volume);
	for (uint32_t i = 0; i < rig->checker->place_count && status == STATUS_OK; i++) {
		if (next->number[i] != rig->now.contents.number[i]) {
			status = place_stage(rig, &rig->checker->places[i], next->number[i]);
		}
		if (status == STATUS_OK) {
			status = rig_step_now_and_then(rig);
		}
	}
	return status;
}

bool rig_acknowledged(struct rig *rig)
{
	const uint32_t keys_before = rig->now.keys;
	uint32_t wrong = 0;
	rig->now = rig->watch.after;
	bool right = rig->may_fail ? checker_contents_not_wrong(rig->checker, rig->volume,
								&rig->now.contents, &wrong)
				   : checker_contents_equal(rig->checker, rig->volume,
							    &rig->now.contents, &wrong);
	if (!right) {
		checker_violation(rig->checker, "logical block %u reads wrongly after its commit",
				  rig->checker->places[wrong].logical);
		return false;
	}
	struct volume_info info;
	volume_info_get(rig->volume, &info);
	if (rig->checker->has_witness && info.sequence > rig->now.sequence) {
		rig->now.sequence = info.sequence; /* Records that only say what the witness has. */
	}
	if (rig->checker->has_witness &&
	    rig->checker->witness_policy.kind == VOLUME_WITNESS_STRICT &&
	    rig->checker->witnesses[rig->depth].mark.sequence != info.sequence) {
		checker_violation(rig->checker, "acknowledged before the witness has it");
	}
	if (info.sequence != rig->now.sequence) {
		checker_violation(rig->checker, "at commit %" PRIu64 " instead of %" PRIu64,
				  info.sequence, rig->now.sequence);
		return false;
	}
	rig->watch.before = rig->now;
	if (rig->history != NULL) {
		history_add(rig->history, rig->volume, &rig->now,
			    rig->was_building ? keys_before : rig->now.keys);
	}
	if (rig->watch.plans != NULL) {
		crashes_at_rest(&rig->watch, rig->disk);
	}
	checker_secrets_check(rig->checker, rig->disk);
	return checker_goes_on(rig->checker);
}

bool rig_failed(struct rig *rig, const char *what, enum status status)
{
	rig->failure = status;
	if (!rig->may_fail) {
		checker_violation(rig->checker, "%s: %s", what, status_name(status));
	}
	return false;
}

/* One that fills its block: see model.c. */
uint64_t rig_full_content(struct checker *checker)
{
	while (checker->next_base % 3 != 0) {
		checker->next_base++;
	}
	return rig_new_content(checker);
}

static uint64_t short_content(struct checker *checker)
{
	while (checker->next_base % 3 != 2) {
		checker->next_base++;
	}
	return rig_new_content(checker);
}

/* A commit that finds no space is refused, and nothing else happens. Nothing but a commit may find
 * that. */
static bool commit_failed(struct rig *rig, enum status status)
{
	volume_txn_abort(rig->volume); /* If it failed before its commit, it is still open. */
	if (status == STATUS_NO_SPACE && rig->checker->may_be_full) {
		rig->watch.after = rig->now;
		return rig_acknowledged(rig);
	}
	return rig_failed(rig, "commit", status);
}

bool rig_fill_some(struct rig *rig, uint32_t first, uint32_t count, bool full)
{
	uint8_t content[BLOCK_BYTES];
	enum status status = volume_txn_begin(rig->volume);
	rig->watch.before = rig->now;
	rig->watch.after = rig->now;
	rig->watch.after.sequence++;
	for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
		struct logical_block block = {first + i};
		model_content(full ? rig_full_content(rig->checker) : short_content(rig->checker),
			      content);
		status = volume_txn_put(rig->volume, block, content);
	}
	if (status == STATUS_OK) {
		status = volume_txn_commit(rig->volume);
	}
	return status == STATUS_OK ? rig_acknowledged(rig) : commit_failed(rig, status);
}

/* All that a device offers, but for the model's blocks. */
static bool fill_device(struct rig *rig)
{
	const uint32_t gaps[][2] = {{8, 127}, {129, 700}, {702, 900}, {1000, 2048}, {2050, 3327}};
	bool good = true;
	for (size_t i = 0; i < ARRAY_COUNT(gaps); i++) {
		for (uint32_t at = gaps[i][0]; at < gaps[i][1] && good; at += FILLER_STEP) {
			uint32_t left = gaps[i][1] - at;
			good = rig_fill_some(rig, at, left < FILLER_STEP ? left : FILLER_STEP,
					     true);
		}
	}
	return good;
}

bool rig_fill(struct rig *rig)
{
	uint32_t filled = FILLER_FIRST;
	if (rig_is_block(rig)) {
		return fill_device(rig);
	}
	rig->checker->may_be_full = true;
	for (uint32_t step = FILLER_STEP; step > 0;) {
		rig->failure = STATUS_OK;
		uint64_t before = rig->now.sequence;
		if (!rig_fill_some(rig, filled, step, true)) {
			return false;
		}
		if (rig->now.sequence != before) {
			filled += step;
		} else {
			step /= 2;
		}
	}
	return true;
}

bool rig_commit_records(struct rig *rig, const struct contents *next, uint32_t records)
{
	rig->watch.before = rig->now;
	rig->watch.after = rig->now;
	rig->watch.after.contents = *next;
	bool changes = memcmp(next, &rig->now.contents, sizeof(*next)) != 0;
	rig->watch.after.sequence += changes ? records : 0;
	enum status status = rig_stage(rig, next);
	if (status == STATUS_OK) {
		status = volume_txn_commit(rig->volume);
	}
	if (status != STATUS_OK) {
		return commit_failed(rig, status);
	}
	return rig_acknowledged(rig);
}

bool rig_commit(struct rig *rig, const struct contents *next)
{
	return rig_commit_records(rig, next, 1);
}
