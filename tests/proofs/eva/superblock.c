// SPDX-License-Identifier: MIT
/* A superblock: its clear header, and the body that opened. The header's profile and size are only
 * a claim, so the body is decoded with all of them. What a geometry is, and where it has things, is
 * geometry.c's: here both are anything. */
#include "block/volume_format.h"
#include "tests/proofs/eva/entry.h"

static uint8_t block[BLOCK_BYTES];
static uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES];

enum status volume_geometry_grown(uint32_t profile, uint64_t size, uint64_t usable,
				  uint64_t ring_blocks, struct volume_geometry *geometry)
{
	ANYTHING(*geometry);
	return any_bool() ? STATUS_OK : STATUS_INVALID;
}

bool volume_geometry_is_plain(const struct volume_geometry *geometry)
{
	return any_bool();
}

bool volume_is_allocatable(const struct volume_geometry *geometry, uint64_t at)
{
	return any_bool();
}

uint64_t volume_bitmap_place(const struct volume_geometry *geometry, uint32_t group, uint32_t slot)
{
	return any_u64();
}

uint64_t volume_group_node_place(const struct volume_geometry *geometry, uint32_t height,
				 uint64_t index, uint32_t slot)
{
	return any_u64();
}

uint64_t volume_allocatable_count(const struct volume_geometry *geometry)
{
	return any_u64();
}

static void read_header(void)
{
	struct volume_superblock_header header;
	ANYTHING(block);
	if (volume_superblock_header_decode(block, &header) == STATUS_OK) {
		//@ assert a_profile: header.profile == 1 || header.profile == 2;
	}
}

static void read_body(uint32_t profile)
{
	struct volume_superblock superblock;
	ANYTHING(body);
	if (volume_superblock_body_decode(body, profile, any_u64(), &superblock) == STATUS_OK) {
		(void)volume_superblock_features(&superblock);
		//@ assert a_phase: 0 <= superblock.rotation <= VOLUME_ROTATION_ERASE;
	}
}

int main(void)
{
	read_header();
	read_body(0);
	read_body(VOLUME_PROFILE_STATE);
	read_body(VOLUME_PROFILE_BLOCK);
	read_body((uint32_t)any_within(VOLUME_PROFILE_BLOCK + 1, UINT32_MAX));
	return 0;
}
