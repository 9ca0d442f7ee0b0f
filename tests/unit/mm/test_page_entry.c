// SPDX-License-Identifier: MIT
/* What one entry says. The proofs have all values; here are the constant that they take for
 * granted, the processor's own layout, and the way there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "mm/page_entry.h"

#define C_BIT ((uint64_t)1 << 51)
#define RAM   0x40000000ull
#define USER  0x400000ull

static struct page_access access_of(unsigned bits)
{
	return (struct page_access){
		.writable = (bits & 1) != 0,
		.executable = (bits & 2) != 0,
		.user = (bits & 4) != 0,
		.uncached = (bits & 8) != 0,
		.global = (bits & 16) != 0,
		.shared = (bits & 32) != 0,
	};
}

/* The fact that arch/pte.h admits: provers do not count the bits of a constant. */
static void test_page_entry_address_has_bits_12_to_51(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		const bool is_set = (PTE_ADDRESS_MASK >> bit & 1) != 0;
		assert_int_equal(is_set, bit >= 12 && bit < 52);
	}
}

static void test_page_entry_has_the_layout_of_the_manual(void **state)
{
	(void)state;
	const struct phys_addr at = {RAM};
	const struct page_access code = {.executable = true, .user = true};
	const struct page_access device = {.writable = true, .uncached = true, .global = true};
	const struct page_access shared = {.writable = true, .shared = true};
	assert_true(page_entry_leaf(C_BIT, at, code, false) == (RAM | C_BIT | 0x5));
	assert_true(page_entry_leaf(C_BIT, at, code, true) == (RAM | C_BIT | 0x85));
	assert_true(page_entry_leaf(C_BIT, at, device, false) == (RAM | 0x800000000000011bull));
	assert_true(page_entry_leaf(C_BIT, at, shared, false) == (RAM | 0x8000000000000003ull));
	assert_true(page_entry_table(C_BIT, at, USER) == (RAM | C_BIT | 0x7));
	assert_true(page_entry_table(C_BIT, at, PAGE_TABLE_KERNEL_BEGIN) == (RAM | C_BIT | 0x3));
}

static void expect_same(struct page_access a, struct page_access b)
{
	assert_int_equal(a.writable, b.writable);
	assert_int_equal(a.executable, b.executable);
	assert_int_equal(a.user, b.user);
	assert_int_equal(a.uncached, b.uncached);
	assert_int_equal(a.global, b.global);
	assert_int_equal(a.shared, b.shared);
}

static void test_page_entry_reads_as_it_was_written(void **state)
{
	(void)state;
	const struct phys_addr at = {RAM};
	for (unsigned bits = 0; bits < 64; bits++) {
		struct page_access told = access_of(bits);
		const uint64_t entry = page_entry_leaf(C_BIT, at, told, false);
		told.shared = told.shared && !told.uncached;
		expect_same(page_entry_access(C_BIT, entry), told);
		assert_true(pte_address(entry, C_BIT).raw == RAM);
		/* Without encryption nothing can be shared. */
		told.shared = false;
		expect_same(page_entry_access(0, page_entry_leaf(0, at, told, false)), told);
	}
}

/* An address with the encryption bit in it makes no shared page private, nor do stray bits become
 * flags. */
static void test_page_entry_takes_only_address_bits(void **state)
{
	(void)state;
	const struct page_access shared = {.shared = true};
	const struct phys_addr stray = {UINT64_MAX};
	const uint64_t entry = page_entry_leaf(C_BIT, stray, shared, false);
	assert_true(entry == ((PTE_ADDRESS_MASK & ~C_BIT) | PTE_PRESENT | PTE_NO_EXECUTE));
	assert_true(page_entry_access(C_BIT, entry).shared);
}

static void test_page_entry_refuses_what_is_not_sound(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 64; bits++) {
		const struct page_access access = access_of(bits);
		const bool is_wx = access.writable && access.executable;
		const bool is_special = access.uncached || access.shared || access.global;
		assert_int_equal(page_entry_access_is_sound(USER, access),
				 access.user && !is_wx && !is_special);
		assert_int_equal(page_entry_access_is_sound(PAGE_TABLE_KERNEL_BEGIN, access),
				 !access.user && !is_wx);
	}
}

static void test_page_entry_target_ends_below_the_encryption_bit(void **state)
{
	(void)state;
	struct phys_range last = {.first = {C_BIT - PAGE_BYTES}, .size_bytes = PAGE_BYTES};
	assert_true(page_entry_target_is_sound(C_BIT, last));
	last.size_bytes = 2 * PAGE_BYTES;
	assert_false(page_entry_target_is_sound(C_BIT, last));
	assert_true(page_entry_target_is_sound(0, last));
	last.first.raw++;
	assert_false(page_entry_target_is_sound(0, last));
}

static void test_page_entry_range_stays_on_one_side(void **state)
{
	(void)state;
	const uint64_t last_page = UINT64_MAX - PAGE_OFFSET;
	assert_true(page_entry_range_is_sound(PAGE_TABLE_USER_END - PAGE_BYTES, PAGE_BYTES));
	assert_false(page_entry_range_is_sound(PAGE_TABLE_USER_END - PAGE_BYTES, 2 * PAGE_BYTES));
	assert_true(page_entry_range_is_sound(last_page, PAGE_BYTES));
	assert_false(page_entry_range_is_sound(last_page, 2 * PAGE_BYTES));
	assert_false(page_entry_range_is_sound(USER, 0));
	assert_false(page_entry_range_is_sound(USER, 1));
	assert_false(page_entry_range_is_sound(USER + 1, PAGE_BYTES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_entry_address_has_bits_12_to_51),
		cmocka_unit_test(test_page_entry_has_the_layout_of_the_manual),
		cmocka_unit_test(test_page_entry_reads_as_it_was_written),
		cmocka_unit_test(test_page_entry_takes_only_address_bits),
		cmocka_unit_test(test_page_entry_refuses_what_is_not_sound),
		cmocka_unit_test(test_page_entry_target_ends_below_the_encryption_bit),
		cmocka_unit_test(test_page_entry_range_stays_on_one_side),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
