// SPDX-License-Identifier: MIT
/* What page tables map, refuse and answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arch/pte.h"
#include "fake_memory.h"
#include "mm/page_table.h"

#define KERNEL 0xffffffff80000000ull
#define USER   0x0000000000400000ull
#define RAM    0x40000000ull

static const struct page_access kernel_rw = {.writable = true};
static const struct page_access kernel_rx = {.executable = true};
static const struct page_access user_rw = {.writable = true, .user = true};
static const struct page_access user_rx = {.executable = true, .user = true};

static struct fake_memory memory;
static struct page_table table;

static int setup(void **state)
{
	(void)state;
	fake_memory_init(&memory);
	return page_table_init(&table, &memory.port, 0) == STATUS_OK ? 0 : -1;
}

static enum status map(uint64_t at, uint64_t to, uint64_t size, struct page_access access)
{
	return page_table_map(&table, at, (struct phys_addr){to}, size, access, true);
}

static void expect_mapped(uint64_t at, uint64_t to)
{
	struct page_mapping mapping;
	assert_int_equal(page_table_lookup(&table, at, &mapping), STATUS_OK);
	assert_true(mapping.at.raw == to);
}

static void expect_absent(uint64_t at)
{
	struct page_mapping mapping = {.at = {42}};
	assert_int_equal(page_table_lookup(&table, at, &mapping), STATUS_NOT_FOUND);
	assert_int_equal(mapping.at.raw, 42);
}

static void test_page_table_maps_each_byte(void **state)
{
	(void)state;
	assert_int_equal(map(KERNEL, RAM, 3 * PAGE_BYTES, kernel_rw), STATUS_OK);
	expect_mapped(KERNEL, RAM);
	expect_mapped(KERNEL + 0x1234, RAM + 0x1234);
	expect_mapped(KERNEL + 0x2fff, RAM + 0x2fff);
	expect_absent(KERNEL + 0x3000);
	expect_absent(KERNEL - 1);
	expect_absent(0);
	expect_absent(0x0000800000000000ull);
	expect_absent(KERNEL & 0x0000ffffffffffffull); /* The same indices, not canonical. */
}

static void test_page_table_lookup_gives_access_back(void **state)
{
	(void)state;
	const struct page_access device = {.writable = true, .uncached = true, .global = true};
	struct page_mapping mapping;
	assert_int_equal(map(USER, RAM, PAGE_BYTES, user_rx), STATUS_OK);
	assert_int_equal(map(KERNEL, RAM, PAGE_BYTES, device), STATUS_OK);
	assert_int_equal(page_table_lookup(&table, USER, &mapping), STATUS_OK);
	assert_true(mapping.access.user && mapping.access.executable);
	assert_false(mapping.access.writable || mapping.access.uncached || mapping.access.global ||
		     mapping.access.shared);
	assert_int_equal(page_table_lookup(&table, KERNEL, &mapping), STATUS_OK);
	assert_true(mapping.access.writable && mapping.access.uncached && mapping.access.global);
	assert_false(mapping.access.user || mapping.access.executable || mapping.access.shared);
}

static void test_page_table_refuses_write_and_execute(void **state)
{
	(void)state;
	const struct page_access kernel_wx = {.writable = true, .executable = true};
	const struct page_access user_wx = {.writable = true, .executable = true, .user = true};
	assert_int_equal(map(KERNEL, RAM, PAGE_BYTES, kernel_wx), STATUS_INVALID);
	assert_int_equal(map(USER, RAM, PAGE_BYTES, user_wx), STATUS_INVALID);
	assert_int_equal(map(KERNEL, RAM, PAGE_BYTES, kernel_rx), STATUS_OK);
	assert_int_equal(page_table_protect(&table, KERNEL, PAGE_BYTES, kernel_wx), STATUS_INVALID);
	struct page_mapping mapping;
	assert_int_equal(page_table_lookup(&table, KERNEL, &mapping), STATUS_OK);
	assert_false(mapping.access.writable);
}

