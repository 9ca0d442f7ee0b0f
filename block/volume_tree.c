// SPDX-License-Identifier: MIT
/* The radix tree, read side: 128 ways, 2 to 5 levels, indexed by logical block. A node's tag is in
 * its parent's entry and the root's in the superblock, so a node that opens is the current one. */
#include <string.h>

#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"

/* The ways of the set that a node belongs to: neighbours spread, levels do not collide. */
static uint32_t set_of(const struct volume *volume, uint32_t level, uint64_t index)
{
	uint64_t hash = (index + ((uint64_t)level << 56)) * 0x9e3779b97f4a7c15u >> 32;
	/* The upper bits, which neighbours share out most evenly. */
	return (uint32_t)(hash * volume->node_cache_sets >> 32);
}

static bool is_same_node(const struct volume_cached_node *cached, uint32_t level, uint64_t index,
			 const struct volume_entry *entry)
{
	return cached->entry.physical == entry->physical &&
	       cached->entry.session == entry->session && cached->entry.counter == entry->counter &&
	       cached->level == level && cached->index == index;
}

/* Where a node is in the cache, or which place it may take. */
static size_t node_find(struct volume *volume, uint32_t level, uint64_t index,
			const struct volume_entry *entry, bool *found)
{
	size_t *last = &volume->node_cache_last[level % VOLUME_NODE_CACHE_HINTS];
	const size_t first = (size_t)set_of(volume, level, index) * VOLUME_NODE_CACHE_WAYS;
	size_t room = first;
	/* (session, counter) is used once, so a cached node can never be stale. */
	*found = is_same_node(&volume->node_cache[*last], level, index, entry);
	for (size_t i = first; i < first + VOLUME_NODE_CACHE_WAYS && !*found; i++) {
		const struct volume_cached_node *cached = &volume->node_cache[i];
		*found = is_same_node(cached, level, index, entry);
		if (*found) {
			*last = i;
		} else if (cached->used_at < volume->node_cache[room].used_at) {
			room = i;
		}
	}
	return *found ? *last : room;
}

enum status volume_node_get(struct volume *volume, uint32_t level, uint64_t index,
			    const struct volume_entry *entry, const uint8_t **node)
{
	bool found = false;
	const size_t place = node_find(volume, level, index, entry, &found);
	struct volume_cached_node *cached = &volume->node_cache[place];
	uint8_t *content = volume->node_cache_blocks + place * BLOCK_BYTES;
	if (!found) {
		*cached = (struct volume_cached_node){.entry = {0}};
		enum status status = volume_block_open(volume, level, index, entry, content);
		if (status != STATUS_OK) {
			return status;
		}
		*cached = (struct volume_cached_node){
			.entry = *entry, .level = level, .index = index};
	}
	cached->used_at = ++volume->clock;
	*node = content;
	return STATUS_OK;
}

void volume_node_keep(struct volume *volume, uint32_t level, uint64_t index,
		      const struct volume_entry *old, const struct volume_entry *entry,
		      const uint8_t *node)
{
	bool found = false;
	size_t place = node_find(volume, level, index, old, &found);
	if (found) {
		/* Current until the checkpoint is durable, and of the same set: if that is full, it
		 * is what makes room. */
		volume->node_cache[place].used_at = 0;
	}
	place = node_find(volume, level, index, entry, &found);
	memcpy(volume->node_cache_blocks + place * BLOCK_BYTES, node, BLOCK_BYTES);
	volume->node_cache[place] = (struct volume_cached_node){
		.entry = *entry, .level = level, .index = index, .used_at = ++volume->clock};
}

enum status volume_node_entries(struct volume *volume, const uint8_t *node, uint32_t level,
				uint64_t index, uint32_t slot, uint32_t count,
				struct volume_entry *entries)
{
	enum status status = volume_slots_decode(&volume->geometry, node, slot, count, entries);
	return status == STATUS_OK ? status : volume_note(volume, status, level, index, UINT64_MAX);
}

enum status volume_node_entry(struct volume *volume, const uint8_t *node, uint32_t level,
			      uint64_t index, uint32_t slot, struct volume_entry *entry)
{
	return volume_node_entries(volume, node, level, index, slot, 1, entry);
}

