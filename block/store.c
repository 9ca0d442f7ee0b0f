// SPDX-License-Identifier: MIT
/* Named objects on a volume: opening, looking up, reading. store_txn.c has the changes.
 *
 * Slice 0 begins with the index; object i lives in slice i + 1, its metadata in block 0 of the
 * slice and its bytes from block 1 on. There is no allocator: a slice belongs to its slot, and the
 * volume's holes are the free space. */
#include "block/store.h"

#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "block/store_internal.h"

struct extent store_extent_at(uint64_t offset_bytes, size_t left_bytes)
{
	size_t at = (size_t)(offset_bytes % BLOCK_BYTES);
	size_t room = BLOCK_BYTES - at;
	return (struct extent){.block_index = offset_bytes / BLOCK_BYTES,
			       .at = at,
			       .size_bytes = left_bytes < room ? left_bytes : room};
}

enum status store_block_load(struct store *store, struct logical_block block)
{
	return store->in_transaction ? volume_txn_read(store->volume, block, store->block)
				     : volume_read(store->volume, block, store->block);
}

/* In a doomed transaction nothing is read: what it staged is half a change. */
static enum status index_load(struct store *store)
{
	if (store->txn_failure != STATUS_OK) {
		return store->txn_failure;
	}
	if (store->index_loaded) {
		return STATUS_OK;
	}
	enum status status = store_block_load(store, store_index_block());
	if (status == STATUS_OK) {
		status = store_decode_index(store->block, store->slot_count, &store->index);
	}
	store->index_loaded = status == STATUS_OK;
	return status;
}

/* The only source of STATUS_NOT_FOUND: an index that was read, authenticated and decoded. */
static enum status slot_find(struct store *store, const char *name, uint32_t *slot)
{
	if (!store_name_valid(name)) {
		return STATUS_INVALID;
	}
	enum status status = index_load(store);
	if (status != STATUS_OK) {
		return status;
	}
	for (uint32_t at = 0; at < store->slot_count; at++) {
		if (store_name_compare(store->index.names[at], name) == 0) {
			*slot = at;
			return STATUS_OK;
		}
	}
	return STATUS_NOT_FOUND;
}

void store_object_remember(struct store *store, uint32_t slot,
			   const struct store_object_info *object)
{
	store->object_loaded = object != NULL;
	if (object != NULL) {
		store->object_slot = slot;
		store->object = *object;
	}
}

/* Index and metadata block each carry the name, so a block of another object that reached this
 * place by a defect is noticed. */
static enum status object_load(struct store *store, uint32_t slot, struct store_object_info *object)
{
	struct store_object_info found;
	if (store->object_loaded && store->object_slot == slot) {
		*object = store->object;
		return STATUS_OK;
	}
	enum status status = store_block_load(store, store_object_block(store, slot));
	if (status == STATUS_OK) {
		status = store_decode_object(store->block, store_object_bytes_max(store), &found);
	}
	if (status != STATUS_OK) {
		return status;
	}
	if (store_name_compare(found.name, store->index.names[slot]) != 0) {
		return STATUS_AUTH_META;
	}
	*object = found;
	store_object_remember(store, slot, object);
	return STATUS_OK;
}

enum status store_object_find(struct store *store, const char *name, uint32_t *slot,
			      struct store_object_info *object)
{
	enum status status = slot_find(store, name, slot);
	return status == STATUS_OK ? object_load(store, *slot, object) : status;
}

enum status store_open(struct store *store, struct volume *volume)
{
	uint64_t slice_blocks = volume_slice_size(volume).n;
	uint64_t slices = slice_blocks == 0 ? 0 : volume_logical_size(volume).n / slice_blocks;
	if (slice_blocks < 2 || slices < 2) {
		return STATUS_INVALID;
	}
	memset(store, 0, sizeof(*store));
	store->volume = volume;
	store->slice_blocks = slice_blocks;
	store->slot_count =
		slices - 1 < STORE_OBJECTS_MAX ? (uint32_t)(slices - 1) : STORE_OBJECTS_MAX;
	return index_load(store);
}

void store_close(struct store *store)
{
	store_txn_abort(store);
	secure_zero(store, sizeof(*store));
}

uint64_t store_object_bytes_max(const struct store *store)
{
	return (store->slice_blocks - 1) * BLOCK_BYTES;
}

enum status store_stat(struct store *store, const char *name, struct store_object_info *info)
{
	uint32_t slot = 0;
	return store_object_find(store, name, &slot, info);
}