static void test_page_table_keeps_the_halves_apart(void **state)
{
	(void)state;
	assert_int_equal(map(KERNEL, RAM, PAGE_BYTES, user_rw), STATUS_INVALID);
	assert_int_equal(map(USER, RAM, PAGE_BYTES, kernel_rw), STATUS_INVALID);
	assert_int_equal(map(USER, RAM, PAGE_BYTES, user_rw), STATUS_OK);
	assert_int_equal(page_table_protect(&table, USER, PAGE_BYTES, kernel_rw), STATUS_INVALID);
	const struct page_access bad[] = {
		{.user = true, .uncached = true},
		{.user = true, .shared = true},
		{.user = true, .global = true},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_int_equal(map(USER + PAGE_BYTES, RAM, PAGE_BYTES, bad[i]), STATUS_INVALID);
	}
}

static void test_page_table_refuses_unsound_ranges(void **state)
{
	(void)state;
	const struct {
		uint64_t at;
		uint64_t to;
		uint64_t size;
		struct page_access access;
	} rows[] = {
		{KERNEL, RAM, 0, {.writable = true}},
		{KERNEL + 8, RAM, PAGE_BYTES, {.writable = true}},
		{KERNEL, RAM + 8, PAGE_BYTES, {.writable = true}},
		{KERNEL, RAM, PAGE_BYTES + 8, {.writable = true}},
		{UINT64_MAX - PAGE_OFFSET, RAM, 2 * PAGE_BYTES, {.writable = true}},
		{PAGE_TABLE_USER_END, RAM, PAGE_BYTES, {.user = true}},
		{PAGE_TABLE_USER_END - PAGE_BYTES, RAM, 2 * PAGE_BYTES, {.user = true}},
		{PAGE_TABLE_KERNEL_BEGIN - PAGE_BYTES, RAM, 2 * PAGE_BYTES, {.writable = true}},
		{0, RAM, UINT64_MAX - PAGE_OFFSET, {.user = true}},
		{KERNEL, 1ull << 52, PAGE_BYTES, {.writable = true}},
		{KERNEL, (1ull << 52) - PAGE_BYTES, 2 * PAGE_BYTES, {.writable = true}},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_int_equal(map(rows[i].at, rows[i].to, rows[i].size, rows[i].access),
				 STATUS_INVALID);
		assert_int_equal(memory.taken_count, 1); /* Not even a table page was had. */
	}
	assert_int_equal(page_table_unmap(&table, KERNEL + 1, PAGE_BYTES), STATUS_INVALID);
	assert_int_equal(page_table_unmap(&table, KERNEL, 0), STATUS_INVALID);
	assert_int_equal(page_table_protect(&table, KERNEL, 1, kernel_rw), STATUS_INVALID);
}

static void test_page_table_maps_at_the_limits(void **state)
{
	(void)state;
	const uint64_t last_page = UINT64_MAX - PAGE_OFFSET;
	const uint64_t last_user = PAGE_TABLE_USER_END - PAGE_BYTES;
	assert_int_equal(map(last_page, RAM, PAGE_BYTES, kernel_rw), STATUS_OK);
	assert_int_equal(map(PAGE_TABLE_KERNEL_BEGIN, RAM, PAGE_BYTES, kernel_rw), STATUS_OK);
	assert_int_equal(map(last_user, (1ull << 52) - PAGE_BYTES, PAGE_BYTES, user_rw), STATUS_OK);
	assert_int_equal(map(0, RAM, PAGE_BYTES, user_rw), STATUS_OK);
	expect_mapped(UINT64_MAX, RAM + PAGE_OFFSET);
	expect_mapped(PAGE_TABLE_USER_END - 1, (1ull << 52) - 1);
	assert_int_equal(page_table_protect(&table, last_page, PAGE_BYTES, kernel_rx), STATUS_OK);
	assert_int_equal(page_table_unmap(&table, last_page, PAGE_BYTES), STATUS_OK);
	expect_absent(last_page);
	/* All of the upper half at once: ends, and is quick. */
	assert_int_equal(
		page_table_unmap(&table, PAGE_TABLE_KERNEL_BEGIN, 0 - PAGE_TABLE_KERNEL_BEGIN),
		STATUS_NOT_FOUND);
	expect_absent(PAGE_TABLE_KERNEL_BEGIN);
}

