// SPDX-License-Identifier: MIT
/* Where things are on a volume of a given size. */
#include "block/volume_format.h"

/* [SB0 | SB1 | keyslots A | keyslots B | ring | groups ... | A' | B' | SB0' | SB1'] */
#define RING_FIRST     4u
#define TAIL_BLOCKS    4u
#define KEYSLOTS_AT    2u
#define GROUP_SMALLEST (VOLUME_GROUP_RESERVED + 1u)

enum status volume_geometry_from_size(uint64_t size, struct volume_geometry *geometry)
{
	if (size < VOLUME_STATE_BLOCKS_MIN || size > VOLUME_STATE_BLOCKS_MAX) {
		return STATUS_INVALID;
	}
	uint64_t first = RING_FIRST + VOLUME_RING_BLOCKS;
	uint64_t end = size - TAIL_BLOCKS;
	uint64_t rest = (end - first) % VOLUME_GROUP_BLOCKS;
	if (rest < GROUP_SMALLEST) {
		end -= rest; /* A last group without room for a block would only be a burden. */
	}
	*geometry = (struct volume_geometry){
		.size = size,
		.ring_first = RING_FIRST,
		.ring_blocks = VOLUME_RING_BLOCKS,
		.group_first = first,
		.group_end = end,
		.group_count =
			(uint32_t)((end - first + VOLUME_GROUP_BLOCKS - 1) / VOLUME_GROUP_BLOCKS),
	};
	return STATUS_OK;
}

uint64_t volume_superblock_place(uint64_t size, uint32_t slot, uint32_t copy)
{
	return copy == 0 ? slot : size - VOLUME_COPIES + slot;
}

uint64_t volume_keyslots_place(uint64_t size, uint32_t area, uint32_t copy)
{
	return copy == 0 ? KEYSLOTS_AT + area : size - TAIL_BLOCKS + area;
}

bool volume_is_allocatable(const struct volume_geometry *geometry, uint64_t block)
{
	return block >= geometry->group_first && block < geometry->group_end &&
	       (block - geometry->group_first) % VOLUME_GROUP_BLOCKS >= VOLUME_GROUP_RESERVED;
}

uint64_t volume_bitmap_place(const struct volume_geometry *geometry, uint32_t group, uint32_t slot)
{
	return geometry->group_first + (uint64_t)group * VOLUME_GROUP_BLOCKS + slot;
}
