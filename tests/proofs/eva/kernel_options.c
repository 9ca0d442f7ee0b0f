// SPDX-License-Identifier: MIT
/* The kernel's command line of a production build, word by word: any words of any length. What
 * words are, and what they are compared with, is boot/cmdline.c's, which unit boot-cmdline proves.
 */
#include "boot/cmdline.h"
#include "kernel/options.h"
#include "tests/proofs/eva/entry.h"

/* No option and its value are longer, nor what is shown of a word: the first bytes of longer words
 * are all that may be looked at. */
#define SHORT_BYTES 64u

static char memory[SHORT_BYTES];
static struct cmdline_word given;

/* One word is enough: what it does to the options is overwritten by the next. */
bool cmdline_next(const char *cmdline, size_t *at, struct cmdline_word *word)
{
	(void)cmdline;
	*word = given;
	*at = any_u64();
	return given.size_bytes > 0 && any_bool();
}

bool cmdline_word_equals(struct cmdline_word word, const char *text)
{
	return strlen(text) == word.size_bytes && any_bool();
}

bool cmdline_word_after(struct cmdline_word word, const char *prefix, struct cmdline_word *rest)
{
	const size_t size = strlen(prefix);
	if (word.size_bytes < size || any_bool()) {
		return false;
	}
	*rest = (struct cmdline_word){.text = word.text + size,
				      .size_bytes = word.size_bytes - size};
	return true;
}

static void take(const char *text, size_t size)
{
	struct kernel_options options;
	given = (struct cmdline_word){.text = text, .size_bytes = size};
	if (options_parse("", any_bool(), &options) == STATUS_OK) {
		(void)options.log;
	} else {
		(void)strlen(options.rejected);
	}
}

int main(void)
{
	ANYTHING(memory);
	//@ loop unroll SHORT_BYTES + 1;
	for (size_t size = 0; size <= SHORT_BYTES; size++) {
		take(FOREIGN(memory, size), size);
	}
	take(memory, any_within(SHORT_BYTES + 1, UINT64_MAX));
	return 0;
}
