// SPDX-License-Identifier: MIT
/* Memory maps of all sorts, checked page by page against a bitmap; and placing things in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "boot/memory_map.h"
#include "boot/start_info.h"

#define RAM      1u
#define RESERVED 2u
#define MIB      0x100000ull

struct row {
	uint64_t first;
	uint64_t size;
	uint32_t type;
};

static enum status decode(const struct row *rows, uint32_t count, struct memory_map *map)
{
	static uint8_t table[START_INFO_MEMORY_ENTRIES_MAX * START_INFO_MEMORY_BYTES];
	const char *problem = NULL;
	memset(table, 0, sizeof(table));
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *at = table + (size_t)i * START_INFO_MEMORY_BYTES;
		bytes_store_le64(at, rows[i].first);
		bytes_store_le64(at + 8, rows[i].size);
		bytes_store_le32(at + 16, rows[i].type);
	}
	const enum status status = memory_map_decode(table, (size_t)count * START_INFO_MEMORY_BYTES,
						     count, map, &problem);
	assert_true((status == STATUS_OK) == (problem == NULL));
	return status;
}

static void expect_range(const struct memory_map *map, uint32_t i, uint64_t first, uint64_t end)
{
	assert_true(i < map->count);
	assert_true(map->ranges[i].first.raw == first);
	assert_true(map->ranges[i].first.raw + map->ranges[i].size_bytes == end);
}

static void test_memory_map_sorts_merges_and_clips(void **state)
{
	(void)state;
	struct memory_map map;
	const struct row rows[] = {
		{4096 * MIB, 1024 * MIB, RAM}, {0, 64 * MIB, RAM}, /* Loses the first megabyte. */
		{64 * MIB, 16 * MIB, RAM},                         /* Touches: merged. */
		{79 * MIB, 2 * MIB, RAM},                          /* Overlaps: merged. */
		{100 * MIB + 1, 8192, RAM},                        /* Shrinks to one page. */
		{200 * MIB + 1, 8190, RAM},                        /* Holds no whole page. */
		{300 * MIB, 0, RAM},                               /* Empty. */
		{UINT64_MAX, 0, RESERVED}, /* Empty, whatever its address. */
	};
	assert_int_equal(decode(rows, ARRAY_COUNT(rows), &map), STATUS_OK);
	assert_int_equal(map.count, 3);
	expect_range(&map, 0, MIB, 81 * MIB);
	expect_range(&map, 1, 100 * MIB + 4096, 100 * MIB + 8192);
	expect_range(&map, 2, 4096 * MIB, 5120 * MIB);
	assert_true(memory_map_total_bytes(&map) == 80 * MIB + 4096 + 1024 * MIB);
}

static void test_memory_map_takes_everything_else_away(void **state)
{
	(void)state;
	struct memory_map map;
	const struct row rows[] = {
		{8 * MIB + 1, 1, RESERVED}, /* Grows to a page, before its RAM is even named. */
		{0, 16 * MIB, RAM},
		{12 * MIB, 100 * MIB, 3},
		{0, 2 * MIB, 0xffffffff},
	};
	assert_int_equal(decode(rows, ARRAY_COUNT(rows), &map), STATUS_OK);
	assert_int_equal(map.count, 2);
	expect_range(&map, 0, 2 * MIB, 8 * MIB);
	expect_range(&map, 1, 8 * MIB + 4096, 12 * MIB);
}

static void test_memory_map_refuses(void **state)
{
	(void)state;
	struct memory_map map = {.count = 7};
	const struct row wraps[] = {{0, 64 * MIB, RAM}, {UINT64_MAX, 2, RESERVED}};
	const struct row beyond[] = {{0, 64 * MIB, RAM}, {1ull << 52, 4096, RAM}};
	const struct row nothing[] = {{0, MIB, RAM}, {64 * MIB, MIB, RESERVED}};
	const struct row hidden[] = {{0, 64 * MIB, RAM}, {0, 1ull << 52, RESERVED}};
	assert_int_equal(decode(wraps, 2, &map), STATUS_BAD_HOST);
	assert_int_equal(decode(beyond, 2, &map), STATUS_BAD_HOST);
	assert_int_equal(decode(nothing, 2, &map), STATUS_BAD_HOST);
	assert_int_equal(decode(hidden, 2, &map), STATUS_BAD_HOST);
	assert_int_equal(decode(wraps, 0, &map), STATUS_BAD_HOST);
	assert_int_equal(map.count, 7);
}

static void test_memory_map_refuses_a_short_table(void **state)
{
	(void)state;
	const uint8_t table[START_INFO_MEMORY_BYTES] = {0};
	struct memory_map map;
	const char *problem = NULL;
	assert_int_equal(memory_map_decode(table, 23, 1, &map, &problem), STATUS_BAD_HOST);
	assert_int_equal(memory_map_decode(table, 24, 2, &map, &problem), STATUS_BAD_HOST);
}

