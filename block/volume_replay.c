// SPDX-License-Identifier: MIT
/* What a log record says, carried out again in memory. */
#include "block/volume_internal.h"

#include <string.h>

/* ---- Applying ------------------------------------------------------------------------------ */

/* Bring a block into the overlay that a patch builds upon. */
static enum status overlay_fetch(struct volume *volume, uint32_t logical,
				 struct volume_map_entry **entry)
{
	*entry = volume_map_find(&volume->overlay, logical);
	if (*entry != NULL) {
		return STATUS_OK;
	}
	bool is_hole = false;
	enum status status = volume_read_committed(volume, logical, volume->base, &is_hole);
	if (status != STATUS_OK && status != STATUS_AUTH_DATA) {
		return status;
	}
	*entry = volume_map_take(&volume->overlay, logical);
	if (*entry == NULL) {
		return STATUS_NO_MEMORY;
	}
	/* A data block that fails costs that block, not the volume. */
	if (!volume_map_become(&volume->overlay, *entry,
			       status == STATUS_AUTH_DATA ? VOLUME_MAP_LOST : VOLUME_MAP_CONTENT)) {
		return STATUS_NO_MEMORY;
	}
	if (status == STATUS_OK) {
		memcpy(volume_map_content(&volume->overlay, *entry), volume->base, BLOCK_BYTES);
	}
	return STATUS_OK;
}

/* The content that a patch changes, in memory. */
static enum status patch_base(struct volume *volume, uint32_t logical,
			      struct volume_map_entry **entry)
{
	enum status status = overlay_fetch(volume, logical, entry);
	if (status != STATUS_OK || (*entry)->kind == VOLUME_MAP_CONTENT ||
	    (*entry)->kind == VOLUME_MAP_LOST) {
		return status;
	}
	if ((*entry)->kind == VOLUME_MAP_PLACED || (*entry)->kind == VOLUME_MAP_CARRIED) {
		return STATUS_AUTH_META; /* The block profile's writer patches only what it logged.
					  */
	}
	if (!volume_map_become(&volume->overlay, *entry, VOLUME_MAP_CONTENT)) {
		return STATUS_NO_MEMORY;
	}
	memset(volume_map_content(&volume->overlay, *entry), 0, BLOCK_BYTES);
	return STATUS_OK;
}

static struct volume_entry extent_entry(const struct volume_change *change, uint32_t session,
					uint32_t i)
{
	struct volume_entry entry = {
		.physical = change->physical + i,
		.session = session,
		.counter = change->counter + i,
	};
	memcpy(entry.tag, change->bytes + (size_t)i * AEAD_TAG_BYTES, AEAD_TAG_BYTES);
	return entry;
}

/* Carried blocks lie in the log, and take none until a checkpoint. */
static enum status extent_apply(struct volume *volume, uint32_t session,
				const struct volume_change *change)
{
	const bool is_carried = change->kind == VOLUME_CHANGE_CARRIED;
	enum status status =
		is_carried ? STATUS_OK
			   : volume_allocate_again(volume, change->physical, change->count);
	for (uint32_t i = 0; i < change->count && status == STATUS_OK; i++) {
		struct volume_map_entry *entry =
			volume_map_take(&volume->overlay, change->logical + i);
		if (entry == NULL) {
			return STATUS_NO_MEMORY;
		}
		(void)volume_map_become(&volume->overlay, entry,
					is_carried ? VOLUME_MAP_CARRIED : VOLUME_MAP_PLACED);
		entry->entry = extent_entry(change, session, i);
	}
	return status;
}

/* The block becomes a hole, or zeroes with the change's bytes over them. */
static enum status whole_apply(struct volume *volume, const struct volume_change *change)
{
	struct volume_map_entry *entry = volume_map_take(&volume->overlay, change->logical);
	enum volume_map_kind kind =
		change->kind == VOLUME_CHANGE_HOLE ? VOLUME_MAP_HOLE : VOLUME_MAP_CONTENT;
	if (entry == NULL || !volume_map_become(&volume->overlay, entry, kind)) {
		return STATUS_NO_MEMORY;
	}
	if (kind == VOLUME_MAP_CONTENT) {
		volume_change_apply(change, volume_map_content(&volume->overlay, entry));
	}
	return STATUS_OK;
}

