// SPDX-License-Identifier: MIT
/* What the VMM tells stage2: start_info, a module entry, the memory map and what is placed in it.
 * Input: a mode, then what the mode needs. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "boot/memory_map.h"
#include "boot/start_info.h"
#include "tests/fuzz/fuzz.h"

enum mode {
	MODE_INFO,
	MODE_MODULE,
	MODE_MAP,
	MODE_COUNT
};

#define TYPE_RAM   1u
#define USED_MAX   6u
#define PLACES_MAX 4u

static void info_run(const uint8_t *bytes, size_t size)
{
	struct start_info info;
	const char *problem = NULL;
	fuzz_stain(&info, sizeof(info));
	const enum status status = start_info_decode(bytes, size, &info, &problem);
	if (status == STATUS_OK) {
		FUZZ_REQUIRE(size >= START_INFO_BYTES && info.memory_map_entries >= 1);
		FUZZ_REQUIRE(info.memory_map_entries <= START_INFO_MEMORY_ENTRIES_MAX);
	} else {
		FUZZ_REQUIRE(status == STATUS_BAD_HOST || status == STATUS_UNSUPPORTED);
		FUZZ_REQUIRE(problem != NULL && fuzz_is_stained(&info, sizeof(info)));
	}
}

static void module_run(const uint8_t *bytes, size_t size)
{
	struct phys_range module;
	const char *problem = NULL;
	const enum status status = start_info_decode_module(bytes, size, &module, &problem);
	if (status == STATUS_OK) {
		FUZZ_REQUIRE(size >= START_INFO_MODULE_BYTES && phys_range_valid(module));
		FUZZ_REQUIRE(module.first.raw == bytes_load_le64(bytes));
	} else {
		FUZZ_REQUIRE(status == STATUS_BAD_HOST && problem != NULL);
	}
}

/* Is the page RAM, by a rule that has nothing to do with how the map is built? */
static bool page_is_ram(const uint8_t *table, uint32_t entry_count, uint64_t page)
{
	bool is_ram = false;
	for (uint32_t i = 0; i < entry_count; i++) {
		const uint8_t *entry = table + (size_t)i * START_INFO_MEMORY_BYTES;
		const uint64_t first = bytes_load_le64(entry);
		const uint64_t end = first + bytes_load_le64(entry + 8);
		if (first == end) {
			continue;
		}
		if (bytes_load_le32(entry + 16) != TYPE_RAM) {
			if (first < page + PAGE_BYTES && page < end) {
				return false;
			}
		} else if (first <= page && page + PAGE_BYTES <= end) {
			is_ram = true;
		}
	}
	return is_ram && page >= MEMORY_MAP_LOWEST;
}

static void map_check(const struct memory_map *map, const uint8_t *table, uint32_t entry_count)
{
	uint64_t end = 0;
	FUZZ_REQUIRE(map->count >= 1 && map->count <= BOOT_MEMORY_RANGES_MAX);
	for (uint32_t i = 0; i < map->count; i++) {
		const struct phys_range range = map->ranges[i];
		const uint64_t first = range.first.raw;
		FUZZ_REQUIRE(phys_range_valid(range) && (i == 0 || first > end));
		end = first + range.size_bytes;
		FUZZ_REQUIRE(first % PAGE_BYTES == 0 && end % PAGE_BYTES == 0);
		const uint64_t middle = addr_page_floor(first + range.size_bytes / 2);
		FUZZ_REQUIRE(page_is_ram(table, entry_count, first));
		FUZZ_REQUIRE(page_is_ram(table, entry_count, middle));
		FUZZ_REQUIRE(page_is_ram(table, entry_count, end - PAGE_BYTES));
		FUZZ_REQUIRE(!page_is_ram(table, entry_count, first - PAGE_BYTES));
		FUZZ_REQUIRE(!page_is_ram(table, entry_count, end));
	}
}

/* Place a few things, each beside the ones before. */
static void place_run(struct fuzz_input *input, const struct memory_map *map)
{
	struct phys_range used[USED_MAX];
	size_t used_count = 0;
	for (unsigned int i = 0; i < PLACES_MAX; i++) {
		const struct memory_request request = {
			.size_bytes = (uint64_t)fuzz_u16(input) << (fuzz_u8(input) % 32),
			.alignment = (uint64_t)PAGE_BYTES << (fuzz_u8(input) % 20),
			.limit = fuzz_u64(input),
		};
		struct phys_range found;
		if (memory_map_place(map, used, used_count, request, &found) != STATUS_OK) {
			continue;
		}
		FUZZ_REQUIRE(found.size_bytes == request.size_bytes);
		FUZZ_REQUIRE(found.first.raw % request.alignment == 0);
		FUZZ_REQUIRE(found.first.raw + found.size_bytes <= request.limit);
		FUZZ_REQUIRE(memory_map_contains(map, found));
		for (size_t j = 0; j < used_count; j++) {
			FUZZ_REQUIRE(!phys_range_overlaps(found, used[j]));
		}
		used[used_count++] = found;
	}
}

static void map_run(struct fuzz_input *input)
{
	struct memory_map map;
	const char *problem = NULL;
	size_t size = 0;
	const uint32_t entry_count = fuzz_u8(input) % (START_INFO_MEMORY_ENTRIES_MAX + 1);
	uint8_t requests[PLACES_MAX * 12];
	(void)fuzz_fill(input, requests, sizeof(requests));
	uint8_t *table = fuzz_rest(input, &size);
	fuzz_stain(&map, sizeof(map));
	const enum status status = memory_map_decode(table, size, entry_count, &map, &problem);
	if (status == STATUS_OK) {
		struct fuzz_input rest = fuzz_input_of(requests, sizeof(requests));
		FUZZ_REQUIRE(size >= (size_t)entry_count * START_INFO_MEMORY_BYTES);
		map_check(&map, table, entry_count);
		place_run(&rest, &map);
	} else {
		FUZZ_REQUIRE(status == STATUS_BAD_HOST || status == STATUS_TOO_LARGE);
		FUZZ_REQUIRE(problem != NULL && fuzz_is_stained(&map, sizeof(map)));
	}
	free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	const unsigned int mode = fuzz_u8(&input) % MODE_COUNT;
	if (mode == MODE_MAP) {
		map_run(&input);
		return 0;
	}
	size_t rest_size = 0;
	uint8_t *rest = fuzz_rest(&input, &rest_size);
	if (mode == MODE_INFO) {
		info_run(rest, rest_size);
	} else {
		module_run(rest, rest_size);
	}
	free(rest);
	return 0;
}