/* The leaf above a logical block, borrowed; NULL: a hole, as is all up to `*end`. */
static enum status leaf_find(struct volume *volume, uint32_t logical, const uint8_t **leaf,
			     uint64_t *end)
{
	struct volume_entry at = volume->superblock.tree;
	const uint32_t root_shift = volume->geometry.tree_levels * VOLUME_NODE_SHIFT;
	*leaf = NULL;
	*end = (((uint64_t)logical >> root_shift) + 1) << root_shift;
	for (uint32_t level = volume->geometry.tree_levels; at.physical != 0; level--) {
		uint32_t shift = level * VOLUME_NODE_SHIFT;
		uint64_t index = (uint64_t)logical >> shift;
		uint32_t slot = (uint32_t)((uint64_t)logical >> (shift - VOLUME_NODE_SHIFT)) &
				(VOLUME_NODE_ENTRIES - 1);
		const uint8_t *node = NULL;
		enum status status = volume_node_get(volume, level, index, &at, &node);
		shift -= VOLUME_NODE_SHIFT;
		*end = (((uint64_t)logical >> shift) + 1) << shift;
		if (status == STATUS_OK && level == VOLUME_LEVEL_LEAF) {
			*leaf = node;
			return STATUS_OK;
		}
		if (status == STATUS_OK) {
			status = volume_node_entry(volume, node, level, index, slot, &at);
		}
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

void volume_tree_prefetch(struct volume *volume, uint32_t logical)
{
	struct volume_entry at = volume->superblock.tree;
	for (uint32_t level = volume->geometry.tree_levels; at.physical != 0; level--) {
		const uint64_t below = (uint64_t)logical >> ((level - 1) * VOLUME_NODE_SHIFT);
		bool found = false;
		size_t place = node_find(volume, level, below >> VOLUME_NODE_SHIFT, &at, &found);
		const uint8_t *entry = volume->node_cache_blocks + place * BLOCK_BYTES +
				       (below & (VOLUME_NODE_ENTRIES - 1)) * VOLUME_ENTRY_BYTES;
		if (found && level == VOLUME_LEVEL_LEAF) {
			__builtin_prefetch(entry);
		}
		if (!found || level == VOLUME_LEVEL_LEAF ||
		    volume_entry_decode(entry, &at) != STATUS_OK) {
			return;
		}
	}
}

enum status volume_tree_find_many(struct volume *volume, uint32_t logical, uint32_t count,
				  struct volume_entry *entries)
{
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < count && status == STATUS_OK;) { /* A leaf in each turn. */
		const uint32_t slot = (logical + i) & (VOLUME_NODE_ENTRIES - 1);
		const uint32_t here = smaller(count - i, VOLUME_NODE_ENTRIES - slot);
		const uint8_t *leaf = NULL;
		uint64_t end = 0;
		status = leaf_find(volume, logical + i, &leaf, &end);
		if (status == STATUS_OK && leaf != NULL) {
			status = volume_node_entries(volume, leaf, VOLUME_LEVEL_LEAF,
						     (logical + i) >> VOLUME_NODE_SHIFT, slot, here,
						     entries + i);
		} else {
			memset(entries + i, 0, here * sizeof(*entries)); /* A hole. */
		}
		i += here;
	}
	return status;
}

enum status volume_tree_find(struct volume *volume, uint32_t logical, struct volume_entry *entry)
{
	return volume_tree_find_many(volume, logical, 1, entry);
}

enum status volume_tree_span(struct volume *volume, uint32_t logical, struct volume_entry *entry,
			     uint64_t *end)
{
	const uint8_t *leaf = NULL;
	enum status status = leaf_find(volume, logical, &leaf, end);
	*entry = (struct volume_entry){.physical = 0};
	if (status == STATUS_OK && leaf != NULL) {
		status = volume_node_entry(volume, leaf, VOLUME_LEVEL_LEAF,
					   logical >> VOLUME_NODE_SHIFT,
					   logical & (VOLUME_NODE_ENTRIES - 1), entry);
	}
	return status;
}
