// SPDX-License-Identifier: MIT
/* Address arithmetic: every function at the edges where a plain + or - would wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/addr.h"

#define LIMIT ((uint64_t)1 << ADDR_PHYS_BITS)

static void test_addr_page_floor_and_alignment(void **state)
{
	(void)state;
	assert_true(addr_is_page_aligned(0));
	assert_true(addr_is_page_aligned(8192));
	assert_false(addr_is_page_aligned(4095));
	assert_true(addr_page_floor(0) == 0);
	assert_true(addr_page_floor(4095) == 0);
	assert_true(addr_page_floor(4096) == 4096);
	assert_true(addr_page_floor(UINT64_MAX) == UINT64_MAX - PAGE_OFFSET);
}

static void test_addr_page_ceil_refuses_to_wrap(void **state)
{
	(void)state;
	uint64_t out = 7;
	assert_true(addr_page_ceil(0, &out));
	assert_true(out == 0);
	assert_true(addr_page_ceil(1, &out));
	assert_true(out == 4096);
	assert_true(addr_page_ceil(UINT64_MAX - PAGE_OFFSET, &out));
	assert_true(out == UINT64_MAX - PAGE_OFFSET);
	assert_false(addr_page_ceil(UINT64_MAX - PAGE_OFFSET + 1, &out));
	assert_true(out == UINT64_MAX - PAGE_OFFSET);
}

static void test_addr_add_refuses_to_wrap(void **state)
{
	(void)state;
	uint64_t out = 7;
	assert_true(addr_add(UINT64_MAX, 0, &out));
	assert_true(out == UINT64_MAX);
	assert_true(addr_add(1, 2, &out));
	assert_true(out == 3);
	assert_false(addr_add(UINT64_MAX, 1, &out));
	assert_false(addr_add(1, UINT64_MAX, &out));
	assert_true(out == 3);
}

static void test_addr_within_covers_every_edge(void **state)
{
	(void)state;
	static const struct {
		uint64_t offset, size, limit;
		bool inside;
	} rows[] = {
		{0, 0, 0, true},
		{0, 1, 0, false},
		{0, 10, 10, true},
		{10, 0, 10, true},
		{10, 1, 10, false},
		{11, 0, 10, false},
		{1, 10, 10, false},
		{UINT64_MAX, 2, UINT64_MAX, false},
		{2, UINT64_MAX, UINT64_MAX, false},
		{0, UINT64_MAX, UINT64_MAX, true},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_int_equal(addr_within(rows[i].offset, rows[i].size, rows[i].limit),
				 rows[i].inside);
	}
}

static struct phys_range range(uint64_t first, uint64_t size_bytes)
{
	return (struct phys_range){.first = {first}, .size_bytes = size_bytes};
}

static void test_addr_range_valid_ends_at_the_physical_limit(void **state)
{
	(void)state;
	assert_true(phys_range_valid(range(0, 1)));
	assert_false(phys_range_valid(range(0, 0)));
	assert_true(phys_range_valid(range(0, LIMIT)));
	assert_true(phys_range_valid(range(LIMIT - 1, 1)));
	assert_false(phys_range_valid(range(LIMIT, 1)));
	assert_false(phys_range_valid(range(LIMIT - 1, 2)));
	assert_false(phys_range_valid(range(4096, UINT64_MAX)));
}

static void test_addr_ranges_that_touch_do_not_overlap(void **state)
{
	(void)state;
	assert_false(phys_range_overlaps(range(0, 4096), range(4096, 4096)));
	assert_false(phys_range_overlaps(range(4096, 4096), range(0, 4096)));
	assert_true(phys_range_overlaps(range(0, 4097), range(4096, 4096)));
	assert_true(phys_range_overlaps(range(0, 16384), range(4096, 1)));
	assert_true(phys_range_overlaps(range(4096, 1), range(0, 16384)));
}

static void test_addr_range_contains_itself_and_no_byte_more(void **state)
{
	(void)state;
	const struct phys_range outer = range(4096, 8192);
	assert_true(phys_range_contains(outer, outer));
	assert_true(phys_range_contains(outer, range(12287, 1)));
	assert_false(phys_range_contains(outer, range(12287, 2)));
	assert_false(phys_range_contains(outer, range(4095, 2)));
	assert_false(phys_range_contains(outer, range(12288, 1)));
	assert_false(phys_range_contains(outer, range(0, UINT64_MAX)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_page_floor_and_alignment),
		cmocka_unit_test(test_addr_page_ceil_refuses_to_wrap),
		cmocka_unit_test(test_addr_add_refuses_to_wrap),
		cmocka_unit_test(test_addr_within_covers_every_edge),
		cmocka_unit_test(test_addr_range_valid_ends_at_the_physical_limit),
		cmocka_unit_test(test_addr_ranges_that_touch_do_not_overlap),
		cmocka_unit_test(test_addr_range_contains_itself_and_no_byte_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