static void test_page_table_uses_large_pages_where_allowed(void **state)
{
	(void)state;
	const uint64_t size = 2 * LARGE_PAGE_BYTES + 2 * PAGE_BYTES;
	const uint64_t at = KERNEL + LARGE_PAGE_BYTES - PAGE_BYTES;
	const uint64_t to = RAM + LARGE_PAGE_BYTES - PAGE_BYTES;
	/* One page, two large ones, one page: root, 2 tables above, 2 level-0 tables. */
	assert_int_equal(map(at, to, size, kernel_rw), STATUS_OK);
	assert_int_equal(memory.taken_count, 5);
	for (uint64_t offset = 0; offset < size; offset += PAGE_BYTES) {
		expect_mapped(at + offset + 5, to + offset + 5);
	}
	expect_absent(at - 1);
	expect_absent(at + size);
}

static void test_page_table_large_pages_need_both_alignments(void **state)
{
	(void)state;
	assert_int_equal(map(KERNEL, RAM + PAGE_BYTES, LARGE_PAGE_BYTES, kernel_rw), STATUS_OK);
	assert_int_equal(memory.taken_count, 4); /* A level-0 table: small leaves. */
	assert_int_equal(page_table_map(&table, KERNEL + LARGE_PAGE_BYTES, (struct phys_addr){RAM},
					LARGE_PAGE_BYTES, kernel_rw, false),
			 STATUS_OK);
	assert_int_equal(memory.taken_count, 5);
	expect_mapped(KERNEL + LARGE_PAGE_BYTES - 1, RAM + PAGE_BYTES + LARGE_PAGE_BYTES - 1);
	assert_int_equal(page_table_unmap(&table, KERNEL + LARGE_PAGE_BYTES, PAGE_BYTES),
			 STATUS_OK);
}

static void test_page_table_fills_an_emptied_table_with_small_pages(void **state)
{
	(void)state;
	assert_int_equal(map(KERNEL, RAM, PAGE_BYTES, kernel_rw), STATUS_OK);
	assert_int_equal(page_table_unmap(&table, KERNEL, PAGE_BYTES), STATUS_OK);
	assert_int_equal(map(KERNEL, RAM, 2 * LARGE_PAGE_BYTES, kernel_rw), STATUS_OK);
	expect_mapped(KERNEL + 0x1ff123, RAM + 0x1ff123);
	expect_mapped(KERNEL + 0x2ff123, RAM + 0x2ff123);
	assert_int_equal(page_table_unmap(&table, KERNEL, PAGE_BYTES), STATUS_OK);
	assert_int_equal(page_table_unmap(&table, KERNEL + LARGE_PAGE_BYTES, PAGE_BYTES),
			 STATUS_INVALID);
}

static void test_page_table_refuses_what_is_mapped(void **state)
{
	(void)state;
	assert_int_equal(map(KERNEL + 2 * PAGE_BYTES, RAM, PAGE_BYTES, kernel_rx), STATUS_OK);
	assert_int_equal(map(KERNEL, RAM, 4 * PAGE_BYTES, kernel_rw), STATUS_EXISTS);
	expect_absent(KERNEL);
	expect_absent(KERNEL + PAGE_BYTES);
	assert_int_equal(map(KERNEL, RAM, LARGE_PAGE_BYTES, kernel_rw), STATUS_EXISTS);
	assert_int_equal(map(KERNEL + LARGE_PAGE_BYTES, RAM, LARGE_PAGE_BYTES, kernel_rw),
			 STATUS_OK);
	assert_int_equal(map(KERNEL + LARGE_PAGE_BYTES + PAGE_BYTES, RAM, PAGE_BYTES, kernel_rw),
			 STATUS_EXISTS);
}

