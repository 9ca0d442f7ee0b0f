// SPDX-License-Identifier: MIT
/* The log: one complete line to the sink, levels respected, long lines cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/log.h"

struct seen {
	int lines;
	enum log_level level;
	char text[LOG_LINE_BYTES];
};

static void record(void *context, enum log_level level, const char *line)
{
	struct seen *seen = context;
	seen->lines++;
	seen->level = level;
	assert_true(strlen(line) < sizeof(seen->text));
	memcpy(seen->text, line, strlen(line) + 1);
}

static void test_log_names_the_module(void **state)
{
	(void)state;
	struct seen seen = {0};
	log_set_sink(record, &seen, LOG_DEBUG);
	log_write(LOG_WARNING, "disk", "%d of %s", 3, "x");
	assert_int_equal(seen.lines, 1);
	assert_int_equal(seen.level, LOG_WARNING);
	assert_string_equal(seen.text, "disk: 3 of x");
}

static void test_log_drops_what_is_more_verbose(void **state)
{
	(void)state;
	struct seen seen = {0};
	log_set_sink(record, &seen, LOG_WARNING);
	log_write(LOG_DEBUG, "m", "no");
	log_write(LOG_NOTICE, "m", "no");
	assert_int_equal(seen.lines, 0);
	log_write(LOG_WARNING, "m", "yes");
	log_write(LOG_ERROR, "m", "yes");
	assert_int_equal(seen.lines, 2);
}

static void test_log_cuts_long_lines(void **state)
{
	(void)state;
	struct seen seen = {0};
	char endless[2 * LOG_LINE_BYTES];
	memset(endless, 'a', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = 0;
	log_set_sink(record, &seen, LOG_DEBUG);
	log_write(LOG_NOTICE, "m", "%s", endless);
	assert_int_equal(strlen(seen.text), LOG_LINE_BYTES - 1);
	/* A module name that fills the line leaves no room for the text, and nothing breaks. */
	log_write(LOG_NOTICE, endless, "text");
	assert_int_equal(strlen(seen.text), LOG_LINE_BYTES - 1);
}

static void test_log_without_a_sink_is_silent(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL, LOG_DEBUG);
	log_write(LOG_ERROR, "m", "nobody listens");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_names_the_module),
		cmocka_unit_test(test_log_drops_what_is_more_verbose),
		cmocka_unit_test(test_log_cuts_long_lines),
		cmocka_unit_test(test_log_without_a_sink_is_silent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
