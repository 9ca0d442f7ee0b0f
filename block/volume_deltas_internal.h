// SPDX-License-Identifier: MIT
/* What a checkpoint does to the bitmaps: a list of runs of blocks that it takes and frees.
 *
 * A run is kept as a number, so that the list can be sorted: group, direction, first block and
 * count, from the highest bits down. In a group, what is taken comes before what is freed, for a
 * block that the same checkpoint takes and then gives up again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "block/volume_format.h"

/* The list's order: by group, then direction. It only has to be sorted by these. */
#define VOLUME_DELTA_ORDER_SHIFT 32u

/* Neighbouring blocks of one group, all of them taken or all of them freed. */
struct volume_delta {
	uint32_t group;
	bool frees;
	uint32_t first; /* In the group. */
	uint32_t count; /* Not 0. */
};

struct volume_deltas {
	uint64_t *all;
	size_t count;
	size_t room;
};

/* A number of the list, as what it says. */
struct volume_delta volume_delta_decode(uint64_t number);
/* Add neighbouring blocks, the first by its offset from the first group: to the run that they
 * continue, if that is one of the last two, or as a run of their own; a group's end divides them.
 * False: there is no room. */
MUST_CHECK
bool volume_deltas_note(struct volume_deltas *deltas, uint64_t offset, uint64_t count, bool frees);
/* Set or clear a run's bits in its group's bitmap. False: one of them was so already. */
bool volume_delta_apply(const struct volume_delta *delta, uint8_t *bitmap);
/* How many of a run's blocks are among the `passed` ones that come first on a round from `round`
 * on. Rounds end where they began, after `span` blocks; both count from the first group. */
uint64_t volume_delta_passed(const struct volume_delta *delta, uint64_t round, uint64_t span,
			     uint64_t passed);
