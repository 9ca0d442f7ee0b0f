// SPDX-License-Identifier: MIT
/* Runs rather than blocks: what is written in sequence takes neighbours and frees neighbours, so
 * that a list of tens of thousands of blocks is one of a few hundred runs, to be sorted and gone
 * through twice. */
#include "block/volume_deltas_internal.h"

#define COUNT_MASK  0xffffu
#define FIRST_SHIFT 16u
#define GROUP_SHIFT (VOLUME_DELTA_ORDER_SHIFT + 1)
STATIC_ASSERT(VOLUME_GROUP_BLOCKS <= COUNT_MASK, "a count, at most all of a group, has room");
/* One bit more than a place needs: behind a group's last block there is no other group's first. */
STATIC_ASSERT(VOLUME_GROUP_BLOCKS < 1u << (VOLUME_DELTA_ORDER_SHIFT - FIRST_SHIFT),
	      "so has the place behind a run");

struct volume_delta volume_delta_decode(uint64_t number)
{
	return (struct volume_delta){
		.group = (uint32_t)(number >> GROUP_SHIFT),
		.frees = (number >> VOLUME_DELTA_ORDER_SHIFT & 1) != 0,
		.first = (uint32_t)(number >> FIRST_SHIFT) & (2 * VOLUME_GROUP_BLOCKS - 1),
		.count = (uint32_t)number & COUNT_MASK,
	};
}

/* A run of no block. */
static uint64_t run_begin(uint64_t offset, bool frees)
{
	return offset / VOLUME_GROUP_BLOCKS << GROUP_SHIFT |
	       (uint64_t)(frees ? 1u : 0u) << VOLUME_DELTA_ORDER_SHIFT |
	       offset % VOLUME_GROUP_BLOCKS << FIRST_SHIFT;
}

/* Where it would go on. */
static uint64_t run_end(uint64_t run)
{
	const uint64_t count = run & COUNT_MASK;
	return run - count + (count << FIRST_SHIFT);
}

/* Writing in sequence takes and frees in turns, so that one of the last two runs goes on. */
bool volume_deltas_note(struct volume_deltas *deltas, uint64_t offset, bool frees)
{
	const uint64_t here = run_begin(offset, frees);
	for (size_t back = 1; back <= 2 && back <= deltas->count; back++) {
		uint64_t *run = &deltas->all[deltas->count - back];
		if (run_end(*run) == here) {
			*run += 1;
			return true;
		}
	}
	if (deltas->count == deltas->room) {
		return false;
	}
	deltas->all[deltas->count++] = here + 1;
	return true;
}

bool volume_delta_apply(const struct volume_delta *delta, uint8_t *bitmap)
{
	const uint32_t end = delta->first + delta->count;
	bool changes = true;
	for (uint32_t at = delta->first / 8; at * 8 < end; at++) { /* The run's part of a byte. */
		uint32_t from = delta->first > at * 8 ? delta->first - at * 8 : 0;
		uint32_t to = end - at * 8 < 8 ? end - at * 8 : 8;
		uint32_t mask = (1u << to) - (1u << from);
		changes = changes && (bitmap[at] & mask) == (delta->frees ? mask : 0);
		bitmap[at] = (uint8_t)(delta->frees ? bitmap[at] & ~mask : bitmap[at] | mask);
	}
	return changes;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How many of the `count` numbers from `first` on are below `limit`. */
static uint64_t below(uint64_t first, uint64_t count, uint64_t limit)
{
	return first < limit ? smaller(count, limit - first) : 0;
}

uint64_t volume_delta_passed(const struct volume_delta *delta, uint64_t round, uint64_t span,
			     uint64_t passed)
{
	const uint64_t first = (uint64_t)delta->group * VOLUME_GROUP_BLOCKS + delta->first;
	/* What lies before the round's beginning it comes to last. */
	const uint64_t before = first < round ? smaller(round - first, delta->count) : 0;
	return below(first + span - round, before, passed) +
	       below(first + before - round, delta->count - before, passed);
}
