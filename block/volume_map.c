// SPDX-License-Identifier: MIT
/* Blocks by logical number: a hash table that only grows until it is emptied, so that no removal is
 * needed, over a pool of entries and content blocks. */
#include <string.h>

#include "block/volume_internal.h"

void volume_pool_reset(struct volume_pool *pool)
{
	pool->taken = 0;
	pool->carried = 0;
	pool->contents_free = pool->contents_room;
	for (uint32_t i = 0; i < pool->contents_room; i++) {
		pool->free_list[i] = pool->contents_room - 1 - i; /* Taken from the end: 0 first. */
	}
}

uint32_t volume_pool_contents(const struct volume_pool *pool)
{
	return pool->contents_room - pool->contents_free;
}

/* A map that has fewer entries than slots / this is cleared entry by entry. */
#define CLEAR_SHARE 16u

/* Slots in a line of the CPU's cache. */
#define LINE_SLOTS 16u

/* Where sixteen neighbours have their first slots: in one line, since what is written in sequence
 * would otherwise miss the CPU's cache once a block. In which order they lie there differs from
 * line to line, so that a stride uses all columns. */
struct slot_line {
	uint32_t first;
	uint32_t twist;
};

static struct slot_line line_of(const struct volume_map *map, uint32_t logical)
{
	const uint64_t hash = (uint64_t)(logical / LINE_SLOTS) * 0x9e3779b97f4a7c15u;
	return (struct slot_line){
		.first = (uint32_t)(hash >> 32) & map->slot_mask & ~(LINE_SLOTS - 1),
		.twist = (uint32_t)(hash >> 60),
	};
}

static uint32_t slot_in(struct slot_line line, uint32_t logical)
{
	return line.first | (logical ^ line.twist) % LINE_SLOTS;
}

/* Where a logical block's entry is, or behind it. */
static uint32_t first_slot(const struct volume_map *map, uint32_t logical)
{
	return slot_in(line_of(map, logical), logical);
}

/* The same for one block after the other: mostly the next one is in the line of the last one. */
static uint32_t first_slot_of_next(const struct volume_map *map, struct slot_line *line,
				   uint32_t last, uint32_t logical)
{
	if (logical / LINE_SLOTS != last / LINE_SLOTS) {
		*line = line_of(map, logical);
	}
	return slot_in(*line, logical);
}

/* Down the column, then down the next one: so all slots are one cycle, and those who share a line
 * do not crowd each other out of it. */
static uint32_t next_slot(const struct volume_map *map, uint32_t slot)
{
	const uint32_t below = slot + LINE_SLOTS;
	return below <= map->slot_mask ? below : (below + 1) % LINE_SLOTS;
}

static void content_give_back(struct volume_pool *pool, const struct volume_map_entry *entry)
{
	pool->free_list[pool->contents_free++] = entry->content;
}

/* Empty all slots from here to the next one that is empty. */
static void slots_clear_run(struct volume_map *map, uint32_t logical)
{
	for (uint32_t slot = first_slot(map, logical); map->slots[slot] != 0;
	     slot = next_slot(map, slot)) { /* Ends: at most half of them are taken. */
		map->slots[slot] = 0;
	}
}

/* A transaction of one block must not pay for a table of thousands. Each entry lies in a run of
 * taken slots that begins at its first one, so clearing these runs leaves none. */
static void slots_clear(struct volume_map *map)
{
	if (map->count > map->slot_mask / CLEAR_SHARE) {
		memset(map->slots, 0, ((size_t)map->slot_mask + 1) * sizeof(*map->slots));
		return;
	}
	for (uint32_t i = 0; i < map->count; i++) {
		slots_clear_run(map, volume_map_at(map, i)->logical);
	}
}

static bool pool_counts_any(const struct volume_pool *pool)
{
	return volume_pool_contents(pool) != 0 || pool->carried != 0;
}

void volume_map_clear(struct volume_map *map)
{
	slots_clear(map);
	/* Ends with the last entry that is counted: mostly there is none. */
	for (uint32_t i = 0; i < map->count && pool_counts_any(map->pool); i++) {
		const struct volume_map_entry *entry = volume_map_at(map, i);
		if (entry->kind == VOLUME_MAP_CONTENT) {
			content_give_back(map->pool, entry);
		}
		map->pool->carried -= entry->kind == VOLUME_MAP_CARRIED ? 1 : 0;
	}
	map->pool->taken -= map->count;
	map->count = 0;
}

