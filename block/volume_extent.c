// SPDX-License-Identifier: MIT
/* Which blocks hold something. Two sources know: the maps, of what the tree does not have yet, and
 * the tree, which answers for whole subtrees where they are missing. */
#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"

/* True if a map speaks of the block; then whether as a hole. */
static bool map_says(const struct volume_map *map, uint64_t logical, bool *is_hole)
{
	const struct volume_map_entry *entry = volume_map_find(map, (uint32_t)logical);
	if (entry == NULL) {
		return false;
	}
	*is_hole = entry->kind == VOLUME_MAP_HOLE;
	return true;
}

static bool maps_say(const struct volume *volume, uint64_t logical, bool *is_hole)
{
	return (volume->txn.open && map_says(&volume->txn.staged, logical, is_hole)) ||
	       map_says(&volume->overlay, logical, is_hole) ||
	       map_says(&volume->frozen, logical, is_hole);
}

/* The first block in [from, end) that the map holds something for; `end` if there is none. */
static uint64_t map_next(const struct volume_map *map, uint64_t from, uint64_t end)
{
	for (uint32_t i = 0; i < map->count; i++) {
		const struct volume_map_entry *entry = volume_map_at(map, i);
		if (entry->kind != VOLUME_MAP_HOLE && entry->logical >= from &&
		    entry->logical < end) {
			end = entry->logical;
		}
	}
	return end;
}

/* Cut a hole of the tree where a map has something. Looking block by block is cheaper where that is
 * near, looking through the maps where it is far: neither costs more than twice the better. */
static uint64_t hole_end(const struct volume *volume, uint64_t from, uint64_t end)
{
	uint64_t near = volume->pool.taken + (uint64_t)volume->txn.staged.count;
	near = near < end - from ? near : end - from;
	for (uint64_t at = from; at < from + near; at++) {
		bool is_hole = true;
		if (maps_say(volume, at, &is_hole) && !is_hole) {
			return at;
		}
	}
	from += near;
	end = map_next(&volume->frozen, from, map_next(&volume->overlay, from, end));
	return volume->txn.open ? map_next(&volume->txn.staged, from, end) : end;
}

/* Is the block a hole, and up to where does the same answer hold at least? */
static enum status look(struct volume *volume, uint64_t logical, uint64_t limit, bool *is_hole,
			uint64_t *end)
{
	struct volume_entry entry;
	*end = logical + 1;
	if (maps_say(volume, logical, is_hole)) {
		return STATUS_OK;
	}
	uint64_t span_end = 0;
	enum status status = volume_tree_span(volume, (uint32_t)logical, &entry, &span_end);
	if (status != STATUS_OK) {
		return status;
	}
	*is_hole = entry.physical == 0;
	if (*is_hole) {
		*end = hole_end(volume, *end, span_end < limit ? span_end : limit);
	}
	return STATUS_OK;
}

enum status volume_extent(struct volume *volume, struct logical_block first,
			  struct block_count most, struct block_count *count, bool *is_hole)
{
	const uint64_t blocks = volume->geometry.logical_blocks;
	if (most.n == 0 || most.n > blocks || first.n > blocks - most.n) {
		return STATUS_INVALID;
	}
	const uint64_t limit = first.n + most.n;
	bool first_is_hole = false;
	uint64_t end = 0;
	enum status status = look(volume, first.n, limit, &first_is_hole, &end);
	while (status == STATUS_OK && end < limit) { /* Each turn passes at least one block. */
		bool next_is_hole = false;
		uint64_t next_end = 0;
		status = look(volume, end, limit, &next_is_hole, &next_end);
		if (status != STATUS_OK || next_is_hole != first_is_hole) {
			break;
		}
		end = next_end;
	}
	if (status == STATUS_OK) {
		*count = (struct block_count){end - first.n};
		*is_hole = first_is_hole;
	}
	return status;
}
