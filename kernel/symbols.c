// SPDX-License-Identifier: MIT
#include "kernel/symbols.h"

#define DIGITS      16u
#define NAME_OFFSET 19u /* Digits, space, letter, space. */

/*@ requires \valid_read(line + (0 .. length - 1)) && \valid(address);
    assigns *address;
    ensures \result ==> length > NAME_OFFSET; */
static bool parse_address(const char *line, size_t length, uint64_t *address)
{
	if (length <= NAME_OFFSET) {
		return false;
	}
	uint64_t value = 0;
	/*@ loop invariant i <= DIGITS;
	    loop assigns i, value;
	    loop variant DIGITS - i; */
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

/*@ requires \valid_read(text + (0 .. size - 1));
    assigns \nothing;
    ensures \result <= size; */
static size_t line_length(const char *text, size_t size)
{
	size_t length = 0;
	/*@ loop invariant length <= size;
	    loop assigns length;
	    loop variant size - length; */
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
	/*@ loop invariant at <= size + 1;
	    loop invariant found ==> \valid_read(symbol->name + (0 .. symbol->name_length - 1));
	    loop assigns at, found, *symbol;
	    loop variant size + 1 - at; */
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
