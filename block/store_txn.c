// SPDX-License-Identifier: MIT
/* Changes to named objects, in transactions.
 *
 * Two invariants make sparse objects and small commits work:
 *   - bytes of a slice beyond the object's end are zero, so that growing writes nothing;
 *   - a block of zeroes is a hole, so that zeroes cost no space.
 * A commit that changes bytes of one existing block changes that block, and the size and version in
 * the metadata block: 16 adjacent bytes. */
#include "block/store.h"

#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "block/store_internal.h"

STATIC_ASSERT(STORE_OBJECTS_MAX <= 64, "txn_touched has one bit for each slot");

/* A transaction that removes an object changes its metadata block and the index besides. */
#define DISCARD_UNREAD_MAX (VOLUME_TXN_BLOCKS_MAX - 2u)

static uint64_t data_blocks(uint64_t size_bytes)
{
	return size_bytes / BLOCK_BYTES + (size_bytes % BLOCK_BYTES != 0 ? 1u : 0u);
}

/* Stage the scratch block. */
static enum status block_stage(struct store *store, struct logical_block block)
{
	return bytes_are_zero(store->block, BLOCK_BYTES)
		       ? volume_txn_discard(store->volume, block)
		       : volume_txn_put(store->volume, block, store->block);
}

static enum status index_stage(struct store *store)
{
	if (store->index.changes == UINT64_MAX) {
		return STATUS_LIMIT;
	}
	store->index.changes++;
	store_encode_index(&store->index, store->block);
	return volume_txn_put(store->volume, store_index_block(), store->block);
}

static enum status slot_find_free(const struct store *store, uint32_t *slot)
{
	for (uint32_t at = 0; at < store->slot_count; at++) {
		if (store->index.names[at][0] == '\0') {
			*slot = at;
			return STATUS_OK;
		}
	}
	return STATUS_LIMIT;
}

/* Stage the metadata of an object that changed. Its version counts commits, not calls. */
static enum status object_stage(struct store *store, uint32_t slot,
				struct store_object_info *object)
{
	if ((store->txn_touched >> slot & 1) == 0) {
		if (object->version == UINT64_MAX) {
			return STATUS_LIMIT;
		}
		object->version++;
		store->txn_touched |= (uint64_t)1 << slot;
	}
	store_encode_object(object, store->block);
	enum status status =
		volume_txn_put(store->volume, store_object_block(store, slot), store->block);
	store_object_remember(store, slot, status == STATUS_OK ? object : NULL);
	return status;
}

enum status store_txn_begin(struct store *store)
{
	if (store->in_transaction) {
		return STATUS_BUSY;
	}
	enum status status = volume_txn_begin(store->volume);
	if (status == STATUS_OK) {
		store->in_transaction = true; /* txn_end() left the rest clean. */
	}
	return status;
}

/* May a change be staged now? */
static enum status txn_check(const struct store *store)
{
	return store->in_transaction ? store->txn_failure : STATUS_INVALID;
}

/* Remember that a change failed when part of it may have been staged: committing the rest would
 * make half a change durable. */
static enum status txn_note(struct store *store, enum status status)
{
	if (status != STATUS_OK && store->txn_failure == STATUS_OK) {
		store->txn_failure = status;
	}
	return status;
}

/* Find the object, or the slot where it is to be created; then `object` has version 0. Stages
 * nothing. */
static enum status prepare(struct store *store, const char *name, uint32_t *slot,
			   struct store_object_info *object)
{
	enum status status = store_object_find(store, name, slot, object);
	if (status != STATUS_NOT_FOUND) {
		return status;
	}
	memset(object, 0, sizeof(*object));
	memcpy(object->name, name, strlen(name));
	return slot_find_free(store, slot);
}

/* Enter a prepared object into the index if it is new, then its changed size. */
static enum status apply_object(struct store *store, uint32_t slot,
				struct store_object_info *object, uint64_t size_bytes, bool changed)
{
	if (object->version == 0) {
		memcpy(store->index.names[slot], object->name, sizeof(object->name));
		/* An object that was removed in this transaction may have touched the slot. */
		store->txn_touched &= ~((uint64_t)1 << slot);
		enum status status = index_stage(store);
		if (status != STATUS_OK) {
			return status;
		}
		changed = true;
	}
	if (!changed && size_bytes == object->size_bytes) {
		return STATUS_OK;
	}
	object->size_bytes = size_bytes;
	return object_stage(store, slot, object);
}

/* Stage the blocks of the range that differ. */
static enum status apply_bytes(struct store *store, uint32_t slot, uint64_t offset_bytes,
			       const uint8_t *bytes, size_t size_bytes, bool *changed)
{
	size_t done = 0;
	while (done < size_bytes) {
		struct extent extent = store_extent_at(offset_bytes + done, size_bytes - done);
		struct logical_block block = store_data_block(store, slot, extent.block_index);
		enum status status = store_block_load(store, block);
		uint8_t *target = store->block + extent.at;
		/* A block that is lost can be replaced: nothing of it is needed. */
		bool heals = status == STATUS_AUTH_DATA && extent.size_bytes == BLOCK_BYTES;
		status = heals ? STATUS_OK : status;
		if (status == STATUS_OK &&
		    (heals || memcmp(target, bytes + done, extent.size_bytes) != 0)) {
			memcpy(target, bytes + done, extent.size_bytes);
			status = block_stage(store, block);
			*changed = true;
		}
		if (status != STATUS_OK) {
			return status;
		}
		done += extent.size_bytes;
	}
	return STATUS_OK;
}

