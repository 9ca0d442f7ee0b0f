// SPDX-License-Identifier: MIT
/* Our printf subset against the host's, row by row, and never a byte past the buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"

#define BUFFER 128

/* One row: both write into canaried buffers, and agree in text and length. */
#define ROW(...)                                                              \
	do {                                                                  \
		char ours[BUFFER];                                            \
		char theirs[BUFFER];                                          \
		memset(ours, 0x7e, sizeof(ours));                             \
		size_t length = format_text(ours, sizeof(ours), __VA_ARGS__); \
		(void)snprintf(theirs, sizeof(theirs), __VA_ARGS__);          \
		assert_string_equal(ours, theirs);                            \
		assert_int_equal(length, strlen(theirs));                     \
	} while (0)

static void test_format_integers_agree_with_libc(void **state)
{
	(void)state;
	ROW("%d %d %d", 0, INT_MAX, INT_MIN);
	ROW("%i|%u|%x", -1, UINT_MAX, 0xdeadbeefu);
	ROW("%ld %ld %lu %lx", LONG_MIN, LONG_MAX, ULONG_MAX, ULONG_MAX);
	ROW("%lld %llu", LLONG_MIN, ULLONG_MAX);
	ROW("%zu %zx", SIZE_MAX, (size_t)0);
	ROW("%5d|%05d|%5d|%05d", 42, 42, -42, -42);
	ROW("%08x|%2x|%016lx", 0xabcu, 0xabcdefu, 1ul);
	ROW("%1d|%0d", -7, 7);
	ROW("%hu %hhu %hx", (unsigned short)65535, (unsigned char)255, (unsigned short)0xabcd);
}

static void test_format_text_agrees_with_libc(void **state)
{
	(void)state;
	ROW("plain");
	ROW("%s", "");
	ROW("%s-%s", "a", "bc");
	ROW("%8s|%2s", "abc", "abc");
	ROW("%.2s|%.9s|%5.1s", "abc", "abc", "xyz");
	ROW("%c%c%%", 'o', 'k');
}

static void test_format_precision_never_reads_past_it(void **state)
{
	(void)state;
	/* No terminator: only the precision ends it. */
	const char unterminated[3] = {'a', 'b', 'c'};
	char out[8];
	assert_int_equal(format_text(out, sizeof(out), "%.3s", unterminated), 3);
	assert_string_equal(out, "abc");
}

static void test_format_null_string_is_named(void **state)
{
	(void)state;
	char out[16];
	/* Not a literal, or the compiler says what we test for. */
	const char *volatile nothing = NULL;
	(void)format_text(out, sizeof(out), "%s", nothing);
	assert_string_equal(out, "(null)");
}

static void test_format_cuts_and_terminates_at_every_size(void **state)
{
	(void)state;
	const char whole[] = "ab 000012 cd";
	for (size_t size = 1; size <= sizeof(whole); size++) {
		char out[sizeof(whole) + 1];
		memset(out, 0x7e, sizeof(out));
		assert_int_equal(format_text(out, size, "%s %06d %s", "ab", 12, "cd"), size - 1);
		assert_memory_equal(out, whole, size - 1);
		assert_int_equal(out[size - 1], 0);
		assert_int_equal(out[size], 0x7e);
	}
}

static void test_format_size_zero_writes_nothing(void **state)
{
	(void)state;
	char out[1] = {0x7e};
	assert_int_equal(format_text(out, 0, "%s", "abc"), 0);
	assert_int_equal(out[0], 0x7e);
}

/* These formats are wrong on purpose, so the compiler must not see them as literals. */
static const char *const unknown[] = {"%q", "%", "%5", "%-5d", "50%", "%n", "%l", "%.3"};

static size_t format_any(char *out, size_t size, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	size_t length = format_list(out, size, format, arguments);
	va_end(arguments);
	return length;
}

static void test_format_copies_unknown_directives(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(unknown); i++) {
		char out[32];
		(void)format_any(out, sizeof(out), unknown[i], 1, 2);
		assert_string_equal(out, unknown[i]);
	}
}

static void test_format_huge_width_ends_at_the_buffer(void **state)
{
	(void)state;
	char out[8];
	assert_int_equal(format_any(out, sizeof(out), "%99999999999999999999d", 1), 7);
	assert_string_equal(out, "       ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_integers_agree_with_libc),
		cmocka_unit_test(test_format_text_agrees_with_libc),
		cmocka_unit_test(test_format_precision_never_reads_past_it),
		cmocka_unit_test(test_format_null_string_is_named),
		cmocka_unit_test(test_format_cuts_and_terminates_at_every_size),
		cmocka_unit_test(test_format_size_zero_writes_nothing),
		cmocka_unit_test(test_format_copies_unknown_directives),
		cmocka_unit_test(test_format_huge_width_ends_at_the_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
