// SPDX-License-Identifier: MIT
#include "tools/holdfast/device.h"

#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"

/* Blocks that are staged, or looked at, between two looks at the room that is left. The smallest
 * volume's transaction has room for 256. */
#define STEP_BLOCKS 64u

/* The part of a request that lies in one block, or a run of whole ones. */
struct piece {
	uint64_t block;
	uint64_t count; /* More than 1 only if whole. */
	size_t at;      /* Within the block. */
	size_t size_bytes;
	bool is_whole;
};

static struct piece piece_at(uint64_t offset_bytes, uint64_t left_bytes)
{
	struct piece piece = {.block = offset_bytes / BLOCK_BYTES,
			      .count = 1,
			      .at = (size_t)(offset_bytes % BLOCK_BYTES)};
	piece.is_whole = piece.at == 0 && left_bytes >= BLOCK_BYTES;
	if (piece.is_whole) {
		uint64_t whole = left_bytes / BLOCK_BYTES;
		piece.count = whole < STEP_BLOCKS ? whole : STEP_BLOCKS;
		piece.size_bytes = (size_t)piece.count * BLOCK_BYTES;
	} else {
		size_t room = BLOCK_BYTES - piece.at;
		piece.size_bytes = left_bytes < room ? (size_t)left_bytes : room;
	}
	return piece;
}

void device_init(struct device *device, struct volume *volume)
{
	memset(device, 0, sizeof(*device));
	device->volume = volume;
	device->size_bytes = volume_logical_size(volume).n * BLOCK_BYTES;
}

void device_close(struct device *device)
{
	if (device->is_staging) {
		volume_txn_abort(device->volume);
	}
	secure_zero(device, sizeof(*device));
}

