// SPDX-License-Identifier: MIT
/* Runs rather than blocks: what is written in sequence takes neighbours and frees neighbours, so
 * that a list of tens of thousands of blocks is one of a few hundred runs, to be sorted and gone
 * through twice. */
#include "block/volume_deltas_internal.h"

#include "base/bytes.h"

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

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
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

/* Neighbours of one group. Writing in sequence takes and frees in turns, so that one of the last
 * two runs goes on. */
static bool run_note(struct volume_deltas *deltas, uint64_t offset, uint64_t count, bool frees)
{
	const uint64_t here = run_begin(offset, frees);
	for (size_t back = 1; back <= 2 && back <= deltas->count; back++) {
		uint64_t *run = &deltas->all[deltas->count - back];
		if (run_end(*run) == here) {
			*run += count; /* Still of the group, which has room for it in the mask. */
			return true;
		}
	}
	if (deltas->count == deltas->room) {
		return false;
	}
	deltas->all[deltas->count++] = here + count;
	return true;
}

bool volume_deltas_note(struct volume_deltas *deltas, uint64_t offset, uint64_t count, bool frees)
{
	bool has_room = true;
	while (count > 0 && has_room) { /* Mostly once: runs end where groups do. */
		const uint64_t here =
			smaller(count, VOLUME_GROUP_BLOCKS - offset % VOLUME_GROUP_BLOCKS);
		has_room = run_note(deltas, offset, here, frees);
		offset += here;
		count -= here;
	}
	return has_room;
}

bool volume_delta_apply(const struct volume_delta *delta, uint8_t *bitmap)
{
	const uint32_t end = delta->first + delta->count;
	bool changes = true;
	/* The run's part of each 64 bits: bit i of them is bit i of their bytes, little-endian. */
	for (uint32_t at = delta->first / 64 * 64; at < end; at += 64) {
		const uint32_t from = delta->first > at ? delta->first - at : 0;
		const uint32_t to = end - at < 64 ? end - at : 64;
		const uint64_t mask = UINT64_MAX << from & UINT64_MAX >> (64 - to);
		const uint64_t bits = bytes_load_le64(bitmap + at / 8);
		changes = changes && (bits & mask) == (delta->frees ? mask : 0);
		bytes_store_le64(bitmap + at / 8, delta->frees ? bits & ~mask : bits | mask);
	}
	return changes;
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
