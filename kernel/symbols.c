// SPDX-License-Identifier: MIT
#include "kernel/symbols.h"

#define DIGITS      16u
#define NAME_OFFSET 19u /* Digits, space, letter, space. */

static bool parse_address(const char *line, size_t length, uint64_t *address)
{
	if (length <= NAME_OFFSET) {
		return false;
	}
	uint64_t value = 0;
	for (size_t i = 0; i < DIGITS; i++) {
		char c = line[i];
		uint64_t digit;
		if (c >= '0' && c <= '9') {
			digit = (uint64_t)(c - '0');
		} else if (c >= 'a' && c <= 'f') {
			digit = (uint64_t)(c - 'a') + 10;
		} else {
			return false;
		}
		value = value << 4 | digit;
	}
	*address = value;
	return true;
}

static size_t line_length(const char *text, size_t size)
{
	size_t length = 0;
	while (length < size && text[length] != '\n') {
		length++;
	}
	return length;
}

bool symbols_find(const char *text, size_t size, uint64_t address, struct symbol *symbol)
{
	bool found = false;
	if (text == NULL) {
		return false;
	}
	for (size_t at = 0; at < size;) {
		const char *line = text + at;
		size_t length = line_length(line, size - at);
		uint64_t value;
		if (parse_address(line, length, &value)) {
			char kind = line[DIGITS + 1];
			if (value > address) {
				break;
			}
			if (kind == 't' || kind == 'T') {
				*symbol = (struct symbol){line + NAME_OFFSET, length - NAME_OFFSET,
							  value};
				found = true;
			}
		}
		at += length + 1;
	}
	return found;
}
