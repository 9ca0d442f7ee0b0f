// SPDX-License-Identifier: MIT
#include "tools/nbdkit/object_device.h"

#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"

/* With that many free blocks a commit cannot be refused for want of space: the overlay's 256 blocks
 * and their nodes may be moved home first (514), then come the transaction and its nodes (218) and
 * the volume's reserve (128). */
#define SCARCE_BLOCKS 1024u

/* The part of a request that lies in one block. */
struct piece {
	uint64_t block;
	size_t at; /* Within the block. */
	size_t size_bytes;
	bool is_whole; /* The whole block: what it held is not needed. */
};

static size_t block_size(const struct object_device *device, uint64_t block)
{
	uint64_t left = device->size_bytes - block * BLOCK_BYTES;
	return left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
}

static struct piece piece_at(const struct object_device *device, uint64_t offset_bytes,
			     uint64_t left_bytes)
{
	struct piece piece = {.block = offset_bytes / BLOCK_BYTES,
			      .at = (size_t)(offset_bytes % BLOCK_BYTES)};
	size_t room = block_size(device, piece.block) - piece.at;
	piece.size_bytes = left_bytes < room ? (size_t)left_bytes : room;
	piece.is_whole = piece.size_bytes == BLOCK_BYTES;
	return piece;
}

/* The staged content of a block; NULL: it is not staged. */
static uint8_t *staged_find(struct object_device *device, uint64_t block)
{
	for (uint32_t i = 0; i < device->staged_count; i++) {
		if (device->staged[i] == block) {
			return device->content[i];
		}
	}
	return NULL;
}

/* ---- Open and close ------------------------------------------------------------------------ */

static enum status resize(struct store *store, const char *name, uint64_t size_bytes)
{
	enum status status = store_txn_begin(store);
	if (status == STATUS_OK) {
		status = store_txn_resize(store, name, size_bytes);
	}
	if (status == STATUS_OK) {
		status = store_txn_commit(store);
	}
	store_txn_abort(store);
	return status;
}

enum status object_device_open(struct object_device *device, struct store *store, const char *name,
			       uint64_t size_bytes)
{
	struct store_object_info info = {.size_bytes = 0};
	enum status status = store_stat(store, name, &info);
	if (size_bytes != 0 &&
	    (status == STATUS_NOT_FOUND || (status == STATUS_OK && info.size_bytes < size_bytes))) {
		status = resize(store, name, size_bytes);
		info.size_bytes = size_bytes;
	}
	if (status == STATUS_OK && size_bytes != 0 && info.size_bytes > size_bytes) {
		status = STATUS_EXISTS;
	}
	if (status != STATUS_OK) {
		return status;
	}
	memset(device, 0, sizeof(*device));
	device->store = store;
	device->size_bytes = info.size_bytes;
	memcpy(device->name, name, strlen(name));
	return STATUS_OK;
}

void object_device_close(struct object_device *device)
{
	secure_zero(device, sizeof(*device));
}

/* ---- Commit -------------------------------------------------------------------------------- */

/* How many staged blocks from `first` on are neighbours in the object too. */
static uint32_t run_length(const struct object_device *device, uint32_t first)
{
	uint32_t count = 1;
	while (first + count < device->staged_count &&
	       device->staged[first + count] == device->staged[first] + count) {
		count++;
	}
	return count;
}

static enum status stage_all(struct object_device *device)
{
	enum status status = STATUS_OK;
	uint32_t at = 0;
	while (at < device->staged_count && status == STATUS_OK) {
		uint32_t count = run_length(device, at);
		size_t size = (size_t)(count - 1) * BLOCK_BYTES +
			      block_size(device, device->staged[at + count - 1]);
		status = store_txn_write(device->store, device->name,
					 device->staged[at] * BLOCK_BYTES, device->content[at],
					 size);
		at += count;
	}
	return status;
}

enum status object_device_flush(struct object_device *device)
{
	if (device->staged_count == 0) {
		return STATUS_OK; /* What was committed early is durable. */
	}
	enum status status = store_txn_begin(device->store);
	if (status == STATUS_OK) {
		status = stage_all(device);
	}
	if (status == STATUS_OK) {
		status = store_txn_commit(device->store);
	}
	store_txn_abort(device->store);
	if (status == STATUS_OK) {
		memset(device->content, 0, (size_t)device->staged_count * BLOCK_BYTES);
		device->staged_count = 0;
		device->accepted_count = 0;
	}
	return status;
}

static bool space_is_scarce(const struct object_device *device)
{
	struct volume_info info;
	volume_info_get(device->store->volume, &info);
	return info.blocks_free.n < SCARCE_BLOCKS;
}

/* ---- Requests ------------------------------------------------------------------------------ */

/* Accept the request, or undo what of it can be undone: blocks that it staged are dropped; one that
 * was staged before, and was changed, stays changed. A failed write leaves its range undefined. */
static enum status request_end(struct object_device *device, enum status status)
{
	if (status == STATUS_OK && space_is_scarce(device)) {
		status = object_device_flush(device);
	}
	if (status != STATUS_OK) {
		memset(device->content[device->accepted_count], 0,
		       (size_t)(device->staged_count - device->accepted_count) * BLOCK_BYTES);
		device->staged_count = device->accepted_count;
	}
	return status;
}

/* What the object holds in a block that is not staged. A block that fails authentication can be
 * replaced as a whole: nothing of it is needed. */
