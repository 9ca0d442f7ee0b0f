// SPDX-License-Identifier: MIT
/* Sizes, times, histograms and distributions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "fio/histogram.h"
#include "fio/number.h"
#include "fio/random.h"

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = {{"0", 0},
		    {"512", 512},
		    {"4k", 4096},
		    {"4K", 4096},
		    {"128KiB", 131072},
		    {"1m", 1u << 20},
		    {"2G", UINT64_C(2) << 30},
		    {"16t", UINT64_C(16) << 40},
		    {"8388607t", UINT64_C(8388607) << 40}};
	static const char *const refused[] = {"",
					      "k",
					      "-1",
					      "4x",
					      "4kk",
					      "4 ",
					      "0x10",
					      "1.5k",
					      "99999999999999999999",
					      "9223372036854775809k",
					      "16777216t"};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		uint64_t bytes = 1;
		assert_int_equal(fio_size_parse(rows[i].text, &bytes), STATUS_OK);
		assert_true(bytes == rows[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
		uint64_t bytes = 7;
		assert_int_equal(fio_size_parse(refused[i], &bytes), STATUS_BAD_CONFIG);
		assert_int_equal(bytes, 7);
	}
}

static void test_times_and_fractions(void **state)
{
	uint64_t us = 0;
	uint32_t milli = 0;
	(void)state;
	assert_int_equal(fio_time_parse("5", &us), STATUS_OK);
	assert_int_equal(us, 5000000);
	assert_int_equal(fio_time_parse("200ms", &us), STATUS_OK);
	assert_int_equal(us, 200000);
	assert_int_equal(fio_time_parse("2m", &us), STATUS_OK);
	assert_int_equal(us, 120000000);
	assert_int_equal(fio_time_parse("5d", &us), STATUS_BAD_CONFIG);
	assert_int_equal(fio_milli_parse("1.1", &milli), STATUS_OK);
	assert_int_equal(milli, 1100);
	assert_int_equal(fio_milli_parse("2", &milli), STATUS_OK);
	assert_int_equal(milli, 2000);
	assert_int_equal(fio_milli_parse("0.875", &milli), STATUS_OK);
	assert_int_equal(milli, 875);
	assert_int_equal(fio_milli_parse("1.", &milli), STATUS_BAD_CONFIG);
	assert_int_equal(fio_milli_parse("1.2345", &milli), STATUS_BAD_CONFIG);
	assert_int_equal(fio_milli_parse("1.2x", &milli), STATUS_BAD_CONFIG);
}

/* Every percentile of a known set, to the promised accuracy. */
static void test_percentiles(void **state)
{
	static struct fio_histogram histogram;
	(void)state;
	fio_histogram_reset(&histogram);
	assert_int_equal(fio_histogram_percentile_ns(&histogram, 99000), 0);
	for (uint64_t i = 1; i <= 100000; i++) {
		fio_histogram_add(&histogram, i * 37);
	}
	assert_int_equal(histogram.count, 100000);
	assert_int_equal(histogram.min_ns, 37);
	assert_int_equal(histogram.max_ns, 3700000);
	assert_int_equal(fio_histogram_mean_ns(&histogram), 37 * 100001 / 2);
	for (uint32_t percent = 1000; percent <= 100000; percent += 1000) {
		uint64_t wanted = UINT64_C(37) * percent;
		uint64_t ns = fio_histogram_percentile_ns(&histogram, percent);
		assert_in_range(ns, wanted - wanted / 60, wanted + wanted / 60);
	}
	/* Beyond the last bucket nothing is lost or written outside. */
	fio_histogram_add(&histogram, UINT64_MAX / 2);
	assert_true(fio_histogram_percentile_ns(&histogram, 100000) > UINT64_C(1) << 30);
}

/* Uniform draws reach everything; equal seeds give equal draws. */
static void test_uniform(void **state)
{
	struct fio_random a = {42};
	struct fio_random b = {42};
	uint32_t seen[64] = {0};
	(void)state;
	for (int i = 0; i < 64000; i++) {
		uint64_t draw = fio_random_below(&a, 64);
		assert_int_equal(draw, fio_random_below(&b, 64));
		seen[draw]++;
	}
	for (size_t i = 0; i < 64; i++) {
		assert_in_range(seen[i], 850, 1150);
	}
}

/* Share of the draws that the most frequent place of `count` gets, in thousandths. */
static uint32_t hottest_milli(uint64_t count, uint32_t theta_milli)
{
	static uint32_t seen[4096];
	struct fio_zipf zipf;
	struct fio_random random = {7};
	uint32_t most = 0;
	memset(seen, 0, sizeof(seen));
	fio_zipf_init(&zipf, count, theta_milli);
	for (uint32_t i = 0; i < 100000; i++) {
		uint64_t place = fio_zipf_next(&zipf, &random);
		assert_true(place < count);
		seen[place]++;
		most = seen[place] > most ? seen[place] : most;
	}
	return most / 100;
}

/* The exact shares are 1 / sum(k^-theta): 13.0 %, 20.3 % and 60.9 %. Two ranks may be spread to one
 * place, hence the upper bounds. */
static void test_zipf_is_as_hot_as_its_theta(void **state)
{
	(void)state;
	assert_in_range(hottest_milli(1000, 1001), 110, 170);
	assert_in_range(hottest_milli(4096, 1200), 180, 270);
	assert_in_range(hottest_milli(4096, 2000), 560, 680);
	assert_in_range(hottest_milli(4096, 500), 3, 20);
	assert_in_range(hottest_milli(1, 1100), 1000, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_times_and_fractions),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_uniform),
		cmocka_unit_test(test_zipf_is_as_hot_as_its_theta),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
