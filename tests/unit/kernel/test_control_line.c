// SPDX-License-Identifier: MIT
/* The control port's lines: three words, and everything else answered with an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/control_line.h"

/* The request that the last of `size` bytes makes; none before it may make one. */
static enum control_request feed(struct control_line *line, const char *bytes, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++) {
		assert_int_equal(control_line_feed(line, bytes[i], false), CONTROL_NOTHING);
	}
	return control_line_feed(line, bytes[size - 1], false);
}

static void test_words(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t size;
		enum control_request request;
	} rows[] = {
		{"status\n", 7, CONTROL_STATUS},
		{"counters\n", 9, CONTROL_COUNTERS},
		{"shutdown\n", 9, CONTROL_SHUTDOWN},
		{"shutdown\r\n", 10, CONTROL_SHUTDOWN},
		{"\n", 1, CONTROL_UNKNOWN},
		{"\r\n", 2, CONTROL_UNKNOWN},
		{"shutdow\n", 8, CONTROL_UNKNOWN},
		{"shutdown \n", 10, CONTROL_UNKNOWN},
		{"shut\rdown\n", 10, CONTROL_UNKNOWN},
		{"Shutdown\n", 9, CONTROL_UNKNOWN},
		{"shutdown\0x\n", 11, CONTROL_UNKNOWN},
		{"shutdown\r\r\n", 11, CONTROL_UNKNOWN},
	};
	struct control_line line = {.used = 0};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(feed(&line, rows[i].bytes, rows[i].size), rows[i].request);
	}
}

static void test_a_long_line_is_skipped_whole(void **state)
{
	(void)state;
	char bytes[CONTROL_LINE_BYTES_MAX + 2];
	struct control_line line = {.used = 0};
	memset(bytes, 'x', sizeof(bytes));
	bytes[CONTROL_LINE_BYTES_MAX] = '\n';
	assert_int_equal(feed(&line, bytes, CONTROL_LINE_BYTES_MAX + 1), CONTROL_UNKNOWN);
	bytes[CONTROL_LINE_BYTES_MAX] = 'x';
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(feed(&line, bytes, sizeof(bytes)), CONTROL_NOTHING);
	}
	assert_int_equal(control_line_feed(&line, '\n', false), CONTROL_OVERLONG);
	assert_int_equal(feed(&line, "status\n", 7), CONTROL_STATUS);
}

static void test_another_client_starts_anew(void **state)
{
	(void)state;
	struct control_line line = {.used = 0};
	assert_int_equal(feed(&line, "shut", 4), CONTROL_NOTHING);
	control_line_reset(&line);
	assert_int_equal(feed(&line, "down\n", 5), CONTROL_UNKNOWN);
}

/* `left` is doubtful, `said` is not: the answer to the client that said it. */
static void test_doubtful_bytes_count_if_they_make_a_request(void **state)
{
	(void)state;
	static const struct {
		const char *left;
		const char *said;
		enum control_request request;
	} rows[] = {
		/* Its own first byte. */
		{"s", "tatus\n", CONTROL_STATUS},
		{"c", "ounters\r\n", CONTROL_COUNTERS},
		{"stat", "us\n", CONTROL_STATUS},
		/* Somebody else's. */
		{"s", "status\n", CONTROL_STATUS},
		{"stat", "status\n", CONTROL_STATUS},
		{"shutdown", "counters\n", CONTROL_COUNTERS},
		{"us\nst", "status\n", CONTROL_STATUS},
		{"us\nst", "atus\n", CONTROL_STATUS},
		{"x", "\n", CONTROL_UNKNOWN},
		{"x", "nonsense\n", CONTROL_UNKNOWN},
		{"n", "onsense\n", CONTROL_UNKNOWN},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct control_line line = {.used = 0};
		for (const char *at = rows[i].left; *at != '\0'; at++) {
			assert_int_equal(control_line_feed(&line, *at, true), CONTROL_NOTHING);
		}
		assert_int_equal(feed(&line, rows[i].said, strlen(rows[i].said)), rows[i].request);
		/* Doubt ends with its line. */
		assert_int_equal(feed(&line, "xstatus\n", 8), CONTROL_UNKNOWN);
	}
}

static void test_a_line_that_is_doubtful_to_its_end(void **state)
{
	(void)state;
	struct control_line line = {.used = 0};
	for (const char *at = "shutdown"; *at != '\0'; at++) {
		assert_int_equal(control_line_feed(&line, *at, true), CONTROL_NOTHING);
	}
	assert_int_equal(control_line_feed(&line, '\n', true), CONTROL_SHUTDOWN);
	for (size_t i = 0; i < 2 * CONTROL_LINE_BYTES_MAX; i++) {
		assert_int_equal(control_line_feed(&line, 'x', true), CONTROL_NOTHING);
	}
	assert_int_equal(control_line_feed(&line, '\n', true), CONTROL_NOTHING);
	assert_int_equal(feed(&line, "status\n", 7), CONTROL_STATUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_a_long_line_is_skipped_whole),
		cmocka_unit_test(test_another_client_starts_anew),
		cmocka_unit_test(test_doubtful_bytes_count_if_they_make_a_request),
		cmocka_unit_test(test_a_line_that_is_doubtful_to_its_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
