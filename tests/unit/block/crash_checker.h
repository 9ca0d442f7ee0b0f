// SPDX-License-Identifier: MIT
/* Crashes an operation everywhere it can be crashed, and looks at what a mount recovers.
 *
 * At each flush that the operation asks for, the unflushed sectors may be lost in any combination.
 * The checker tries combinations (all of them if there are few), mounts each resulting disk with
 * memory of its own, and demands that
 *
 * - the mount succeeds: no honest crash looks like tampering;
 * - the content is that of the state before the operation or of the one after it, never a mix, and
 *   never anything older;
 * - what is committed after such a recovery is crash-safe in turn (nested crashes), also when the
 *   restart lost nothing of what the device had accepted (a warm restart);
 * - bitmap == reachability.
 *
 * What the operation was doing then goes on as if nothing had happened. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "volume_fixture.h"

#define CRASH_DEPTH_MAX 3u /* The operation, one after recovery, one after that. */

/* HOLDFAST_CRASH_BUDGET, at least 1: multiplies the numbers of a budget. */
size_t crash_budget_factor(void);

struct crash_budget {
	size_t exhaustive_sectors; /* Up to so many unflushed sectors: all subsets. */
	size_t patterned_subsets; /* Otherwise: so many prefixes, one lost, one kept (0: all) ... */
	size_t random_subsets;    /* ... and so many random ones. */
	size_t nested_every;      /* Go on after each n-th recovery; 0: never. */
	size_t warm_every;        /* Restart without a loss at each n-th flush; 0: never. */
	size_t nested_subsets;    /* Subsets of each crash after a recovery. */
	size_t verify_every;      /* Walk the whole volume after each n-th recovery; 0: never. */
};

struct crash_checker {
	struct fixture *fixture;
	struct crash_budget budget;
	uint8_t *arenas[CRASH_DEPTH_MAX];
	size_t depth;
	/* States that a crash may leave, per depth. */
	const struct model *before[CRASH_DEPTH_MAX];
	const struct model *after[CRASH_DEPTH_MAX];
	/* If not NULL: what a mount may say instead of OK (a volume being created). */
	bool (*may_fail)(enum status status);
	/* If not NULL: an operation that changes no content and is to go on after a recovery. */
	enum status (*go_on)(struct volume *volume);
	const struct volume_key *key;
	uint64_t random;
	uint64_t states;
	uint64_t flushes;
	uint64_t recovered_before;
	uint64_t recovered_after;
	uint64_t failures;
	char first_failure[160];
};

void crash_checker_init(struct crash_checker *checker, struct fixture *fixture,
			const struct crash_budget *budget);
void crash_checker_fini(struct crash_checker *checker);

/* Watch the disk from now on: a crash leaves `before` or `after`. */
void crash_checker_watch(struct crash_checker *checker, const struct model *before,
			 const struct model *after);
/* Stop watching. */
void crash_checker_rest(struct crash_checker *checker);
