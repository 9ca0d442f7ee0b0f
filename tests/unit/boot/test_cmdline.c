// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "boot/cmdline.h"

static void test_cmdline_copies_and_clears_the_rest(void **state)
{
	(void)state;
	char out[BOOT_CMDLINE_BYTES];
	const char *problem = NULL;
	memset(out, 'x', sizeof(out));
	assert_int_equal(cmdline_copy((const uint8_t *)"a b=c ~", 8, out, &problem), STATUS_OK);
	assert_string_equal(out, "a b=c ~");
	assert_int_equal(out[BOOT_CMDLINE_BYTES - 1], 0);
	assert_int_equal(cmdline_copy((const uint8_t *)"", 1, out, &problem), STATUS_OK);
	assert_string_equal(out, "");
}

static void test_cmdline_refuses_what_is_not_ascii(void **state)
{
	(void)state;
	for (unsigned value = 1; value < 256; value++) {
		const uint8_t bytes[] = {'a', (uint8_t)value, 'b', 0};
		char out[BOOT_CMDLINE_BYTES] = "untouched";
		const char *problem = NULL;
		const bool printable = value >= 0x20 && value <= 0x7e;
		assert_int_equal(cmdline_copy(bytes, sizeof(bytes), out, &problem),
				 printable ? STATUS_OK : STATUS_BAD_CONFIG);
		assert_true(printable || strcmp(out, "untouched") == 0);
	}
}

static void test_cmdline_is_bounded(void **state)
{
	(void)state;
	static uint8_t bytes[2 * BOOT_CMDLINE_BYTES];
	char out[BOOT_CMDLINE_BYTES];
	const char *problem = NULL;
	memset(bytes, 'a', sizeof(bytes));
	assert_int_equal(cmdline_copy(bytes, sizeof(bytes), out, &problem), STATUS_TOO_LARGE);
	bytes[BOOT_CMDLINE_BYTES] = 0;
	assert_int_equal(cmdline_copy(bytes, sizeof(bytes), out, &problem), STATUS_TOO_LARGE);
	bytes[BOOT_CMDLINE_BYTES - 1] = 0;
	assert_int_equal(cmdline_copy(bytes, sizeof(bytes), out, &problem), STATUS_OK);
	assert_int_equal(strlen(out), BOOT_CMDLINE_BYTES - 1);
	/* No terminator within the foreign bytes: nothing after them is looked at. */
	assert_int_equal(cmdline_copy(bytes, 10, out, &problem), STATUS_TOO_LARGE);
	assert_int_equal(cmdline_copy(bytes, 0, out, &problem), STATUS_TOO_LARGE);
}

static void test_cmdline_splits_words(void **state)
{
	(void)state;
	const char *line = "  one  two=2 three";
	const char *expected[] = {"one", "two=2", "three"};
	size_t at = 0;
	struct cmdline_word word;
	for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
		assert_true(cmdline_next(line, &at, &word));
		assert_true(cmdline_word_equals(word, expected[i]));
	}
	assert_false(cmdline_next(line, &at, &word));
	assert_false(cmdline_next(line, &at, &word));
	at = 0;
	assert_false(cmdline_next("   ", &at, &word));
}

static void test_cmdline_has_whole_words_only(void **state)
{
	(void)state;
	assert_true(cmdline_has("x holdfast.slide=fixed", "holdfast.slide=fixed"));
	assert_true(cmdline_has("holdfast.slide=fixed y", "holdfast.slide=fixed"));
	assert_false(cmdline_has("xholdfast.slide=fixed", "holdfast.slide=fixed"));
	assert_false(cmdline_has("holdfast.slide=fixedx", "holdfast.slide=fixed"));
	assert_false(cmdline_has("holdfast.slide=", "holdfast.slide=fixed"));
	assert_false(cmdline_has("", "holdfast.slide=fixed"));
}

static void test_cmdline_looks_behind_a_prefix(void **state)
{
	(void)state;
	const char *line = "key=value=more key= key keys=1";
	size_t at = 0;
	struct cmdline_word word;
	struct cmdline_word rest;
	assert_true(cmdline_next(line, &at, &word));
	assert_true(cmdline_word_after(word, "key=", &rest));
	assert_true(cmdline_word_equals(rest, "value=more"));
	assert_true(cmdline_word_after(word, "", &rest));
	assert_true(cmdline_word_equals(rest, "key=value=more"));
	assert_false(cmdline_word_after(word, "kex", &rest));
	assert_true(cmdline_next(line, &at, &word));
	assert_true(cmdline_word_after(word, "key=", &rest));
	assert_int_equal(rest.size_bytes, 0);
	assert_true(cmdline_next(line, &at, &word));
	assert_false(
		cmdline_word_after(word, "key=", &rest)); /* The word ends; the line goes on. */
	assert_false(cmdline_word_after(word, "key k", &rest));
	assert_true(cmdline_next(line, &at, &word));
	assert_false(cmdline_word_after(word, "key=", &rest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cmdline_copies_and_clears_the_rest),
		cmocka_unit_test(test_cmdline_refuses_what_is_not_ascii),
		cmocka_unit_test(test_cmdline_is_bounded),
		cmocka_unit_test(test_cmdline_splits_words),
		cmocka_unit_test(test_cmdline_has_whole_words_only),
		cmocka_unit_test(test_cmdline_looks_behind_a_prefix),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
