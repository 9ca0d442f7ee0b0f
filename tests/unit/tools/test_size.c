// SPDX-License-Identifier: MIT
/* Sizes as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/holdfast/size.h"

static void test_size_parse_accepts(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t size_bytes;
	} cases[] = {
		{"1", 1},
		{"64M", 67108864},
		{"64m", 67108864},
		{"4K", 4096},
		{"1G", 1073741824},
		{"16T", (uint64_t)1 << 44},
		{"0004k", 4096},
		{"9223372036854775807", INT64_MAX},
		{"8589934591G", (uint64_t)8589934591 << 30},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint64_t size_bytes = 0;
		assert_int_equal(size_parse(cases[i].text, &size_bytes), STATUS_OK);
		assert_int_equal(size_bytes, cases[i].size_bytes);
	}
}

static void test_size_parse_refuses(void **state)
{
	(void)state;
	static const char *const cases[] = {"",
					    "0",
					    "0M",
					    "M",
					    "-1",
					    "+1",
					    " 1",
					    "1 ",
					    "1P",
					    "8388608T",
					    "1MB",
					    "1.5G",
					    "0x10",
					    "64M M",
					    "9223372036854775808",
					    "18446744073709551616",
					    "8589934592G",
					    "99999999999999999999999999999999",
					    "\xff"};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint64_t size_bytes = 77;
		if (size_parse(cases[i], &size_bytes) != STATUS_INVALID || size_bytes != 77) {
			fail_msg("accepted '%s'", cases[i]);
		}
	}
}

static void test_size_format(void **state)
{
	(void)state;
	char out[SIZE_TEXT_BYTES];
	size_format(67108864, out);
	assert_string_equal(out, "64 MiB");
	size_format(4097, out);
	assert_string_equal(out, "4097 B");
	size_format(12288, out);
	assert_string_equal(out, "12 KiB");
	size_format(0, out);
	assert_string_equal(out, "0 B");
	size_format((uint64_t)1 << 50, out);
	assert_string_equal(out, "1024 TiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_parse_accepts),
		cmocka_unit_test(test_size_parse_refuses),
		cmocka_unit_test(test_size_format),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
