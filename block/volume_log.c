// SPDX-License-Identifier: MIT
/* Writing the log. A record is contiguous; where it does not fit before the ring's end, it goes to
 * the ring's start. */
#include "block/volume_freshness_internal.h"
#include "block/volume_internal.h"

#include <string.h>

#include "base/bytes.h"
#include "crypto/hash.h"

/* Blocks that are skipped at the ring's end for a record of this size. */
static uint32_t blocks_skipped(const struct volume *volume, uint32_t block_count)
{
	const uint32_t ring = (uint32_t)volume->geometry.ring_blocks;
	const uint32_t offset = volume->log.offset;
	return volume_record_offset(ring, offset, block_count) == offset ? 0 : ring - offset;
}

/* The state profile empties the log once half of the ring is in use. In the block profile that is
 * when a checkpoint begins, and commits go on in the other half. */
static uint64_t blocks_offered(const struct volume *volume)
{
	const struct volume_geometry *geometry = &volume->geometry;
	return geometry->profile == VOLUME_PROFILE_BLOCK ? geometry->ring_blocks
							 : geometry->ring_blocks / 2;
}

bool volume_log_has_room(const struct volume *volume, uint32_t block_count)
{
	const struct volume_log *log = &volume->log;
	/* An empty log takes any record: the skipped blocks and the record fit the whole ring. */
	return log->used == 0 || log->used + blocks_skipped(volume, block_count) + block_count <=
					 blocks_offered(volume);
}

/* A_n = HMAC(K, A_{n-1} || sequence || tag || epoch || keyslot digest). */
static enum status anchor_extend(struct volume *volume, uint64_t sequence, uint64_t epoch,
				 const uint8_t tag[AEAD_TAG_BYTES])
{
	uint8_t numbers[16];
	bytes_store_le64(numbers, sequence);
	bytes_store_le64(numbers + 8, epoch);
	const struct hash_input inputs[] = {
		{.bytes = volume->log.anchor, .size_bytes = VOLUME_ANCHOR_BYTES},
		{.bytes = numbers, .size_bytes = 8},
		{.bytes = tag, .size_bytes = AEAD_TAG_BYTES},
		{.bytes = numbers + 8, .size_bytes = 8},
		{.bytes = volume->superblock.keyslot_digest, .size_bytes = SHA256_BYTES},
	};
	uint8_t next[VOLUME_ANCHOR_BYTES];
	enum status status = hmac_compute(&volume->anchor_key, inputs, ARRAY_COUNT(inputs), next);
	if (status == STATUS_OK) {
		memcpy(volume->log.anchor, next, sizeof(next));
	}
	return status;
}

enum status volume_log_extend(struct volume *volume, uint32_t offset, uint32_t block_count,
			      uint64_t epoch, const uint8_t tag[AEAD_TAG_BYTES])
{
	struct volume_log *log = &volume->log;
	const uint32_t ring = (uint32_t)volume->geometry.ring_blocks;
	enum status status = anchor_extend(volume, log->sequence + 1, epoch, tag);
	if (status != STATUS_OK) {
		return status;
	}
	if (offset != log->offset) {
		log->used += ring - log->offset;
	}
	log->used += block_count;
	log->offset = (offset + block_count) % ring;
	log->epoch = epoch;
	log->sequence++;
	memcpy(log->tag, tag, AEAD_TAG_BYTES);
	return STATUS_OK;
}

static void record_fill(struct volume *volume, uint32_t change_count, bool commits)
{
	const struct volume_log *log = &volume->log;
	struct volume_record record = {
		.session = volume->session.id,
		.flags = volume_freshness_flags(volume) |
			 (commits ? (uint32_t)VOLUME_RECORD_COMMIT : 0),
		.change_count = change_count,
		.epoch = volume->superblock.epoch,
		.sequence = log->sequence + 1,
		.durable_sequence = log->durable_sequence,
	};
	memcpy(record.previous_tag, log->tag, AEAD_TAG_BYTES);
	memcpy(record.anchor, log->anchor, VOLUME_CHAIN_ANCHOR_BYTES);
	volume_record_body_encode(log->record + VOLUME_RECORD_HEADER_BYTES, &record);
}

/* How far a record is sealed. To the end of a block, which hides more, unless the newest superblock
 * says that records may be sealed as far as they go: programs that cannot read those then do not
 * mount the volume. */
static uint32_t sealed_end(const struct volume *volume, size_t size_bytes)
{
	const uint32_t grain = volume_log_carries(volume) ? VOLUME_RECORD_GRAIN_BYTES : BLOCK_BYTES;
	const uint32_t end = (uint32_t)((size_bytes + grain - 1) / grain * grain);
	return end <= VOLUME_RECORD_GRAINS_MAX * VOLUME_RECORD_GRAIN_BYTES
		       ? end
		       : volume_record_sealed_blocks(end) * BLOCK_BYTES;
}

bool volume_log_carries(const struct volume *volume)
{
	return (volume->superblock.flags & VOLUME_SUPERBLOCK_CARRIES) != 0;
}

enum status volume_log_append(struct volume *volume, size_t size_bytes, uint32_t change_count,
			      uint32_t carried, bool commits)
{
	struct volume_log *log = &volume->log;
	const uint32_t sealed_bytes = sealed_end(volume, size_bytes);
	const uint32_t sealed_blocks = volume_record_sealed_blocks(sealed_bytes);
	const uint32_t block_count = sealed_blocks + carried;
	const uint32_t offset = volume_record_offset((uint32_t)volume->geometry.ring_blocks,
						     log->offset, block_count);
	uint64_t place = volume->geometry.ring_first + offset;
	uint8_t tag[AEAD_TAG_BYTES];
	memset(log->record + size_bytes, 0, (size_t)sealed_blocks * BLOCK_BYTES - size_bytes);
	record_fill(volume, change_count, commits);
	enum status status =
		volume_record_seal(volume, log->record, block_count, sealed_bytes, tag);
	if (status != STATUS_OK) {
		return status;
	}
	/* First the chain: a record whose write fails may be on the device all the same, and who
	 * looks for it later has to know its mark. Nothing else is written after such a failure. */
	status = volume_log_extend(volume, offset, block_count, volume->superblock.epoch, tag);
	if (status == STATUS_OK) {
		status = block_write(volume->device, (struct physical_block){place},
				     (struct block_count){block_count}, log->record);
	}
	if (status == STATUS_OK) {
		volume->counters.log_writes++;
	}
	return volume_note_write(volume, status, place);
}

uint64_t volume_log_carried_place(const struct volume *volume, uint32_t carried)
{
	const uint64_t ring = volume->geometry.ring_blocks;
	/* A record that ends with the ring has left the offset at its start. */
	const uint64_t end = volume->log.offset != 0 ? volume->log.offset : ring;
	return volume->geometry.ring_first + end - carried;
}

enum status volume_log_settle(struct volume *volume, enum status flushed)
{
	enum status status = volume_note_write(volume, flushed, UINT64_MAX);
	if (status == STATUS_OK) {
		volume->log.durable_sequence = volume->log.sequence;
	}
	return status;
}