static void test_page_table_unmap_names_the_problem(void **state)
{
	(void)state;
	assert_int_equal(map(USER, RAM, 2 * PAGE_BYTES, user_rw), STATUS_OK);
	assert_int_equal(map(USER + 4 * PAGE_BYTES, RAM, PAGE_BYTES, user_rw), STATUS_OK);
	assert_int_equal(page_table_unmap(&table, USER, 5 * PAGE_BYTES), STATUS_NOT_FOUND);
	expect_absent(USER);
	expect_absent(USER + 4 * PAGE_BYTES);
	/* A range with a large page in it loses nothing. */
	assert_int_equal(map(USER, RAM, PAGE_BYTES, user_rw), STATUS_OK);
	assert_int_equal(map(USER + LARGE_PAGE_BYTES, RAM, LARGE_PAGE_BYTES, user_rw), STATUS_OK);
	assert_int_equal(page_table_unmap(&table, USER, 2 * LARGE_PAGE_BYTES), STATUS_INVALID);
	expect_mapped(USER, RAM);
	assert_int_equal(page_table_unmap(&table, USER, PAGE_BYTES), STATUS_OK);
	assert_int_equal(page_table_unmap(&table, USER, PAGE_BYTES), STATUS_NOT_FOUND);
}

static void test_page_table_protect_is_all_or_nothing(void **state)
{
	(void)state;
	const struct page_access user_ro = {.user = true};
	struct page_mapping mapping;
	assert_int_equal(map(USER, RAM, 2 * PAGE_BYTES, user_rw), STATUS_OK);
	assert_int_equal(page_table_protect(&table, USER, 3 * PAGE_BYTES, user_ro),
			 STATUS_NOT_FOUND);
	assert_int_equal(page_table_lookup(&table, USER, &mapping), STATUS_OK);
	assert_true(mapping.access.writable);
	assert_int_equal(page_table_protect(&table, USER, 2 * PAGE_BYTES, user_ro), STATUS_OK);
	assert_int_equal(page_table_lookup(&table, USER + PAGE_BYTES + 7, &mapping), STATUS_OK);
	assert_false(mapping.access.writable);
	assert_true(mapping.at.raw == RAM + PAGE_BYTES + 7);
	assert_int_equal(map(USER + LARGE_PAGE_BYTES, RAM, LARGE_PAGE_BYTES, user_rw), STATUS_OK);
	assert_int_equal(page_table_protect(&table, USER + LARGE_PAGE_BYTES, PAGE_BYTES, user_ro),
			 STATUS_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_page_table_maps_each_byte, setup),
		cmocka_unit_test_setup(test_page_table_lookup_gives_access_back, setup),
		cmocka_unit_test_setup(test_page_table_refuses_write_and_execute, setup),
		cmocka_unit_test_setup(test_page_table_keeps_the_halves_apart, setup),
		cmocka_unit_test_setup(test_page_table_refuses_unsound_ranges, setup),
		cmocka_unit_test_setup(test_page_table_maps_at_the_limits, setup),
		cmocka_unit_test_setup(test_page_table_uses_large_pages_where_allowed, setup),
		cmocka_unit_test_setup(test_page_table_large_pages_need_both_alignments, setup),
		cmocka_unit_test_setup(test_page_table_fills_an_emptied_table_with_small_pages,
				       setup),
		cmocka_unit_test_setup(test_page_table_refuses_what_is_mapped, setup),
		cmocka_unit_test_setup(test_page_table_unmap_names_the_problem, setup),
		cmocka_unit_test_setup(test_page_table_protect_is_all_or_nothing, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
