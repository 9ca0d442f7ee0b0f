// SPDX-License-Identifier: MIT
/* For tests of what ends in a CHECK. A test program includes this in one source: it then has the
 * check_failed() of the whole program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"

static jmp_buf check_jump;
static bool check_expected;

/* A CHECK that is expected returns to the test; any other is a failure of the test. */
void check_failed(const char *expression, const char *file, int line)
{
	if (check_expected) {
		check_expected = false;
		longjmp(check_jump, 1);
	}
	print_error("%s:%d: CHECK failed: %s\n", file, line, expression);
	_fail(file, line);
	__builtin_unreachable();
}

#define ASSERT_CHECKS(statement)                              \
	do {                                                  \
		check_expected = true;                        \
		if (setjmp(check_jump) == 0) {                \
			statement;                            \
			check_expected = false;               \
			fail_msg("no CHECK: %s", #statement); \
		}                                             \
	} while (0)
