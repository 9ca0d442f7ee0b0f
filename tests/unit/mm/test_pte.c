// SPDX-License-Identifier: MIT
/* Page-table entries against values worked out by hand from the SDM's figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/pte.h"

static void test_pte_index_splits_an_address(void **state)
{
	(void)state;
	/* 0xffff888000000000: root slot 273; 0xffffffff80000000: slots 511 and 510. */
	assert_int_equal(pte_index(0xffff888000000000ull, 3), 273);
	assert_int_equal(pte_index(0xffffffff80000000ull, 3), 511);
	assert_int_equal(pte_index(0xffffffff80000000ull, 2), 510);
	assert_int_equal(pte_index(0x00007fffffffffffull, 3), 255);
	assert_int_equal(pte_index(0x0000000000403000ull, 1), 2);
	assert_int_equal(pte_index(0x0000000000403fffull, 0), 3);
}

static void test_pte_spans(void **state)
{
	(void)state;
	assert_int_equal(pte_span_bytes(0), 4096);
	assert_int_equal(pte_span_bytes(1), 2 * 1024 * 1024);
	assert_int_equal(pte_span_bytes(2), 1024 * 1024 * 1024);
	assert_true(pte_span_bytes(3) == 1ull << 39);
}

static void test_pte_finds_the_address(void **state)
{
	(void)state;
	const struct phys_addr at = {0x000abcdef0123000ull};
	const uint64_t entry = at.raw | PTE_PRESENT | PTE_WRITABLE | PTE_NO_EXECUTE;
	assert_true(entry == 0x800abcdef0123003ull);
	assert_true(pte_address(entry, 0).raw == at.raw);
	assert_true(pte_is_present(entry));
	assert_false(pte_is_present(entry & ~PTE_PRESENT));
	const uint64_t c_bit = 1ull << 51;
	assert_true(pte_address(entry | c_bit, c_bit).raw == 0x0002bcdef0123000ull);
}

static void test_pte_leaf_depends_on_the_level(void **state)
{
	(void)state;
	assert_true(pte_is_leaf(PTE_PRESENT, 0));
	assert_false(pte_is_leaf(PTE_PRESENT, 1));
	assert_true(pte_is_leaf(PTE_PRESENT | PTE_LARGE, 1));
	assert_true(pte_is_leaf(PTE_PRESENT | PTE_LARGE, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pte_index_splits_an_address),
		cmocka_unit_test(test_pte_spans),
		cmocka_unit_test(test_pte_finds_the_address),
		cmocka_unit_test(test_pte_leaf_depends_on_the_level),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
