// SPDX-License-Identifier: MIT
/* The sort that can be stopped anywhere, with and without scratch memory, against qsort(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "volume_fixture.h"

#define NUMBERS_MAX 3000u
#define GUARD       UINT64_C(0xdeadbeefdeadbeef)

static uint64_t numbers[NUMBERS_MAX + 1];
static uint64_t expected[NUMBERS_MAX];
static uint64_t scratch[NUMBERS_MAX + 1];

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Sort in calls of `turns`; no call may run on to the end. */
static size_t sort(size_t count, bool has_scratch, uint32_t shift, size_t turns)
{
	struct volume_sorter sorter;
	size_t calls = 1;
	numbers[count] = GUARD;
	scratch[count] = GUARD;
	volume_sort_begin(&sorter, numbers, count, has_scratch ? scratch : NULL, shift);
	while (!volume_sort(&sorter, turns)) {
		calls++;
	}
	assert_true(volume_sort(&sorter, turns)); /* And stays so. */
	assert_int_equal(numbers[count], GUARD);
	assert_int_equal(scratch[count], GUARD);
	return calls;
}

/* Distinct numbers: high bits at random, the index in those below `shift`. So what is stable by
 * the high bits is the order of all bits. */
static void numbers_make(size_t count, uint32_t shift, uint64_t span)
{
	for (size_t i = 0; i < count; i++) {
		numbers[i] = (fixture_random() % span) << shift | i;
		expected[i] = numbers[i];
	}
	qsort(expected, count, sizeof(*expected), compare);
}

static void test_sorts_in_any_portions(void **state)
{
	const uint64_t spans[] = {2, 200, 70000, UINT64_C(1) << 40};
	const size_t counts[] = {0, 1, 2, 3, 255, 256, 1000, NUMBERS_MAX};
	const size_t turns[] = {1, 7, 64, SIZE_MAX};
	(void)state;
	for (size_t s = 0; s < ARRAY_COUNT(spans); s++) {
		for (size_t c = 0; c < ARRAY_COUNT(counts); c++) {
			for (size_t i = 0; i < 2 * ARRAY_COUNT(turns); i++) {
				numbers_make(counts[c], 16, spans[s]);
				(void)sort(counts[c], i % 2 == 0, 16, turns[i / 2]);
				assert_memory_equal(numbers, expected,
						    counts[c] * sizeof(*numbers));
			}
		}
	}
}

static void test_numbers_alike_in_the_high_bits_keep_their_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < NUMBERS_MAX;
	     i++) { /* The index falls: unlike the order of all bits. */
		numbers[i] = (i % 5) << 32 | (NUMBERS_MAX - i);
	}
	(void)sort(NUMBERS_MAX, true, 32, 64);
	for (size_t i = 1; i < NUMBERS_MAX; i++) {
		assert_true(numbers[i - 1] >> 32 <= numbers[i] >> 32);
		assert_true(numbers[i - 1] >> 32 != numbers[i] >> 32 ||
			    (uint32_t)numbers[i - 1] > (uint32_t)numbers[i]);
	}
}

static void test_each_call_is_bounded(void **state)
{
	(void)state;
	/* Two digits differ: each is counted and placed, and an even number needs no return. */
	numbers_make(NUMBERS_MAX, 16, 65536);
	assert_int_equal(sort(NUMBERS_MAX, true, 16, 100), 4 * NUMBERS_MAX / 100 + 1);
	/* A heap of half of them, and one out of it for each but the last. */
	numbers_make(NUMBERS_MAX, 16, 65536);
	assert_in_range(sort(NUMBERS_MAX, false, 16, 100), 3 * NUMBERS_MAX / 200, SIZE_MAX);
}

static void test_order_costs_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < NUMBERS_MAX; i++) {
		numbers[i] = (i / 2) << 16 | (i % 2 == 0 ? 9 : 3);
		expected[i] = numbers[i];
	}
	assert_int_equal(sort(NUMBERS_MAX, true, 16, 1), 1);
	assert_memory_equal(numbers, expected, sizeof(expected));
	assert_int_equal(sort(NUMBERS_MAX, false, 16, 1), 1);
	assert_memory_equal(numbers, expected, sizeof(expected));
}

int main(void)
{
	fixture_random_seed(1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sorts_in_any_portions),
		cmocka_unit_test(test_numbers_alike_in_the_high_bits_keep_their_order),
		cmocka_unit_test(test_each_call_is_bounded),
		cmocka_unit_test(test_order_costs_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
