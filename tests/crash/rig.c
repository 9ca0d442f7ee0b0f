// SPDX-License-Identifier: MIT
#include "rig.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "block/volume_internal.h"

#define FILLER_FIRST 1000000u /* Logical. */
#define FILLER_STEP  64u

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
	case OP_KEY_CHANGE: return "key change";
	case OP_EPOCH: return "new epoch";
	case OP_EXHAUST: return "new salt";
	case OP_COUNT: break;
	}
	return "nothing";
}

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
	const struct volume_environment environment = {
		.device = &disk->device,
		.aead = &checker->aead,
		.random = &checker->random,
		.arena = checker->arenas[0],
		.arena_size_bytes = volume_arena_bytes(disk->device.capacity),
	};
	const struct point empty = {.keys = 1u << CHECKER_MAIN_KEY};
	struct volume *volume = NULL;
	CHECK(volume_create(&environment, disk->device.capacity, &checker_keys[CHECKER_MAIN_KEY],
			    NULL, NULL) == STATUS_OK);
	CHECK(checker_mount(checker, disk, 0, CHECKER_MAIN_KEY, false, &volume) == STATUS_OK);
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

static enum status stage(struct rig *rig, const struct contents *next)
{
	uint8_t content[BLOCK_BYTES];
	enum status status = volume_txn_begin(rig->volume);
	for (uint32_t i = 0; i < rig->checker->logical_count && status == STATUS_OK; i++) {
		struct logical_block block = {rig->checker->logical[i]};
		if (next->number[i] == rig->now.contents.number[i]) {
			continue;
		}
		if (next->number[i] == 0) {
			status = volume_txn_discard(rig->volume, block);
			continue;
		}
		model_content(next->number[i], content);
		status = volume_txn_put(rig->volume, block, content);
	}
	return status;
}

bool rig_acknowledged(struct rig *rig)
{
	uint32_t wrong = 0;
	rig->now = rig->watch.after;
	bool right = rig->may_fail ? checker_contents_not_wrong(rig->checker, rig->volume,
								&rig->now.contents, &wrong)
				   : checker_contents_equal(rig->checker, rig->volume,
							    &rig->now.contents, &wrong);
	if (!right) {
		checker_violation(rig->checker, "logical block %u reads wrongly after its commit",
				  rig->checker->logical[wrong]);
		return false;
	}
	rig->watch.before = rig->now;
	if (rig->history != NULL) {
		history_add(rig->history, rig->volume, &rig->now);
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
static uint64_t full_content(struct checker *checker)
{
	while (checker->next_base % 3 != 0) {
		checker->next_base++;
	}
	return rig_new_content(checker);
}

/* A commit that finds no space is refused, and nothing else happens. Nothing but a commit may find
 * that. */
static bool commit_failed(struct rig *rig, enum status status)
{
	if (status == STATUS_NO_SPACE && rig->checker->may_be_full) {
		rig->watch.after = rig->now;
		return rig_acknowledged(rig);
	}
	return rig_failed(rig, "commit", status);
}

static bool filler_commit(struct rig *rig, uint32_t first, uint32_t count)
{
	uint8_t content[BLOCK_BYTES];
	enum status status = volume_txn_begin(rig->volume);
	rig->watch.before = rig->now;
	rig->watch.after = rig->now;
	rig->watch.after.sequence++;
	for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
		struct logical_block block = {FILLER_FIRST + first + i};
		model_content(full_content(rig->checker), content);
		status = volume_txn_put(rig->volume, block, content);
	}
	if (status == STATUS_OK) {
		status = volume_txn_commit(rig->volume);
	}
	return status == STATUS_OK ? rig_acknowledged(rig) : commit_failed(rig, status);
}

bool rig_fill(struct rig *rig)
{
	uint32_t filled = 0;
	rig->checker->may_be_full = true;
	for (uint32_t step = FILLER_STEP; step > 0;) {
		rig->failure = STATUS_OK;
		uint64_t before = rig->now.sequence;
		if (!filler_commit(rig, filled, step)) {
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

bool rig_commit(struct rig *rig, const struct contents *next)
{
	rig->watch.before = rig->now;
	rig->watch.after = rig->now;
	rig->watch.after.contents = *next;
	bool changes = memcmp(next, &rig->now.contents, sizeof(*next)) != 0;
	rig->watch.after.sequence += changes ? 1 : 0;
	enum status status = stage(rig, next);
	if (status == STATUS_OK) {
		status = volume_txn_commit(rig->volume);
	}
	if (status != STATUS_OK) {
		return commit_failed(rig, status);
	}
	return rig_acknowledged(rig);
}

/* ---- Choosing blocks ----------------------------------------------------------------------- */

/* An index whose block is (or is not) a hole; any, if there is none of that kind. */
static uint32_t block_choose(const struct rig *rig, bool hole)
{
	struct checker *checker = rig->checker;
	uint32_t start = (uint32_t)random_stream_below(&checker->dice, checker->logical_count);
	for (uint32_t i = 0; i < checker->logical_count; i++) {
		uint32_t at = (start + i) % checker->logical_count;
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
	uint32_t first = (uint32_t)random_stream_below(&checker->dice, checker->logical_count);
	for (uint32_t i = 0; i < count && i < checker->logical_count; i++) {
		uint32_t at = (first + i) % checker->logical_count;
		bool discards = next->number[at] != 0 && random_stream_one_in(&checker->dice, 4);
		uint64_t number =
			full ? full_content(checker) : changed_content(checker, next->number[at]);
		next->number[at] = discards ? 0 : number;
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
	} else {
		uint64_t count = op == OP_MULTI ? 2 + random_stream_below(&checker->dice, 4)
						: 20 + random_stream_below(&checker->dice, 50);
		change_several(rig, (uint32_t)count, op == OP_LARGE, &next);
	}
	return rig_commit(rig, &next);
}

/* ---- The other operations ------------------------------------------------------------------ */

static bool checkpoint(struct rig *rig)
{
	enum status status = volume_checkpoint(rig->volume);
	return status == STATUS_OK ? rig_acknowledged(rig) : rig_failed(rig, "checkpoint", status);
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
	struct logical_block block = {rig->checker->logical[at]};
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
	rig->watch.before = rig->now;
	rig->watch.after = rig->now;
	switch (op) {
	case OP_WRITE:
	case OP_OVERWRITE:
	case OP_DISCARD:
	case OP_MULTI:
	case OP_LARGE: return change(rig, op);
	case OP_CHECKPOINT: return checkpoint(rig);
	case OP_REMOUNT: return remount(rig);
	case OP_KEY_ADD: return key_change(rig, true);
	case OP_KEY_REMOVE: return key_change(rig, false);
	case OP_NOOP: return change_nothing(rig);
	case OP_KEY_CHANGE: return key_exchange(rig);
	case OP_EPOCH: return epoch_begin(rig);
	case OP_EXHAUST: return exhaust(rig);
	case OP_COUNT: break;
	}
	return false;
}

enum op rig_op_choose(struct checker *checker)
{
	static const enum op choices[] = {
		OP_WRITE,   OP_WRITE,      OP_OVERWRITE,  OP_OVERWRITE,  OP_OVERWRITE,  OP_DISCARD,
		OP_MULTI,   OP_MULTI,      OP_CHECKPOINT, OP_CHECKPOINT, OP_CHECKPOINT, OP_REMOUNT,
		OP_KEY_ADD, OP_KEY_REMOVE, OP_NOOP,       OP_KEY_CHANGE, OP_EPOCH,      OP_EXHAUST,
	};
	return choices[random_stream_below(&checker->dice, ARRAY_COUNT(choices))];
}
