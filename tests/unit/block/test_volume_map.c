// SPDX-License-Identifier: MIT
/* Blocks by logical number, against an array: full maps, the strides that a hash table may fear,
 * and the runs that a checkpoint works off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "volume_fixture.h"

#define ROOM     1024u
#define SLOTS    (2u * ROOM)
#define LOGICALS 65536u

static struct volume_map_entry entries[ROOM];
static struct volume_map_entry staged_entries[ROOM];
static uint32_t slots[SLOTS];
static uint32_t staged_slots[SLOTS];
static uint64_t order[ROOM];
static bool is_there[LOGICALS];

static struct volume_pool pool;
static struct volume_pool staged_pool;
static struct volume_map map;
static struct volume_map staged;

static void maps_make(void)
{
	pool = (struct volume_pool){.room = ROOM, .entries = entries};
	staged_pool = (struct volume_pool){.room = ROOM, .entries = staged_entries};
	map = (struct volume_map){.slot_mask = SLOTS - 1, .slots = slots};
	staged = (struct volume_map){.slot_mask = SLOTS - 1, .slots = staged_slots};
	volume_map_init(&map, &pool);
	volume_map_init(&staged, &staged_pool);
	memset(is_there, 0, sizeof(is_there));
}

static struct volume_map_entry *take(uint32_t logical)
{
	struct volume_map_entry *entry = volume_map_take(&map, logical);
	assert_non_null(entry);
	assert_int_equal(entry->logical, logical);
	is_there[logical] = true;
	return entry;
}

static void map_is_what_it_should_be(void)
{
	for (uint32_t logical = 0; logical < LOGICALS; logical++) {
		const struct volume_map_entry *entry = volume_map_find(&map, logical);
		assert_int_equal(entry != NULL, is_there[logical]);
		assert_true(entry == NULL || entry->logical == logical);
	}
}

/* A block profile's map is never more than half full; all of one column would be an eighth. */
static void test_any_stride_fills_the_map(void **state)
{
	(void)state;
	for (uint32_t stride = 1; stride <= LOGICALS / ROOM; stride++) {
		maps_make();
		for (uint32_t i = 0; i < ROOM; i++) {
			(void)take(i * stride);
		}
		assert_null(volume_map_take(&map, LOGICALS));
		map_is_what_it_should_be();
		volume_map_clear(&map);
		memset(is_there, 0, sizeof(is_there));
		map_is_what_it_should_be();
	}
}

static void test_few_entries_are_cleared_one_by_one(void **state)
{
	(void)state;
	maps_make();
	for (uint32_t turn = 0; turn < 200; turn++) {
		for (uint32_t i = 0; i < SLOTS / 16 - 1; i++) {
			(void)take(fixture_random() % 3 == 0 ? fixture_random() % LOGICALS
							     : i * 16);
		}
		volume_map_clear(&map);
		memset(is_there, 0, sizeof(is_there));
		for (uint32_t slot = 0; slot < SLOTS; slot++) {
			assert_int_equal(slots[slot], 0);
		}
	}
}

static void test_gaps_end_at_what_is_there(void **state)
{
	(void)state;
	maps_make();
	for (uint32_t i = 0; i < ROOM / 2; i++) {
		(void)take(fixture_random() % LOGICALS);
	}
	for (uint32_t logical = 0; logical < LOGICALS - 100; logical++) {
		const uint32_t most = fixture_random() % 100;
		uint32_t expected = 0;
		while (expected < most && !is_there[logical + expected]) {
			expected++;
		}
		assert_int_equal(volume_map_gap(&map, logical, most), expected);
	}
}

static void placed_make(struct volume_entry made[VOLUME_BATCH_BLOCKS], uint32_t logical)
{
	for (uint32_t i = 0; i < VOLUME_BATCH_BLOCKS; i++) {
		made[i] = (struct volume_entry){.physical = 9000 + logical + i, .counter = i};
	}
}

