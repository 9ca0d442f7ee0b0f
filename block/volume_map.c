// SPDX-License-Identifier: MIT
/* Blocks by logical number: a hash table that only grows until it is emptied, so that no removal is
 * needed, over a pool of content blocks. */
#include <string.h>

#include "block/volume_internal.h"

void volume_map_clear(struct volume_map *map)
{
	map->count = 0;
	map->contents_free = map->contents_room;
	for (uint32_t i = 0; i < map->contents_room; i++) {
		map->free_list[i] = map->contents_room - 1 - i; /* Taken from the end: 0 first. */
	}
	memset(map->slots, 0, ((size_t)map->slot_mask + 1) * sizeof(*map->slots));
}

/* The slot that holds `logical`, or the empty one where it belongs. */
static uint32_t slot_of(const struct volume_map *map, uint32_t logical)
{
	uint32_t slot = (uint32_t)((uint64_t)logical * 0x9e3779b97f4a7c15u >> 32);
	for (;;) { /* Ends: at most half of the slots are taken. */
		slot &= map->slot_mask;
		uint32_t index = map->slots[slot];
		if (index == 0 || map->entries[index - 1].logical == logical) {
			return slot;
		}
		slot++;
	}
}

struct volume_map_entry *volume_map_find(const struct volume_map *map, uint32_t logical)
{
	uint32_t index = map->slots[slot_of(map, logical)];
	return index == 0 ? NULL : &map->entries[index - 1];
}

struct volume_map_entry *volume_map_take(struct volume_map *map, uint32_t logical)
{
	uint32_t slot = slot_of(map, logical);
	if (map->slots[slot] != 0) {
		return &map->entries[map->slots[slot] - 1];
	}
	if (map->count == map->room) {
		return NULL;
	}
	struct volume_map_entry *entry = &map->entries[map->count++];
	*entry = (struct volume_map_entry){.logical = logical, .kind = VOLUME_MAP_HOLE};
	map->slots[slot] = map->count;
	return entry;
}

bool volume_map_become(struct volume_map *map, struct volume_map_entry *entry,
		       enum volume_map_kind kind)
{
	bool had = entry->kind == VOLUME_MAP_CONTENT;
	bool has = kind == VOLUME_MAP_CONTENT;
	if (has && !had) {
		if (map->contents_free == 0) {
			return false;
		}
		entry->content = map->free_list[--map->contents_free];
	}
	if (had && !has) {
		map->free_list[map->contents_free++] = entry->content;
	}
	entry->kind = kind;
	return true;
}

uint8_t *volume_map_content(const struct volume_map *map, const struct volume_map_entry *entry)
{
	return map->content + (size_t)entry->content * BLOCK_BYTES;
}

/* ---- Sorting ------------------------------------------------------------------------------- */

/* Heapsort: a few ten thousand numbers, without recursion or memory. */
static void sift(uint64_t *numbers, size_t root, size_t end)
{
	uint64_t moving = numbers[root];
	for (size_t child = 2 * root + 1; child < end; child = 2 * root + 1) {
		if (child + 1 < end && numbers[child + 1] > numbers[child]) {
			child++;
		}
		if (numbers[child] <= moving) {
			break;
		}
		numbers[root] = numbers[child];
		root = child;
	}
	numbers[root] = moving;
}

void volume_sort(uint64_t *numbers, size_t count)
{
	for (size_t i = count / 2; i > 0; i--) {
		sift(numbers, i - 1, count);
	}
	for (size_t end = count; end > 1; end--) {
		uint64_t last = numbers[end - 1];
		numbers[end - 1] = numbers[0];
		numbers[0] = last;
		sift(numbers, 0, end - 1);
	}
}

void volume_map_sort(const struct volume_map *map, uint64_t *order)
{
	for (uint32_t i = 0; i < map->count; i++) {
		order[i] = (uint64_t)map->entries[i].logical << 32 | i;
	}
	volume_sort(order, map->count);
}
