// SPDX-License-Identifier: MIT
/* Finding the end of the log.
 *
 * The log ends at the first record that is not the authentic successor of the one before. That may
 * be an honest end or the work of somebody who damaged a record, so the rest of the ring is then
 * searched for authentic records that an honest history could not have left there.
 *
 * State profile: one record is in flight at a time, so any record of this epoch or a later one
 * outside the chain. (durable_sequence proves the same, and is contained in this: whoever wrote it
 * wrote it in this epoch, behind what is missing.)
 *
 * Block profile: a transaction may have several records and data out of line, all of them unflushed
 * at once. So the chain is walked up to three times: to survey it, to prove that the data of what
 * may have been in flight has arrived (the tail rule), and to apply it up to the last transaction
 * for which both hold. A record outside the chain is honest unless its durable_sequence says that
 * more was acknowledged than was recovered. */
#include "block/volume_freshness_internal.h"
#include "block/volume_internal.h"
#include "block/volume_recovery.h"

#include <string.h>

#include "base/log.h"

static bool is_taken(const struct volume *volume, uint32_t offset)
{
	return (volume->ring_taken[offset / 8] >> (offset % 8) & 1) != 0;
}

static void take(struct volume *volume, uint32_t offset, uint32_t count)
{
	for (uint32_t at = offset; at < offset + count; at++) {
		uint8_t *byte = &volume->ring_taken[at / 8];
		*byte = (uint8_t)(*byte | 1u << (at % 8));
	}
}

/* Read the record that starts at `offset`, if an authentic one does. STATUS_NOT_FOUND: none. The
 * opened record is left in the record buffer. */
static enum status record_read(struct volume *volume, uint32_t offset,
			       struct volume_record_header *header, struct volume_record *record)
{
	uint8_t *buffer = volume->log.record;
	uint64_t place = volume->geometry.ring_first + offset;
	enum status status = block_read(volume->device, (struct physical_block){place},
					(struct block_count){1}, buffer);
	if (status != STATUS_OK) {
		return status;
	}
	status = volume_record_header_decode(buffer, header);
	if (status != STATUS_OK || offset + header->block_count > volume->geometry.ring_blocks) {
		return STATUS_NOT_FOUND;
	}
	const uint32_t sealed_blocks = volume_record_sealed_blocks(header->sealed_bytes);
	if (sealed_blocks > 1) {
		status = block_read(volume->device, (struct physical_block){place + 1},
				    (struct block_count){sealed_blocks - 1}, buffer + BLOCK_BYTES);
		if (status != STATUS_OK) {
			return status;
		}
	}
	status = volume_record_open(volume, header, buffer);
	if (status == STATUS_AUTH_FAILED) {
		return STATUS_NOT_FOUND;
	}
	if (status != STATUS_OK) {
		return status;
	}
	status = volume_record_body_decode(&volume->geometry, buffer + VOLUME_RECORD_HEADER_BYTES,
					   header->sealed_bytes - VOLUME_RECORD_HEADER_BYTES,
					   record);
	return status == STATUS_OK && header->block_count != sealed_blocks + record->carried_count
		       ? STATUS_AUTH_META
		       : status;
}

static struct volume_recovered recovered(const struct volume *volume)
{
	const struct volume_log *log = &volume->log;
	return (struct volume_recovered){
		.profile = volume->geometry.profile,
		.generation = volume->master.generation,
		.epoch_first = log->epoch,
		.epoch_last = volume->superblock.epoch,
		.sequence = log->sequence,
		.tag = log->tag,
		.anchor = log->anchor,
	};
}

/* ---- The chain ----------------------------------------------------------------------------- */

static enum status record_visit(struct volume *volume, struct volume_walk *walk, uint32_t offset,
				const struct volume_record_header *header,
				const struct volume_record *record)
{
	const uint64_t place = volume->geometry.ring_first + offset;
	enum status status = STATUS_OK;
	if (walk->mode == VOLUME_WALK_APPLY) {
		status = volume_record_apply(volume, place, header, record);
		take(volume, offset, header->block_count);
	} else if (volume_walk_wants_proof(walk, record)) {
		status = volume_record_prove(volume, place, header, record);
	}
	if (status == STATUS_OK) {
		volume_walk_follow(walk, record);
	}
	return status;
}

/* Visit the record at `offset` if it is the next one. STATUS_NOT_FOUND: it is not. */
static enum status chain_step_at(struct volume *volume, struct volume_walk *walk, uint32_t offset)
{
	struct volume_record_header header;
	struct volume_record record;
	enum status status = record_read(volume, offset, &header, &record);
	if (status != STATUS_OK) {
		return status;
	}
	/* The ring's start is the next place only for what did not fit before its end. */
	const uint32_t place = volume_record_offset((uint32_t)volume->geometry.ring_blocks,
						    volume->log.offset, header.block_count);
	const struct volume_recovered so_far = recovered(volume);
	if (offset != place || !volume_record_is_next(&so_far, &header, &record)) {
		return STATUS_NOT_FOUND;
	}
	/* Also of records that will not be applied: their session's number is used up. */
	if (record.session >= volume->session.id) {
		volume->session.id = record.session + 1; /* The next session's: see mount. */
	}
	status = record_visit(volume, walk, offset, &header, &record);
	if (status != STATUS_OK) {
		return status;
	}
	volume_freshness_follow(volume, &record);
	return volume_log_extend(volume, offset, header.block_count, record.epoch, header.tag);
}

