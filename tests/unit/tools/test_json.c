// SPDX-License-Identifier: MIT
/* JSON output: commas, nesting, and strings of any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "tools/holdfast/json.h"

static void test_json_objects_and_arrays(void **state)
{
	(void)state;
	char *text = NULL;
	size_t size = 0;
	struct json json;
	json_init(&json, open_memstream(&text, &size));
	json_open(&json, NULL, '{');
	json_string(&json, "a", "b");
	json_open(&json, "list", '[');
	json_open(&json, NULL, '{');
	json_number(&json, "n", UINT64_MAX);
	json_close(&json, '}');
	json_open(&json, NULL, '{');
	json_close(&json, '}');
	json_close(&json, ']');
	json_bool(&json, "yes", true);
	json_bool(&json, "no", false);
	json_number_or_null(&json, "unknown", UINT64_MAX);
	json_number_or_null(&json, "known", 7);
	json_close(&json, '}');
	assert_int_equal(fclose(json.out), 0);
	assert_string_equal(text, "{\"a\": \"b\", \"list\": [{\"n\": 18446744073709551615}, {}], "
				  "\"yes\": true, \"no\": false, \"unknown\": null, \"known\": 7}");
	free(text);
}

static void test_json_strings_are_escaped(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *json;
	} cases[] = {
		{"", "\"\""},
		{"a\"b\\c", "\"a\\\"b\\\\c\""},
		{"\n\t\x01\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u001f\\u007f\""},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"\xff", "\"\\ufffd\""},                       /* Never a first byte. */
		{"\x80z", "\"\\ufffdz\""},                     /* A continuation alone. */
		{"\xc3", "\"\\ufffd\""},                       /* Cut by the end. */
		{"\xc3(", "\"\\ufffd(\""},                     /* Cut by another. */
		{"\xc0\xaf", "\"\\ufffd\\ufffd\""},            /* Overlong. */
		{"\xe0\x9f\xbf", "\"\\ufffd\\ufffd\\ufffd\""}, /* Overlong. */
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* A surrogate. */
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* Above U+10FFFF. */
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char *text = NULL;
		size_t size = 0;
		struct json json;
		json_init(&json, open_memstream(&text, &size));
		json_string(&json, NULL, cases[i].text);
		assert_int_equal(fclose(json.out), 0);
		assert_string_equal(text, cases[i].json);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_objects_and_arrays),
		cmocka_unit_test(test_json_strings_are_escaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
