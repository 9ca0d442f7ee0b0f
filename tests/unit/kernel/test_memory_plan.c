// SPDX-License-Identifier: MIT
/* Free memory is what the boot parameters say less everything in use, checked page by page against
 * the definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/memory_plan.h"

#define MIB ((uint64_t)1024 * 1024)

static struct boot_params example(void)
{
	return (struct boot_params){
		.memory_range_count = 2,
		.memory = {{{0}, 640 * 1024}, {{MIB}, 63 * MIB}},
		.module_count = 2,
		.modules = {{.bytes = {{60 * MIB}, 12345}}, {.bytes = {{61 * MIB}, 4096}}},
		.kernel_image = {{10 * MIB}, MIB},
		.boot_tables = {{11 * MIB}, 64 * 1024},
		.boot_data = {{12 * MIB}, 8192},
	};
}

static bool covers(struct phys_range range, uint64_t page)
{
	return range.size_bytes > 0 && page + PAGE_BYTES > range.first.raw &&
	       page < range.first.raw + range.size_bytes;
}

static bool expect_free(const struct boot_params *params, struct phys_range also, uint64_t page)
{
	bool in_memory = false;
	for (uint32_t i = 0; i < params->memory_range_count; i++) {
		in_memory = in_memory || covers(params->memory[i], page);
	}
	for (uint32_t i = 0; i < params->module_count; i++) {
		if (covers(params->modules[i].bytes, page)) {
			return false;
		}
	}
	return in_memory && page >= MIB && !covers(params->kernel_image, page) &&
	       !covers(params->boot_tables, page) && !covers(params->boot_data, page) &&
	       !covers(also, page);
}

static void assert_plan(const struct boot_params *params, struct phys_range also)
{
	struct memory_plan plan;
	assert_int_equal(memory_plan_make(params, also, &plan), STATUS_OK);
	for (uint64_t page = 0; page < 64 * MIB; page += PAGE_BYTES) {
		unsigned holders = 0;
		for (size_t i = 0; i < plan.free_count; i++) {
			holders += covers(plan.free[i], page) ? 1 : 0;
		}
		assert_int_equal(holders, expect_free(params, also, page) ? 1 : 0);
	}
}

static void test_free_is_memory_less_what_is_in_use(void **state)
{
	(void)state;
	struct boot_params params = example();
	assert_plan(&params, (struct phys_range){0});
	assert_plan(&params, (struct phys_range){{2 * MIB}, 4096});
}

static void test_adjacent_and_overlapping_reservations(void **state)
{
	(void)state;
	struct boot_params params = example();
	params.kernel_image = (struct phys_range){{MIB}, MIB};
	params.boot_tables = (struct phys_range){{2 * MIB}, 4096};
	params.boot_data = (struct phys_range){{2 * MIB}, 8192};
	assert_plan(&params, (struct phys_range){{63 * MIB}, MIB});
}

static void test_span_reaches_from_lowest_to_highest(void **state)
{
	(void)state;
	struct boot_params params = example();
	struct memory_plan plan;
	assert_int_equal(memory_plan_make(&params, (struct phys_range){0}, &plan), STATUS_OK);
	assert_int_equal(plan.span.first.raw, 0);
	assert_int_equal(plan.span.size_bytes, 64 * MIB);
}

static void test_nothing_free_is_an_error(void **state)
{
	(void)state;
	struct boot_params params = example();
	params.kernel_image = (struct phys_range){{0}, 64 * MIB};
	struct memory_plan plan;
	assert_int_equal(memory_plan_make(&params, (struct phys_range){0}, &plan),
			 STATUS_NO_MEMORY);
}

static void test_place_takes_the_first_that_fits(void **state)
{
	(void)state;
	struct boot_params params = example();
	struct memory_plan plan;
	struct phys_range place;
	assert_int_equal(memory_plan_make(&params, (struct phys_range){0}, &plan), STATUS_OK);
	assert_int_equal(memory_plan_place(&plan, 100, &place), STATUS_OK);
	assert_int_equal(place.first.raw, MIB);
	assert_int_equal(place.size_bytes, 4096);
	assert_int_equal(memory_plan_place(&plan, 20 * MIB, &place), STATUS_OK);
	assert_true(place.first.raw >= 12 * MIB);
	assert_int_equal(memory_plan_place(&plan, 64 * MIB, &place), STATUS_NO_MEMORY);
	assert_int_equal(memory_plan_place(&plan, UINT64_MAX, &place), STATUS_NO_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_is_memory_less_what_is_in_use),
		cmocka_unit_test(test_adjacent_and_overlapping_reservations),
		cmocka_unit_test(test_span_reaches_from_lowest_to_highest),
		cmocka_unit_test(test_nothing_free_is_an_error),
		cmocka_unit_test(test_place_takes_the_first_that_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
