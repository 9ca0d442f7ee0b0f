// SPDX-License-Identifier: MIT
/* Two passes over the foreign table: RAM is added, then everything else is taken away, so the order
 * of the entries does not matter and a lie can only cost memory. */
#include "boot/memory_map.h"

#include "base/reader.h"
#include "boot/start_info.h"

#define TYPE_RAM 1u /* XEN_HVM_MEMMAP_TYPE_RAM; the same values as E820. */

struct entry {
	uint64_t first;
	uint64_t end;
	bool is_ram;
	bool is_empty;
};

static enum status decode_entry(struct reader *reader, struct entry *entry)
{
	const uint64_t first = reader_le64(reader);
	const uint64_t size = reader_le64(reader);
	const uint32_t type = reader_le32(reader);
	reader_skip(reader, 4);
	const struct phys_range range = {{first}, size};
	if (!reader_ok(reader) || (size > 0 && !phys_range_valid(range))) {
		return STATUS_BAD_HOST;
	}
	*entry = (struct entry){
		.first = first,
		.end = first + size,
		.is_ram = type == TYPE_RAM,
		.is_empty = size == 0,
	};
	return STATUS_OK;
}

static uint64_t end_of(struct phys_range range)
{
	return range.first.raw + range.size_bytes;
}

static struct phys_range range_between(uint64_t first, uint64_t end)
{
	return (struct phys_range){{first}, end - first};
}

static enum status append(struct memory_map *map, uint64_t first, uint64_t end)
{
	if (first >= end) {
		return STATUS_OK;
	}
	if (map->count >= BOOT_MEMORY_RANGES_MAX) {
		return STATUS_TOO_LARGE;
	}
	map->ranges[map->count++] = range_between(first, end);
	return STATUS_OK;
}

/* Insert [first, end), merged with every range that it touches. */
static enum status add(struct memory_map *map, uint64_t first, uint64_t end)
{
	struct memory_map merged = {.count = 0};
	enum status status = STATUS_OK;
	uint32_t i = 0;
	for (; status == STATUS_OK && i < map->count && end_of(map->ranges[i]) < first; i++) {
		status = append(&merged, map->ranges[i].first.raw, end_of(map->ranges[i]));
	}
	for (; i < map->count && map->ranges[i].first.raw <= end; i++) {
		const struct phys_range range = map->ranges[i];
		first = range.first.raw < first ? range.first.raw : first;
		end = end_of(range) > end ? end_of(range) : end;
	}
	status = status == STATUS_OK ? append(&merged, first, end) : status;
	for (; status == STATUS_OK && i < map->count; i++) {
		status = append(&merged, map->ranges[i].first.raw, end_of(map->ranges[i]));
	}
	if (status == STATUS_OK) {
		*map = merged;
	}
	return status;
}

/* Take [first, end) away: each range keeps what lies before and what lies after. */
static enum status subtract(struct memory_map *map, uint64_t first, uint64_t end)
{
	struct memory_map left = {.count = 0};
	for (uint32_t i = 0; i < map->count; i++) {
		const uint64_t range_first = map->ranges[i].first.raw;
		const uint64_t range_end = end_of(map->ranges[i]);
		enum status status =
			append(&left, range_first, first < range_end ? first : range_end);
		if (status == STATUS_OK) {
			status = append(&left, end > range_first ? end : range_first, range_end);
		}
		if (status != STATUS_OK) {
			return status;
		}
	}
	*map = left;
	return STATUS_OK;
}

/* RAM shrinks to whole pages above the first megabyte. */
static enum status apply_ram(struct memory_map *map, const struct entry *entry)
{
	const uint64_t begin = entry->first > MEMORY_MAP_LOWEST ? entry->first : MEMORY_MAP_LOWEST;
	uint64_t first = 0;
	if (!addr_page_ceil(begin, &first) || first >= addr_page_floor(entry->end)) {
		return STATUS_OK;
	}
	return add(map, first, addr_page_floor(entry->end));
}

