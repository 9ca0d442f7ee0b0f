// SPDX-License-Identifier: MIT
/* A witness file, of any length. */
#include "tests/proofs/eva/reader.h"
#include "tools/holdfast/witness_text.h"

static uint8_t memory[24];

static void take(const uint8_t *bytes, size_t size)
{
	struct witness_table table;
	if (witness_text_read((const char *)bytes, size, &table) == STATUS_OK) {
		//@ assert bounded: table.count <= WITNESS_TEXT_ROWS_MAX;
	}
}

int main(void)
{
	//@ widen_hints global:"all", 255, 256;
	ANYTHING(memory);
	EACH_FILE(take, memory);
	return 0;
}
