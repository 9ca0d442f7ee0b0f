// SPDX-License-Identifier: MIT
/* Interrupts that come make ticks long, silence makes them short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/idle_tick.h"

static void sleep_for(struct idle_tick *tick, unsigned int sleeps, bool device_ends_them)
{
	for (unsigned int i = 0; i < sleeps; i++) {
		idle_tick_slept(tick, device_ends_them);
	}
}

static void test_idle_tick_grows_to_its_limit(void **state)
{
	(void)state;
	struct idle_tick tick;
	idle_tick_init(&tick);
	assert_int_equal(tick.tick_us, IDLE_TICK_MIN_US);
	sleep_for(&tick, 1, false);
	assert_int_equal(tick.tick_us, 2 * IDLE_TICK_MIN_US);
	sleep_for(&tick, 1000, false);
	assert_int_equal(tick.tick_us, IDLE_TICK_MAX_US);
}

static void test_idle_tick_stays_long_while_interrupts_come(void **state)
{
	(void)state;
	struct idle_tick tick;
	idle_tick_init(&tick);
	sleep_for(&tick, 20, false);
	for (unsigned int i = 0; i < 10; i++) {
		sleep_for(&tick, 1, true);
		idle_tick_worked(&tick);
		assert_int_equal(tick.tick_us, IDLE_TICK_MAX_US);
	}
	/* Work without a sleep before it says nothing about interrupts. */
	idle_tick_worked(&tick);
	assert_int_equal(tick.tick_us, IDLE_TICK_MAX_US);
}

static void test_idle_tick_is_short_when_the_timer_finds_the_work(void **state)
{
	(void)state;
	struct idle_tick tick;
	idle_tick_init(&tick);
	sleep_for(&tick, 20, false);
	idle_tick_worked(&tick);
	assert_int_equal(tick.tick_us, IDLE_TICK_MIN_US);
	sleep_for(&tick, 1, false);
	idle_tick_worked(&tick);
	assert_int_equal(tick.tick_us, IDLE_TICK_MIN_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_tick_grows_to_its_limit),
		cmocka_unit_test(test_idle_tick_stays_long_while_interrupts_come),
		cmocka_unit_test(test_idle_tick_is_short_when_the_timer_finds_the_work),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
