// SPDX-License-Identifier: MIT
/* The VMM's memory map: any number of entries that say anything. What comes of it is used as
 * stage2 uses it. */
#include "boot/memory_map.h"
#include "tests/proofs/eva/reader.h"

#define USED_MAX 16u

static uint8_t memory[24];
static struct phys_range used[USED_MAX];

static void place_in(const struct memory_map *map)
{
	struct phys_range found;
	const struct memory_request request = {
		.size_bytes = any_u64(), .alignment = any_u64(), .limit = any_u64()};
	for (uint32_t i = 0; i < USED_MAX; i++) {
		used[i] = any_range();
	}
	(void)memory_map_place(map, used, any_up_to(USED_MAX), request, &found);
}

static void take(const uint8_t *table, size_t size, uint32_t count)
{
	struct memory_map map;
	const char *problem = NULL;
	if (memory_map_decode(table, size, count, &map, &problem) == STATUS_OK) {
		//@ assert bounded: 0 < map.count <= BOOT_MEMORY_RANGES_MAX;
		(void)memory_map_contains(&map, any_range());
		(void)memory_map_total_bytes(&map);
		place_in(&map);
	}
}

int main(void)
{
	//@ widen_hints global:"all", 32;
	take(FOREIGN(memory, 0), 0, 1);
	take(FOREIGN(memory, 1), 1, 1);
	take(FOREIGN(memory, sizeof(memory)), sizeof(memory), 1);
	take(ANY_FILE, any_u64(), any_up_to(UINT32_MAX));
	return 0;
}
