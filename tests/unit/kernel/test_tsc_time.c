// SPDX-License-Identifier: MIT
/* Whatever the host's counters say, time has a sane rate and never goes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/tsc_time.h"

#define GHZ 1000000u /* Ticks in a millisecond. */

static void test_rate(void **state)
{
	(void)state;
	static const struct {
		uint64_t tsc_ticks;
		uint64_t pit_ticks;
		enum status status;
	} rows[] = {
		{10000000, 11932, STATUS_OK},     {0, 11932, STATUS_TIMEOUT},
		{10000000, 0, STATUS_TIMEOUT},    {1, 11932, STATUS_BAD_HOST},
		{10000000, 65535, STATUS_OK},     {200000000, 11932, STATUS_BAD_HOST},
		{UINT64_MAX, 1, STATUS_BAD_HOST}, {UINT64_MAX / PIT_HZ + 1, 65535, STATUS_BAD_HOST},
		{UINT64_MAX, 0, STATUS_TIMEOUT},  {90000, 11932, STATUS_BAD_HOST},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t rate = 7;
		assert_int_equal(tsc_rate(rows[i].tsc_ticks, rows[i].pit_ticks, &rate),
				 rows[i].status);
		assert_true(rows[i].status == STATUS_OK ? rate >= TSC_TICKS_PER_MS_MIN : rate == 7);
	}
	uint64_t rate;
	assert_int_equal(tsc_rate(10000000, 11932, &rate), STATUS_OK);
	assert_in_range(rate, 999900, 1000100);
}

static void test_time_runs_with_the_counter(void **state)
{
	(void)state;
	struct tsc_time time;
	tsc_time_init(&time, GHZ, 5000);
	assert_int_equal(tsc_time_us(&time, 5000), 0);
	assert_int_equal(tsc_time_us(&time, 5000 + 1999), 1);
	assert_int_equal(tsc_time_us(&time, 5000 + 2000), 2);
	assert_int_equal(tsc_time_ns(&time, 5000 + 2001), 2001);
	/* A year, and nothing is rounded away on the way. */
	uint64_t year_us = (uint64_t)365 * 86400 * 1000000;
	assert_int_equal(tsc_time_us(&time, 5000 + year_us * 1000 + 999), year_us);
}

static void test_a_jump_back_stops_time_for_a_moment(void **state)
{
	(void)state;
	struct tsc_time time;
	tsc_time_init(&time, GHZ, (uint64_t)1 << 40);
	assert_int_equal(tsc_time_us(&time, ((uint64_t)1 << 40) + 7000), 7);
	assert_int_equal(tsc_time_us(&time, 100), 7);
	assert_int_equal(tsc_time_us(&time, 100 + 3000), 10);
	/* Before the epoch, and across the counter's own end. */
	assert_int_equal(tsc_time_us(&time, UINT64_MAX - 999), 10);
	assert_int_equal(tsc_time_us(&time, 1000), 12);
}

static void test_nothing_overflows(void **state)
{
	(void)state;
	struct tsc_time time;
	uint64_t last = 0;
	tsc_time_init(&time, TSC_TICKS_PER_MS_MIN, 0);
	uint64_t tsc = 0;
	for (int i = 0; i < 100; i++) {
		tsc += ((uint64_t)1 << 62) - 1;
		uint64_t now = tsc_time_us(&time, tsc);
		assert_true(now >= last);
		last = now;
	}
}

static void test_rates_agree_within_two_percent(void **state)
{
	(void)state;
	assert_true(tsc_rates_agree(2600000, 2600000));
	assert_true(tsc_rates_agree(2600000, 2550000));
	assert_true(tsc_rates_agree(2550000, 2600000));
	assert_false(tsc_rates_agree(2600000, 2540000));
	assert_false(tsc_rates_agree(2540000, 2600000));
	assert_false(tsc_rates_agree(0, 2600000));
	assert_false(tsc_rates_agree(0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates_agree_within_two_percent),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_time_runs_with_the_counter),
		cmocka_unit_test(test_a_jump_back_stops_time_for_a_moment),
		cmocka_unit_test(test_nothing_overflows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
