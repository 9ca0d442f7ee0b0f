// SPDX-License-Identifier: MIT
/* Deadlines on a clock that the test owns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

static uint64_t fake_now_us(void *context)
{
	return *(const uint64_t *)context;
}

static void test_clock_deadline_passes_at_its_moment(void **state)
{
	(void)state;
	uint64_t now_us = 1000;
	const struct clock clock = {.now_us = fake_now_us, .context = &now_us};
	const struct deadline deadline = clock_deadline_after(&clock, 500);
	assert_true(deadline.at_us == 1500);
	now_us = 1499;
	assert_false(clock_deadline_passed(&clock, deadline));
	now_us = 1500;
	assert_true(clock_deadline_passed(&clock, deadline));
}

static void test_clock_deadline_zero_has_passed_at_once(void **state)
{
	(void)state;
	uint64_t now_us = 0;
	const struct clock clock = {.now_us = fake_now_us, .context = &now_us};
	assert_true(clock_deadline_passed(&clock, clock_deadline_after(&clock, 0)));
}

static void test_clock_deadline_saturates(void **state)
{
	(void)state;
	uint64_t now_us = 10;
	const struct clock clock = {.now_us = fake_now_us, .context = &now_us};
	const struct deadline forever = clock_deadline_after(&clock, UINT64_MAX);
	assert_true(forever.at_us == UINT64_MAX);
	assert_false(clock_deadline_passed(&clock, forever));
	assert_true(clock_deadline_after(&clock, UINT64_MAX - 10).at_us == UINT64_MAX);
	assert_true(clock_deadline_after(&clock, UINT64_MAX - 11).at_us == UINT64_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_deadline_passes_at_its_moment),
		cmocka_unit_test(test_clock_deadline_zero_has_passed_at_once),
		cmocka_unit_test(test_clock_deadline_saturates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
