// SPDX-License-Identifier: MIT
/* Witness policies as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/holdfast/policy.h"

static void test_round_trips(void **state)
{
	static const char *const texts[] = {"open", "strict", "bounded:1", "bounded:4294967295,1",
					    "bounded:7,4294967295"};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct volume_witness_policy policy;
		char out[POLICY_TEXT_BYTES];
		assert_int_equal(policy_parse(texts[i], &policy), STATUS_OK);
		policy_format(&policy, out);
		assert_string_equal(out, texts[i]);
	}
}

static void test_refusals(void **state)
{
	static const char *const texts[] = {"",
					    "Open",
					    "open ",
					    "strict:1",
					    "bounded",
					    "bounded:",
					    "bounded:0",
					    "bounded:1,",
					    "bounded:1,0",
					    "bounded:,",
					    "bounded:1,2,",
					    "bounded:1 ",
					    "bounded:4294967296"};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct volume_witness_policy policy = {.commits = 77};
		assert_int_equal(policy_parse(texts[i], &policy), STATUS_INVALID);
		assert_int_equal(policy.commits, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
