// SPDX-License-Identifier: MIT
/* Where things are on a volume of a given profile and size. */
#include "block/volume_format.h"

/* [SB0 | SB1 | keyslots A | keyslots B | ring | groups ... | A' | B' | SB0' | SB1'] */
#define RING_FIRST  4u
#define TAIL_BLOCKS 4u
#define KEYSLOTS_AT 2u

/* Block profile: the ring is a sixteenth of the volume within its bounds, in whole batches. */
#define RING_SHARE 16u
#define RING_GRAIN 32u
/* Log entries per ring block: records of full depth-32 batches fill half of the ring first. */
#define OVERLAY_PER_RING_BLOCK 4u
#define CONTENTS_PER_RING      16u
#define CONTENTS_MIN           64u
#define TXN_PER_OVERLAY        4u
#define TXN_BLOCKS_MAX         4096u
#define TXN_CONTENTS           32u
/* Room that is never offered: nodes, and copies that wait for the next checkpoint. */
#define SPARE_SHARE  16u
#define SPARE_BLOCKS 256u

static uint32_t levels_for(uint64_t count, uint32_t least)
{
	uint32_t levels = least;
	while ((uint64_t)1 << (levels * VOLUME_NODE_SHIFT) < count) {
		levels++;
	}
	return levels;
}

static uint64_t ring_blocks_for(uint64_t size)
{
	uint64_t ring = size / RING_SHARE / RING_GRAIN * RING_GRAIN;
	if (ring < VOLUME_RING_BLOCKS) {
		return VOLUME_RING_BLOCKS;
	}
	return ring < VOLUME_RING_BLOCKS_MAX ? ring : VOLUME_RING_BLOCKS_MAX;
}

static void state_limits(struct volume_geometry *geometry)
{
	geometry->tree_levels = VOLUME_TREE_LEVELS;
	geometry->logical_blocks = VOLUME_LOGICAL_BLOCKS;
	geometry->slice_blocks = VOLUME_SLICE_BLOCKS;
	geometry->overlay_blocks = 256;
	geometry->overlay_contents = 256;
	geometry->txn_blocks = VOLUME_TXN_BLOCKS_MAX;
	geometry->txn_contents = VOLUME_TXN_BLOCKS_MAX;
}

static void block_limits(struct volume_geometry *geometry)
{
	uint64_t allocatable = volume_allocatable_count(geometry);
	uint32_t ring = (uint32_t)geometry->ring_blocks;
	uint32_t contents = ring / CONTENTS_PER_RING;
	uint32_t txn = ring * OVERLAY_PER_RING_BLOCK / TXN_PER_OVERLAY;
	geometry->group_levels = levels_for(geometry->group_count, 1);
	geometry->logical_blocks = allocatable - allocatable / SPARE_SHARE - SPARE_BLOCKS;
	geometry->logical_blocks -= geometry->logical_blocks % VOLUME_NODE_ENTRIES;
	geometry->slice_blocks = geometry->logical_blocks;
	geometry->tree_levels = levels_for(geometry->logical_blocks, 2);
	geometry->overlay_blocks = ring * OVERLAY_PER_RING_BLOCK;
	geometry->overlay_contents = contents < CONTENTS_MIN ? CONTENTS_MIN : contents;
	geometry->txn_blocks = txn < TXN_BLOCKS_MAX ? txn : TXN_BLOCKS_MAX;
	geometry->txn_contents = TXN_CONTENTS;
}

static bool size_is_valid(uint32_t profile, uint64_t size)
{
	if (profile == VOLUME_PROFILE_STATE) {
		return size >= VOLUME_STATE_BLOCKS_MIN && size <= VOLUME_STATE_BLOCKS_MAX;
	}
	return profile == VOLUME_PROFILE_BLOCK && size >= VOLUME_BLOCK_BLOCKS_MIN &&
	       size <= VOLUME_BLOCK_BLOCKS_MAX;
}

static uint64_t ring_of_new(uint32_t profile, uint64_t size)
{
	return profile == VOLUME_PROFILE_STATE ? VOLUME_RING_BLOCKS : ring_blocks_for(size);
}

