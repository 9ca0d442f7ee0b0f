// SPDX-License-Identifier: MIT
/* A storm costs a bounded number of handlers in a window: item 28 of docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/interrupt_budget.h"

static void test_budget_ends_a_storm(void **state)
{
	(void)state;
	struct interrupt_budget budget = {0};
	uint32_t taken = 1;
	while (interrupt_budget_spend(&budget, 1000)) {
		taken++;
		assert_in_range(taken, 1, INTERRUPT_BUDGET_COUNT);
	}
	assert_int_equal(taken, INTERRUPT_BUDGET_COUNT);
	/* One that was already on its way does not start the window anew. */
	assert_false(interrupt_budget_spend(&budget, 1001));
	assert_false(interrupt_budget_is_renewed(&budget, 1000 + INTERRUPT_BUDGET_WINDOW_US - 1));
	assert_true(interrupt_budget_is_renewed(&budget, 1000 + INTERRUPT_BUDGET_WINDOW_US));
	assert_true(interrupt_budget_spend(&budget, 1000 + INTERRUPT_BUDGET_WINDOW_US));
}

static void test_budget_does_not_mind_a_steady_device(void **state)
{
	(void)state;
	struct interrupt_budget budget = {0};
	const uint64_t gap_us = INTERRUPT_BUDGET_WINDOW_US / INTERRUPT_BUDGET_COUNT + 1;
	for (uint64_t i = 0; i < 10u * INTERRUPT_BUDGET_COUNT; i++) {
		assert_true(interrupt_budget_spend(&budget, i * gap_us));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget_ends_a_storm),
		cmocka_unit_test(test_budget_does_not_mind_a_steady_device),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
