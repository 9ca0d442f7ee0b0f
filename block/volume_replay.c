// SPDX-License-Identifier: MIT
/* Reading the log.
 *
 * The log ends at the first record that is not the authentic successor of the one before. That may
 * be an honest end or the work of somebody who damaged a record, so the rest of the ring is then
 * searched for authentic records that an honest history could not have left there: one of this
 * epoch or a later one outside the chain. (A record's durable_sequence proves the same, and is
 * contained in this: whoever wrote it wrote it in this epoch, behind what is missing.) */
#include "block/volume_internal.h"

#include <string.h>

#include "base/bytes.h"
#include "base/log.h"

/* Ring blocks that belong to the chain. */
struct replay {
	bool taken[VOLUME_RING_BLOCKS];
};

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
	if (status != STATUS_OK || offset + header->block_count > VOLUME_RING_BLOCKS) {
		return STATUS_NOT_FOUND;
	}
	if (header->block_count > 1) {
		status = block_read(volume->device, (struct physical_block){place + 1},
				    (struct block_count){header->block_count - 1},
				    buffer + BLOCK_BYTES);
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
	return volume_record_body_decode(
		buffer + VOLUME_RECORD_HEADER_BYTES,
		header->block_count * BLOCK_BYTES - VOLUME_RECORD_HEADER_BYTES, record);
}

static bool record_is_next(const struct volume *volume, const struct volume_record_header *header,
			   const struct volume_record *record)
{
	const struct volume_log *log = &volume->log;
	return header->generation == volume->generation &&
	       record->epoch == volume->superblock.epoch && record->sequence == log->sequence + 1 &&
	       record->durable_sequence == log->sequence &&
	       bytes_equal_constant_time(record->previous_tag, log->tag, AEAD_TAG_BYTES) &&
	       bytes_equal_constant_time(record->anchor, log->anchor, VOLUME_CHAIN_ANCHOR_BYTES);
}

/* ---- Applying ------------------------------------------------------------------------------ */

/* Bring a block into the overlay that a patch builds upon. */
static enum status overlay_fetch(struct volume *volume, uint32_t logical,
				 struct volume_overlay_entry **entry)
{
	*entry = volume_overlay_find(volume, logical);
	if (*entry != NULL) {
		return STATUS_OK;
	}
	bool is_hole = false;
	enum status status = volume_read_committed(volume, logical, volume->base, &is_hole);
	if (status != STATUS_OK && status != STATUS_AUTH_DATA) {
		return status;
	}
	*entry = volume_overlay_take(volume, logical);
	if (*entry == NULL) {
		return STATUS_NO_MEMORY;
	}
	/* A data block that fails costs that block, not the volume. */
	(*entry)->kind = status == STATUS_AUTH_DATA ? VOLUME_OVERLAY_LOST : VOLUME_OVERLAY_CONTENT;
	memcpy(volume_overlay_content(volume, *entry), volume->base, BLOCK_BYTES);
	return STATUS_OK;
}

static enum status change_replay(struct volume *volume, const struct volume_change *change)
{
	struct volume_overlay_entry *entry = NULL;
	enum status status = STATUS_OK;
	switch (change->kind) {
	case VOLUME_CHANGE_PATCH:
		status = overlay_fetch(volume, change->logical, &entry);
		if (status == STATUS_OK && entry->kind == VOLUME_OVERLAY_HOLE) {
			memset(volume_overlay_content(volume, entry), 0, BLOCK_BYTES);
			entry->kind = VOLUME_OVERLAY_CONTENT;
		}
		break;
	case VOLUME_CHANGE_FRESH:
	case VOLUME_CHANGE_HOLE:
		entry = volume_overlay_take(volume, change->logical);
		if (entry == NULL) {
			return STATUS_NO_MEMORY;
		}
		entry->kind = change->kind == VOLUME_CHANGE_HOLE ? VOLUME_OVERLAY_HOLE
								 : VOLUME_OVERLAY_CONTENT;
		break;
	}
	if (status == STATUS_OK && entry->kind == VOLUME_OVERLAY_CONTENT) {
		volume_change_apply(change, volume_overlay_content(volume, entry));
	}
	return status;
}

