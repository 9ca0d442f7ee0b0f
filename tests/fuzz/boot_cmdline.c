// SPDX-License-Identifier: MIT
/* The command line's copy and its words. Input: the bytes, terminated or not. */
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "boot/cmdline.h"
#include "tests/fuzz/fuzz.h"

static void word_check(const char *cmdline, struct cmdline_word word)
{
	struct cmdline_word value;
	char copy[BOOT_CMDLINE_BYTES];
	FUZZ_REQUIRE(word.text >= cmdline && word.size_bytes > 0);
	FUZZ_REQUIRE(word.text + word.size_bytes <= cmdline + strlen(cmdline));
	FUZZ_REQUIRE(memchr(word.text, ' ', word.size_bytes) == NULL);
	memcpy(copy, word.text, word.size_bytes);
	copy[word.size_bytes] = '\0';
	FUZZ_REQUIRE(cmdline_word_equals(word, copy) && cmdline_has(cmdline, copy));
	/* Behind its own text up to the '=' comes its value. */
	char *equals = strchr(copy, '=');
	if (equals == NULL) {
		FUZZ_REQUIRE(cmdline_word_after(word, copy, &value) && value.size_bytes == 0);
		return;
	}
	const char kept = equals[1];
	equals[1] = '\0';
	FUZZ_REQUIRE(cmdline_word_after(word, copy, &value));
	equals[1] = kept;
	FUZZ_REQUIRE(cmdline_word_equals(value, equals + 1));
}

static void words_check(const char *cmdline)
{
	struct cmdline_word word;
	size_t at = 0;
	size_t covered = 0;
	while (cmdline_next(cmdline, &at, &word)) {
		word_check(cmdline, word);
		covered += word.size_bytes;
		FUZZ_REQUIRE(covered <= BOOT_CMDLINE_BYTES); /* It ends. */
	}
	/* Nothing but separators is in no word. */
	for (at = 0; cmdline[at] != '\0'; at++) {
		covered -= cmdline[at] != ' ' ? 1 : 0;
	}
	FUZZ_REQUIRE(covered == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char out[BOOT_CMDLINE_BYTES];
	const char *problem = NULL;
	fuzz_stain(out, sizeof(out));
	const enum status status = cmdline_copy(data, size, out, &problem);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(status == STATUS_BAD_CONFIG || status == STATUS_TOO_LARGE);
		FUZZ_REQUIRE(problem != NULL && fuzz_is_stained(out, sizeof(out)));
		return 0;
	}
	const size_t length = strnlen(out, sizeof(out));
	FUZZ_REQUIRE(length < sizeof(out) && length < size && data[length] == 0);
	FUZZ_REQUIRE(memcmp(out, data, length) == 0);
	for (size_t i = 0; i < length; i++) {
		FUZZ_REQUIRE(out[i] >= ' ' && out[i] <= '~');
	}
	for (size_t i = length; i < sizeof(out); i++) {
		FUZZ_REQUIRE(out[i] == '\0');
	}
	words_check(out);
	return 0;
}
