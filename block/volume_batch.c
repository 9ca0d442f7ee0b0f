// SPDX-License-Identifier: MIT
/* Writes to neighbouring blocks become one: next-fit allocation makes most of a checkpoint's
 * blocks neighbours. */
#include "block/volume_internal.h"

enum status volume_batch_write(struct volume *volume)
{
	struct volume_batch *batch = &volume->build.batch;
	if (batch->count == 0) {
		return STATUS_OK;
	}
	enum status status = block_write(volume->device, (struct physical_block){batch->first},
					 (struct block_count){batch->count}, batch->blocks);
	batch->count = 0;
	return volume_note_write(volume, status, batch->first);
}

enum status volume_batch_next(struct volume *volume, uint64_t physical, uint8_t **room)
{
	struct volume_batch *batch = &volume->build.batch;
	if (batch->count == VOLUME_BATCH_BLOCKS || physical != batch->first + batch->count) {
		enum status status = volume_batch_write(volume);
		if (status != STATUS_OK) {
			return status;
		}
	}
	if (batch->count == 0) {
		batch->first = physical;
	}
	*room = batch->blocks + (size_t)batch->count * BLOCK_BYTES;
	batch->count++;
	return STATUS_OK;
}