void volume_map_init(struct volume_map *map, struct volume_pool *pool)
{
	map->pool = pool;
	map->first = 0;
	map->count = 0;
	memset(map->slots, 0, ((size_t)map->slot_mask + 1) * sizeof(*map->slots));
}

void volume_map_freeze(struct volume_map *map, struct volume_map *older)
{
	struct volume_map empty = *older;
	*older = *map;
	empty.first = (older->first + older->count) % older->pool->room;
	*map = empty;
}

/* The slot that holds `logical`, or the empty one where it belongs, from its first one on. */
static uint32_t slot_from(const struct volume_map *map, uint32_t slot, uint32_t logical)
{
	for (;;) { /* Ends: at most half of the slots are taken. */
		uint32_t index = map->slots[slot];
		if (index == 0 || map->pool->entries[index - 1].logical == logical) {
			return slot;
		}
		slot = next_slot(map, slot);
	}
}

static uint32_t slot_of(const struct volume_map *map, uint32_t logical)
{
	return slot_from(map, first_slot(map, logical), logical);
}

struct volume_map_entry *volume_map_find(const struct volume_map *map, uint32_t logical)
{
	/* Mostly two of three maps are empty, and a look into a large table misses the cache. */
	uint32_t index = map->count == 0 ? 0 : map->slots[slot_of(map, logical)];
	return index == 0 ? NULL : &map->pool->entries[index - 1];
}

const struct volume_map_entry *volume_pending_find(const struct volume *volume, uint32_t logical)
{
	const struct volume_map_entry *entry = volume_map_find(&volume->overlay, logical);
	return entry != NULL ? entry : volume_map_find(&volume->frozen, logical);
}

uint32_t volume_map_gap(const struct volume_map *map, uint32_t logical, uint32_t most)
{
	struct slot_line line = line_of(map, logical);
	uint32_t count = 0;
	for (; count < most; count++) {
		const uint32_t at = logical + count;
		const uint32_t first = first_slot_of_next(map, &line, at - 1, at);
		if (map->slots[first] != 0 && map->slots[slot_from(map, first, at)] != 0) {
			break;
		}
	}
	return count;
}

/* A new one in its slot, which is empty; the pool has room. */
static struct volume_map_entry *entry_add(struct volume_map *map, uint32_t slot, uint32_t logical)
{
	const uint32_t at = volume_map_place_of(map, map->count++);
	struct volume_map_entry *entry = &map->pool->entries[at];
	map->pool->taken++;
	*entry = (struct volume_map_entry){.logical = logical, .kind = VOLUME_MAP_HOLE};
	map->slots[slot] = at + 1;
	return entry;
}

/* Find or add, from its first slot on. NULL: full. */
static struct volume_map_entry *take_from(struct volume_map *map, uint32_t first, uint32_t logical)
{
	const uint32_t slot = slot_from(map, first, logical);
	if (map->slots[slot] != 0) {
		return &map->pool->entries[map->slots[slot] - 1];
	}
	return map->pool->taken == map->pool->room ? NULL : entry_add(map, slot, logical);
}

struct volume_map_entry *volume_map_take(struct volume_map *map, uint32_t logical)
{
	return take_from(map, first_slot(map, logical), logical);
}

static bool is_counted(enum volume_map_kind kind)
{
	return kind == VOLUME_MAP_CONTENT || kind == VOLUME_MAP_CARRIED;
}

/* As volume_map_become(), where one of the two kinds takes room or is counted. */
static bool become_counted(struct volume_map *map, struct volume_map_entry *entry,
			   enum volume_map_kind kind)
{
	bool had = entry->kind == VOLUME_MAP_CONTENT;
	bool has = kind == VOLUME_MAP_CONTENT;
	if (has && !had) {
		if (map->pool->contents_free == 0) {
			return false;
		}
		entry->content = map->pool->free_list[--map->pool->contents_free];
	}
	if (had && !has) {
		content_give_back(map->pool, entry);
	}
	map->pool->carried -= entry->kind == VOLUME_MAP_CARRIED ? 1 : 0;
	map->pool->carried += kind == VOLUME_MAP_CARRIED ? 1 : 0;
	entry->kind = kind;
	return true;
}

bool volume_map_become(struct volume_map *map, struct volume_map_entry *entry,
		       enum volume_map_kind kind)
{
	if (is_counted(entry->kind) || is_counted(kind)) {
		return become_counted(map, entry, kind);
	}
	entry->kind = kind;
	return true;
}

