// SPDX-License-Identifier: MIT
/* Usable RAM, from the VMM's memory map, and where to put things in it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"
#include "boot/boot_params.h"

/* The first megabyte holds firmware tables, ROMs and the PVH structures: never ours. */
#define MEMORY_MAP_LOWEST 0x100000ull

/* Sorted, page-aligned, neither overlapping nor touching. */
struct memory_map {
	uint32_t count;
	struct phys_range ranges[BOOT_MEMORY_RANGES_MAX];
};

/* Decode `entry_count` entries of 24 bytes. A byte that any entry calls something else than RAM is
 * not RAM. STATUS_BAD_HOST: an entry wraps or lies beyond physical memory, or there is no RAM at
 * all; STATUS_TOO_LARGE: more ranges than we can hold. */
MUST_CHECK
enum status memory_map_decode(const uint8_t *table, size_t size_bytes, uint32_t entry_count,
			      struct memory_map *map, const char **problem);

/* True if the whole range is RAM. */
MUST_CHECK
bool memory_map_contains(const struct memory_map *map, struct phys_range range);

uint64_t memory_map_total_bytes(const struct memory_map *map);

struct memory_request {
	uint64_t size_bytes;
	uint64_t alignment; /* A power of two, at least a page. */
	uint64_t limit;     /* The range ends at or below it. */
};

/* The lowest range that overlaps none of `used` (which need not be sorted). STATUS_NO_MEMORY. */
MUST_CHECK
enum status memory_map_place(const struct memory_map *map, const struct phys_range *used,
			     size_t used_count, struct memory_request request,
			     struct phys_range *found);
