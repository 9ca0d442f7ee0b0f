// SPDX-License-Identifier: MIT
/* A flood is cut, a quiet program is not, and whatever the clock does, lines stay bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/log_budget.h"

static void test_a_burst_ends_with_a_remark(void **state)
{
	(void)state;
	struct log_budget budget;
	log_budget_init(&budget, 3, 1000);
	assert_int_equal(log_budget_take(&budget, 1000), LOG_BUDGET_GRANTED);
	assert_int_equal(log_budget_take(&budget, 1000), LOG_BUDGET_GRANTED);
	assert_int_equal(log_budget_take(&budget, 1000), LOG_BUDGET_LAST);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(log_budget_take(&budget, 1000), LOG_BUDGET_REFUSED);
	}
}

static void test_time_gives_lines_back(void **state)
{
	(void)state;
	struct log_budget budget;
	log_budget_init(&budget, 10, 0);
	for (int i = 0; i < 10; i++) {
		(void)log_budget_take(&budget, 0);
	}
	/* Not a line for each remark: half a burst first. Asking does not restart the wait. */
	assert_int_equal(log_budget_take(&budget, 50000), LOG_BUDGET_REFUSED);
	assert_int_equal(log_budget_take(&budget, 249999), LOG_BUDGET_REFUSED);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(log_budget_take(&budget, 250000), LOG_BUDGET_GRANTED);
	}
	assert_int_equal(log_budget_take(&budget, 299999), LOG_BUDGET_LAST);
	/* Five lines' time and a half: the half is not lost. */
	assert_int_equal(log_budget_take(&budget, 525000), LOG_BUDGET_GRANTED);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(log_budget_take(&budget, 525000), LOG_BUDGET_GRANTED);
	}
	assert_int_equal(log_budget_take(&budget, 550000), LOG_BUDGET_GRANTED);
	assert_int_equal(log_budget_take(&budget, 550000), LOG_BUDGET_LAST);
}

static void test_a_long_rest_gives_one_burst(void **state)
{
	(void)state;
	struct log_budget budget;
	unsigned granted = 0;
	log_budget_init(&budget, 5, 0);
	for (int i = 0; i < 100; i++) {
		granted += log_budget_take(&budget, UINT64_MAX) != LOG_BUDGET_REFUSED;
	}
	assert_int_equal(granted, 5);
}

static void test_a_clock_that_goes_back_gives_nothing(void **state)
{
	(void)state;
	struct log_budget budget;
	log_budget_init(&budget, 1, 10000000);
	assert_int_equal(log_budget_take(&budget, 10000000), LOG_BUDGET_LAST);
	for (uint64_t now_us = 10000000; now_us > 0; now_us -= 1000000) {
		assert_int_equal(log_budget_take(&budget, now_us), LOG_BUDGET_REFUSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_ends_with_a_remark),
		cmocka_unit_test(test_time_gives_lines_back),
		cmocka_unit_test(test_a_long_rest_gives_one_burst),
		cmocka_unit_test(test_a_clock_that_goes_back_gives_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