static enum status change_apply(struct volume *volume, const struct volume_record *record,
				const struct volume_change *change)
{
	struct volume_map_entry *entry = NULL;
	enum status status = STATUS_OK;
	switch (change->kind) {
	case VOLUME_CHANGE_PATCH:
		status = patch_base(volume, change->logical, &entry);
		if (status == STATUS_OK && entry->kind == VOLUME_MAP_CONTENT) {
			volume_change_apply(change, volume_map_content(&volume->overlay, entry));
		}
		break;
	case VOLUME_CHANGE_FRESH:
	case VOLUME_CHANGE_HOLE: status = whole_apply(volume, change); break;
	case VOLUME_CHANGE_EXTENT:
	case VOLUME_CHANGE_CARRIED: status = extent_apply(volume, record->session, change); break;
	}
	return status;
}

/* Open every block of an extent, and keep none. */
static enum status extent_prove(struct volume *volume, const struct volume_record *record,
				const struct volume_change *change)
{
	for (uint32_t i = 0; i < change->count; i++) {
		const struct volume_entry entry = extent_entry(change, record->session, i);
		enum status status =
			block_read(volume->device, (struct physical_block){entry.physical},
				   (struct block_count){1}, volume->scratch);
		if (status == STATUS_OK) {
			status = volume_cipher_open(volume, VOLUME_LEVEL_DATA,
						    (uint64_t)change->logical + i, &entry,
						    volume->scratch, volume->base);
		}
		if (status != STATUS_OK) {
			return status == STATUS_AUTH_DATA ? STATUS_NOT_FOUND : status;
		}
	}
	return STATUS_OK;
}

typedef enum status (*change_visitor)(struct volume *volume, const struct volume_record *record,
				      const struct volume_change *change);

static bool is_sealed_apart(const struct volume_change *change)
{
	return change->kind == VOLUME_CHANGE_EXTENT || change->kind == VOLUME_CHANGE_CARRIED;
}

/* `place`: the record's first block. */
static enum status changes_visit(struct volume *volume, uint64_t place,
				 const struct volume_record_header *header,
				 const struct volume_record *record, change_visitor visit)
{
	struct reader reader;
	bool knows_session = false;
	uint64_t carried_at = place + volume_record_sealed_blocks(header->sealed_bytes);
	volume_changes_begin(&reader, volume->log.record + VOLUME_RECORD_HEADER_BYTES,
			     header->sealed_bytes - VOLUME_RECORD_HEADER_BYTES);
	for (uint32_t i = 0; i < record->change_count; i++) {
		struct volume_change change;
		enum status status = volume_change_decode(&volume->geometry, &reader, &change);
		if (status == STATUS_OK && change.kind == VOLUME_CHANGE_CARRIED) {
			change.physical = carried_at++;
		}
		if (status == STATUS_OK && is_sealed_apart(&change) && !knows_session) {
			status = volume_session_learn(volume, record->session, header->generation,
						      header->salt);
			knows_session = true;
		}
		if (status == STATUS_OK) {
			status = visit(volume, record, &change);
		}
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

enum status volume_record_apply(struct volume *volume, uint64_t place,
				const struct volume_record_header *header,
				const struct volume_record *record)
{
	return changes_visit(volume, place, header, record, change_apply);
}

static enum status change_prove(struct volume *volume, const struct volume_record *record,
				const struct volume_change *change)
{
	return is_sealed_apart(change) ? extent_prove(volume, record, change) : STATUS_OK;
}

enum status volume_record_prove(struct volume *volume, uint64_t place,
				const struct volume_record_header *header,
				const struct volume_record *record)
{
	return changes_visit(volume, place, header, record, change_prove);
}
