// SPDX-License-Identifier: MIT
#include "map.h"

#include "base/bytes.h"
#include "base/check.h"
#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"

static void add(struct map *map, uint64_t block, enum region region, uint32_t logical_index)
{
	static const uint32_t used[REGIONS] = {
		[REGION_SUPERBLOCK] = VOLUME_SUPERBLOCK_USED_BYTES,
		[REGION_KEYSLOTS] = BLOCK_BYTES,
		[REGION_RECORD] = BLOCK_BYTES,
		[REGION_LAST_RECORD] = BLOCK_BYTES,
		[REGION_OLD_RECORD] = BLOCK_BYTES,
		[REGION_FIXED] = BLOCK_BYTES,
		[REGION_GROUP] = BLOCK_BYTES,
		[REGION_NODE] = BLOCK_BYTES,
		[REGION_DATA] = BLOCK_BYTES,
		[REGION_LOGGED_DATA] = BLOCK_BYTES,
		[REGION_LAST_DATA] = BLOCK_BYTES,
		[REGION_FREE] = BLOCK_BYTES,
	};
	CHECK(map->count < MAP_MAX);
	map->blocks[map->count++] = (struct map_block){.block = block,
						       .region = region,
						       .logical_index = logical_index,
						       .used_bytes = used[region]};
}

static void add_headers(struct map *map, uint64_t size)
{
	for (uint32_t which = 0; which < 2; which++) {
		for (uint32_t copy = 0; copy < VOLUME_COPIES; copy++) {
			add(map, volume_superblock_place(size, which, copy), REGION_SUPERBLOCK, 0);
			add(map, volume_keyslots_place(size, which, copy), REGION_KEYSLOTS, 0);
		}
	}
}

/* Records say how long they are in their clear headers, and this disk is honest. */
static void add_records(struct map *map, const struct rig *rig)
{
	const struct volume *volume = rig->volume;
	const struct image *image = &rig->disk->image;
	uint32_t head = volume->superblock.log_offset;
	uint32_t last = 0;
	for (uint32_t at = 0; at < volume->geometry.ring_blocks;) {
		struct volume_record_header header;
		uint64_t block = volume->geometry.ring_first + at;
		if (volume_record_header_decode(image_look(image, block), &header) != STATUS_OK) {
			at++;
			continue;
		}
		bool is_current = at >= head && at < head + volume->log.used;
		const uint32_t sealed_blocks = volume_record_sealed_blocks(header.sealed_bytes);
		for (uint32_t i = 0; i < sealed_blocks; i++) {
			last = is_current && i == 0 ? (uint32_t)map->count : last;
			add(map, block + i, is_current ? REGION_RECORD : REGION_OLD_RECORD, 0);
		}
		/* What is behind its last grain is looked at by nobody. */
		map->blocks[map->count - 1].used_bytes =
			header.sealed_bytes - (sealed_blocks - 1) * BLOCK_BYTES;
		at += header.block_count;
	}
	for (size_t i = last; i < map->count && volume->log.used != 0; i++) {
		if (map->blocks[i].region == REGION_RECORD) {
			map->blocks[i].region = REGION_LAST_RECORD;
		}
	}
}

/* The group tree with its bitmaps; in the state profile the superblock has their entries. */
static void add_groups(struct map *map, const struct rig *rig)
{
	struct volume *volume = rig->volume;
	const struct volume_geometry *geometry = &volume->geometry;
	for (uint32_t height = 0; height <= geometry->group_levels; height++) {
		uint32_t span = 1u << (height * VOLUME_NODE_SHIFT);
		for (uint32_t index = 0; index * span < geometry->group_count; index++) {
			struct volume_entry entry;
			CHECK(volume_group_entry(volume, height, index, &entry) == STATUS_OK);
			if (entry.physical != 0) {
				add(map, entry.physical,
				    geometry->group_levels == 0 ? REGION_FIXED : REGION_GROUP, 0);
			}
		}
	}
}

/* What the overlay has on the device. */
static void add_logged(struct map *map, const struct rig *rig, uint64_t last_from)
{
	for (uint32_t i = 0; i < rig->checker->place_count; i++) {
		const struct volume_map_entry *entry =
			volume_map_find(&rig->volume->overlay, rig->checker->places[i].logical);
		if (entry != NULL &&
		    (entry->kind == VOLUME_MAP_PLACED || entry->kind == VOLUME_MAP_CARRIED)) {
			bool is_last = entry->entry.session == rig->volume->session.id &&
				       entry->entry.counter > last_from;
			add(map, entry->entry.physical,
			    is_last ? REGION_LAST_DATA : REGION_LOGGED_DATA, i);
		}
	}
}

static bool is_mapped(const struct map *map, uint64_t block)
{
	for (size_t i = 0; i < map->count; i++) {
		if (map->blocks[i].block == block) {
			return true;
		}
	}
	return false;
}

/* Blocks that records carry and the overlay does not need: overwritten since, or moved home. */
static void add_spent(struct map *map, const struct rig *rig)
{
	const struct volume_geometry *geometry = &rig->volume->geometry;
	const struct image *image = &rig->disk->image;
	for (uint64_t at = geometry->ring_first; at < geometry->ring_first + geometry->ring_blocks;
	     at++) {
		if (image_is_written(image, at) && !is_mapped(map, at)) {
			add(map, at, REGION_FREE, 0);
		}
	}
}

static void add_homes(struct map *map, const struct rig *rig)
{
	struct volume *volume = rig->volume;
	const struct volume_superblock *superblock = &volume->superblock;
	add(map, superblock->table.physical, REGION_FIXED, 0);
	add_groups(map, rig);
	if (superblock->tree.physical != 0) {
		add(map, superblock->tree.physical, REGION_FIXED, 0);
	}
	for (uint32_t i = 0; i < rig->checker->place_count; i++) {
		struct volume_entry entry;
		CHECK(volume_tree_find(volume, rig->checker->places[i].logical, &entry) ==
		      STATUS_OK);
		if (entry.physical != 0 && !is_mapped(map, entry.physical)) {
			add(map, entry.physical, REGION_DATA, i);
		}
	}
	for (uint64_t block = volume->geometry.group_first; block < volume->geometry.group_end;
	     block++) {
		if (!volume_is_allocatable(&volume->geometry, block)) {
			continue;
		}
		uint64_t bit = (block - volume->geometry.group_first) % VOLUME_GROUP_BLOCKS;
		uint8_t *bitmap = NULL;
		CHECK(volume_bitmap_get(volume,
					(uint32_t)((block - volume->geometry.group_first) /
						   VOLUME_GROUP_BLOCKS),
					&bitmap) == STATUS_OK);
		bool is_used = (bitmap[bit / 8] >> (bit % 8) & 1) != 0;
		if (!image_is_written(&rig->disk->image, block) || is_mapped(map, block)) {
			continue;
		}
		/* Erased by a rotation: as if it had never been written. */
		if (!is_used && bytes_are_zero(image_look(&rig->disk->image, block), BLOCK_BYTES)) {
			continue;
		}
		add(map, block, is_used ? REGION_NODE : REGION_FREE, 0);
	}
}

void map_make(struct map *map, const struct rig *rig, uint64_t last_from)
{
	map->count = 0;
	CHECK(rig->disk->pending_count == 0);
	add_headers(map, rig->volume->geometry.size);
	add_records(map, rig);
	add_logged(map, rig, last_from);
	add_spent(map, rig);
	add_homes(map, rig);
}
