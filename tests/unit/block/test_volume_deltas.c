// SPDX-License-Identifier: MIT
/* Runs of blocks that a checkpoint takes and frees, against the same list block by block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_deltas_internal.h"
#include "volume_fixture.h"

#define RUNS_MAX 64u

static uint64_t numbers[RUNS_MAX];

static struct volume_deltas list_make(size_t room)
{
	return (struct volume_deltas){.all = numbers, .room = room};
}

static void run_is(const struct volume_deltas *deltas, size_t at, uint32_t group, bool frees,
		   uint32_t first, uint32_t count)
{
	const struct volume_delta delta = volume_delta_decode(deltas->all[at]);
	assert_int_equal(delta.group, group);
	assert_int_equal(delta.frees, frees);
	assert_int_equal(delta.first, first);
	assert_int_equal(delta.count, count);
}

/* As a checkpoint of what was overwritten in sequence does. */
static void test_takes_and_frees_in_turns_are_two_runs(void **state)
{
	(void)state;
	struct volume_deltas deltas = list_make(2);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_true(volume_deltas_note(&deltas, 5000 + i, 1, false));
		assert_true(volume_deltas_note(&deltas, VOLUME_GROUP_BLOCKS + 7 + i, 1, true));
	}
	assert_int_equal(deltas.count, 2);
	run_is(&deltas, 0, 0, false, 5000, 1000);
	run_is(&deltas, 1, 1, true, 7, 1000);
}

static void test_runs_end_at_groups_gaps_and_directions(void **state)
{
	(void)state;
	struct volume_deltas deltas = list_make(RUNS_MAX);
	assert_true(volume_deltas_note(&deltas, VOLUME_GROUP_BLOCKS - 2, 1, false));
	assert_true(volume_deltas_note(&deltas, VOLUME_GROUP_BLOCKS - 1, 1, false));
	assert_true(volume_deltas_note(&deltas, VOLUME_GROUP_BLOCKS, 1, false)); /* Next group. */
	assert_true(volume_deltas_note(&deltas, VOLUME_GROUP_BLOCKS + 2, 1, false)); /* A gap. */
	assert_true(volume_deltas_note(&deltas, VOLUME_GROUP_BLOCKS + 3, 1, true));
	assert_true(volume_deltas_note(&deltas, VOLUME_GROUP_BLOCKS + 2, 1, true)); /* Backwards. */
	assert_int_equal(deltas.count, 5);
	run_is(&deltas, 0, 0, false, VOLUME_GROUP_BLOCKS - 2, 2);
	run_is(&deltas, 1, 1, false, 0, 1);
	run_is(&deltas, 2, 1, false, 2, 1);
	run_is(&deltas, 3, 1, true, 3, 1);
	run_is(&deltas, 4, 1, true, 2, 1);
}

static void test_a_run_is_as_long_as_a_group(void **state)
{
	(void)state;
	const uint64_t last_group = (UINT64_C(1) << 17) - 1; /* Of 16 TiB. */
	struct volume_deltas deltas = list_make(1);
	for (uint32_t i = 0; i < VOLUME_GROUP_BLOCKS; i++) {
		assert_true(
			volume_deltas_note(&deltas, last_group * VOLUME_GROUP_BLOCKS + i, 1, true));
	}
	run_is(&deltas, 0, (uint32_t)last_group, true, 0, VOLUME_GROUP_BLOCKS);
}

static void test_neighbours_are_noted_at_once(void **state)
{
	(void)state;
	struct volume_deltas deltas = list_make(4);
	assert_true(volume_deltas_note(&deltas, 10, 20, false));
	assert_true(volume_deltas_note(&deltas, VOLUME_GROUP_BLOCKS - 5, 12, true)); /* In two. */
	assert_true(volume_deltas_note(&deltas, VOLUME_GROUP_BLOCKS + 7, 3, true));  /* Goes on. */
	assert_true(volume_deltas_note(&deltas, 30, 1, false)); /* Not one of the last two. */
	assert_int_equal(deltas.count, 4);
	run_is(&deltas, 0, 0, false, 10, 20);
	run_is(&deltas, 1, 0, true, VOLUME_GROUP_BLOCKS - 5, 5);
	run_is(&deltas, 2, 1, true, 0, 10);
	run_is(&deltas, 3, 0, false, 30, 1);
	assert_false(volume_deltas_note(&deltas, VOLUME_GROUP_BLOCKS + 8, 2, false));
}