static enum status record_replay(struct volume *volume, const struct volume_record_header *header,
				 const struct volume_record *record)
{
	struct reader reader;
	volume_changes_begin(&reader, volume->log.record + VOLUME_RECORD_HEADER_BYTES,
			     header->block_count * BLOCK_BYTES - VOLUME_RECORD_HEADER_BYTES);
	for (uint32_t i = 0; i < record->change_count; i++) {
		struct volume_change change;
		enum status status = volume_change_decode(&reader, &change);
		if (status == STATUS_OK) {
			status = change_replay(volume, &change);
		}
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

/* ---- The chain ----------------------------------------------------------------------------- */

/* Replay the record at `offset` if it is the next one. STATUS_NOT_FOUND: it is not. */
static enum status chain_step_at(struct volume *volume, struct replay *replay, uint32_t offset)
{
	struct volume_record_header header;
	struct volume_record record;
	enum status status = record_read(volume, offset, &header, &record);
	if (status != STATUS_OK) {
		return status;
	}
	/* The ring's start is the next place only for what did not fit before its end. */
	bool skips = offset != volume->log.offset;
	if ((skips && volume->log.offset + header.block_count <= VOLUME_RING_BLOCKS) ||
	    !record_is_next(volume, &header, &record)) {
		return STATUS_NOT_FOUND;
	}
	status = record_replay(volume, &header, &record);
	if (status != STATUS_OK) {
		return status;
	}
	for (uint32_t i = 0; i < header.block_count; i++) {
		replay->taken[offset + i] = true;
	}
	if (record.session >= volume->session.id) {
		volume->session.id = record.session + 1; /* The next session's: see mount. */
	}
	return volume_log_extend(volume, offset, header.block_count, header.tag);
}

static enum status chain_replay(struct volume *volume, struct replay *replay)
{
	struct volume_log *log = &volume->log;
	enum status status = STATUS_OK;
	while (status == STATUS_OK && log->used < VOLUME_RING_BLOCKS &&
	       !replay->taken[log->offset]) { /* Each turn takes at least one block. */
		status = chain_step_at(volume, replay, log->offset);
		bool may_skip = log->offset != 0 &&
				log->offset + VOLUME_RECORD_BLOCKS_MAX > VOLUME_RING_BLOCKS &&
				!replay->taken[0];
		if (status == STATUS_NOT_FOUND && may_skip) {
			status = chain_step_at(volume, replay, 0);
		}
	}
	return status == STATUS_NOT_FOUND ? STATUS_OK : status;
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
	if (record.epoch < volume->superblock.epoch &&
	    record.durable_sequence <= volume->log.sequence) {
		return STATUS_OK; /* An earlier lap's. */
	}
	log_write(LOG_WARNING, "volume",
		  "log ends at sequence %llu of epoch %llu, but sequence %llu of epoch %llu exists",
		  (unsigned long long)volume->log.sequence,
		  (unsigned long long)volume->superblock.epoch, (unsigned long long)record.sequence,
		  (unsigned long long)record.epoch);
	return volume_note(volume, STATUS_TAMPER, VOLUME_LEVEL_LOG, UINT64_MAX,
			   volume->geometry.ring_first + offset);
}

static enum status ring_search(struct volume *volume, const struct replay *replay)
{
	uint8_t *blocks = volume->build.batch.blocks;
	for (uint32_t first = 0; first < VOLUME_RING_BLOCKS; first += VOLUME_BATCH_BLOCKS) {
		uint64_t place = volume->geometry.ring_first + first;
		enum status status = block_read(volume->device, (struct physical_block){place},
						(struct block_count){VOLUME_BATCH_BLOCKS}, blocks);
		for (uint32_t i = 0; i < VOLUME_BATCH_BLOCKS && status == STATUS_OK; i++) {
			struct volume_record_header header;
			if (!replay->taken[first + i] &&
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

enum status volume_log_replay(struct volume *volume)
{
	struct replay replay = {.taken = {false}};
	struct volume_log *log = &volume->log;
	log->offset = volume->superblock.log_offset;
	log->used = 0;
	log->sequence = volume->superblock.log_sequence;
	memcpy(log->tag, volume->superblock.log_tag, AEAD_TAG_BYTES);
	memcpy(log->anchor, volume->superblock.anchor, VOLUME_ANCHOR_BYTES);
	enum status status = chain_replay(volume, &replay);
	if (status == STATUS_OK) {
		status = ring_search(volume, &replay);
	}
	log->durable_sequence = log->sequence;
	return volume_note(volume, status, VOLUME_LEVEL_LOG, UINT64_MAX, UINT64_MAX);
}
