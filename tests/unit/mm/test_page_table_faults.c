// SPDX-License-Identifier: MIT
/* Page tables when memory runs out, with an encryption bit, and across address spaces. */
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
#define RAM    0x40000000ull
#define C_BIT  (1ull << 47)

static const struct page_access kernel_rw = {.writable = true};
static const struct page_access user_rw = {.writable = true, .user = true};

static struct fake_memory memory;
static struct page_table table;

static int setup(void **state)
{
	(void)state;
	fake_memory_init(&memory);
	return 0;
}

/* Fail the k-th table page until a run completes: no failure may leave a mapping, and the request
 * must still work afterwards. */
static void test_page_table_failure_leaves_nothing_mapped(void **state)
{
	(void)state;
	/* Straddles a root slot, and has small, large and small pieces. */
	const uint64_t at = 0xffff888000000000ull - 2 * LARGE_PAGE_BYTES - PAGE_BYTES;
	const uint64_t to = RAM - PAGE_BYTES;
	const uint64_t size = 4 * LARGE_PAGE_BYTES + 2 * PAGE_BYTES;
	const size_t needed = 6; /* Two of level 2, two of level 1, two of level 0. */
	for (size_t k = 0; k <= needed; k++) {
		fake_memory_init(&memory);
		assert_int_equal(page_table_init(&table, &memory.port, 0), STATUS_OK);
		memory.takes_left = k;
		const enum status status =
			page_table_map(&table, at, (struct phys_addr){to}, size, kernel_rw, true);
		assert_int_equal(status, k < needed ? STATUS_NO_MEMORY : STATUS_OK);
		struct page_mapping mapping;
		for (uint64_t offset = 0; offset < size; offset += PAGE_BYTES) {
			assert_int_equal(page_table_lookup(&table, at + offset, &mapping),
					 k < needed ? STATUS_NOT_FOUND : STATUS_OK);
		}
		memory.takes_left = needed;
		assert_int_equal(
			page_table_map(&table, at, (struct phys_addr){to}, size, kernel_rw, true),
			k < needed ? STATUS_OK : STATUS_EXISTS);
	}
}

static void test_page_table_init_passes_the_cause_up(void **state)
{
	(void)state;
	memory.takes_left = 0;
	assert_int_equal(page_table_init(&table, &memory.port, 0), STATUS_NO_MEMORY);
	memory.takes_left = 10;
	assert_int_equal(page_table_init(&table, &memory.port, C_BIT | 1ull << 46), STATUS_INVALID);
	assert_int_equal(page_table_init(&table, &memory.port, 1), STATUS_INVALID);
	assert_int_equal(page_table_init(&table, &memory.port, 1ull << 52), STATUS_INVALID);
	assert_int_equal(memory.taken_count, 0);
}

static uint64_t *root_entry(uint64_t virtual_address)
{
	uint64_t *entries = memory.port.entries(&memory, table.root);
	return &entries[pte_index(virtual_address, 3)];
}

/* Every entry on the way to a private leaf carries the bit; shared leaves and device registers do
 * not, but the tables that lead to them do. */
static void test_page_table_private_mask(void **state)
{
	(void)state;
	const struct page_access shared_rw = {.writable = true, .shared = true};
	const struct page_access device_rw = {.writable = true, .uncached = true};
	struct page_mapping mapping;
	assert_int_equal(page_table_init(&table, &memory.port, C_BIT), STATUS_OK);
	const struct phys_addr ram = {RAM};
	assert_int_equal(page_table_map(&table, KERNEL, ram, PAGE_BYTES, kernel_rw, true),
			 STATUS_OK);
	assert_int_equal(
		page_table_map(&table, KERNEL + PAGE_BYTES, ram, PAGE_BYTES, shared_rw, true),
		STATUS_OK);
	assert_int_equal(
		page_table_map(&table, KERNEL + 2 * PAGE_BYTES, ram, PAGE_BYTES, device_rw, true),
		STATUS_OK);
	struct phys_addr page = table.root;
	for (unsigned level = 3; level > 0; level--) {
		const uint64_t entry = memory.port.entries(&memory, page)[pte_index(KERNEL, level)];
		assert_true((entry & C_BIT) != 0);
		page = pte_address(entry, C_BIT);
	}
	const uint64_t *leaves = memory.port.entries(&memory, page);
	assert_true(leaves[0] == (RAM | C_BIT | PTE_PRESENT | PTE_WRITABLE | PTE_NO_EXECUTE));
	assert_true(leaves[1] == (RAM | PTE_PRESENT | PTE_WRITABLE | PTE_NO_EXECUTE));
	assert_true(leaves[2] == (leaves[1] | PTE_UNCACHED));
	assert_int_equal(page_table_lookup(&table, KERNEL, &mapping), STATUS_OK);
	assert_true(mapping.at.raw == RAM && !mapping.access.shared);
	assert_int_equal(page_table_lookup(&table, KERNEL + PAGE_BYTES, &mapping), STATUS_OK);
	assert_true(mapping.at.raw == RAM && mapping.access.shared);
	/* A target at or above the bit would read back as another address. */
	assert_int_equal(page_table_map(&table, KERNEL + 3 * PAGE_BYTES,
					(struct phys_addr){C_BIT - PAGE_BYTES}, 2 * PAGE_BYTES,
					kernel_rw, true),
			 STATUS_INVALID);
}

