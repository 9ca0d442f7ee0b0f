// SPDX-License-Identifier: MIT
/* What the volume's other files ask of the tree: volume_tree.c reads it, volume_cursor.c changes it
 * for a checkpoint. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume_state_internal.h"

/* The entry of a logical block under the durable root; a hole if there is none. */
MUST_CHECK
enum status volume_tree_find(struct volume *volume, uint32_t logical, struct volume_entry *entry);
/* It will be asked for soon: bring its entry into the CPU's cache, if the leaf is in memory. */
void volume_tree_prefetch(struct volume *volume, uint32_t logical);
/* The same for neighbours, with one descent for those that share a leaf. */
MUST_CHECK
enum status volume_tree_find_many(struct volume *volume, uint32_t logical, uint32_t count,
				  struct volume_entry *entries);
/* The same; where it is a hole, `*end` is the first block behind the subtree that is missing. */
MUST_CHECK
enum status volume_tree_span(struct volume *volume, uint32_t logical, struct volume_entry *entry,
			     uint64_t *end);
/* A node's content, from the cache or the device. Borrowed until the next call. */
MUST_CHECK
enum status volume_node_get(struct volume *volume, uint32_t level, uint64_t index,
			    const struct volume_entry *entry, const uint8_t **node);
/* Put a node that was just sealed into the cache, beside the one that it is to replace. It is
 * current once its parent is. */
void volume_node_keep(struct volume *volume, uint32_t level, uint64_t index,
		      const struct volume_entry *old, const struct volume_entry *entry,
		      const uint8_t *node);
/* Decode entries of a node, from `slot` on, and check where they point. */
MUST_CHECK
enum status volume_node_entries(struct volume *volume, const uint8_t *node, uint32_t level,
				uint64_t index, uint32_t slot, uint32_t count,
				struct volume_entry *entries);
/* One of them. */
MUST_CHECK
enum status volume_node_entry(struct volume *volume, const uint8_t *node, uint32_t level,
			      uint64_t index, uint32_t slot, struct volume_entry *entry);

void volume_cursor_begin(struct volume *volume);
/* Bring the path to a logical block's leaf into memory; written paths that are left behind go to
 * the batch. One node in each call, until `*there`. */
MUST_CHECK
enum status volume_cursor_seek(struct volume *volume, uint32_t logical, bool *there);
/* Replace (content NULL: by a hole) the block that was sought. */
MUST_CHECK
enum status volume_cursor_put(struct volume *volume, uint32_t logical, const uint8_t *content);
/* Replace it, and those behind it in its leaf, by blocks that are on the device already, and noted
 * as taken: VOLUME_BATCH_BLOCKS at most. */
MUST_CHECK
enum status volume_cursor_place(struct volume *volume, uint32_t logical,
				const struct volume_entry *entries, uint32_t count);
/* Make the block that was sought unreadable for good, until it is overwritten: its tag becomes one
 * that nothing matches. */
MUST_CHECK
enum status volume_cursor_spoil(struct volume *volume, uint32_t logical);
/* Write what is left, root included: one node in each call. */
MUST_CHECK
enum status volume_cursor_end(struct volume *volume, bool *done);
/* Put a root of that level above the root, if there is one. */
MUST_CHECK
enum status volume_cursor_raise(struct volume *volume, uint32_t level);
/* Re-seal the next block or node of the victim session. */
MUST_CHECK
enum status volume_cursor_sweep(struct volume *volume, bool *done);
