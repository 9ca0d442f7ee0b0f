// SPDX-License-Identifier: MIT
/* A checkpoint moves what the log carries: ciphertext, from the ring to free blocks. Between two
 * carried blocks lies a record, so it is cheaper to read a part of the ring with what nobody needs
 * than to read each block alone: at best twice as many blocks in a sixteenth of the calls. */
#include <string.h>

#include "block/volume_internal.h"

/* Of those that have not moved yet. */
static struct volume_map_entry *carried_at(const struct volume *volume, uint32_t i)
{
	const struct volume_build *build = &volume->build;
	return volume_map_at(&volume->frozen, (uint32_t)build->order[build->done + i]);
}

/* How many of the carried blocks that are next lie within one read of the ring; `most` at most. */
static uint32_t near(const struct volume *volume, uint32_t most)
{
	const struct volume_build *build = &volume->build;
	const uint64_t first = carried_at(volume, 0)->entry.physical;
	uint32_t count = 1;
	/* Behind the ring's end they lie before the first one, which is far as well. */
	while (count < most && build->done + count < build->carried &&
	       carried_at(volume, count)->entry.physical - first < VOLUME_BATCH_BLOCKS) {
		count++;
	}
	return count;
}

/* Read so many of them, with what lies between them, and copy them to the batch. */
static enum status read_together(struct volume *volume, uint32_t count, uint8_t *room)
{
	const uint64_t first = carried_at(volume, 0)->entry.physical;
	const uint64_t last = carried_at(volume, count - 1)->entry.physical;
	/* No record is being filled while a step runs. */
	uint8_t *ring = volume->log.record;
	enum status status = block_read(volume->device, (struct physical_block){first},
					(struct block_count){last - first + 1}, ring);
	volume->transfers++;
	for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
		const uint64_t at = carried_at(volume, i)->entry.physical;
		memcpy(room + (size_t)i * BLOCK_BYTES, ring + (at - first) * BLOCK_BYTES,
		       BLOCK_BYTES);
	}
	return status;
}

/* Each for itself: what lies between them may be what cannot be read, and nobody needs that. */
static enum status read_each(struct volume *volume, uint32_t count, uint8_t *room)
{
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
		const uint64_t at = carried_at(volume, i)->entry.physical;
		status = block_read(volume->device, (struct physical_block){at},
				    (struct block_count){1}, room + (size_t)i * BLOCK_BYTES);
		volume->transfers++;
	}
	return status;
}

/* Blocks that the log carries are sealed already: their ciphertext moves as it is. In the order of
 * the log, which the host has seen, and not in that of logical numbers, which it has not. */
enum status volume_build_move(struct volume *volume)
{
	struct volume_build *build = &volume->build;
	const uint32_t most = near(volume, volume_batch_room(volume));
	uint32_t count = 0;
	uint64_t home = 0;
	uint8_t *room = NULL;
	enum status status = volume_build_allocate(volume, most, &home, &count);
	if (status == STATUS_OK) {
		status = volume_batch_run(volume, home, count, &room);
	}
	if (status != STATUS_OK) {
		return status;
	}
	status = read_together(volume, count, room);
	if (status == STATUS_IO && count > 1) {
		status = read_each(volume, count, room);
	}
	for (uint32_t i = 0; i < count; i++) {
		carried_at(volume, i)->home = home + i;
	}
	build->done += count;
	return status;
}
