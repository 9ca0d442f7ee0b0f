// SPDX-License-Identifier: MIT
/* Copies to and from ring 3: across pages, and never a byte that is not ring 3's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/pte.h"
#include "fake_memory.h"
#include "mm/user_copy.h"

/* Three pages at BASE: writable, writable, read-only. Then a hole, then one more page. */
#define BASE      0x0000000000700000ull
#define READ_ONLY (BASE + 2 * PAGE_BYTES)
#define HOLE      (BASE + 3 * PAGE_BYTES)
#define ISLAND    (BASE + 4 * PAGE_BYTES)
#define LAST_PAGE (PAGE_TABLE_USER_END - PAGE_BYTES)
#define KERNEL    0xffffffff80000000ull

static struct fake_memory memory;
static struct page_table table;
static struct user_space space;
static uint8_t kernel_buffer[4 * 4096];

static void add_page(uint64_t at, bool writable, bool user)
{
	const struct phys_addr page = fake_memory_page(&memory);
	const struct page_access access = {.writable = writable, .user = user};
	assert_int_equal(page_table_map(&table, at, page, PAGE_BYTES, access, false), STATUS_OK);
	memset(fake_memory_bytes(&memory, page), 'u', PAGE_BYTES);
}

static int setup(void **state)
{
	(void)state;
	fake_memory_init(&memory);
	assert_int_equal(page_table_init(&table, &memory.port, 0), STATUS_OK);
	space = (struct user_space){.table = &table, .direct_map = &memory.direct_map};
	add_page(BASE, true, true);
	add_page(BASE + PAGE_BYTES, true, true);
	add_page(READ_ONLY, false, true);
	add_page(ISLAND, true, true);
	add_page(LAST_PAGE, true, true);
	add_page(KERNEL, true, false);
	memset(kernel_buffer, 'k', sizeof(kernel_buffer));
	return 0;
}

static struct user_addr at(uint64_t raw)
{
	return (struct user_addr){raw};
}

static bool all_are(const uint8_t *bytes, size_t size, uint8_t value)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != value) {
			return false;
		}
	}
	return true;
}

static uint8_t *user_byte(uint64_t raw)
{
	struct page_mapping mapping;
	assert_int_equal(page_table_lookup(&table, raw, &mapping), STATUS_OK);
	return fake_memory_bytes(&memory, mapping.at);
}

static void test_user_copy_crosses_pages_both_ways(void **state)
{
	(void)state;
	uint8_t pattern[6000];
	for (size_t i = 0; i < sizeof(pattern); i++) {
		pattern[i] = (uint8_t)(i * 7 + 1);
	}
	const struct user_addr place = at(BASE + 1000);
	assert_int_equal(user_copy_out(&space, place, pattern, sizeof(pattern)), STATUS_OK);
	assert_int_equal(user_copy_in(&space, kernel_buffer, place, sizeof(pattern)), STATUS_OK);
	assert_memory_equal(kernel_buffer, pattern, sizeof(pattern));
	assert_int_equal(kernel_buffer[sizeof(pattern)], 'k');
	assert_int_equal(*user_byte(BASE + 999), 'u');
	assert_int_equal(*user_byte(BASE + 7000), 'u');
	assert_int_equal(*user_byte(BASE + 1000), pattern[0]);
	assert_int_equal(*user_byte(BASE + PAGE_BYTES), pattern[3096]);
}

static void test_user_copy_reads_read_only_pages_but_never_writes_them(void **state)
{
	(void)state;
	assert_int_equal(user_copy_in(&space, kernel_buffer, at(BASE), 3 * PAGE_BYTES), STATUS_OK);
	assert_int_equal(user_copy_out(&space, at(READ_ONLY - 8), kernel_buffer, 16),
			 STATUS_BAD_USER);
	assert_int_equal(user_zero(&space, at(READ_ONLY - 8), 16), STATUS_BAD_USER);
	assert_int_equal(*user_byte(READ_ONLY - 8), 'u'); /* Nothing of it was written. */
	assert_int_equal(*user_byte(READ_ONLY), 'u');
}

/* Every kind of bad range, through every function. */
static void test_user_copy_refuses_bad_ranges(void **state)
{
	(void)state;
	const struct {
		uint64_t first;
		size_t size;
	} rows[] = {
		{HOLE, 1},
		{HOLE - 1, 2},
		{HOLE - 1, 1 + PAGE_BYTES + 1}, /* Good, a hole, good again. */
		{BASE - 1, 1},
		{BASE - 1, 2},
		{0, 1},
		{KERNEL, 1},
		{KERNEL, PAGE_BYTES},
		{PAGE_TABLE_USER_END, 1},
		{PAGE_TABLE_USER_END - 1, 2},
		{LAST_PAGE, PAGE_BYTES + 1},
		{UINT64_MAX, 1},
		{UINT64_MAX, 2},
		{BASE, SIZE_MAX},
		{BASE, SIZE_MAX - BASE + 1 + 8}, /* Wraps to a small end. */
		{KERNEL & 0x0000ffffffffffffull, 1},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const struct user_addr first = at(rows[i].first);
		const size_t size = rows[i].size;
		assert_int_equal(user_copy_in(&space, kernel_buffer, first, size), STATUS_BAD_USER);
		assert_int_equal(user_copy_out(&space, first, kernel_buffer, size),
				 STATUS_BAD_USER);
		assert_int_equal(user_zero(&space, first, size), STATUS_BAD_USER);
	}
	assert_true(all_are(kernel_buffer, sizeof(kernel_buffer), 'k'));
	assert_int_equal(*user_byte(HOLE - 1), 'u');
	assert_int_equal(*user_byte(ISLAND), 'u');
	assert_int_equal(*user_byte(LAST_PAGE), 'u');
	assert_int_equal(*user_byte(KERNEL), 'u');
}

