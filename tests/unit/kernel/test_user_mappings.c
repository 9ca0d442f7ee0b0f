// SPDX-License-Identifier: MIT
/* brk, mmap, munmap, mprotect: what is granted, what is refused, and that addresses and page
 * tables do not run out by mapping and unmapping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/addr.h"
#include "kernel/user_mappings.h"
#include "tests/unit/mm/fake_memory.h"

#define WINDOW       0x0000200012345000ull
#define LIMIT        ((uint64_t)24 * 1024 * 1024)
#define WINDOW_PAGES (USER_MAPPINGS_BYTES / PAGE_BYTES)

static const struct page_access access_data = {.writable = true, .user = true};

static struct fake_memory the_memory;

struct space {
	struct page_table table;
	struct user_mappings mappings;
};

static void space_init(struct space *space)
{
	fake_memory_init(&the_memory);
	assert_int_equal(page_table_init(&space->table, &the_memory.port, 0), STATUS_OK);
	user_mappings_init(&space->mappings, WINDOW);
}

static uint64_t place(struct space *space, uint64_t page_count)
{
	uint64_t address = 0;
	assert_int_equal(user_mappings_place(&space->mappings, &space->table,
					     page_count * PAGE_BYTES, &address),
			 STATUS_OK);
	assert_true(address > WINDOW);
	assert_true(address + (page_count + 1) * PAGE_BYTES <= WINDOW + USER_MAPPINGS_BYTES);
	return address;
}

/* All leaves refer to one page: only addresses matter here. */
static void map(struct space *space, uint64_t address, uint64_t page_count)
{
	struct phys_addr page = {0x5000};
	for (uint64_t i = 0; i < page_count; i++) {
		assert_int_equal(page_table_map(&space->table, address + i * PAGE_BYTES, page,
						PAGE_BYTES, access_data, false),
				 STATUS_OK);
	}
}

static void test_mappings_have_guards_and_addresses_rest(void **state)
{
	(void)state;
	struct space space;
	space_init(&space);
	uint64_t a = place(&space, 3);
	map(&space, a, 3);
	uint64_t b = place(&space, 1);
	map(&space, b, 1);
	assert_true(b >= a + 4 * PAGE_BYTES);
	assert_int_equal(page_table_unmap(&space.table, a, 3 * PAGE_BYTES), STATUS_OK);
	/* The hole would do, but it was in use a moment ago. */
	assert_true(place(&space, 3) > b);
}

static void test_years_of_mapping_take_no_more_tables(void **state)
{
	(void)state;
	struct space space;
	space_init(&space);
	uint64_t keep = place(&space, 1);
	map(&space, keep, 1);
	for (int turn = 0; turn < 3 * (int)(WINDOW_PAGES / 70); turn++) {
		uint64_t address = place(&space, 68);
		assert_true(address > keep + PAGE_BYTES || address + 68 * PAGE_BYTES < keep);
		map(&space, address, 68);
		assert_int_equal(page_table_unmap(&space.table, address, 68 * PAGE_BYTES),
				 STATUS_OK);
	}
	/* Root, one of level 2, one or two of level 1, and the window's of level 0. */
	assert_true(the_memory.taken_count <= 4 + WINDOW_PAGES / 512 + 1);
}

static void test_a_full_window_is_no_memory(void **state)
{
	(void)state;
	struct space space;
	uint64_t address = 7;
	space_init(&space);
	/* A page in the middle leaves two halves, both too small. */
	map(&space, WINDOW + USER_MAPPINGS_BYTES / 2, 1);
	assert_int_equal(user_mappings_place(&space.mappings, &space.table, USER_MAPPINGS_BYTES / 2,
					     &address),
			 STATUS_NO_MEMORY);
	assert_int_equal(
		user_mappings_place(&space.mappings, &space.table, USER_MAPPINGS_BYTES, &address),
		STATUS_NO_MEMORY);
	assert_int_equal(
		user_mappings_place(&space.mappings, &space.table, UINT64_MAX - 4095, &address),
		STATUS_NO_MEMORY);
	assert_int_equal(user_mappings_place(&space.mappings, &space.table, 0, &address),
			 STATUS_NO_MEMORY);
	assert_int_equal(address, 7);
}

