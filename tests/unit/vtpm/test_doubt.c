// SPDX-License-Identifier: MIT
/* Bytes that may be of a client that left: what is dropped, held, accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vtpm/doubt.h"

/* TPM2_GetRandom(8). */
static const uint8_t command[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8};

static void test_doubt_holds_each_start_and_accepts_the_whole(void **state)
{
	(void)state;
	for (size_t size = 1; size < sizeof(command); size++) {
		assert_int_equal(doubt_judge(command, size), DOUBT_HOLD);
	}
	assert_int_equal(doubt_judge(command, sizeof(command)), DOUBT_ACCEPT);
	uint8_t two[2 * sizeof(command)];
	for (size_t i = 0; i < sizeof(two); i++) {
		two[i] = command[i % sizeof(command)];
	}
	assert_int_equal(doubt_judge(two, sizeof(two)), DOUBT_ACCEPT);
}

static void test_doubt_drops_what_starts_no_command(void **state)
{
	(void)state;
	/* The rest of a command, from anywhere within it. */
	for (size_t at = 1; at < sizeof(command); at++) {
		assert_int_equal(doubt_judge(command + at, sizeof(command) - at), DOUBT_DROP);
		assert_int_equal(doubt_judge(command + at, 1), DOUBT_DROP);
	}
	const uint8_t cases[][10] = {
		{0x81, 0x01, 0, 0, 0, 12},   {0x80, 0x00, 0, 0, 0, 12}, {0x80, 0x03, 0, 0, 0, 12},
		{0x80, 0x01, 1, 0, 0, 12},   {0x80, 0x01, 0, 1, 0, 12}, {0x80, 0x01, 0, 0, 0, 9},
		{0x80, 0x02, 0, 0, 0x10, 1},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(doubt_judge(cases[i], sizeof(cases[i])), DOUBT_DROP);
	}
	assert_int_equal(doubt_judge(cases[3], 3), DOUBT_DROP);
	assert_int_equal(doubt_judge(cases[4], 4), DOUBT_DROP);
	assert_int_equal(doubt_judge(cases[5], 5), DOUBT_HOLD);
}

static void test_doubt_is_refuted_by_the_start_of_a_command(void **state)
{
	(void)state;
	for (size_t size = 1; size <= sizeof(command); size++) {
		assert_true(doubt_refuted(command, size));
	}
	/* After the first byte was held, the second goes on; so does any later one. */
	for (size_t at = 1; at < sizeof(command); at++) {
		assert_false(doubt_refuted(command + at, 1));
	}
	/* The last byte of TPM2_PolicyRestart's code, and the handle behind it. */
	const uint8_t rest[] = {0x80, 0x03, 0, 0, 0};
	assert_false(doubt_refuted(rest, sizeof(rest)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubt_holds_each_start_and_accepts_the_whole),
		cmocka_unit_test(test_doubt_drops_what_starts_no_command),
		cmocka_unit_test(test_doubt_is_refuted_by_the_start_of_a_command),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