static void test_runs_are_placed_and_merged(void **state)
{
	(void)state;
	struct volume_entry made[VOLUME_BATCH_BLOCKS];
	maps_make();
	volume_map_take(&map, 130)->entry.physical = 5; /* Is replaced. */
	placed_make(made, 110);
	volume_map_place(&staged, 110, made, VOLUME_BATCH_BLOCKS);
	assert_int_equal(staged_pool.taken, VOLUME_BATCH_BLOCKS);
	assert_int_equal(volume_map_gap(&staged, 100, 50), 10);
	volume_map_take(&staged, 3)->is_carried = true;
	volume_map_merge(&map, &staged);
	assert_int_equal(pool.taken, VOLUME_BATCH_BLOCKS + 1);
	assert_int_equal(pool.carried, 1);
	assert_int_equal(volume_map_find(&map, 3)->kind, VOLUME_MAP_CARRIED);
	for (uint32_t i = 0; i < VOLUME_BATCH_BLOCKS; i++) {
		const struct volume_map_entry *entry = volume_map_find(&map, 110 + i);
		assert_int_equal(entry->kind, VOLUME_MAP_PLACED);
		assert_int_equal(entry->entry.physical, 9110 + i);
		assert_int_equal(entry->entry.counter, i);
	}
}

static void run_is(uint32_t at, uint32_t logical, uint32_t index, uint32_t count)
{
	const struct volume_run run = volume_run_decode(order[at]);
	assert_int_equal(run.logical, logical);
	assert_int_equal(run.index, index);
	assert_int_equal(run.count, count);
}

/* Within a leaf, of one kind, no longer than a write; content and holes come alone. */
static void test_runs_end_where_a_turn_must(void **state)
{
	(void)state;
	struct volume_entry made[VOLUME_BATCH_BLOCKS];
	maps_make();
	placed_make(made, 0);
	volume_map_place(&map, 200, made, VOLUME_BATCH_BLOCKS);
	volume_map_place(&map, 232, made, VOLUME_BATCH_BLOCKS); /* A leaf ends at 256. */
	volume_map_take(&map, 264)->kind = VOLUME_MAP_CARRIED;
	volume_map_take(&map, 265)->kind = VOLUME_MAP_CARRIED;
	(void)volume_map_take(&map, 266);
	(void)volume_map_take(&map, 267);
	volume_map_place(&map, UINT32_MAX, made, 1);
	assert_int_equal(volume_map_order(&map, order), 7);
	run_is(0, 200, 0, 32);
	run_is(1, 232, 32, 24);
	run_is(2, 256, 56, 8);
	run_is(3, 264, 64, 2);
	run_is(4, 266, 66, 1);
	run_is(5, 267, 67, 1);
	run_is(6, UINT32_MAX, 68, 1);
}

static void test_carried_entries_come_in_the_order_of_the_log(void **state)
{
	(void)state;
	const struct volume_geometry geometry = {.ring_first = 4, .ring_blocks = 256};
	const uint32_t places[] = {3, 200, 255, 10}; /* In the ring; the head is at 100. */
	const uint64_t distances[] = {159, 100, 155, 166};
	maps_make();
	for (uint32_t i = 0; i < 4; i++) {
		struct volume_map_entry *entry = take(50 * i);
		assert_true(volume_map_become(&map, entry, VOLUME_MAP_CARRIED));
		entry->entry.physical = 4 + places[i];
		(void)take(50 * i + 1);
	}
	order[4] = UINT64_MAX;
	volume_map_order_carried(&map, &geometry, 100, order, pool.carried);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(order[i], distances[i] << VOLUME_MAP_ORDER_SHIFT | 2 * i);
	}
	assert_int_equal(order[4], UINT64_MAX);
}

int main(void)
{
	fixture_random_seed(1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_stride_fills_the_map),
		cmocka_unit_test(test_few_entries_are_cleared_one_by_one),
		cmocka_unit_test(test_gaps_end_at_what_is_there),
		cmocka_unit_test(test_runs_are_placed_and_merged),
		cmocka_unit_test(test_runs_end_where_a_turn_must),
		cmocka_unit_test(test_carried_entries_come_in_the_order_of_the_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
