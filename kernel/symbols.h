// SPDX-License-Identifier: MIT
/* Address to name, from a module that holds the lines of `nm --numeric-sort`: sixteen hexadecimal
 * digits, a space, a letter, a space, the name. Pure; total over any bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct symbol {
	const char *name; /* Borrowed, not terminated. */
	size_t name_length;
	uint64_t address;
};

/* The code symbol with the highest address at or below `address`. False if there is none. */
/*@ requires \valid_read(text + (0 .. size - 1)) && size < 0x8000000000000000 && \valid(symbol);
    requires \separated(symbol, text + (0 .. size - 1));
    assigns *symbol;
    ensures \result ==> \valid_read(symbol->name + (0 .. symbol->name_length - 1)); */
MUST_CHECK bool symbols_find(const char *text, size_t size, uint64_t address,
			     struct symbol *symbol);