/* A ring that this volume, or a smaller one before it grew, was made with. */
static bool ring_is_valid(uint32_t profile, uint64_t size, uint64_t ring)
{
	return ring >= VOLUME_RING_BLOCKS && ring <= ring_of_new(profile, size) &&
	       ring % RING_GRAIN == 0;
}

uint64_t volume_size_max(uint32_t profile)
{
	if (profile == VOLUME_PROFILE_STATE) {
		return VOLUME_STATE_BLOCKS_MAX;
	}
	return profile == VOLUME_PROFILE_BLOCK ? VOLUME_BLOCK_BLOCKS_MAX : 0;
}

bool volume_geometry_is_plain(const struct volume_geometry *geometry)
{
	return geometry->usable == geometry->size &&
	       geometry->ring_blocks == ring_of_new((uint32_t)geometry->profile, geometry->size);
}

enum status volume_geometry_make(uint32_t profile, uint64_t size, struct volume_geometry *geometry)
{
	if (!size_is_valid(profile, size)) {
		return STATUS_INVALID;
	}
	return volume_geometry_grown(profile, size, size, ring_of_new(profile, size), geometry);
}

enum status volume_geometry_grown(uint32_t profile, uint64_t size, uint64_t usable,
				  uint64_t ring_blocks, struct volume_geometry *geometry)
{
	if (!size_is_valid(profile, size) || !size_is_valid(profile, usable) || usable > size ||
	    (usable != size && size - usable < VOLUME_GROW_BLOCKS_MIN) ||
	    !ring_is_valid(profile, usable, ring_blocks)) {
		return STATUS_INVALID;
	}
	bool is_state = profile == VOLUME_PROFILE_STATE;
	uint64_t ring = ring_blocks;
	uint32_t reserved = is_state ? VOLUME_GROUP_RESERVED : VOLUME_GROUP_RESERVED_BLOCK;
	uint64_t first = RING_FIRST + ring;
	uint64_t end = usable - TAIL_BLOCKS;
	uint64_t rest = (end - first) % VOLUME_GROUP_BLOCKS;
	if (rest <= reserved) {
		end -= rest; /* A last group without room for a block would only be a burden. */
	}
	*geometry = (struct volume_geometry){
		.profile = (enum volume_profile)profile,
		.size = size,
		.usable = usable,
		.ring_first = RING_FIRST,
		.ring_blocks = ring,
		.group_first = first,
		.group_end = end,
		.group_count =
			(uint32_t)((end - first + VOLUME_GROUP_BLOCKS - 1) / VOLUME_GROUP_BLOCKS),
		.group_reserved = reserved,
	};
	if (is_state) {
		state_limits(geometry);
	} else {
		block_limits(geometry);
	}
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
	       (block - geometry->group_first) % VOLUME_GROUP_BLOCKS >= geometry->group_reserved;
}

bool volume_are_allocatable(const struct volume_geometry *geometry, uint64_t block, uint32_t count)
{
	if (!volume_is_allocatable(geometry, block) || count > geometry->group_end - block) {
		return false;
	}
	/* What is behind the end of a group is the next one's reserved blocks. */
	return count <= VOLUME_GROUP_BLOCKS - (block - geometry->group_first) % VOLUME_GROUP_BLOCKS;
}

uint64_t volume_bitmap_place(const struct volume_geometry *geometry, uint32_t group, uint32_t slot)
{
	return geometry->group_first + (uint64_t)group * VOLUME_GROUP_BLOCKS + slot;
}

/* In the first group below the node: a node of each height starts there at most once. */
uint64_t volume_group_node_place(const struct volume_geometry *geometry, uint32_t height,
				 uint64_t index, uint32_t slot)
{
	uint64_t group = index << (height * VOLUME_NODE_SHIFT);
	return geometry->group_first + group * VOLUME_GROUP_BLOCKS + (uint64_t)height * 2 + slot;
}

uint64_t volume_allocatable_count(const struct volume_geometry *geometry)
{
	return geometry->group_end - geometry->group_first -
	       (uint64_t)geometry->group_count * geometry->group_reserved;
}
