// SPDX-License-Identifier: MIT
/* Sizes as people write them: a number with an optional K, M or G (powers of 1024). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define SIZE_TEXT_BYTES 32u

/* "64M" to 67108864. STATUS_INVALID: not a number, an unknown suffix, anything behind it, 0, or
 * more than 2^63 - 1. */
MUST_CHECK
enum status size_parse(const char *text, uint64_t *size_bytes);

/* "64 MiB": the largest unit that divides the size; "1234 B" if none does. */
void size_format(uint64_t size_bytes, char out[SIZE_TEXT_BYTES]);