static void test_a_gap_around_the_last_address_is_found(void **state)
{
	(void)state;
	struct space space;
	uint64_t address;
	space_init(&space);
	/* Only the gap that begins before and ends behind `next` is large enough. */
	map(&space, WINDOW + 100 * PAGE_BYTES, 1);
	map(&space, WINDOW + USER_MAPPINGS_BYTES - 100 * PAGE_BYTES, 1);
	space.mappings.next = WINDOW + USER_MAPPINGS_BYTES / 2;
	const uint64_t size = USER_MAPPINGS_BYTES - 203 * PAGE_BYTES;
	assert_int_equal(user_mappings_place(&space.mappings, &space.table, size, &address),
			 STATUS_OK);
	assert_int_equal(address, WINDOW + 102 * PAGE_BYTES);
}

static void test_only_data_can_be_asked_for(void **state)
{
	(void)state;
	struct page_access access = {0};
	assert_int_equal(user_access_decode(1, &access), STATUS_OK);
	assert_true(access.user && !access.writable && !access.executable);
	assert_int_equal(user_access_decode(3, &access), STATUS_OK);
	assert_true(access.user && access.writable && !access.executable);
	static const uint64_t bad[] = {0, 2, 4, 5, 6, 7, 8, 0x100000003, UINT64_MAX};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(user_access_decode(bad[i], &access), STATUS_INVALID);
	}
}

static void test_ranges(void **state)
{
	(void)state;
	static const struct {
		uint64_t address;
		uint64_t size;
		enum status status;
	} rows[] = {
		{0x1000, 1, STATUS_OK},
		{0x1000, LIMIT, STATUS_OK},
		{PAGE_TABLE_USER_END - PAGE_BYTES, PAGE_BYTES, STATUS_OK},
		{0x1000, 0, STATUS_INVALID},
		{0x1001, 1, STATUS_INVALID},
		{0x1000, LIMIT + 1, STATUS_INVALID},
		{0x1000, UINT64_MAX, STATUS_INVALID},
		{PAGE_TABLE_USER_END - PAGE_BYTES, PAGE_BYTES + 1, STATUS_INVALID},
		{PAGE_TABLE_USER_END, 1, STATUS_INVALID},
		{0xfffffffffffff000, 0x1000, STATUS_INVALID},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t rounded = 7;
		assert_int_equal(user_range_decode(rows[i].address, rows[i].size, LIMIT, &rounded),
				 rows[i].status);
		assert_int_equal(rounded, rows[i].status == STATUS_OK
						  ? (rows[i].size + 4095) / 4096 * 4096
						  : 7);
	}
	uint64_t rounded;
	assert_int_equal(user_range_decode(0, UINT64_MAX, UINT64_MAX, &rounded), STATUS_INVALID);
}

static void test_break(void **state)
{
	(void)state;
	struct user_break_change change = {0};
	assert_int_equal(user_break_decode(0x500000, 0x500d40, 0x501d40, LIMIT, &change),
			 STATUS_OK);
	assert_int_equal(change.mapped_end, 0x501000);
	assert_int_equal(change.wanted_end, 0x502000);
	assert_int_equal(user_break_decode(0x500000, 0x501d40, 0x500000, LIMIT, &change),
			 STATUS_OK);
	assert_int_equal(change.mapped_end, 0x502000);
	assert_int_equal(change.wanted_end, 0x500000);
	static const uint64_t bad[] = {0, 0x4fffff, 0x500001 + LIMIT, 0xffff800000000000,
				       UINT64_MAX};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(user_break_decode(0x500000, 0x500000, bad[i], LIMIT, &change),
				 STATUS_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mappings_have_guards_and_addresses_rest),
		cmocka_unit_test(test_years_of_mapping_take_no_more_tables),
		cmocka_unit_test(test_a_full_window_is_no_memory),
		cmocka_unit_test(test_a_gap_around_the_last_address_is_found),
		cmocka_unit_test(test_only_data_can_be_asked_for),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_break),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