enum status store_txn_write(struct store *store, const char *name, uint64_t offset_bytes,
			    const uint8_t *bytes, size_t size_bytes)
{
	enum status status = txn_check(store);
	if (status != STATUS_OK) {
		return status;
	}
	if (!addr_within(offset_bytes, size_bytes, store_object_bytes_max(store))) {
		return STATUS_TOO_LARGE;
	}
	uint32_t slot = 0;
	struct store_object_info object;
	status = prepare(store, name, &slot, &object);
	if (status != STATUS_OK) {
		return status;
	}
	uint64_t end = offset_bytes + size_bytes;
	bool changed = false;
	status = apply_bytes(store, slot, offset_bytes, bytes, size_bytes, &changed);
	if (status == STATUS_OK) {
		status = apply_object(store, slot, &object,
				      end > object.size_bytes ? end : object.size_bytes, changed);
	}
	return txn_note(store, status);
}

/* Make data blocks [first, end) holes. Nothing is read, so that a damaged block does not keep its
 * object from being removed; unless there are more blocks than a transaction takes: then reading
 * finds out which are holes already. A sparse object can so be removed whatever its size. */
static enum status discard_range(struct store *store, uint32_t slot, uint64_t first, uint64_t end)
{
	bool skips_holes = end > first && end - first > DISCARD_UNREAD_MAX;
	for (uint64_t at = first; at < end; at++) {
		struct logical_block block = store_data_block(store, slot, at);
		if (skips_holes) {
			enum status status = store_block_load(store, block);
			if (status != STATUS_OK && status != STATUS_AUTH_DATA) {
				return status;
			}
			if (status == STATUS_OK && bytes_are_zero(store->block, BLOCK_BYTES)) {
				continue;
			}
		}
		enum status status = volume_txn_discard(store->volume, block);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

/* Make everything of the object behind `size_bytes` zero, up to its old end. */
static enum status apply_truncation(struct store *store, uint32_t slot, uint64_t size_bytes,
				    uint64_t old_size_bytes)
{
	enum status status = STATUS_OK;
	size_t kept = (size_t)(size_bytes % BLOCK_BYTES);
	if (kept != 0) {
		struct logical_block last = store_data_block(store, slot, size_bytes / BLOCK_BYTES);
		status = store_block_load(store, last);
		if (status == STATUS_OK &&
		    !bytes_are_zero(store->block + kept, BLOCK_BYTES - kept)) {
			memset(store->block + kept, 0, BLOCK_BYTES - kept);
			status = block_stage(store, last);
		}
	}
	return status == STATUS_OK ? discard_range(store, slot, data_blocks(size_bytes),
						   data_blocks(old_size_bytes))
				   : status;
}

enum status store_txn_resize(struct store *store, const char *name, uint64_t size_bytes)
{
	enum status status = txn_check(store);
	if (status != STATUS_OK) {
		return status;
	}
	if (size_bytes > store_object_bytes_max(store)) {
		return STATUS_TOO_LARGE;
	}
	uint32_t slot = 0;
	struct store_object_info object;
	status = prepare(store, name, &slot, &object);
	if (status != STATUS_OK) {
		return status;
	}
	if (size_bytes < object.size_bytes) {
		status = apply_truncation(store, slot, size_bytes, object.size_bytes);
	}
	if (status == STATUS_OK) {
		status = apply_object(store, slot, &object, size_bytes, false);
	}
	return txn_note(store, status);
}

enum status store_txn_remove(struct store *store, const char *name)
{
	enum status status = txn_check(store);
	uint32_t slot = 0;
	struct store_object_info object;
	if (status == STATUS_OK) {
		status = store_object_find(store, name, &slot, &object);
	}
	if (status != STATUS_OK) {
		return status;
	}
	status = apply_truncation(store, slot, 0, object.size_bytes);
	if (status == STATUS_OK) {
		status = volume_txn_discard(store->volume, store_object_block(store, slot));
	}
	if (status == STATUS_OK) {
		memset(store->index.names[slot], 0, sizeof(store->index.names[slot]));
		status = index_stage(store);
	}
	return txn_note(store, status);
}

/* The transaction is over; `kept` says whether the copy of the index is still true. */
static void txn_end(struct store *store, bool kept)
{
	store->in_transaction = false;
	store->txn_failure = STATUS_OK;
	store->txn_touched = 0;
	store->index_loaded = store->index_loaded && kept;
	store->object_loaded = store->object_loaded && kept;
}

enum status store_txn_commit(struct store *store)
{
	enum status status = txn_check(store);
	if (!store->in_transaction) {
		return status;
	}
	if (status == STATUS_OK) {
		status = volume_txn_commit(store->volume);
	} else {
		volume_txn_abort(store->volume);
	}
	txn_end(store, status == STATUS_OK);
	return status;
}

void store_txn_abort(struct store *store)
{
	if (store->in_transaction) {
		volume_txn_abort(store->volume);
		txn_end(store, false);
	}
}