/* STATUS_OK: the request is for this device, and what it knew is still there. */
static enum status check(const struct device *device, uint64_t offset_bytes, uint64_t size_bytes)
{
	if (!addr_within(offset_bytes, size_bytes, device->size_bytes)) {
		return STATUS_INVALID;
	}
	return device->lost;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static enum status piece_read(struct device *device, const struct piece *piece, uint8_t *out)
{
	struct logical_block first = {piece->block};
	if (piece->is_whole) {
		return volume_txn_read_blocks(device->volume, first,
					      (struct block_count){piece->count}, out);
	}
	enum status status = volume_txn_read(device->volume, first, device->block);
	if (status == STATUS_OK) {
		memcpy(out, device->block + piece->at, piece->size_bytes);
	}
	return status;
}

enum status device_read(struct device *device, uint64_t offset_bytes, uint8_t *out,
			size_t size_bytes)
{
	enum status status = check(device, offset_bytes, size_bytes);
	size_t done = 0;
	while (done < size_bytes && status == STATUS_OK) {
		struct piece piece = piece_at(offset_bytes + done, size_bytes - done);
		status = piece_read(device, &piece, out + done);
		done += piece.size_bytes;
	}
	if (status != STATUS_OK && size_bytes > 0) {
		memset(out, 0, size_bytes);
	}
	return status;
}

enum status device_read_begin(struct device *device, uint64_t offset_bytes, uint8_t *out,
			      size_t size_bytes, struct volume_reading *reading)
{
	enum status status = check(device, offset_bytes, size_bytes);
	if (status != STATUS_OK) {
		return status;
	}
	if (offset_bytes % BLOCK_BYTES != 0 || size_bytes % BLOCK_BYTES != 0 ||
	    size_bytes > (size_t)VOLUME_READING_BLOCKS * BLOCK_BYTES) {
		return STATUS_AGAIN;
	}
	return volume_read_begin(device->volume, (struct logical_block){offset_bytes / BLOCK_BYTES},
				 (struct block_count){size_bytes / BLOCK_BYTES}, out, reading);
}

enum status device_extent(struct device *device, uint64_t offset_bytes, uint64_t size_bytes,
			  uint64_t *extent_bytes, bool *is_hole)
{
	struct block_count count = {0};
	enum status status = check(device, offset_bytes, size_bytes);
	if (status == STATUS_OK && size_bytes == 0) {
		status = STATUS_INVALID;
	}
	if (status != STATUS_OK) {
		return status;
	}
	uint64_t first = offset_bytes / BLOCK_BYTES;
	uint64_t last = (offset_bytes + size_bytes - 1) / BLOCK_BYTES;
	status = volume_extent(device->volume, (struct logical_block){first},
			       (struct block_count){last - first + 1}, &count, is_hole);
	if (status == STATUS_OK) {
		uint64_t extent = (first + count.n) * BLOCK_BYTES - offset_bytes;
		*extent_bytes = extent < size_bytes ? extent : size_bytes;
	}
	return status;
}

/* ---- Staging ------------------------------------------------------------------------------- */

static enum status lose(struct device *device, enum status status)
{
	if (device->is_staging) {
		volume_txn_abort(device->volume);
	}
	device->is_staging = false;
	device->lost = status;
	return status;
}

enum status device_flush(struct device *device)
{
	if (device->lost != STATUS_OK || !device->is_staging) {
		return device->lost; /* What was committed early is durable. */
	}
	device->is_staging = false; /* The transaction is over in any case. */
	enum status status = volume_txn_commit(device->volume);
	return status == STATUS_OK ? STATUS_OK : lose(device, status);
}

static enum status begin(struct device *device)
{
	enum status status = STATUS_OK;
	if (!device->is_staging) {
		status = volume_txn_begin(device->volume);
		device->is_staging = status == STATUS_OK;
	}
	return status;
}

/* Room for `count` more blocks, by a commit if need be. `is_alone`: there is no promise of it, but
 * the transaction is empty, so that a failure takes nothing else along. */
static enum status room_make(struct device *device, uint64_t count, bool *is_alone)
{
	const struct block_count more = {count};
	*is_alone = false;
	enum status status = begin(device);
	if (status == STATUS_OK && !volume_txn_has_room(device->volume, more)) {
		status = device_flush(device);
		if (status == STATUS_OK) {
			status = begin(device);
		}
		*is_alone = status == STATUS_OK && !volume_txn_has_room(device->volume, more);
	}
	return status;
}

/* Stage whole blocks; `bytes` NULL: holes. */
static enum status blocks_stage(struct device *device, uint64_t first, uint64_t count,
				const uint8_t *bytes)
{
	bool is_alone = false;
	enum status status = room_make(device, count, &is_alone);
	if (status != STATUS_OK) {
		return status;
	}
	for (uint64_t i = 0; i < count && status == STATUS_OK; i++) {
		struct logical_block block = {first + i};
		status = bytes == NULL ? volume_txn_discard(device->volume, block)
				       : volume_txn_put(device->volume, block,
							bytes + (size_t)i * BLOCK_BYTES);
	}
	if (!is_alone) {
		return status == STATUS_OK ? STATUS_OK : lose(device, status);
	}
	/* Where room is scarce, what is accepted is durable at once. */
	device->is_staging = false;
	if (status == STATUS_OK) {
		return volume_txn_commit(device->volume);
	}
	volume_txn_abort(device->volume);
	return status;
}

/* A part of one block; `bytes` NULL: zeroes. The rest of the block is needed. */
static enum status part_stage(struct device *device, const struct piece *piece,
			      const uint8_t *bytes)
{
	enum status status = volume_txn_read(device->volume, (struct logical_block){piece->block},
					     device->block);
	if (status != STATUS_OK) {
		return status;
	}
	if (bytes != NULL) {
		memcpy(device->block + piece->at, bytes, piece->size_bytes);
	} else {
		memset(device->block + piece->at, 0, piece->size_bytes);
	}
	return blocks_stage(device, piece->block, 1, device->block);
}

enum status device_write(struct device *device, uint64_t offset_bytes, const uint8_t *bytes,
			 size_t size_bytes)
{
	enum status status = check(device, offset_bytes, size_bytes);
	size_t done = 0;
	while (done < size_bytes && status == STATUS_OK) {
		struct piece piece = piece_at(offset_bytes + done, size_bytes - done);
		status = piece.is_whole
				 ? blocks_stage(device, piece.block, piece.count, bytes + done)
				 : part_stage(device, &piece, bytes + done);
		done += piece.size_bytes;
	}
	return status;
}

/* What the next step of zeroing passes over or discards. Data is looked at a step at a time, since
 * that has to be staged before more is; holes to their end, since nothing is to be done there. */
static enum status step_find(struct device *device, uint64_t first, uint64_t count,
			     struct block_count *step, bool *is_hole)
{
	struct logical_block block = {first};
	struct block_count most = {count < STEP_BLOCKS ? count : STEP_BLOCKS};
	enum status status = volume_extent(device->volume, block, most, step, is_hole);
	if (status == STATUS_OK && *is_hole && step->n == most.n && most.n < count) {
		most.n = count;
		status = volume_extent(device->volume, block, most, step, is_hole);
	}
	return status;
}

static enum status blocks_zero(struct device *device, uint64_t first, uint64_t count)
{
	enum status status = STATUS_OK;
	while (count > 0 && status == STATUS_OK) {
		struct block_count step = {0};
		bool is_hole = false;
		status = step_find(device, first, count, &step, &is_hole);
		if (status == STATUS_OK && !is_hole) {
			status = blocks_stage(device, first, step.n, NULL);
		}
		first += step.n;
		count -= step.n;
	}
	return status;
}

/* A part of a block that is a hole is zero already. */
static enum status part_zero(struct device *device, const struct piece *piece)
{
	struct block_count alike = {0};
	bool is_hole = false;
	enum status status = volume_extent(device->volume, (struct logical_block){piece->block},
					   (struct block_count){1}, &alike, &is_hole);
	return status == STATUS_OK && !is_hole ? part_stage(device, piece, NULL) : status;
}

enum status device_zero(struct device *device, uint64_t offset_bytes, uint64_t size_bytes)
{
	enum status status = check(device, offset_bytes, size_bytes);
	uint64_t done = 0;
	while (done < size_bytes && status == STATUS_OK) {
		struct piece piece = piece_at(offset_bytes + done, size_bytes - done);
		if (piece.is_whole) {
			uint64_t count = (size_bytes - done) / BLOCK_BYTES;
			status = blocks_zero(device, piece.block, count);
			done += count * BLOCK_BYTES;
		} else {
			status = part_zero(device, &piece);
			done += piece.size_bytes;
		}
	}
	return status;
}
