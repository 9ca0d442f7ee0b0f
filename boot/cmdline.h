// SPDX-License-Identifier: MIT
/* The kernel command line: words of printable ASCII, separated by spaces. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "boot/boot_params.h"

/* Copy a terminated command line out of at most `limit_bytes` foreign bytes. STATUS_TOO_LARGE: no
 * terminator within the limit or within BOOT_CMDLINE_BYTES; STATUS_BAD_CONFIG: a byte that is not
 * printable ASCII. */
MUST_CHECK
enum status cmdline_copy(const uint8_t *bytes, size_t limit_bytes, char out[BOOT_CMDLINE_BYTES],
			 const char **problem);

/* Borrowed from the command line; not terminated. */
struct cmdline_word {
	const char *text;
	size_t size_bytes;
};

/* The next word; advances *rest, which starts as the command line. False at the end. */
MUST_CHECK
bool cmdline_next(const char **rest, struct cmdline_word *word);

MUST_CHECK
bool cmdline_word_equals(struct cmdline_word word, const char *text);

/* True if `text` is one of the words. */
MUST_CHECK
bool cmdline_has(const char *cmdline, const char *text);

/* If the word is "key=value" with this key, *value is the value, borrowed. */
MUST_CHECK
bool cmdline_word_value(struct cmdline_word word, const char *key, struct cmdline_word *value);