static void log_rewind(struct volume *volume)
{
	struct volume_log *log = &volume->log;
	log->offset = volume->superblock.log_offset;
	log->used = 0;
	/* Records that were committed while the checkpoint ran carry the epoch before it. */
	bool may_be_late = (volume->superblock.flags & VOLUME_SUPERBLOCK_LATE) != 0;
	log->epoch = volume->superblock.epoch - (may_be_late ? 1 : 0);
	log->sequence = volume->superblock.log_sequence;
	memcpy(log->tag, volume->superblock.log_tag, AEAD_TAG_BYTES);
	memcpy(log->anchor, volume->superblock.anchor, VOLUME_ANCHOR_BYTES);
	volume_freshness_rewind(volume);
}

static enum status chain_walk(struct volume *volume, struct volume_walk *walk)
{
	const uint32_t ring = (uint32_t)volume->geometry.ring_blocks;
	struct volume_log *log = &volume->log;
	enum status status = STATUS_OK;
	log_rewind(volume);
	/* Each turn takes at least one block. */
	while (status == STATUS_OK && volume_walk_goes_on(walk, log->sequence) &&
	       log->used < ring && !is_taken(volume, log->offset)) {
		status = chain_step_at(volume, walk, log->offset);
		bool may_skip = log->offset != 0 && log->offset + VOLUME_RECORD_BLOCKS_MAX > ring &&
				!is_taken(volume, 0);
		if (status == STATUS_NOT_FOUND && may_skip) {
			status = chain_step_at(volume, walk, 0);
		}
	}
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status chain_replay(struct volume *volume)
{
	struct volume_walk walk;
	enum status status = STATUS_OK;
	volume_walk_begin(&walk, volume->geometry.profile, volume->superblock.log_sequence);
	while (status == STATUS_OK && walk.mode != VOLUME_WALK_DONE) {
		status = chain_walk(volume, &walk);
		if (status == STATUS_OK) {
			status = volume_walk_end(&walk, volume->log.sequence);
			if (status != STATUS_OK) {
				log_write(LOG_WARNING, "volume",
					  "the log changed while it was read: it ends at %llu",
					  (unsigned long long)volume->log.sequence);
			}
		}
	}
	return status;
}

/* ---- The rest of the ring ------------------------------------------------------------------ */

static enum status leftover_check(struct volume *volume, uint32_t offset)
{
	struct volume_record_header header;
	struct volume_record record;
	enum status status = record_read(volume, offset, &header, &record);
	if (status == STATUS_NOT_FOUND) {
		return STATUS_OK;
	}
	if (status != STATUS_OK) {
		return status;
	}
	const struct volume_recovered so_far = recovered(volume);
	if (volume_leftover_is_honest(&so_far, &record)) {
		return STATUS_OK;
	}
	log_write(LOG_WARNING, "volume",
		  "log ends at sequence %llu of epoch %llu, but sequence %llu of epoch %llu exists",
		  (unsigned long long)volume->log.sequence,
		  (unsigned long long)volume->superblock.epoch, (unsigned long long)record.sequence,
		  (unsigned long long)record.epoch);
	return volume_note(volume, STATUS_TAMPER, VOLUME_LEVEL_LOG, UINT64_MAX,
			   volume->geometry.ring_first + offset);
}

static enum status ring_search(struct volume *volume)
{
	uint8_t *blocks = volume->build.batch.blocks;
	for (uint32_t first = 0; first < volume->geometry.ring_blocks;
	     first += VOLUME_BATCH_BLOCKS) {
		uint64_t place = volume->geometry.ring_first + first;
		enum status status = block_read(volume->device, (struct physical_block){place},
						(struct block_count){VOLUME_BATCH_BLOCKS}, blocks);
		for (uint32_t i = 0; i < VOLUME_BATCH_BLOCKS && status == STATUS_OK; i++) {
			struct volume_record_header header;
			if (!is_taken(volume, first + i) &&
			    volume_record_header_decode(blocks + (size_t)i * BLOCK_BYTES,
							&header) == STATUS_OK) {
				status = leftover_check(volume, first + i);
			}
		}
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

STATIC_ASSERT(VOLUME_RING_BLOCKS % VOLUME_BATCH_BLOCKS == 0, "the search ends with the ring");
STATIC_ASSERT(VOLUME_RING_BLOCKS_MAX % VOLUME_BATCH_BLOCKS == 0, "likewise");

enum status volume_log_replay(struct volume *volume)
{
	struct volume_log *log = &volume->log;
	enum status status = chain_replay(volume);
	if (status == STATUS_OK) {
		status = ring_search(volume);
	}
	log->durable_sequence = log->sequence;
	return volume_note(volume, status, VOLUME_LEVEL_LOG, UINT64_MAX, UINT64_MAX);
}
