// SPDX-License-Identifier: MIT
/* The kernel command line: words of printable ASCII, separated by spaces. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "base/text.h"
#include "boot/boot_params.h"

/* Copy a terminated command line out of at most `limit_bytes` foreign bytes. STATUS_TOO_LARGE: no
 * terminator within the limit or within BOOT_CMDLINE_BYTES; STATUS_BAD_CONFIG: a byte that is not
 * printable ASCII. */
/*@ requires \valid_read(bytes + (0 .. limit_bytes - 1)) && \valid(problem);
    requires \valid(out + (0 .. BOOT_CMDLINE_BYTES - 1));
    assigns *problem, out[0 .. BOOT_CMDLINE_BYTES - 1];
    ensures \result == STATUS_OK ==> out[BOOT_CMDLINE_BYTES - 1] == 0; */
MUST_CHECK
enum status cmdline_copy(const uint8_t *bytes, size_t limit_bytes, char out[BOOT_CMDLINE_BYTES],
			 const char **problem);

/* Borrowed from the command line; not terminated. */
struct cmdline_word {
	const char *text;
	size_t size_bytes;
};

//@ predicate word_is_there(struct cmdline_word w) = \valid_read(w.text + (0 .. w.size_bytes - 1));

/* The next word from *at on, which starts at 0; advances *at. False at the end. */
/*@ requires is_text(cmdline) && \valid(at) && \valid(word) && \separated(at, word);
    requires *at <= text_length(cmdline);
    assigns *at, *word;
    ensures \old(*at) <= *at <= text_length(cmdline);
    ensures word_is_there(*word) && (\result <==> word->size_bytes > 0); */
MUST_CHECK
bool cmdline_next(const char *cmdline, size_t *at, struct cmdline_word *word);

/*@ requires word_is_there(word) && is_text(text);
    assigns \nothing; */
MUST_CHECK
bool cmdline_word_equals(struct cmdline_word word, const char *text);

/* True if `text` is one of the words. */
/*@ requires is_text(cmdline) && is_text(text);
    assigns \nothing; */
MUST_CHECK
bool cmdline_has(const char *cmdline, const char *text);

/* If the word begins with `prefix`, *rest is what follows, borrowed. */
/*@ requires word_is_there(word) && is_text(prefix) && \valid(rest);
    assigns *rest;
    ensures \result ==> word_is_there(*rest) && rest->size_bytes <= word.size_bytes; */
MUST_CHECK
bool cmdline_word_after(struct cmdline_word word, const char *prefix, struct cmdline_word *rest);