/* The first name behind `after` in byte order. False: there is none. */
static bool slot_next(const struct store *store, const char *after, uint32_t *slot)
{
	const char *best = NULL;
	for (uint32_t at = 0; at < store->slot_count; at++) {
		const char *name = store->index.names[at];
		/* A free slot's empty name is behind nothing. */
		if (store_name_compare(name, after) > 0 &&
		    (best == NULL || store_name_compare(name, best) < 0)) {
			best = name;
			*slot = at;
		}
	}
	return best != NULL;
}

enum status store_list(struct store *store, store_visit visit, void *context)
{
	struct store_object_info info = {.name = ""};
	uint32_t slot = 0;
	enum status status = index_load(store);
	/* Each turn moves to a greater name, of which there are at most STORE_OBJECTS_MAX. */
	while (status == STATUS_OK && slot_next(store, info.name, &slot)) {
		status = object_load(store, slot, &info);
		if (status == STATUS_OK) {
			status = visit(context, &info);
		}
	}
	return status;
}

/* Whole blocks go straight to the caller, neighbours at once; parts of one by the scratch block. */
static enum status read_piece(struct store *store, uint32_t slot, uint64_t offset_bytes,
			      uint8_t *out, size_t left_bytes, size_t *done_bytes)
{
	struct extent extent = store_extent_at(offset_bytes, left_bytes);
	struct logical_block first = store_data_block(store, slot, extent.block_index);
	if (extent.size_bytes == BLOCK_BYTES) {
		struct block_count count = {left_bytes / BLOCK_BYTES};
		*done_bytes = (size_t)count.n * BLOCK_BYTES;
		return store->in_transaction
			       ? volume_txn_read_blocks(store->volume, first, count, out)
			       : volume_read_blocks(store->volume, first, count, out);
	}
	enum status status = store_block_load(store, first);
	if (status == STATUS_OK) {
		memcpy(out, store->block + extent.at, extent.size_bytes);
	}
	*done_bytes = extent.size_bytes;
	return status;
}

static enum status read_range(struct store *store, const char *name, uint64_t offset_bytes,
			      uint8_t *out, size_t size_bytes)
{
	uint32_t slot = 0;
	struct store_object_info object;
	enum status status = store_object_find(store, name, &slot, &object);
	if (status == STATUS_OK && !addr_within(offset_bytes, size_bytes, object.size_bytes)) {
		status = STATUS_INVALID;
	}
	size_t done = 0;
	while (status == STATUS_OK && done < size_bytes) {
		size_t piece = 0;
		status = read_piece(store, slot, offset_bytes + done, out + done, size_bytes - done,
				    &piece);
		done += piece;
	}
	return status;
}

enum status store_read(struct store *store, const char *name, uint64_t offset_bytes, uint8_t *out,
		       size_t size_bytes)
{
	enum status status = read_range(store, name, offset_bytes, out, size_bytes);
	if (status != STATUS_OK && size_bytes > 0) {
		memset(out, 0, size_bytes);
	}
	return status;
}

enum status store_extent(struct store *store, const char *name, uint64_t offset_bytes,
			 uint64_t size_bytes, uint64_t *extent_bytes, bool *is_hole)
{
	uint32_t slot = 0;
	struct store_object_info object;
	struct block_count count = {0};
	enum status status = store_object_find(store, name, &slot, &object);
	if (status == STATUS_OK &&
	    (size_bytes == 0 || !addr_within(offset_bytes, size_bytes, object.size_bytes))) {
		status = STATUS_INVALID;
	}
	if (status != STATUS_OK) {
		return status;
	}
	uint64_t first = offset_bytes / BLOCK_BYTES;
	uint64_t last = (offset_bytes + size_bytes - 1) / BLOCK_BYTES;
	status = volume_extent(store->volume, store_data_block(store, slot, first),
			       (struct block_count){last - first + 1}, &count, is_hole);
	if (status == STATUS_OK) {
		uint64_t extent = (first + count.n) * BLOCK_BYTES - offset_bytes;
		*extent_bytes = extent < size_bytes ? extent : size_bytes;
	}
	return status;
}

const char *store_slice_owner(const struct store *store, uint64_t slice)
{
	bool has_slot = store->index_loaded && slice >= 1 && slice - 1 < store->slot_count;
	return has_slot ? store->index.names[slice - 1] : "";
}
