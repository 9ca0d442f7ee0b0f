// SPDX-License-Identifier: MIT
/* Writes to neighbouring blocks become one: next-fit allocation makes most of a checkpoint's
 * blocks, and of a large transaction's, neighbours. With a request queue the buffer itself is
 * handed to the device, and another one takes its place, so that many writes are in flight. */
#include "base/check.h"
#include "block/volume_internal.h"

static enum status write_out(struct volume *volume, struct volume_batch *batch)
{
	struct physical_block first = {batch->first};
	struct block_count count = {batch->count};
	if (batch->count == 0) {
		return STATUS_OK;
	}
	enum status status = STATUS_OK;
	if (volume->io == NULL) {
		status = block_write(volume->device, first, count, batch->blocks);
	} else {
		status = block_queue_write(volume->io, batch->blocks, first, count);
		batch->blocks = block_queue_room(volume->io);
	}
	batch->count = 0;
	volume->transfers++;
	return volume_note_write(volume, status, batch->first);
}

static enum status next(struct volume *volume, struct volume_batch *batch, uint64_t physical,
			uint32_t count, uint8_t **room)
{
	if (batch->count == VOLUME_BATCH_BLOCKS || physical != batch->first + batch->count) {
		enum status status = write_out(volume, batch);
		if (status != STATUS_OK) {
			return status;
		}
	}
	if (batch->count == 0) {
		batch->first = physical;
	}
	CHECK(count <= VOLUME_BATCH_BLOCKS - batch->count); /* volume_batch_room() says so. */
	*room = batch->blocks + (size_t)batch->count * BLOCK_BYTES;
	batch->count += count;
	return STATUS_OK;
}

enum status volume_batch_write(struct volume *volume)
{
	return write_out(volume, &volume->build.batch);
}

enum status volume_batch_next(struct volume *volume, uint64_t physical, uint8_t **room)
{
	return next(volume, &volume->build.batch, physical, 1, room);
}

enum status volume_batch_run(struct volume *volume, uint64_t physical, uint32_t count,
			     uint8_t **room)
{
	return next(volume, &volume->build.batch, physical, count, room);
}

enum status volume_txn_batch_write(struct volume *volume)
{
	return write_out(volume, &volume->txn.batch);
}

enum status volume_txn_batch_next(struct volume *volume, uint64_t physical, uint32_t count,
				  uint8_t **room)
{
	return next(volume, &volume->txn.batch, physical, count, room);
}

/* A full one is written before the next block. */
static uint32_t room_of(const struct volume_batch *batch)
{
	return batch->count == VOLUME_BATCH_BLOCKS ? VOLUME_BATCH_BLOCKS
						   : VOLUME_BATCH_BLOCKS - batch->count;
}

uint32_t volume_batch_room(const struct volume *volume)
{
	return room_of(&volume->build.batch);
}

uint32_t volume_txn_batch_room(const struct volume *volume)
{
	return room_of(&volume->txn.batch);
}

uint8_t *volume_txn_batch_find(const struct volume *volume, uint64_t physical)
{
	const struct volume_batch *batch = &volume->txn.batch;
	return volume->txn.open && physical - batch->first < batch->count
		       ? batch->blocks + (size_t)(physical - batch->first) * BLOCK_BYTES
		       : NULL;
}
