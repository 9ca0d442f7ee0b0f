// SPDX-License-Identifier: MIT
/* The radix tree, read side: 128 ways, 3 levels, indexed by logical block. A node's tag is in its
 * parent's entry and the root's in the superblock, so a node that opens is the current one. */
#include <string.h>

#include "block/volume_internal.h"

enum status volume_node_get(struct volume *volume, uint32_t level, uint64_t index,
			    const struct volume_entry *entry, const uint8_t **node)
{
	/* (session, counter) is used once, so a cached node can never be stale. */
	struct volume_cached_node *room = &volume->node_cache[0];
	for (size_t i = 0; i < VOLUME_NODE_CACHE; i++) {
		struct volume_cached_node *cached = &volume->node_cache[i];
		if (cached->entry.physical == entry->physical &&
		    cached->entry.session == entry->session &&
		    cached->entry.counter == entry->counter && cached->level == level &&
		    cached->index == index) {
			cached->used_at = ++volume->clock;
			*node = volume->node_cache_blocks + i * BLOCK_BYTES;
			return STATUS_OK;
		}
		if (cached->used_at < room->used_at) {
			room = cached;
		}
	}
	uint8_t *content =
		volume->node_cache_blocks + (size_t)(room - volume->node_cache) * BLOCK_BYTES;
	*room = (struct volume_cached_node){.entry = {0}};
	enum status status = volume_block_open(volume, level, index, entry, content);
	if (status != STATUS_OK) {
		return status;
	}
	*room = (struct volume_cached_node){
		.entry = *entry, .level = level, .index = index, .used_at = ++volume->clock};
	*node = content;
	return STATUS_OK;
}

enum status volume_node_entry(struct volume *volume, const uint8_t *node, uint32_t level,
			      uint64_t index, uint32_t slot, struct volume_entry *entry)
{
	enum status status = volume_entry_decode(node + (size_t)slot * VOLUME_ENTRY_BYTES, entry);
	if (status == STATUS_OK && entry->physical != 0 &&
	    !volume_is_allocatable(&volume->geometry, entry->physical)) {
		status = STATUS_AUTH_META;
	}
	return volume_note(volume, status, level, index, UINT64_MAX);
}

enum status volume_tree_find(struct volume *volume, uint32_t logical, struct volume_entry *entry)
{
	struct volume_entry at = volume->superblock.tree;
	for (uint32_t level = VOLUME_LEVEL_ROOT; level >= VOLUME_LEVEL_LEAF; level--) {
		if (at.physical == 0) {
			break;
		}
		uint32_t shift = level * VOLUME_NODE_SHIFT;
		uint32_t slot = logical >> (shift - VOLUME_NODE_SHIFT) & (VOLUME_NODE_ENTRIES - 1);
		const uint8_t *node = NULL;
		enum status status = volume_node_get(volume, level, logical >> shift, &at, &node);
		if (status == STATUS_OK) {
			status =
				volume_node_entry(volume, node, level, logical >> shift, slot, &at);
		}
		if (status != STATUS_OK) {
			return status;
		}
	}
	*entry = at;
	return STATUS_OK;
}
