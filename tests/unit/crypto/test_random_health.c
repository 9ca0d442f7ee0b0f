// SPDX-License-Identifier: MIT
/* The continuous health tests, at their exact limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/random_internal.h"
#include "crypto_support.h"

static struct random fresh(void)
{
	struct random random;
	random_health_reset(&random);
	return random;
}

/* SP 800-90B, section 4.4, for 16 bits of min-entropy a word and one false alarm in 2^40; the
 * binomial was evaluated with exact rational numbers. */
static void test_random_health_limits_are_the_derived_ones(void **state)
{
	(void)state;
	const uint32_t alarm_bits = 40;
	const uint32_t entropy_bits = 16;
	assert_int_equal(RANDOM_REPEAT_LIMIT, 1 + (alarm_bits + entropy_bits - 1) / entropy_bits);
	assert_int_equal(RANDOM_WINDOW_WORDS, 512);
	assert_int_equal(RANDOM_PROPORTION_LIMIT, 1 + 4);
	assert_true(RANDOM_START_UP_WORDS >= 1024);
}

static void test_random_health_accepts_a_sound_source(void **state)
{
	(void)state;
	struct random random = fresh();
	uint64_t sequence = 3;
	for (size_t i = 0; i < 100000; i++) {
		assert_true(random_health_accepts(&random, sequence_next(&sequence)));
	}
}

static void test_random_health_counts_repetitions(void **state)
{
	(void)state;
	/* Zero and all ones are words like any other, the first included. */
	const uint64_t words[] = {0, UINT64_MAX, 5};
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		struct random random = fresh();
		for (uint32_t n = 1; n < RANDOM_REPEAT_LIMIT; n++) {
			assert_true(random_health_accepts(&random, words[i]));
		}
		assert_false(random_health_accepts(&random, words[i]));
	}
}

static void test_random_health_forgets_a_broken_repetition(void **state)
{
	(void)state;
	struct random random = fresh();
	uint64_t sequence = 3;
	/* Move on from the first word: it is the one that the other test counts. */
	assert_true(random_health_accepts(&random, sequence_next(&sequence)));
	for (size_t i = 0; i < 50; i++) {
		for (uint32_t n = 1; n < RANDOM_REPEAT_LIMIT; n++) {
			assert_true(random_health_accepts(&random, 77));
		}
		assert_true(random_health_accepts(&random, sequence_next(&sequence)));
	}
}

/* One window whose first word comes up `count` times, never twice in a row. The verdict is that
 * of the last word. */
static bool window_with(struct random *random, uint64_t *sequence, uint32_t count)
{
	const uint64_t counted = sequence_next(sequence);
	bool accepted = true;
	uint32_t seen = 0;
	for (uint32_t i = 0; i < RANDOM_WINDOW_WORDS; i++) {
		/* Evenly spread, and one of them at the very end. */
		const bool now = (i % 100 == 0 && seen + 1 < count) ||
				 (i == RANDOM_WINDOW_WORDS - 1 && seen < count);
		accepted = random_health_accepts(random, now ? counted : sequence_next(sequence)) &&
			   accepted;
		seen += now ? 1 : 0;
	}
	assert_int_equal(seen, count);
	return accepted;
}

static void test_random_health_counts_proportion(void **state)
{
	(void)state;
	struct random random = fresh();
	uint64_t sequence = 3;
	/* Window after window below the limit: each starts afresh. */
	for (size_t i = 0; i < 20; i++) {
		assert_true(window_with(&random, &sequence, RANDOM_PROPORTION_LIMIT - 1));
	}
	assert_false(window_with(&random, &sequence, RANDOM_PROPORTION_LIMIT));
}

static void test_random_health_finds_a_short_cycle(void **state)
{
	(void)state;
	struct random random = fresh();
	bool accepted = true;
	/* 100 different words over and over: no word ever follows itself. */
	for (uint64_t i = 0; accepted && i < RANDOM_WINDOW_WORDS; i++) {
		accepted = random_health_accepts(&random, (i % 100) * 0x123456789abcdefu);
	}
	assert_false(accepted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_health_limits_are_the_derived_ones),
		cmocka_unit_test(test_random_health_accepts_a_sound_source),
		cmocka_unit_test(test_random_health_counts_repetitions),
		cmocka_unit_test(test_random_health_forgets_a_broken_repetition),
		cmocka_unit_test(test_random_health_counts_proportion),
		cmocka_unit_test(test_random_health_finds_a_short_cycle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