/* mm/page_table makes no such entry; should one appear all the same, it is not ring 3's. */
static void test_user_copy_refuses_supervisor_pages_in_the_user_half(void **state)
{
	(void)state;
	struct phys_addr page = table.root;
	uint64_t *entry = NULL;
	for (unsigned level = PTE_LEVELS; level > 0; level--) {
		entry = &memory.port.entries(&memory, page)[pte_index(BASE, level - 1)];
		page = pte_address(*entry, 0);
	}
	*entry &= ~PTE_USER;
	assert_int_equal(user_copy_in(&space, kernel_buffer, at(BASE), 1), STATUS_BAD_USER);
	assert_int_equal(user_copy_out(&space, at(BASE), kernel_buffer, 1), STATUS_BAD_USER);
	assert_int_equal(user_copy_in(&space, kernel_buffer, at(BASE + PAGE_BYTES), 1), STATUS_OK);
}

static void test_user_copy_reaches_the_last_byte(void **state)
{
	(void)state;
	assert_int_equal(user_copy_out(&space, at(LAST_PAGE), kernel_buffer, PAGE_BYTES),
			 STATUS_OK);
	assert_int_equal(*user_byte(PAGE_TABLE_USER_END - 1), 'k');
	assert_int_equal(user_zero(&space, at(PAGE_TABLE_USER_END - 1), 1), STATUS_OK);
	assert_int_equal(*user_byte(PAGE_TABLE_USER_END - 1), 0);
	assert_int_equal(*user_byte(PAGE_TABLE_USER_END - 2), 'k');
}

static void test_user_copy_of_nothing_is_fine_anywhere(void **state)
{
	(void)state;
	assert_int_equal(user_copy_in(&space, kernel_buffer, at(KERNEL), 0), STATUS_OK);
	assert_int_equal(user_copy_out(&space, at(UINT64_MAX), kernel_buffer, 0), STATUS_OK);
	assert_int_equal(user_zero(&space, at(HOLE), 0), STATUS_OK);
}

static void test_user_zero_crosses_pages(void **state)
{
	(void)state;
	assert_int_equal(user_zero(&space, at(BASE + 4000), 200), STATUS_OK);
	assert_int_equal(*user_byte(BASE + 3999), 'u');
	assert_int_equal(*user_byte(BASE + 4000), 0);
	assert_int_equal(*user_byte(BASE + 4199), 0);
	assert_int_equal(*user_byte(BASE + 4200), 'u');
}

static void test_user_copy_string_crosses_a_page(void **state)
{
	(void)state;
	char text[32] = "untouched";
	assert_int_equal(user_copy_out(&space, at(BASE + 4090), "crossing over", 14), STATUS_OK);
	assert_int_equal(user_copy_string(&space, text, sizeof(text), at(BASE + 4090)), STATUS_OK);
	assert_string_equal(text, "crossing over");
	assert_int_equal(user_copy_string(&space, text, 14, at(BASE + 4090)), STATUS_OK);
	assert_int_equal(user_copy_string(&space, text, 13, at(BASE + 4090)), STATUS_TOO_LARGE);
	assert_string_equal(text, "crossing over");
	assert_int_equal(user_copy_string(&space, text, 0, at(BASE + 4090)), STATUS_INVALID);
	assert_int_equal(user_copy_string(&space, text, 1, at(BASE + 4103)), STATUS_OK);
	assert_string_equal(text, "");
}

static void test_user_copy_string_stops_at_the_terminator(void **state)
{
	(void)state;
	char text[32] = "untouched";
	/* Ends with the last byte before the hole: the hole is none of its business. */
	assert_int_equal(user_copy_out(&space, at(ISLAND + PAGE_BYTES - 4), "abc", 4), STATUS_OK);
	assert_int_equal(user_copy_string(&space, text, sizeof(text), at(ISLAND + PAGE_BYTES - 4)),
			 STATUS_OK);
	assert_string_equal(text, "abc");
	/* Without a terminator before the hole it is not a string. */
	assert_int_equal(user_copy_string(&space, text, sizeof(text), at(HOLE - 4)),
			 STATUS_BAD_USER);
	assert_int_equal(user_copy_string(&space, text, sizeof(text), at(LAST_PAGE + 4090)),
			 STATUS_BAD_USER);
	assert_int_equal(user_copy_string(&space, text, sizeof(text), at(KERNEL)), STATUS_BAD_USER);
	assert_int_equal(user_copy_string(&space, text, sizeof(text), at(UINT64_MAX - 2)),
			 STATUS_BAD_USER);
	assert_string_equal(text, "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_user_copy_crosses_pages_both_ways, setup),
		cmocka_unit_test_setup(test_user_copy_reads_read_only_pages_but_never_writes_them,
				       setup),
		cmocka_unit_test_setup(test_user_copy_refuses_bad_ranges, setup),
		cmocka_unit_test_setup(test_user_copy_refuses_supervisor_pages_in_the_user_half,
				       setup),
		cmocka_unit_test_setup(test_user_copy_reaches_the_last_byte, setup),
		cmocka_unit_test_setup(test_user_copy_of_nothing_is_fine_anywhere, setup),
		cmocka_unit_test_setup(test_user_zero_crosses_pages, setup),
		cmocka_unit_test_setup(test_user_copy_string_crosses_a_page, setup),
		cmocka_unit_test_setup(test_user_copy_string_stops_at_the_terminator, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
