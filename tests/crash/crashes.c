// SPDX-License-Identifier: MIT
#include "crashes.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "rig.h"

/* All crashes at one moment. */
struct moment {
	struct watch *watch;
	struct disk *disk;
	const struct crash_plan *plan;
	struct torn_sector *sectors;
	bool *keep; /* One for each sector. */
	size_t count;
};

/* ---- One crash ----------------------------------------------------------------------------- */

/* The volume was recovered; it has to be good for more. */
static void go_on(struct watch *watch, struct disk *disk, struct volume *volume,
		  const struct point *found)
{
	struct checker *checker = watch->checker;
	struct rig rig;
	rig_init_recovered(&rig, checker, disk, watch->depth + 1, volume, found);
	rig_watch(&rig, watch->plans + 1);
	if (checker->view != NULL) {
		checker->view->go_on(&rig);
		rig_unwatch(&rig);
		return;
	}
	uint64_t operations = 1 + random_stream_below(&checker->dice, 2);
	for (uint64_t i = 0; i < operations && rig_op(&rig, rig_op_choose(checker)); i++) {
	}
	rig_unwatch(&rig);
}

static void look(struct watch *watch, struct disk *disk, bool must_go_on)
{
	struct checker *checker = watch->checker;
	struct watch inner = *watch;
	struct volume *volume = NULL;
	struct point found;
	bool is_deepest = watch->depth + 1 >= CRASH_DEPTH_MAX;
	inner.depth++;
	inner.plans++;
	if (!is_deepest) { /* The recovery may be crashed as well. */
		crashes_watch(&inner, disk);
	}
	checker_witness_copy(checker, watch->depth, watch->depth + 1);
	bool good = checker_recover(checker, disk, watch->depth + 1, &watch->before, &watch->after,
				    &volume, &found);
	crashes_unwatch(disk);
	if (!good) {
		return;
	}
	if (random_stream_one_in(&checker->dice, watch->plans->verify_in)) {
		checker_verify(checker, volume);
	}
	bool goes_on = must_go_on || random_stream_one_in(&checker->dice, watch->plans->nested_in);
	if (goes_on && !is_deepest) {
		go_on(watch, disk, volume, &found);
	}
	checker_secrets_check(checker, disk);
	/* No unmount: after a power cut nobody tidies up, and the next mount has to cope with the
	 * memory as it is. */
}

static void crash(struct moment *moment)
{
	struct disk copy;
	if (!checker_state_begin(moment->watch->checker)) {
		return;
	}
	disk_copy(&copy, moment->disk);
	disk_crash(&copy, moment->sectors, moment->keep, moment->count);
	look(moment->watch, &copy, false);
	disk_fini(&copy);
}

/* Only we were restarted: the device still holds everything, in its cache. */
static void crash_warm(struct moment *moment)
{
	struct disk copy;
	if (!checker_state_begin(moment->watch->checker)) {
		return;
	}
	disk_copy(&copy, moment->disk);
	look(moment->watch, &copy, true);
	disk_fini(&copy);
}

/* ---- Subsets ------------------------------------------------------------------------------- */

static void crash_all_subsets(struct moment *moment)
{
	const struct crash_plan *plan = moment->plan;
	uint64_t step = plan->slices == 0 ? 1 : plan->slices;
	for (uint64_t mask = plan->slice; mask < (uint64_t)1 << moment->count; mask += step) {
		for (size_t i = 0; i < moment->count; i++) {
			moment->keep[i] = (mask >> i & 1) != 0;
		}
		crash(moment);
	}
}

enum pattern {
	PREFIX,
	ALL_BUT,
	ONLY,
	BLOCK_LOST,
	BLOCK_KEPT,
	PATTERNS
};

static bool pattern_keeps(const struct moment *moment, enum pattern pattern, size_t at, size_t i)
{
	bool same_block = moment->sectors[i].pending == moment->sectors[at].pending;
	switch (pattern) {
	case PREFIX: return i < at;
	case ALL_BUT: return i != at;
	case ONLY: return i == at;
	case BLOCK_LOST: return !same_block;
	case BLOCK_KEPT: return same_block;
	case PATTERNS: break;
	}
	return true;
}

static void crash_pattern(struct moment *moment, enum pattern pattern, size_t at)
{
	for (size_t i = 0; i < moment->count; i++) {
		moment->keep[i] = pattern_keeps(moment, pattern, at, i);
	}
	crash(moment);
}

