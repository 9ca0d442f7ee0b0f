// SPDX-License-Identifier: MIT
/* The session table. Input: the block. */
#include <string.h>

#include "block/volume_format.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	uint8_t block[BLOCK_BYTES];
	uint8_t again[BLOCK_BYTES];
	struct volume_session_table table;
	(void)fuzz_fill(&input, block, sizeof(block));
	fuzz_stain(&table, sizeof(table));
	const enum status status = volume_table_decode(block, &table);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(status == STATUS_AUTH_META);
		FUZZ_REQUIRE(fuzz_is_stained(&table, sizeof(table)));
		return 0;
	}
	FUZZ_REQUIRE(table.count <= VOLUME_SESSIONS_MAX);
	for (uint32_t i = 0; i < table.count; i++) {
		FUZZ_REQUIRE(table.rows[i].id > (i == 0 ? 0 : table.rows[i - 1].id));
	}
	volume_table_encode(again, &table);
	FUZZ_REQUIRE(memcmp(block, again, sizeof(block)) == 0);
	return 0;
}