static enum status block_load(struct object_device *device, const struct piece *piece,
			      uint8_t out[BLOCK_BYTES], bool *is_lost)
{
	memset(out, 0, BLOCK_BYTES);
	enum status status = store_read(device->store, device->name, piece->block * BLOCK_BYTES,
					out, block_size(device, piece->block));
	*is_lost = status == STATUS_AUTH_DATA && piece->is_whole;
	return *is_lost ? STATUS_OK : status;
}

/* Stage one piece; `bytes` NULL: zeroes. */
static enum status piece_stage(struct object_device *device, const struct piece *piece,
			       const uint8_t *bytes)
{
	uint8_t *content = staged_find(device, piece->block);
	if (content == NULL && device->staged_count == OBJECT_DEVICE_BLOCKS_MAX) {
		enum status status = object_device_flush(device);
		if (status != STATUS_OK) {
			return status;
		}
	}
	if (content == NULL) {
		bool is_lost = false;
		content = device->content[device->staged_count];
		if (bytes == NULL || !piece->is_whole) {
			enum status status = block_load(device, piece, content, &is_lost);
			if (status != STATUS_OK) {
				return status;
			}
		}
		if (bytes == NULL && !is_lost &&
		    bytes_are_zero(content + piece->at, piece->size_bytes)) {
			memset(content, 0, BLOCK_BYTES);
			return STATUS_OK;
		}
		device->staged[device->staged_count] = piece->block;
		device->staged_count++;
	}
	if (bytes == NULL) {
		memset(content + piece->at, 0, piece->size_bytes);
	} else {
		memcpy(content + piece->at, bytes, piece->size_bytes);
	}
	return STATUS_OK;
}

static enum status change(struct object_device *device, uint64_t offset_bytes, const uint8_t *bytes,
			  uint64_t size_bytes)
{
	enum status status = STATUS_OK;
	uint64_t done = 0;
	if (!addr_within(offset_bytes, size_bytes, device->size_bytes)) {
		return STATUS_INVALID;
	}
	device->accepted_count = device->staged_count;
	while (done < size_bytes && status == STATUS_OK) {
		struct piece piece = piece_at(device, offset_bytes + done, size_bytes - done);
		status = piece_stage(device, &piece, bytes == NULL ? NULL : bytes + done);
		done += piece.size_bytes;
	}
	return request_end(device, status);
}

enum status object_device_write(struct object_device *device, uint64_t offset_bytes,
				const uint8_t *bytes, size_t size_bytes)
{
	return change(device, offset_bytes, bytes, size_bytes);
}

enum status object_device_zero(struct object_device *device, uint64_t offset_bytes,
			       uint64_t size_bytes)
{
	return change(device, offset_bytes, NULL, size_bytes);
}

/* Bytes from `offset_bytes` on that lie in blocks which are not staged: one read of the store. */
static size_t unstaged_length(struct object_device *device, uint64_t offset_bytes,
			      size_t size_bytes)
{
	size_t length = 0;
	while (length < size_bytes) {
		struct piece piece = piece_at(device, offset_bytes + length, size_bytes - length);
		if (staged_find(device, piece.block) != NULL) {
			break;
		}
		length += piece.size_bytes;
	}
	return length;
}

enum status object_device_read(struct object_device *device, uint64_t offset_bytes, uint8_t *out,
			       size_t size_bytes)
{
	enum status status = addr_within(offset_bytes, size_bytes, device->size_bytes)
				     ? STATUS_OK
				     : STATUS_INVALID;
	size_t done = 0;
	while (done < size_bytes && status == STATUS_OK) {
		uint64_t offset = offset_bytes + done;
		size_t length = unstaged_length(device, offset, size_bytes - done);
		if (length > 0) {
			status =
				store_read(device->store, device->name, offset, out + done, length);
		} else {
			struct piece piece = piece_at(device, offset, size_bytes - done);
			memcpy(out + done, staged_find(device, piece.block) + piece.at,
			       piece.size_bytes);
			length = piece.size_bytes;
		}
		done += length;
	}
	if (status != STATUS_OK) {
		memset(out, 0, size_bytes);
	}
	return status;
}

/* The first staged block in [first, end); `end` if there is none. */
static uint64_t staged_next(const struct object_device *device, uint64_t first, uint64_t end)
{
	for (uint32_t i = 0; i < device->staged_count; i++) {
		if (device->staged[i] >= first && device->staged[i] < end) {
			end = device->staged[i];
		}
	}
	return end;
}

/* What is staged counts as data: whether it is zero is known when it is committed. */
enum status object_device_extent(struct object_device *device, uint64_t offset_bytes,
				 uint64_t size_bytes, uint64_t *extent_bytes, bool *is_hole)
{
	if (size_bytes == 0 || !addr_within(offset_bytes, size_bytes, device->size_bytes)) {
		return STATUS_INVALID;
	}
	uint64_t first = offset_bytes / BLOCK_BYTES;
	uint64_t end = (offset_bytes + size_bytes - 1) / BLOCK_BYTES + 1;
	uint64_t staged = staged_next(device, first, end);
	uint64_t left = staged == first ? (first + 1) * BLOCK_BYTES : staged * BLOCK_BYTES;
	left -= offset_bytes;
	left = left < size_bytes ? left : size_bytes;
	if (staged == first) {
		*extent_bytes = left;
		*is_hole = false;
		return STATUS_OK;
	}
	return store_extent(device->store, device->name, offset_bytes, left, extent_bytes, is_hole);
}
