// SPDX-License-Identifier: MIT
/* The volume's memory: one arena of the caller's, cut up once. How much is needed follows from
 * profile and size, since a mount has to find room for whatever an earlier one left in the log. */
#include <string.h>

#include "block/volume_freshness_internal.h"
#include "block/volume_internal.h"

#define ARENA_ALIGNMENT 64u

STATIC_ASSERT(sizeof(struct volume) % ARENA_ALIGNMENT == 0,
	      "the struct's alignment is the arena's: its keys ask for that");

/* A cut through the arena; with base NULL it only measures. */
struct carver {
	uint8_t *base;
	size_t at;
};

static void *carve(struct carver *carver, size_t size_bytes)
{
	void *start = carver->base == NULL ? NULL : carver->base + carver->at;
	carver->at += (size_bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
	return start;
}

static uint8_t *carve_blocks(struct carver *carver, size_t blocks)
{
	return carve(carver, blocks * BLOCK_BYTES);
}

/* At most half of a map's slots are ever taken. */
static uint32_t slots_for(uint32_t entries)
{
	uint32_t slots = 64;
	while (slots < 2 * entries) {
		slots *= 2;
	}
	return slots;
}

static void pool_carve(struct carver *carver, struct volume_pool *pool, uint32_t entries,
		       uint32_t contents)
{
	*pool = (struct volume_pool){
		.room = entries,
		.contents_room = contents,
		.entries = carve(carver, (size_t)entries * sizeof(*pool->entries)),
		.free_list = carve(carver, (size_t)contents * sizeof(*pool->free_list)),
		.content = carve_blocks(carver, contents),
	};
}

static void map_carve(struct carver *carver, struct volume_map *map, uint32_t entries)
{
	uint32_t slots = slots_for(entries);
	*map = (struct volume_map){
		.slot_mask = slots - 1,
		.slots = carve(carver, (size_t)slots * sizeof(*map->slots)),
	};
}

/* What one checkpoint takes and frees at most: for each block that moves the block itself and the
 * nodes above it, of which those high up are few; and the table. */
static size_t deltas_for(const struct volume_geometry *geometry)
{
	const size_t nodes_high_up = 4096;
	size_t moves = geometry->overlay_blocks;
	if (geometry->profile == VOLUME_PROFILE_STATE) {
		moves += (size_t)(geometry->size / VOLUME_SESSIONS_SOFT); /* The sweep's. */
		return 2 * (3 * moves + VOLUME_NODE_ENTRIES + 2);
	}
	return 2 * (3 * moves + nodes_high_up);
}

static uint32_t bitmaps_for(const struct volume_geometry *geometry)
{
	return geometry->group_count < VOLUME_GROUP_CACHE ? geometry->group_count
							  : VOLUME_GROUP_CACHE;
}

static uint32_t nodes_for(const struct volume_geometry *geometry)
{
	return geometry->profile == VOLUME_PROFILE_STATE ? VOLUME_NODE_CACHE_STATE
							 : VOLUME_NODE_CACHE_BLOCK;
}

/* What a node in the cache takes. */
#define NODE_BYTES (BLOCK_BYTES + sizeof(struct volume_cached_node))
STATIC_ASSERT(VOLUME_NODE_CACHE_STATE % VOLUME_NODE_CACHE_WAYS == 0 &&
		      VOLUME_NODE_CACHE_BLOCK % VOLUME_NODE_CACHE_WAYS == 0,
	      "the cache has whole sets");

/* Where the buffers are. Small, unlike struct volume: it is on the stack while they are measured.
 */
struct layout {
	struct volume_pool pool; /* Of overlay and frozen. */
	struct volume_map overlay;
	struct volume_map frozen;
	struct volume_pool staged_pool;
	struct volume_map staged;
	uint8_t *scratch;
	uint8_t *base;
	uint8_t *record;
	uint8_t *batch;
	uint8_t *txn_batch;
	uint8_t *tree_nodes;
	uint8_t *group_nodes;
	uint8_t *bitmap;
	uint64_t *order;
	uint64_t *deltas;
	uint8_t *bitmaps;
	uint8_t *ring_taken;
	struct volume_cached_node *cached;
	uint8_t *cached_blocks;
};

/* Before the geometry is known: the struct and two blocks to read headers with. */
static void front_carve(struct carver *carver, struct layout *layout)
{
	(void)carve(carver, sizeof(struct volume));
	layout->scratch = carve_blocks(carver, 1);
	layout->base = carve_blocks(carver, 1);
}

/* Returns the bytes that all of it takes. */
static size_t layout_make(struct carver *carver, const struct volume_geometry *geometry,
			  uint32_t nodes, struct layout *layout)
{
	front_carve(carver, layout);
	pool_carve(carver, &layout->pool, geometry->overlay_blocks, geometry->overlay_contents);
	map_carve(carver, &layout->overlay, geometry->overlay_blocks);
	map_carve(carver, &layout->frozen, geometry->overlay_blocks);
	pool_carve(carver, &layout->staged_pool, geometry->txn_blocks, geometry->txn_contents);
	map_carve(carver, &layout->staged, geometry->txn_blocks);
	layout->record = carve_blocks(carver, VOLUME_RECORD_BLOCKS_MAX);
	layout->batch = carve_blocks(carver, VOLUME_BATCH_BLOCKS);
	layout->txn_batch = geometry->profile == VOLUME_PROFILE_BLOCK
				    ? carve_blocks(carver, VOLUME_BATCH_BLOCKS)
				    : NULL;
	layout->tree_nodes = carve_blocks(carver, geometry->tree_levels);
	layout->group_nodes = carve_blocks(carver, geometry->group_levels);
	layout->bitmap = carve_blocks(carver, 1);
	layout->order = carve(carver, (size_t)geometry->overlay_blocks * sizeof(*layout->order));
	layout->deltas = carve(carver, deltas_for(geometry) * sizeof(*layout->deltas));
	layout->bitmaps = carve_blocks(carver, bitmaps_for(geometry));
	layout->ring_taken = carve(carver, (size_t)geometry->ring_blocks / 8);
	layout->cached = carve(carver, nodes * sizeof(*layout->cached));
	layout->cached_blocks = carve_blocks(carver, nodes);
	return carver->at;
}

static size_t bytes_with(const struct volume_geometry *geometry, uint32_t nodes)
{
	struct carver carver = {.base = NULL};
	struct layout layout;
	return layout_make(&carver, geometry, nodes, &layout);
}

static void map_adopt(struct volume_map *map, const struct volume_map *carved,
		      struct volume_pool *pool)
{
	*map = *carved;
	volume_map_init(map, pool);
}

static void maps_adopt(struct volume *volume, const struct layout *layout)
{
	volume->pool = layout->pool;
	volume->txn.pool = layout->staged_pool;
	volume_pool_reset(&volume->pool);
	volume_pool_reset(&volume->txn.pool);
	map_adopt(&volume->overlay, &layout->overlay, &volume->pool);
	map_adopt(&volume->frozen, &layout->frozen, &volume->pool);
	map_adopt(&volume->txn.staged, &layout->staged, &volume->txn.pool);
}

static void layout_adopt(struct volume *volume, const struct layout *layout, uint32_t nodes)
{
	struct volume_build *build = &volume->build;
	maps_adopt(volume, layout);
	volume->log.record = layout->record;
	build->batch.blocks = layout->batch;
	volume->txn.batch.blocks = layout->txn_batch;
	build->cursor.nodes = layout->tree_nodes;
	build->groups.nodes = layout->group_nodes;
	build->bitmap = layout->bitmap;
	build->order = layout->order;
	build->deltas.all = layout->deltas;
	build->deltas.room = deltas_for(&volume->geometry);
	volume->bitmaps.blocks = layout->bitmaps;
	volume->bitmaps.cache_size = bitmaps_for(&volume->geometry);
	volume->ring_taken = layout->ring_taken;
	volume->node_cache = layout->cached;
	volume->node_cache_blocks = layout->cached_blocks;
	volume->node_cache_sets = nodes / VOLUME_NODE_CACHE_WAYS;
	memset(layout->cached, 0, nodes * sizeof(*layout->cached));
	memset(layout->ring_taken, 0, (size_t)volume->geometry.ring_blocks / 8);
}

size_t volume_arena_bytes_for(enum volume_profile profile, struct block_count size)
{
	struct volume_geometry geometry;
	if (volume_geometry_make((uint32_t)profile, size.n, &geometry) != STATUS_OK) {
		return 0;
	}
	return volume_arena_bytes_of(&geometry);
}

size_t volume_arena_bytes_of(const struct volume_geometry *geometry)
{
	return bytes_with(geometry, nodes_for(geometry));
}

/* One for each node of the tree, leaves first, and a quarter more: a checkpoint's new nodes come in
 * while the old ones are still current, and not all sets are equally full. */
static uint64_t nodes_of_tree(const struct volume_geometry *geometry)
{
	uint64_t nodes = 0;
	for (uint32_t level = 1; level <= geometry->tree_levels; level++) {
		nodes += (geometry->logical_blocks >> (level * VOLUME_NODE_SHIFT)) + 1;
	}
	return nodes + nodes / 4 + VOLUME_NODE_CACHE_WAYS;
}

size_t volume_arena_bytes_with(enum volume_profile profile, struct block_count size,
			       size_t cache_bytes)
{
	struct volume_geometry geometry;
	if (volume_geometry_make((uint32_t)profile, size.n, &geometry) != STATUS_OK) {
		return 0;
	}
	const size_t least = volume_arena_bytes_of(&geometry);
	if (profile == VOLUME_PROFILE_STATE) {
		return least; /* Its commits compare with the content, and read few nodes. */
	}
	const uint64_t most = nodes_of_tree(&geometry);
	const uint64_t given = nodes_for(&geometry) + cache_bytes / NODE_BYTES;
	const uint64_t nodes = given < most ? given : most;
	return nodes <= nodes_for(&geometry) ? least : bytes_with(&geometry, (uint32_t)nodes);
}

/* The volume may be smaller than its device. */
size_t volume_arena_bytes(struct block_count device_size)
{
	struct block_count size = device_size;
	if (size.n > VOLUME_STATE_BLOCKS_MAX) {
		size.n = VOLUME_STATE_BLOCKS_MAX;
	}
	if (size.n < VOLUME_STATE_BLOCKS_MIN) {
		size.n = VOLUME_STATE_BLOCKS_MIN;
	}
	return volume_arena_bytes_for(VOLUME_PROFILE_STATE, size);
}

enum status volume_arena_begin(const struct volume_environment *environment, struct volume **volume)
{
	struct carver carver = {.base = environment->arena};
	struct layout layout;
	if (environment->arena == NULL || (uintptr_t)environment->arena % ARENA_ALIGNMENT != 0) {
		return STATUS_INVALID;
	}
	struct volume *made = (struct volume *)(void *)environment->arena;
	if (environment->arena_size_bytes < sizeof(*made) + 2 * BLOCK_BYTES) {
		return STATUS_NO_MEMORY;
	}
	memset(made, 0, sizeof(*made));
	front_carve(&carver, &layout);
	made->scratch = layout.scratch;
	made->base = layout.base;
	made->device = environment->device;
	made->aead = environment->aead;
	made->random = environment->random;
	volume_freshness_begin(made, environment);
	made->arena_bytes = environment->arena_size_bytes;
	made->failure = (struct volume_failure){
		.status = STATUS_OK, .logical = UINT64_MAX, .physical = UINT64_MAX};
	*volume = made;
	return STATUS_OK;
}

/* What is left over makes reads cheaper: as many whole sets as fit. */
static uint32_t nodes_within(const struct volume_geometry *geometry, size_t room, uint32_t least)
{
	const size_t spare = room - bytes_with(geometry, least);
	const size_t sets = spare / (VOLUME_NODE_CACHE_WAYS * NODE_BYTES);
	const size_t most = (UINT32_MAX - least) / VOLUME_NODE_CACHE_WAYS;
	return least + (uint32_t)(sets < most ? sets : most) * VOLUME_NODE_CACHE_WAYS;
}

enum status volume_arena_lay_out(struct volume *volume)
{
	struct carver carver = {.base = (uint8_t *)volume};
	struct layout layout;
	size_t room = volume->arena_bytes;
	uint32_t nodes = nodes_for(&volume->geometry);
	if (room < bytes_with(&volume->geometry, nodes)) {
		return STATUS_NO_MEMORY;
	}
	nodes = nodes_within(&volume->geometry, room, nodes);
	(void)layout_make(&carver, &volume->geometry, nodes, &layout);
	layout_adopt(volume, &layout, nodes);
	return STATUS_OK;
}
