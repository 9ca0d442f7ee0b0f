// SPDX-License-Identifier: MIT
/* Blocks that are kept twice, written one after the other with a flush behind each. A crash damages
 * at most the copy that was being written, so:
 *
 * - one bad copy is survivable (and is repaired before the next write to the pair);
 * - two bad copies are never honest: the mount fails instead of falling back to an older state,
 *   which would hand the host a way to roll us back by damaging the newest superblock. */
#include "base/log.h"
#include "block/volume_internal.h"

void volume_pairs_init(struct volume *volume)
{
	uint64_t size = volume->geometry.size;
	for (uint32_t which = 0; which < 2; which++) {
		for (uint32_t copy = 0; copy < VOLUME_COPIES; copy++) {
			volume->superblock_pairs[which].places[copy] =
				volume_superblock_place(size, which, copy);
			volume->keyslots_pairs[which].places[copy] =
				volume_keyslots_place(size, which, copy);
		}
	}
}

static enum status copy_write(struct volume *volume, uint64_t place, const uint8_t *block)
{
	enum status status = block_write(volume->device, (struct physical_block){place},
					 (struct block_count){1}, block);
	if (status == STATUS_OK) {
		status = block_flush(volume->device);
	}
	volume->transfers++;
	return volume_note_write(volume, status, place);
}

enum status volume_pair_copy_write(struct volume *volume, const struct volume_pair *pair,
				   uint32_t copy, const uint8_t *block)
{
	return copy_write(volume, pair->places[copy], block);
}

enum status volume_pair_write(struct volume *volume, const struct volume_pair *pair,
			      const uint8_t *block)
{
	enum status status = volume_pair_copy_write(volume, pair, 0, block);
	if (status == STATUS_OK) {
		status = volume_pair_copy_write(volume, pair, 1, block);
	}
	return status;
}

static enum status pair_heal(struct volume *volume, struct volume_pair *pair)
{
	uint64_t from = pair->places[pair->good];
	uint64_t to = pair->places[VOLUME_COPIES - 1 - pair->good];
	enum status status = block_read(volume->device, (struct physical_block){from},
					(struct block_count){1}, volume->scratch);
	if (status == STATUS_OK) {
		status = copy_write(volume, to, volume->scratch);
	}
	if (status == STATUS_OK) {
		log_write(LOG_NOTICE, "volume", "block %llu repaired from its copy",
			  (unsigned long long)to);
		pair->needs_heal = false;
	}
	return status;
}

enum status volume_pairs_heal_one(struct volume *volume, bool *done)
{
	*done = false;
	for (uint32_t which = 0; which < 2; which++) {
		if (volume->superblock_pairs[which].needs_heal) {
			return pair_heal(volume, &volume->superblock_pairs[which]);
		}
		if (volume->keyslots_pairs[which].needs_heal) {
			return pair_heal(volume, &volume->keyslots_pairs[which]);
		}
	}
	/* What is written next belongs at the end of the volume as it is now. */
	volume_pairs_init(volume);
	*done = true;
	return STATUS_OK;
}

enum status volume_pairs_heal(struct volume *volume)
{
	enum status status = STATUS_OK;
	bool done = false;
	while (status == STATUS_OK && !done) { /* Each turn heals one of four. */
		status = volume_pairs_heal_one(volume, &done);
	}
	return status;
}