void volume_map_place(struct volume_map *map, uint32_t logical, const struct volume_entry *entries,
		      uint32_t count)
{
	struct slot_line line = line_of(map, logical);
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t at = logical + i;
		const uint32_t first = first_slot_of_next(map, &line, at - 1, at);
		struct volume_map_entry *entry = entry_add(map, slot_from(map, first, at), at);
		entry->kind = VOLUME_MAP_PLACED;
		entry->entry = entries[i];
	}
}

void volume_map_merge(struct volume_map *map, const struct volume_map *newer)
{
	struct slot_line line = line_of(map, 0);
	uint32_t last = 0;
	for (uint32_t i = 0; i < newer->count; i++) {
		const struct volume_map_entry *from = volume_map_at(newer, i);
		const uint32_t first = first_slot_of_next(map, &line, last, from->logical);
		struct volume_map_entry *entry = take_from(map, first, from->logical);
		const enum volume_map_kind kind =
			from->is_carried ? VOLUME_MAP_CARRIED : from->kind;
		(void)volume_map_become(map, entry, kind); /* There is room. */
		entry->entry = from->entry;
		last = from->logical;
		if (kind == VOLUME_MAP_CONTENT) {
			memcpy(volume_map_content(map, entry), volume_map_content(newer, from),
			       BLOCK_BYTES);
		}
	}
}

uint8_t *volume_map_content(const struct volume_map *map, const struct volume_map_entry *entry)
{
	return map->pool->content + (size_t)entry->content * BLOCK_BYTES;
}

/* ---- Order --------------------------------------------------------------------------------- */

void volume_map_order_carried(const struct volume_map *map, const struct volume_geometry *geometry,
			      uint32_t head, uint64_t *order, uint32_t count)
{
	const uint64_t ring = geometry->ring_blocks;
	uint32_t found = 0;
	for (uint32_t i = 0; found < count && i < map->count; i++) {
		const struct volume_map_entry *entry = volume_map_at(map, i);
		if (entry->kind == VOLUME_MAP_CARRIED) {
			const uint64_t offset = entry->entry.physical - geometry->ring_first;
			order[found++] =
				(offset + ring - head) % ring << VOLUME_MAP_ORDER_SHIFT | i;
		}
	}
}

/* A run's number: logical block, count, index, from the highest bits down. */
#define RUN_COUNT_SHIFT 24u
STATIC_ASSERT(VOLUME_BATCH_BLOCKS < 1u << (VOLUME_MAP_ORDER_SHIFT - RUN_COUNT_SHIFT),
	      "a run's count has room");
STATIC_ASSERT(VOLUME_RING_BLOCKS_MAX < 1u << (RUN_COUNT_SHIFT - 8),
	      "so has an index, of which there are a few for each block of the ring");

struct volume_run volume_run_decode(uint64_t number)
{
	return (struct volume_run){
		.logical = (uint32_t)(number >> VOLUME_MAP_ORDER_SHIFT),
		.index = (uint32_t)number & ((1u << RUN_COUNT_SHIFT) - 1),
		.count = (uint32_t)number >> RUN_COUNT_SHIFT,
	};
}

static uint32_t run_length(const struct volume_map *map, uint32_t first)
{
	const struct volume_map_entry *start = volume_map_at(map, first);
	const uint32_t in_leaf = VOLUME_NODE_ENTRIES - start->logical % VOLUME_NODE_ENTRIES;
	const uint32_t most = smaller(VOLUME_BATCH_BLOCKS, smaller(in_leaf, map->count - first));
	uint32_t count = 1;
	if (start->kind != VOLUME_MAP_PLACED && start->kind != VOLUME_MAP_CARRIED) {
		return count;
	}
	for (; count < most; count++) {
		const struct volume_map_entry *next = volume_map_at(map, first + count);
		if (next->logical != start->logical + count || next->kind != start->kind) {
			break;
		}
	}
	return count;
}

uint32_t volume_map_order(const struct volume_map *map, uint64_t *order)
{
	uint32_t runs = 0;
	for (uint32_t i = 0; i < map->count;) {
		const uint32_t count = run_length(map, i);
		const uint64_t logical = volume_map_at(map, i)->logical;
		order[runs++] = logical << VOLUME_MAP_ORDER_SHIFT | count << RUN_COUNT_SHIFT | i;
		i += count;
	}
	return runs;
}
