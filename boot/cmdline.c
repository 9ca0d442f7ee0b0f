// SPDX-License-Identifier: MIT
#include "boot/cmdline.h"

//@ assigns \nothing; ensures \result <==> 0x20 <= byte < 0x7f;
static bool is_printable(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7f;
}

enum status cmdline_copy(const uint8_t *bytes, size_t limit_bytes, char out[BOOT_CMDLINE_BYTES],
			 const char **problem)
{
	size_t length = 0;
	/*@ loop invariant length <= limit_bytes && length <= BOOT_CMDLINE_BYTES;
	    loop invariant \forall integer k; 0 <= k < length ==> 0x20 <= bytes[k] < 0x7f;
	    loop assigns length, *problem;
	    loop variant BOOT_CMDLINE_BYTES - length; */
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
	/*@ loop invariant i <= BOOT_CMDLINE_BYTES;
	    loop invariant \forall integer k; length <= k < i ==> out[k] == 0;
	    loop assigns i, out[0 .. BOOT_CMDLINE_BYTES - 1];
	    loop variant BOOT_CMDLINE_BYTES - i; */
	for (size_t i = 0; i < BOOT_CMDLINE_BYTES; i++) {
		out[i] = i < length ? (char)bytes[i] : '\0';
	}
	return STATUS_OK;
}

bool cmdline_next(const char *cmdline, size_t *at, struct cmdline_word *word)
{
	size_t begin = *at;
	/*@ loop invariant *at <= begin <= text_length(cmdline);
	    loop assigns begin;
	    loop variant text_length(cmdline) - begin; */
	while (cmdline[begin] == ' ') {
		begin++;
	}
	size_t end = begin;
	/*@ loop invariant begin <= end <= text_length(cmdline);
	    loop assigns end;
	    loop variant text_length(cmdline) - end; */
	while (cmdline[end] != ' ' && cmdline[end] != '\0') {
		end++;
	}
	*at = end;
	*word = (struct cmdline_word){.text = cmdline + begin, .size_bytes = end - begin};
	return word->size_bytes > 0;
}

bool cmdline_word_equals(struct cmdline_word word, const char *text)
{
	/*@ loop invariant i <= word.size_bytes && i <= text_length(text);
	    loop assigns i;
	    loop variant word.size_bytes - i; */
	for (size_t i = 0; i < word.size_bytes; i++) {
		if (text[i] == '\0' || text[i] != word.text[i]) {
			return false;
		}
	}
	return text[word.size_bytes] == '\0';
}

bool cmdline_has(const char *cmdline, const char *text)
{
	struct cmdline_word word;
	size_t at = 0;
	/*@ loop invariant at <= text_length(cmdline);
	    loop assigns at, word; */
	while (cmdline_next(cmdline, &at, &word)) {
		if (cmdline_word_equals(word, text)) {
			return true;
		}
	}
	return false;
}

bool cmdline_word_after(struct cmdline_word word, const char *prefix, struct cmdline_word *rest)
{
	size_t size = 0;
	/*@ loop invariant size <= word.size_bytes && size <= text_length(prefix);
	    loop assigns size;
	    loop variant text_length(prefix) - size; */
	while (prefix[size] != '\0') {
		if (size == word.size_bytes || word.text[size] != prefix[size]) {
			return false;
		}
		size++;
	}
	*rest = (struct cmdline_word){.text = word.text + size,
				      .size_bytes = word.size_bytes - size};
	return true;
}
