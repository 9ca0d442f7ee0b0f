// SPDX-License-Identifier: MIT
/* Compiler facts in one place, so that no other file needs an attribute or an extension. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The Frama-C front end knows neither _Static_assert nor attributes; it sees nothing. */
#ifdef __FRAMAC__
#define MUST_CHECK
#define NORETURN
#define PRINTF_LIKE(format_index, first_argument)
#define STATIC_ASSERT(condition, text)
#define ANY_BYTES uint8_t
#else
/* The caller has to look at the result: ignoring it is a compile error. */
#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN   __attribute__((noreturn))
#define PRINTF_LIKE(format_index, first_argument) \
	__attribute__((format(printf, format_index, first_argument)))
#define STATIC_ASSERT(condition, text) _Static_assert(condition, text)
/* Whatever a pointer points to. The provers' memory model has to know, and knows bytes. */
#define ANY_BYTES                      void
#endif

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
