// SPDX-License-Identifier: MIT
/* Every status has a name of its own and a sentence of advice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <string.h>

#include "base/status.h"

static enum status nth(int n)
{
	return (enum status) - n;
}

static void test_status_names_are_unique_upper_case_words(void **state)
{
	(void)state;
	for (int i = 0; i < STATUS_COUNT; i++) {
		const char *name = status_name(nth(i));
		assert_true(strlen(name) >= 2 && strlen(name) <= 20);
		assert_string_not_equal(name, "UNKNOWN");
		for (const char *c = name; *c != '\0'; c++) {
			assert_true(isupper((unsigned char)*c) || *c == '_');
		}
		for (int j = 0; j < i; j++) {
			assert_string_not_equal(name, status_name(nth(j)));
		}
	}
}

static void test_status_advice_is_a_sentence_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < STATUS_COUNT; i++) {
		const char *advice = status_advice(nth(i));
		assert_true(strlen(advice) > 10);
		assert_true(isupper((unsigned char)advice[0]));
		assert_int_equal(advice[strlen(advice) - 1], '.');
		for (int j = 0; j < i; j++) {
			assert_string_not_equal(advice, status_advice(nth(j)));
		}
	}
}

static void test_status_outside_the_enum_is_unknown(void **state)
{
	(void)state;
	const int outside[] = {1, -STATUS_COUNT, -1000};
	for (size_t i = 0; i < ARRAY_COUNT(outside); i++) {
		assert_string_equal(status_name((enum status)outside[i]), "UNKNOWN");
		assert_true(strlen(status_advice((enum status)outside[i])) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_names_are_unique_upper_case_words),
		cmocka_unit_test(test_status_advice_is_a_sentence_of_its_own),
		cmocka_unit_test(test_status_outside_the_enum_is_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
