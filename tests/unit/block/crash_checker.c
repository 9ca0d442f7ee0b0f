// SPDX-License-Identifier: MIT
#include "crash_checker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

size_t crash_budget_factor(void)
{
	const char *text = getenv("HOLDFAST_CRASH_BUDGET");
	long factor = text == NULL ? 1 : strtol(text, NULL, 10);
	return factor < 1 ? 1 : (size_t)factor;
}

static uint64_t random_next(struct crash_checker *checker)
{
	uint64_t z = checker->random += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* ---- Subsets ------------------------------------------------------------------------------- */

enum subset_kind {
	SUBSET_MASK,    /* Bit i: sector i survives. */
	SUBSET_PREFIX,  /* The first `n`. */
	SUBSET_ALL_BUT, /* All but the n-th. */
	SUBSET_ONLY,    /* Only the n-th. */
	SUBSET_RANDOM,  /* Half of them. */
	SUBSET_WARM,    /* Nothing is lost, and nothing is flushed either. */
};

struct subset {
	enum subset_kind kind;
	uint64_t n;
	struct crash_checker *checker;
};

static bool survives(void *context, size_t sector)
{
	const struct subset *subset = context;
	switch (subset->kind) {
	case SUBSET_MASK: return (subset->n >> sector & 1) != 0;
	case SUBSET_PREFIX: return sector < subset->n;
	case SUBSET_ALL_BUT: return sector != subset->n;
	case SUBSET_ONLY: return sector == subset->n;
	case SUBSET_RANDOM: return random_next(subset->checker) % 2 == 0;
	case SUBSET_WARM: break;
	}
	return true;
}

/* ---- One crash ----------------------------------------------------------------------------- */

static void fail(struct crash_checker *checker, const struct subset *subset, const char *what,
		 enum status status)
{
	if (checker->failures++ == 0) {
		(void)snprintf(checker->first_failure, sizeof(checker->first_failure),
			       "%s (%s) at depth %zu, subset kind %d n=%llu", what,
			       status_name(status), checker->depth, (int)subset->kind,
			       (unsigned long long)subset->n);
	}
}

static struct volume_environment environment_at(const struct crash_checker *checker, size_t depth)
{
	struct volume_environment environment = checker->fixture->environment;
	environment.arena = checker->arenas[depth];
	return environment;
}

/* One more commit on the recovered volume, watched one level deeper. */
static void go_on(struct crash_checker *checker, const struct subset *subset, struct volume *volume,
		  const struct model *found)
{
	struct model next = *found;
	const uint32_t logical = checker->fixture->profile == VOLUME_PROFILE_STATE
					 ? 40000 + (uint32_t)checker->depth
					 : 2000 + (uint32_t)checker->depth;
	const uint64_t seed = random_next(checker) | 1;
	model_set(&next, logical, seed);
	struct model scratch = *found;
	checker->before[checker->depth + 1] = found;
	checker->after[checker->depth + 1] = &next;
	checker->depth++;
	enum status status = model_commit(&scratch, volume, logical, seed);
	if (status == STATUS_OK && random_next(checker) % 4 == 0) {
		checker->before[checker->depth] = &next;
		status = volume_checkpoint(volume);
	}
	checker->depth--;
	if (status != STATUS_OK) {
		fail(checker, subset, "the next commit failed", status);
	} else if (!model_equals(&next, volume)) {
		fail(checker, subset, "the next commit is wrong", status);
	}
}

/* What was interrupted goes on, watched one level deeper, and comes to its end. */
static void operation_go_on(struct crash_checker *checker, const struct subset *subset,
			    struct volume *volume, const struct model *found)
{
	checker->before[checker->depth + 1] = found;
	checker->after[checker->depth + 1] = found;
	checker->depth++;
	enum status status = checker->go_on(volume);
	checker->depth--;
	if (status != STATUS_OK) {
		fail(checker, subset, "it does not go on", status);
	} else if (!model_equals(found, volume)) {
		fail(checker, subset, "going on changed something", status);
	} else if (volume_verify(volume, NULL, NULL) != STATUS_OK) {
		fail(checker, subset, "verify failed when it had gone on", status);
	}
}

static const struct model *recognise(struct crash_checker *checker, struct volume *volume)
{
	if (model_equals(checker->after[checker->depth], volume)) {
		checker->recovered_after++;
		return checker->after[checker->depth];
	}
	if (model_equals(checker->before[checker->depth], volume)) {
		checker->recovered_before++;
		return checker->before[checker->depth];
	}
	return NULL;
}

static void look(struct crash_checker *checker, const struct subset *subset)
{
	struct volume_environment environment = environment_at(checker, checker->depth);
	const struct crash_budget *budget = &checker->budget;
	struct volume *volume = NULL;
	enum status status = volume_mount(&environment, checker->key, false, &volume, NULL);
	checker->states++;
	if (status != STATUS_OK) {
		if (checker->may_fail == NULL || !checker->may_fail(status)) {
			fail(checker, subset, "mount failed", status);
		}
		return;
	}
	const struct model *found = recognise(checker, volume);
	if (found == NULL) {
		fail(checker, subset, "neither the state before nor after", STATUS_OK);
	} else {
		bool deeper = checker->depth + 1 < CRASH_DEPTH_MAX && budget->nested_every != 0 &&
			      checker->states % budget->nested_every == 0;
		if (deeper || subset->kind == SUBSET_WARM) {
			go_on(checker, subset, volume, found);
			if (checker->go_on != NULL) {
				operation_go_on(checker, subset, volume, found);
			}
		}
		if (budget->verify_every != 0 && checker->states % budget->verify_every == 0) {
			status = volume_verify(volume, NULL, NULL);
			if (status != STATUS_OK) {
				fail(checker, subset, "verify failed", status);
			}
		}
	}
	volume_unmount(volume);
}

static void crash(struct crash_checker *checker, enum subset_kind kind, uint64_t n)
{
	struct sim_disk *disk = &checker->fixture->disk;
	struct subset subset = {.kind = kind, .n = n, .checker = checker};
	sim_disk_mark(disk);
	if (kind != SUBSET_WARM) {
		sim_disk_crash(disk, survives, &subset);
	}
	look(checker, &subset);
	sim_disk_revert(disk);
	sim_disk_unmark(disk);
}

/* ---- All crashes at one flush --------------------------------------------------------------- */

/* Prefixes, one lost, one kept: of each kind not more than the budget says, spread evenly; and
 * random ones. */
static void crash_some(struct crash_checker *checker, size_t sectors)
{
	size_t most = checker->budget.patterned_subsets;
	size_t step = most == 0 || most >= sectors ? 1 : sectors / most;
	for (uint64_t n = 0; n < sectors; n += step) {
		crash(checker, SUBSET_PREFIX, n);
		crash(checker, SUBSET_ALL_BUT, n);
		crash(checker, SUBSET_ONLY, n);
	}
	crash(checker, SUBSET_PREFIX, sectors);
	for (size_t i = 0; i < checker->budget.random_subsets; i++) {
		crash(checker, SUBSET_RANDOM, 0);
	}
}

/* After a recovery only a few: nothing, all, and random ones. */
static void crash_nested(struct crash_checker *checker, size_t sectors)
{
	crash(checker, SUBSET_PREFIX, 0);
	crash(checker, SUBSET_PREFIX, sectors);
	for (size_t i = 0; i < checker->budget.nested_subsets; i++) {
		crash(checker, i % 2 == 0 ? SUBSET_RANDOM : SUBSET_PREFIX,
		      random_next(checker) % (sectors + 1));
	}
}

static void before_flush(void *context)
{
	struct crash_checker *checker = context;
	struct sim_disk *disk = &checker->fixture->disk;
	size_t sectors = sim_disk_pending_sectors(disk);
	if (disk->mark_count != checker->depth || sectors == 0) {
		return; /* A mount's own flush. */
	}
	if (checker->depth > 0) {
		crash_nested(checker, sectors);
	} else if (sectors <= checker->budget.exhaustive_sectors) {
		for (uint64_t mask = 0; mask < (uint64_t)1 << sectors; mask++) {
			crash(checker, SUBSET_MASK, mask);
		}
	} else {
		crash_some(checker, sectors);
	}
	checker->flushes++;
	if (checker->depth + 1 < CRASH_DEPTH_MAX && checker->budget.warm_every != 0 &&
	    checker->flushes % checker->budget.warm_every == 0) {
		crash(checker, SUBSET_WARM, 0);
	}
}

void crash_checker_init(struct crash_checker *checker, struct fixture *fixture,
			const struct crash_budget *budget)
{
	*checker =
		(struct crash_checker){.fixture = fixture, .budget = *budget, .key = &fixture_key};
	size_t bytes = (fixture->environment.arena_size_bytes + 63) / 64 * 64;
	for (size_t i = 0; i < CRASH_DEPTH_MAX; i++) {
		checker->arenas[i] = aligned_alloc(64, bytes);
		CHECK(checker->arenas[i] != NULL);
	}
}

void crash_checker_fini(struct crash_checker *checker)
{
	crash_checker_rest(checker);
	for (size_t i = 0; i < CRASH_DEPTH_MAX; i++) {
		free(checker->arenas[i]);
	}
}

void crash_checker_watch(struct crash_checker *checker, const struct model *before,
			 const struct model *after)
{
	checker->before[0] = before;
	checker->after[0] = after;
	checker->fixture->disk.before_flush = before_flush;
	checker->fixture->disk.before_flush_context = checker;
}

void crash_checker_rest(struct crash_checker *checker)
{
	checker->fixture->disk.before_flush = NULL;
}