/* Spread evenly if there are more places than the plan allows; where from is left to the dice. */
static void crash_patterns(struct moment *moment)
{
	struct random_stream *dice = &moment->watch->checker->dice;
	size_t most = moment->plan->patterned;
	size_t step = most == 0 ? SIZE_MAX : (moment->count + most - 1) / most;
	size_t phase = step == SIZE_MAX ? SIZE_MAX : random_stream_below(dice, step);
	for (size_t at = phase; at < moment->count; at += step) {
		for (enum pattern pattern = PREFIX; pattern < PATTERNS; pattern++) {
			crash_pattern(moment, pattern, at);
		}
	}
	memset(moment->keep, 0, moment->count);
	crash(moment);
	memset(moment->keep, 1, moment->count);
	crash(moment);
}

/* Each block torn somewhere on its own: a device may write blocks in parallel, each in order. */
static void crash_torn_blocks(struct moment *moment)
{
	const size_t cuts = SECTORS_PER_BLOCK + 1;
	size_t blocks = moment->sectors[moment->count - 1].pending + 1;
	size_t combinations = 1;
	if (blocks > moment->plan->torn_blocks) {
		return;
	}
	for (size_t i = 0; i < blocks; i++) {
		combinations *= cuts;
	}
	for (size_t n = 0; n < combinations; n++) {
		for (size_t i = 0; i < moment->count; i++) {
			size_t digit = n;
			for (uint32_t b = 0; b < moment->sectors[i].pending; b++) {
				digit /= cuts;
			}
			moment->keep[i] = moment->sectors[i].sector < digit % cuts;
		}
		crash(moment);
	}
}

static void crash_random(struct moment *moment)
{
	struct random_stream *dice = &moment->watch->checker->dice;
	for (uint32_t n = 0; n < moment->plan->random; n++) {
		/* Sparse and dense ones, by sector or by block. */
		uint64_t eighths = 1 + random_stream_below(dice, 7);
		bool by_block = random_stream_below(dice, 2) == 0;
		for (size_t i = 0; i < moment->count; i++) {
			bool same = by_block && i > 0 &&
				    moment->sectors[i].pending == moment->sectors[i - 1].pending;
			moment->keep[i] =
				same ? moment->keep[i - 1] : random_stream_below(dice, 8) < eighths;
		}
		crash(moment);
	}
}

static void crash_everywhere(struct watch *watch, struct disk *disk, bool at_rest)
{
	struct moment moment = {.watch = watch, .disk = disk, .plan = watch->plans};
	moment.count = disk_torn_sectors(disk, &moment.sectors);
	moment.keep = calloc(moment.count + 1, sizeof(bool));
	CHECK(moment.keep != NULL);
	if (moment.count == 0) {
		if (at_rest) {
			crash(&moment);
		}
	} else {
		if (moment.count <= moment.plan->exhaustive_sectors) {
			crash_all_subsets(&moment);
		} else {
			crash_patterns(&moment);
			crash_torn_blocks(&moment);
			crash_random(&moment);
		}
		if (random_stream_one_in(&watch->checker->dice, moment.plan->warm_in)) {
			crash_warm(&moment);
		}
	}
	free(moment.keep);
	free(moment.sectors);
}

/* ---- Watching ------------------------------------------------------------------------------ */

static void before_flush(void *context, struct disk *disk)
{
	crash_everywhere(context, disk, false);
}

void crashes_watch(struct watch *watch, struct disk *disk)
{
	disk->before_flush = before_flush;
	disk->before_flush_context = watch;
}

void crashes_unwatch(struct disk *disk)
{
	disk->before_flush = NULL;
}

void crashes_at_rest(struct watch *watch, struct disk *disk)
{
	crash_everywhere(watch, disk, true);
}

void crashes_any(struct checker *checker, struct disk *disk)
{
	struct torn_sector *sectors = NULL;
	size_t count = disk_torn_sectors(disk, &sectors);
	bool *keep = calloc(count + 1, sizeof(bool));
	CHECK(keep != NULL);
	for (size_t i = 0; i < count; i++) {
		keep[i] = random_stream_below(&checker->dice, 2) == 0;
	}
	disk_crash(disk, sectors, keep, count);
	free(keep);
	free(sectors);
}
