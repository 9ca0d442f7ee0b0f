// SPDX-License-Identifier: MIT
#include "boot/cmdline.h"

#include <string.h>

static bool is_printable(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7f;
}

enum status cmdline_copy(const uint8_t *bytes, size_t limit_bytes, char out[BOOT_CMDLINE_BYTES],
			 const char **problem)
{
	size_t length = 0;
	while (length < limit_bytes && length < BOOT_CMDLINE_BYTES && bytes[length] != 0) {
		if (!is_printable(bytes[length])) {
			*problem = "the command line has a byte that is not printable ASCII";
			return STATUS_BAD_CONFIG;
		}
		length++;
	}
	if (length == limit_bytes || length == BOOT_CMDLINE_BYTES) {
		*problem = "the command line is too long";
		return STATUS_TOO_LARGE;
	}
	memcpy(out, bytes, length);
	memset(out + length, 0, BOOT_CMDLINE_BYTES - length);
	return STATUS_OK;
}

bool cmdline_next(const char **rest, struct cmdline_word *word)
{
	const char *at = *rest;
	while (*at == ' ') {
		at++;
	}
	const char *begin = at;
	while (*at != ' ' && *at != '\0') {
		at++;
	}
	*rest = at;
	*word = (struct cmdline_word){.text = begin, .size_bytes = (size_t)(at - begin)};
	return word->size_bytes > 0;
}

bool cmdline_word_equals(struct cmdline_word word, const char *text)
{
	return word.size_bytes == strlen(text) && memcmp(word.text, text, word.size_bytes) == 0;
}

bool cmdline_has(const char *cmdline, const char *text)
{
	struct cmdline_word word;
	while (cmdline_next(&cmdline, &word)) {
		if (cmdline_word_equals(word, text)) {
			return true;
		}
	}
	return false;
}

bool cmdline_word_value(struct cmdline_word word, const char *key, struct cmdline_word *value)
{
	const size_t key_size = strlen(key);
	if (word.size_bytes <= key_size || word.text[key_size] != '=' ||
	    memcmp(word.text, key, key_size) != 0) {
		return false;
	}
	*value = (struct cmdline_word){
		.text = word.text + key_size + 1,
		.size_bytes = word.size_bytes - key_size - 1,
	};
	return true;
}
