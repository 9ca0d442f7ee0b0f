// SPDX-License-Identifier: MIT
/* A witness file: any bytes; what is accepted is what would be written. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tools/holdfast/witness_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct witness_table table;
	static char again[WITNESS_TEXT_BYTES_MAX];
	const enum status status = witness_text_read((const char *)data, size, &table);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(status == STATUS_BAD_CONFIG || status == STATUS_NEWER_FORMAT);
		return 0;
	}
	FUZZ_REQUIRE(table.count <= WITNESS_TEXT_ROWS_MAX);
	FUZZ_REQUIRE(witness_text_write(&table, again) == size);
	FUZZ_REQUIRE(memcmp(again, data, size) == 0);
	return 0;
}