static void test_memory_map_has_a_limit(void **state)
{
	(void)state;
	struct row rows[BOOT_MEMORY_RANGES_MAX + 1];
	struct memory_map map;
	for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
		rows[i] = (struct row){(2 + 2 * (uint64_t)i) * MIB, MIB, RAM};
	}
	assert_int_equal(decode(rows, BOOT_MEMORY_RANGES_MAX, &map), STATUS_OK);
	assert_int_equal(map.count, BOOT_MEMORY_RANGES_MAX);
	assert_int_equal(decode(rows, BOOT_MEMORY_RANGES_MAX + 1, &map), STATUS_TOO_LARGE);
	/* One more than the limit, by cutting one in two. */
	rows[BOOT_MEMORY_RANGES_MAX] = (struct row){2 * MIB + 8192, 4096, RESERVED};
	assert_int_equal(decode(rows, BOOT_MEMORY_RANGES_MAX + 1, &map), STATUS_TOO_LARGE);
	/* A full table still takes RAM that only fills a gap. */
	rows[BOOT_MEMORY_RANGES_MAX] = (struct row){3 * MIB, MIB, RAM};
	assert_int_equal(decode(rows, BOOT_MEMORY_RANGES_MAX + 1, &map), STATUS_OK);
	assert_int_equal(map.count, BOOT_MEMORY_RANGES_MAX - 1);
}

/* Random maps over 64 pages above the first megabyte. */
static void test_memory_map_agrees_with_a_model(void **state)
{
	(void)state;
	uint64_t random = 0x2545f4914f6cdd1dull;
	for (int turn = 0; turn < 2000; turn++) {
		struct row rows[12];
		uint8_t model[64] = {0};
		for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			const uint64_t page = (random >> 33) % 64;
			const uint64_t count = 1 + (random >> 45) % 12;
			const uint32_t type = (random >> 60) % 3 == 0 ? RESERVED : RAM;
			rows[i] = (struct row){MIB + page * 4096, count * 4096, type};
			for (uint64_t p = page; p < page + count && p < 64; p++) {
				model[p] |= type == RAM ? 1 : 2;
			}
		}
		struct memory_map map;
		if (decode(rows, ARRAY_COUNT(rows), &map) != STATUS_OK) {
			continue; /* No RAM left. */
		}
		for (uint64_t p = 0; p < 64; p++) {
			const struct phys_range page = {{MIB + p * 4096}, 4096};
			assert_int_equal(memory_map_contains(&map, page), model[p] == 1);
		}
		for (uint32_t i = 1; i < map.count; i++) {
			assert_true(map.ranges[i - 1].first.raw + map.ranges[i - 1].size_bytes <
				    map.ranges[i].first.raw);
		}
	}
}

static void test_memory_map_contains_is_exact(void **state)
{
	(void)state;
	const struct memory_map map = {.count = 2, .ranges = {{{MIB}, MIB}, {{4 * MIB}, MIB}}};
	assert_true(memory_map_contains(&map, (struct phys_range){{MIB}, MIB}));
	assert_false(memory_map_contains(&map, (struct phys_range){{MIB}, MIB + 1}));
	assert_false(memory_map_contains(&map, (struct phys_range){{MIB - 1}, 2}));
	assert_false(memory_map_contains(&map, (struct phys_range){{MIB}, 4 * MIB}));
	assert_false(memory_map_contains(&map, (struct phys_range){{MIB}, 0}));
	assert_false(memory_map_contains(&map, (struct phys_range){{MIB}, UINT64_MAX}));
}

static void test_memory_map_places(void **state)
{
	(void)state;
	const struct memory_map map = {.count = 2, .ranges = {{{MIB}, MIB}, {{4 * MIB}, 4 * MIB}}};
	/* Not sorted, on purpose. */
	const struct phys_range used[] = {{{4 * MIB}, 4096}, {{MIB}, 8192}, {{MIB + 16384}, 4096}};
	const struct {
		struct memory_request request;
		uint64_t at; /* 0: no place. */
	} rows[] = {
		{{4096, 4096, UINT64_MAX}, MIB + 8192},
		{{8192, 4096, UINT64_MAX}, MIB + 8192},
		{{12288, 4096, UINT64_MAX}, MIB + 20480},
		{{4096, 2 * MIB, UINT64_MAX}, 6 * MIB},
		{{2 * MIB, 4096, UINT64_MAX}, 4 * MIB + 4096},
		{{4 * MIB - 4096, 4096, UINT64_MAX}, 4 * MIB + 4096},
		{{4 * MIB, 4096, UINT64_MAX}, 0},
		{{2 * MIB, 4096, 6 * MIB}, 0},
		{{2 * MIB, 4096, 6 * MIB + 4096}, 4 * MIB + 4096},
		{{4096, 16 * MIB, UINT64_MAX}, 0},
		{{UINT64_MAX - 4095, 4096, UINT64_MAX}, 0},
		{{0, 4096, UINT64_MAX}, 0},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct phys_range found = {{0}, 0};
		const enum status status =
			memory_map_place(&map, used, ARRAY_COUNT(used), rows[i].request, &found);
		assert_int_equal(status, rows[i].at == 0 ? STATUS_NO_MEMORY : STATUS_OK);
		assert_true(found.first.raw == rows[i].at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_map_sorts_merges_and_clips),
		cmocka_unit_test(test_memory_map_takes_everything_else_away),
		cmocka_unit_test(test_memory_map_refuses),
		cmocka_unit_test(test_memory_map_refuses_a_short_table),
		cmocka_unit_test(test_memory_map_has_a_limit),
		cmocka_unit_test(test_memory_map_agrees_with_a_model),
		cmocka_unit_test(test_memory_map_contains_is_exact),
		cmocka_unit_test(test_memory_map_places),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
