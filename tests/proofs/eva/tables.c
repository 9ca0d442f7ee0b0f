// SPDX-License-Identifier: MIT
/* A tree node's entries and the session table. */
#include "block/volume_format.h"
#include "tests/proofs/eva/entry.h"

static uint8_t block[BLOCK_BYTES];

static void take_entry(const uint8_t *bytes)
{
	struct volume_entry entry;
	if (volume_entry_decode(bytes, &entry) == STATUS_OK) {
		(void)entry.physical;
	}
}

int main(void)
{
	struct volume_session_table table;
	ANYTHING(block);
	//@ loop unroll VOLUME_NODE_ENTRIES;
	for (uint32_t i = 0; i < VOLUME_NODE_ENTRIES; i++) {
		take_entry(block + i * VOLUME_ENTRY_BYTES);
	}
	if (volume_table_decode(block, &table) == STATUS_OK) {
		//@ assert bounded: table.count <= VOLUME_SESSIONS_MAX;
	}
	return 0;
}
