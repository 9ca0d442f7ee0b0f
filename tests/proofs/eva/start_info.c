// SPDX-License-Identifier: MIT
/* What the VMM tells stage2, of each length: start_info and an entry of its module list. */
#include "boot/start_info.h"
#include "tests/proofs/eva/entry.h"

static uint8_t memory[2 * START_INFO_BYTES];

static void take(size_t size)
{
	struct start_info info;
	struct phys_range module;
	const char *problem = NULL;
	ANYTHING(memory);
	if (start_info_decode(FOREIGN(memory, size), size, &info, &problem) == STATUS_OK) {
		//@ assert bounded: info.memory_map_entries <= START_INFO_MEMORY_ENTRIES_MAX;
	}
	(void)start_info_decode_module(FOREIGN(memory, size), size, &module, &problem);
}

int main(void)
{
	EACH_LENGTH(take, START_INFO_BYTES, memory);
	return 0;
}
