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

/* Of a tree with room for `count` leaves. */
/*@ requires 1 <= least <= 2 && count <= VOLUME_BLOCK_BLOCKS_MAX;
    assigns \nothing;
    ensures least <= \result <= VOLUME_TREE_LEVELS_MAX;
    ensures count <= VOLUME_GROUP_COUNT_MAX ==> \result <= VOLUME_GROUP_LEVELS_MAX; */
static uint32_t levels_for(uint64_t count, uint32_t least)
{
	uint32_t levels = 1;
	uint64_t room = VOLUME_NODE_ENTRIES;
	/*@ loop invariant levels == 1 && room == 0x80 || levels == 2 && room == 0x4000 ||
	      levels == 3 && room == 0x200000 || levels == 4 && room == 0x10000000 ||
	      levels == 5 && room == 0x800000000;
	    loop invariant levels > 3 ==> count > 0x200000;
	    loop assigns levels, room;
	    loop variant 5 - levels; */
	while (levels < least || room < count) {
		levels++;
		room *= VOLUME_NODE_ENTRIES;
	}
	return levels;
}

/*@ assigns \nothing;
    ensures VOLUME_RING_BLOCKS <= \result <= VOLUME_RING_BLOCKS_MAX;
    ensures \result == VOLUME_RING_BLOCKS || \result <= size / 16; */
static uint64_t ring_blocks_for(uint64_t size)
{
	uint64_t ring = size / RING_SHARE / RING_GRAIN * RING_GRAIN;
	if (ring < VOLUME_RING_BLOCKS) {
		return VOLUME_RING_BLOCKS;
	}
	return ring < VOLUME_RING_BLOCKS_MAX ? ring : VOLUME_RING_BLOCKS_MAX;
}

/*@ requires \valid(geometry) && places_are_sound(geometry);
    assigns geometry->group_levels, geometry->tree_levels, geometry->logical_blocks,
      geometry->slice_blocks, geometry->overlay_blocks, geometry->overlay_contents,
      geometry->txn_blocks, geometry->txn_contents;
    ensures limits_are_sound(geometry);
    ensures places_are_sound(geometry); */
static void state_limits(struct volume_geometry *geometry)
{
	geometry->group_levels = 0;
	geometry->tree_levels = VOLUME_TREE_LEVELS;
	geometry->logical_blocks = VOLUME_LOGICAL_BLOCKS;
	geometry->slice_blocks = VOLUME_SLICE_BLOCKS;
	geometry->overlay_blocks = 256;
	geometry->overlay_contents = 256;
	geometry->txn_blocks = VOLUME_TXN_BLOCKS_MAX;
	geometry->txn_contents = VOLUME_TXN_BLOCKS_MAX;
}

/*@ requires \valid(geometry) && places_are_sound(geometry);
    requires geometry->profile == VOLUME_PROFILE_BLOCK;
    assigns geometry->group_levels, geometry->tree_levels, geometry->logical_blocks,
      geometry->slice_blocks, geometry->overlay_blocks, geometry->overlay_contents,
      geometry->txn_blocks, geometry->txn_contents;
    ensures limits_are_sound(geometry);
    ensures places_are_sound(geometry); */
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

/*@ assigns \nothing;
    ensures \result ==> size_is_of(profile, size); */
static bool size_is_valid(uint32_t profile, uint64_t size)
{
	if (profile == VOLUME_PROFILE_STATE) {
		return size >= VOLUME_STATE_BLOCKS_MIN && size <= VOLUME_STATE_BLOCKS_MAX;
	}
	return profile == VOLUME_PROFILE_BLOCK && size >= VOLUME_BLOCK_BLOCKS_MIN &&
	       size <= VOLUME_BLOCK_BLOCKS_MAX;
}

/*@ assigns \nothing;
    ensures VOLUME_RING_BLOCKS <= \result <= VOLUME_RING_BLOCKS_MAX;
    ensures \result == VOLUME_RING_BLOCKS || \result <= size / 16; */
static uint64_t ring_of_new(uint32_t profile, uint64_t size)
{
	return profile == VOLUME_PROFILE_STATE ? VOLUME_RING_BLOCKS : ring_blocks_for(size);
}

/* A ring that this volume, or a smaller one before it grew, was made with. */
/*@ assigns \nothing;
    ensures \result ==> VOLUME_RING_BLOCKS <= ring <= VOLUME_RING_BLOCKS_MAX;
    ensures \result ==> ring == VOLUME_RING_BLOCKS || ring <= size / 16; */
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

/* What does not follow from the number of blocks in the groups. */
/*@ requires \valid(geometry) && size_is_of(profile, size) && size_is_of(profile, usable);
    requires usable <= size && VOLUME_RING_BLOCKS <= ring <= VOLUME_RING_BLOCKS_MAX;
    requires ring == VOLUME_RING_BLOCKS || ring <= usable / 16;
    assigns *geometry;
    ensures places_are_sound(geometry);
    ensures geometry->profile == profile && geometry->size == size &&
      geometry->usable == usable && geometry->ring_blocks == ring; */
static void places_set(struct volume_geometry *geometry, uint32_t profile, uint64_t size,
		       uint64_t usable, uint64_t ring)
{
	uint32_t reserved = profile == VOLUME_PROFILE_STATE ? VOLUME_GROUP_RESERVED
							    : VOLUME_GROUP_RESERVED_BLOCK;
	uint64_t first = RING_FIRST + ring;
	uint64_t blocks = usable - TAIL_BLOCKS - first;
	uint64_t rest = blocks % VOLUME_GROUP_BLOCKS;
	if (rest <= reserved) {
		blocks -= rest; /* A last group without room for a block would only be a burden. */
	}
	uint64_t count = (blocks + VOLUME_GROUP_BLOCKS - 1) / VOLUME_GROUP_BLOCKS;
	//@ assert 0 < count && count <= VOLUME_GROUP_COUNT_MAX;
	//@ assert (count - 1) * VOLUME_GROUP_BLOCKS + reserved < blocks;
	//@ assert blocks <= count * VOLUME_GROUP_BLOCKS;
	geometry->profile = (enum volume_profile)profile;
	geometry->size = size;
	geometry->usable = usable;
	geometry->ring_first = RING_FIRST;
	geometry->ring_blocks = ring;
	geometry->group_first = first;
	geometry->group_end = first + blocks;
	geometry->group_count = (uint32_t)count;
	geometry->group_reserved = reserved;
}

enum status volume_geometry_grown(uint32_t profile, uint64_t size, uint64_t usable,
				  uint64_t ring_blocks, struct volume_geometry *geometry)
{
	if (!size_is_valid(profile, size) || !size_is_valid(profile, usable) || usable > size ||
	    (usable != size && size - usable < VOLUME_GROW_BLOCKS_MIN) ||
	    !ring_is_valid(profile, usable, ring_blocks)) {
		return STATUS_INVALID;
	}
	places_set(geometry, profile, size, usable, ring_blocks);
	if (profile == VOLUME_PROFILE_STATE) {
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

//@ requires each <= 8; assigns \nothing; ensures \result <= 8 * groups;
static uint64_t reserved_count(uint32_t groups, uint32_t each)
{
	return (uint64_t)groups * each;
}

uint64_t volume_allocatable_count(const struct volume_geometry *geometry)
{
	return geometry->group_end - geometry->group_first -
	       reserved_count(geometry->group_count, geometry->group_reserved);
}
