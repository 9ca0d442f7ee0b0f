// SPDX-License-Identifier: MIT
/* The subset of printf that a kernel needs: %s %c %d %i %u %x %p %%, length modifiers l, ll, z, h
 * and hh, zero padding, a minimum width, and a precision (a number or '*') for %s. No floating
 * point, no %n. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/compiler.h"

/* Write at most `size` bytes, terminator included, and return the length that was written. The
 * result is always terminated if size > 0; what does not fit is cut. An unknown directive is
 * copied as it stands. */
size_t format_list(char *out, size_t size, const char *format, va_list arguments);

PRINTF_LIKE(3, 4) size_t format_text(char *out, size_t size, const char *format, ...);