static void test_a_full_list_says_so(void **state)
{
	(void)state;
	struct volume_deltas deltas = list_make(1);
	assert_true(volume_deltas_note(&deltas, 10, 1, false));
	assert_false(volume_deltas_note(&deltas, 20, 1, false));
	assert_true(volume_deltas_note(&deltas, 11, 1, false)); /* It still goes on. */
	assert_int_equal(deltas.count, 1);
	run_is(&deltas, 0, 0, false, 10, 2);
}

/* In the order of numbers, what is taken comes first in each group. */
static void test_order_is_by_group_then_takes_first(void **state)
{
	(void)state;
	struct volume_deltas deltas = list_make(RUNS_MAX);
	assert_true(volume_deltas_note(&deltas, 3, 1, true));
	assert_true(volume_deltas_note(&deltas, 900, 1, false));
	assert_true(volume_deltas_note(&deltas, VOLUME_GROUP_BLOCKS, 1, false));
	assert_true(numbers[1] >> VOLUME_DELTA_ORDER_SHIFT < numbers[0] >>
		    VOLUME_DELTA_ORDER_SHIFT);
	assert_true(numbers[0] >> VOLUME_DELTA_ORDER_SHIFT < numbers[2] >>
		    VOLUME_DELTA_ORDER_SHIFT);
}

static void test_applies_to_its_bits_and_no_others(void **state)
{
	(void)state;
	for (unsigned int turn = 0; turn < 2000; turn++) {
		static uint8_t bitmap[BLOCK_BYTES];
		static uint8_t expected[BLOCK_BYTES];
		const uint32_t first = fixture_random() % 64;
		const struct volume_delta delta = {
			.frees = fixture_random() % 2 != 0,
			.first = first,
			.count = 1 + fixture_random() % (turn % 2 == 0 ? 20 : 500),
		};
		memset(expected, delta.frees ? 0xff : 0, sizeof(expected));
		expected[100] = (uint8_t)fixture_random(); /* Some have it, some do not. */
		memcpy(bitmap, expected, sizeof(bitmap));
		bool changes = true;
		for (uint32_t bit = first; bit < first + delta.count; bit++) {
			const uint8_t mask = (uint8_t)(1u << (bit % 8));
			changes = changes && ((expected[bit / 8] & mask) != 0) == delta.frees;
			expected[bit / 8] = (uint8_t)(delta.frees ? expected[bit / 8] & ~mask
								  : expected[bit / 8] | mask);
		}
		assert_int_equal(volume_delta_apply(&delta, bitmap), changes);
		assert_memory_equal(bitmap, expected, sizeof(bitmap));
	}
}

static void test_counts_what_a_round_has_passed(void **state)
{
	(void)state;
	const uint64_t span = VOLUME_GROUP_BLOCKS + 1000;
	for (unsigned int turn = 0; turn < 2000; turn++) {
		const uint32_t group = fixture_random() % 2;
		const uint32_t blocks = group == 0 ? VOLUME_GROUP_BLOCKS : 1000;
		const uint32_t first = fixture_random() % blocks;
		const struct volume_delta delta = {
			.group = group,
			.frees = true,
			.first = first,
			.count = 1 +
				 fixture_random() % (blocks - first < 300 ? blocks - first : 300),
		};
		const uint64_t at = (uint64_t)group * VOLUME_GROUP_BLOCKS + first;
		/* Near the run, so that it begins or ends in its middle. */
		const uint64_t round = (at + span - 200 + fixture_random() % 700) % span;
		const uint64_t passed =
			turn % 3 == 0 ? fixture_random() % (span + 1) : fixture_random() % 500;
		uint64_t expected = 0;
		for (uint64_t block = at; block < at + delta.count; block++) {
			uint64_t distance = block >= round ? block - round : block + span - round;
			expected += distance < passed ? 1u : 0u;
		}
		assert_int_equal(volume_delta_passed(&delta, round, span, passed), expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_and_frees_in_turns_are_two_runs),
		cmocka_unit_test(test_runs_end_at_groups_gaps_and_directions),
		cmocka_unit_test(test_a_run_is_as_long_as_a_group),
		cmocka_unit_test(test_neighbours_are_noted_at_once),
		cmocka_unit_test(test_a_full_list_says_so),
		cmocka_unit_test(test_order_is_by_group_then_takes_first),
		cmocka_unit_test(test_applies_to_its_bits_and_no_others),
		cmocka_unit_test(test_counts_what_a_round_has_passed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