/* Anything else grows to whole pages. */
static enum status apply_other(struct memory_map *map, const struct entry *entry)
{
	uint64_t end = 0;
	if (!addr_page_ceil(entry->end, &end)) {
		return STATUS_BAD_HOST;
	}
	return subtract(map, addr_page_floor(entry->first), end);
}

/* The next entry, if this pass is about its kind. */
static enum status apply_next(struct reader *reader, bool ram, struct memory_map *map)
{
	struct entry entry;
	const enum status status = decode_entry(reader, &entry);
	if (status != STATUS_OK) {
		return status;
	}
	if (entry.is_empty || entry.is_ram != ram) {
		return STATUS_OK;
	}
	return ram ? apply_ram(map, &entry) : apply_other(map, &entry);
}

static enum status apply_all(const uint8_t *table, size_t size_bytes, uint32_t entry_count,
			     bool ram, struct memory_map *map)
{
	struct reader reader;
	reader_init(&reader, table, size_bytes);
	for (uint32_t i = 0; i < entry_count; i++) {
		const enum status status = apply_next(&reader, ram, map);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

enum status memory_map_decode(const uint8_t *table, size_t size_bytes, uint32_t entry_count,
			      struct memory_map *map, const char **problem)
{
	struct memory_map found = {.count = 0};
	enum status status = apply_all(table, size_bytes, entry_count, true, &found);
	if (status == STATUS_OK) {
		status = apply_all(table, size_bytes, entry_count, false, &found);
	}
	if (status != STATUS_OK) {
		*problem = "the memory map has impossible entries or too many ranges";
		return status;
	}
	if (found.count == 0) {
		*problem = "the memory map has no usable RAM";
		return STATUS_BAD_HOST;
	}
	*map = found;
	return STATUS_OK;
}

bool memory_map_contains(const struct memory_map *map, struct phys_range range)
{
	if (!phys_range_valid(range)) {
		return false;
	}
	for (uint32_t i = 0; i < map->count; i++) {
		if (phys_range_contains(map->ranges[i], range)) {
			return true;
		}
	}
	return false;
}

uint64_t memory_map_total_bytes(const struct memory_map *map)
{
	uint64_t total = 0;
	for (uint32_t i = 0; i < map->count; i++) {
		total += map->ranges[i].size_bytes;
	}
	return total;
}

/* Round up; 0 if that would wrap, which no range of RAM contains. */
static uint64_t align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

/* The first used range that overlaps, or NULL. */
static const struct phys_range *conflict(const struct phys_range *used, size_t used_count,
					 struct phys_range wanted)
{
	for (size_t i = 0; i < used_count; i++) {
		if (phys_range_overlaps(used[i], wanted)) {
			return &used[i];
		}
	}
	return NULL;
}

/* Lowest place within one range of RAM. Each turn steps over one used range, and places only grow,
 * so there are at most used_count + 1 turns. */
static bool place_in(struct phys_range ram, const struct phys_range *used, size_t used_count,
		     struct memory_request request, struct phys_range *found)
{
	uint64_t at = align_up(ram.first.raw, request.alignment);
	for (size_t turn = 0; turn <= used_count; turn++) {
		const struct phys_range wanted = {{at}, request.size_bytes};
		if (!phys_range_valid(wanted) || !phys_range_contains(ram, wanted) ||
		    end_of(wanted) > request.limit) {
			return false;
		}
		const struct phys_range *other = conflict(used, used_count, wanted);
		if (other == NULL) {
			*found = wanted;
			return true;
		}
		at = align_up(end_of(*other), request.alignment);
	}
	return false;
}

enum status memory_map_place(const struct memory_map *map, const struct phys_range *used,
			     size_t used_count, struct memory_request request,
			     struct phys_range *found)
{
	for (uint32_t i = 0; i < map->count; i++) {
		if (place_in(map->ranges[i], used, used_count, request, found)) {
			return STATUS_OK;
		}
	}
	return STATUS_NO_MEMORY;
}
