// SPDX-License-Identifier: MIT
/* Address to name. Input: the address, then the text of nm. */
#include "kernel/symbols.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define NAME_OFFSET 19

/* The line that a name comes from, read again in another way. */
static void symbol_check(const char *text, size_t size, uint64_t address,
			 const struct symbol *symbol)
{
	char digits[17];
	char *end = NULL;
	FUZZ_REQUIRE(symbol->address <= address && symbol->name_length > 0);
	FUZZ_REQUIRE(symbol->name >= text + NAME_OFFSET);
	FUZZ_REQUIRE(symbol->name + symbol->name_length <= text + size);
	FUZZ_REQUIRE(memchr(symbol->name, '\n', symbol->name_length) == NULL);
	const char *line = symbol->name - NAME_OFFSET;
	FUZZ_REQUIRE(line == text || line[-1] == '\n');
	FUZZ_REQUIRE(line[17] == 't' || line[17] == 'T');
	memcpy(digits, line, 16);
	digits[16] = '\0';
	FUZZ_REQUIRE(strtoull(digits, &end, 16) == symbol->address && end == digits + 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	struct symbol symbol;
	size_t text_size = 0;
	const uint64_t address = fuzz_u64(&input);
	uint8_t *text = fuzz_rest(&input, &text_size);
	fuzz_stain(&symbol, sizeof(symbol));
	if (symbols_find((const char *)text, text_size, address, &symbol)) {
		symbol_check((const char *)text, text_size, address, &symbol);
	} else {
		FUZZ_REQUIRE(fuzz_is_stained(&symbol, sizeof(symbol)));
	}
	free(text);
	return 0;
}
