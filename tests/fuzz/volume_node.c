// SPDX-License-Identifier: MIT
/* A tree node: 128 entries, and the geometry that says where they may point. Input: the volume's
 * size (top bit: a block device, of 16 times as many blocks), then the node. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_format.h"
#include "tests/fuzz/fuzz.h"

#define SYSTEM_BLOCKS (2u * 2u * VOLUME_COPIES)

/* Bitmaps and the nodes above them live in a group's reserved blocks, each in two of its own.
 * Group `from` and those behind it, as many as there are heights, are looked at. */
static void group_tree_check(const struct volume_geometry *geometry, uint64_t from)
{
	FUZZ_REQUIRE(geometry->group_levels >= 1 &&
		     geometry->group_levels <= VOLUME_GROUP_LEVELS_MAX);
	FUZZ_REQUIRE(geometry->group_count <= 1ull << (geometry->group_levels * VOLUME_NODE_SHIFT));
	for (uint32_t height = 1; height <= geometry->group_levels; height++) {
		const uint64_t index = from >> (height * VOLUME_NODE_SHIFT);
		const uint64_t first = index << (height * VOLUME_NODE_SHIFT);
		for (uint32_t slot = 0; slot < 2; slot++) {
			const uint64_t at = volume_group_node_place(geometry, height, index, slot);
			FUZZ_REQUIRE(at >= geometry->group_first && at < geometry->group_end);
			FUZZ_REQUIRE(!volume_is_allocatable(geometry, at));
			const uint64_t offset = at - geometry->group_first;
			FUZZ_REQUIRE(offset / VOLUME_GROUP_BLOCKS == first);
			FUZZ_REQUIRE(offset % VOLUME_GROUP_BLOCKS == 2u * height + slot);
		}
	}
}

/* Superblocks, keyslots, ring and groups keep out of each other's way. */
static void geometry_check(const struct volume_geometry *geometry)
{
	const uint64_t size = geometry->size;
	uint64_t places[SYSTEM_BLOCKS];
	size_t count = 0;
	for (uint32_t copy = 0; copy < VOLUME_COPIES; copy++) {
		for (uint32_t which = 0; which < 2; which++) {
			places[count++] = volume_superblock_place(size, which, copy);
			places[count++] = volume_keyslots_place(size, which, copy);
		}
	}
	for (size_t i = 0; i < count; i++) {
		FUZZ_REQUIRE(places[i] < size);
		FUZZ_REQUIRE(places[i] < geometry->ring_first || places[i] >= geometry->group_end);
		for (size_t j = 0; j < i; j++) {
			FUZZ_REQUIRE(places[i] != places[j]);
		}
	}
	FUZZ_REQUIRE(geometry->ring_first + geometry->ring_blocks <= geometry->group_first);
	/* Of many groups some: the first, the last, and a few between. */
	const uint32_t step = 1 + geometry->group_count / 64;
	for (uint32_t i = 0; i < geometry->group_count; i += step) {
		const uint32_t group = geometry->group_count - 1 - i;
		if (geometry->profile == VOLUME_PROFILE_BLOCK) {
			group_tree_check(geometry, group);
		}
		for (uint32_t slot = 0; slot < 2; slot++) {
			const uint64_t at = volume_bitmap_place(geometry, group, slot);
			FUZZ_REQUIRE(at >= geometry->group_first && at < geometry->group_end);
			FUZZ_REQUIRE(!volume_is_allocatable(geometry, at));
		}
	}
}

static void entry_check(const struct volume_geometry *geometry, const uint8_t *bytes)
{
	uint8_t again[VOLUME_ENTRY_BYTES];
	struct volume_entry entry;
	fuzz_stain(&entry, sizeof(entry));
	const enum status status = volume_entry_decode(bytes, &entry);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(status == STATUS_AUTH_META);
		FUZZ_REQUIRE(fuzz_is_stained(&entry, sizeof(entry)));
		return;
	}
	FUZZ_REQUIRE(entry.physical >> 40 == 0);
	FUZZ_REQUIRE(entry.physical != 0 || bytes_are_zero(bytes, VOLUME_ENTRY_BYTES));
	volume_entry_encode(again, &entry);
	FUZZ_REQUIRE(memcmp(bytes, again, sizeof(again)) == 0);
	if (volume_is_allocatable(geometry, entry.physical)) {
		FUZZ_REQUIRE(entry.physical >= geometry->group_first);
		FUZZ_REQUIRE(entry.physical < geometry->group_end);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	uint8_t node[BLOCK_BYTES];
	struct volume_geometry geometry;
	const uint32_t word = fuzz_u32(&input);
	const bool is_block = word >> 31 != 0;
	const uint32_t profile = is_block ? VOLUME_PROFILE_BLOCK : VOLUME_PROFILE_STATE;
	const uint64_t blocks = is_block ? (uint64_t)(word & INT32_MAX) << 4 : word;
	const uint64_t least = is_block ? VOLUME_BLOCK_BLOCKS_MIN : VOLUME_STATE_BLOCKS_MIN;
	const uint64_t most = is_block ? VOLUME_BLOCK_BLOCKS_MAX : VOLUME_STATE_BLOCKS_MAX;
	(void)fuzz_fill(&input, node, sizeof(node));
	fuzz_stain(&geometry, sizeof(geometry));
	if (volume_geometry_make(profile, blocks, &geometry) != STATUS_OK) {
		FUZZ_REQUIRE(fuzz_is_stained(&geometry, sizeof(geometry)));
		FUZZ_REQUIRE(blocks < least || blocks > most);
		return 0;
	}
	geometry_check(&geometry);
	for (size_t i = 0; i < VOLUME_NODE_ENTRIES; i++) {
		entry_check(&geometry, node + i * VOLUME_ENTRY_BYTES);
	}
	return 0;
}