static void test_page_table_user_bit_stays_in_the_user_half(void **state)
{
	(void)state;
	assert_int_equal(page_table_init(&table, &memory.port, 0), STATUS_OK);
	assert_int_equal(page_table_map(&table, 0x400000, (struct phys_addr){RAM}, PAGE_BYTES,
					user_rw, false),
			 STATUS_OK);
	assert_int_equal(page_table_map(&table, KERNEL, (struct phys_addr){RAM}, PAGE_BYTES,
					kernel_rw, false),
			 STATUS_OK);
	assert_true((*root_entry(0x400000) & PTE_USER) != 0);
	assert_true((*root_entry(KERNEL) & PTE_USER) == 0);
}

static void test_page_table_shares_only_the_kernel_half(void **state)
{
	(void)state;
	struct page_table kernel;
	struct page_mapping mapping;
	assert_int_equal(page_table_init(&kernel, &memory.port, 0), STATUS_OK);
	assert_int_equal(page_table_init(&table, &memory.port, 0), STATUS_OK);
	const struct phys_addr ram = {RAM};
	assert_int_equal(page_table_map(&kernel, KERNEL, ram, PAGE_BYTES, kernel_rw, false),
			 STATUS_OK);
	assert_int_equal(page_table_map(&kernel, 0x400000, ram, PAGE_BYTES, user_rw, false),
			 STATUS_OK);
	page_table_share_kernel(&table, &kernel);
	assert_int_equal(page_table_lookup(&table, KERNEL, &mapping), STATUS_OK);
	assert_int_equal(page_table_lookup(&table, 0x400000, &mapping), STATUS_NOT_FOUND);
}

static void test_page_table_free_user_gives_every_page_back_once(void **state)
{
	(void)state;
	const uint64_t places[] = {0, 0x400000, 0x400000 + PAGE_BYTES, 0x7fffffe00000ull,
				   PAGE_TABLE_USER_END - PAGE_BYTES};
	assert_int_equal(page_table_init(&table, &memory.port, C_BIT), STATUS_OK);
	const struct phys_addr kernel_page = fake_memory_page(&memory);
	assert_int_equal(page_table_map(&table, KERNEL, kernel_page, PAGE_BYTES, kernel_rw, false),
			 STATUS_OK);
	const size_t before = memory.taken_count;
	for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
		const struct phys_addr page = fake_memory_page(&memory);
		assert_int_equal(
			page_table_map(&table, places[i], page, PAGE_BYTES, user_rw, false),
			STATUS_OK);
	}
	page_table_free_user(&table);
	assert_int_equal(memory.taken_count, before);
	struct page_mapping mapping;
	assert_int_equal(page_table_lookup(&table, KERNEL, &mapping), STATUS_OK);
	for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
		assert_int_equal(page_table_lookup(&table, places[i], &mapping), STATUS_NOT_FOUND);
	}
	page_table_free_user(&table); /* Nothing is left: nothing happens. */
	assert_int_equal(memory.taken_count, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_page_table_failure_leaves_nothing_mapped, setup),
		cmocka_unit_test_setup(test_page_table_init_passes_the_cause_up, setup),
		cmocka_unit_test_setup(test_page_table_private_mask, setup),
		cmocka_unit_test_setup(test_page_table_user_bit_stays_in_the_user_half, setup),
		cmocka_unit_test_setup(test_page_table_shares_only_the_kernel_half, setup),
		cmocka_unit_test_setup(test_page_table_free_user_gives_every_page_back_once, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
