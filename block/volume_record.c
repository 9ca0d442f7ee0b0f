// SPDX-License-Identifier: MIT
/* Log records to and from bytes. */
#include "block/volume_record.h"

#include <string.h>

#include "base/bytes.h"

#define RECORD_VERSION_WHOLE  1u /* Sealed to the end. */
#define RECORD_VERSION_GRAINS 2u /* Sealed as far as it says. */

void volume_record_header_encode(uint8_t *to, const struct volume_record_header *header)
{
	const bool is_whole = header->sealed_bytes == header->block_count * BLOCK_BYTES;
	const uint32_t grains = is_whole ? 0 : header->sealed_bytes / VOLUME_RECORD_GRAIN_BYTES;
	bytes_store_le32(to, VOLUME_RECORD_MAGIC);
	bytes_store_le16(to + 4, is_whole ? RECORD_VERSION_WHOLE : RECORD_VERSION_GRAINS);
	to[6] = (uint8_t)header->block_count;
	to[7] = (uint8_t)grains;
	bytes_store_le32(to + 8, header->generation);
	bytes_store_le64(to + 12, header->counter);
	memcpy(to + 20, header->salt, VOLUME_SALT_BYTES);
	memcpy(to + 52, header->tag, AEAD_TAG_BYTES);
}

enum status volume_record_header_decode(const uint8_t block[BLOCK_BYTES],
					struct volume_record_header *header)
{
	const uint32_t version = bytes_load_le16(block + 4);
	const uint32_t block_count = block[6];
	const uint32_t grains = block[7];
	const uint32_t whole_bytes = block_count * BLOCK_BYTES;
	const uint32_t sealed_bytes = grains * VOLUME_RECORD_GRAIN_BYTES;
	const uint64_t counter = bytes_load_le64(block + 12);
	/* There is one way to say each length. */
	const bool is_whole = version == RECORD_VERSION_WHOLE && grains == 0;
	const bool is_short =
		version == RECORD_VERSION_GRAINS && grains != 0 && sealed_bytes < whole_bytes;
	if (bytes_load_le32(block) != VOLUME_RECORD_MAGIC || (!is_whole && !is_short) ||
	    block_count == 0 || block_count > VOLUME_RECORD_BLOCKS_MAX || counter == 0) {
		return STATUS_NOT_FOUND;
	}
	header->block_count = block_count;
	header->sealed_bytes = is_whole ? whole_bytes : sealed_bytes;
	header->generation = bytes_load_le32(block + 8);
	header->counter = counter;
	memcpy(header->salt, block + 20, VOLUME_SALT_BYTES);
	memcpy(header->tag, block + 52, AEAD_TAG_BYTES);
	return STATUS_OK;
}

void volume_record_body_encode(uint8_t to[VOLUME_RECORD_BODY_BYTES],
			       const struct volume_record *record)
{
	bytes_store_le32(to, record->session);
	bytes_store_le16(to + 4, (uint16_t)record->flags);
	bytes_store_le16(to + 6, (uint16_t)record->change_count);
	bytes_store_le64(to + 8, record->epoch);
	bytes_store_le64(to + 16, record->sequence);
	bytes_store_le64(to + 24, record->durable_sequence);
	memcpy(to + 32, record->previous_tag, AEAD_TAG_BYTES);
	memcpy(to + 48, record->anchor, VOLUME_CHAIN_ANCHOR_BYTES);
}

void volume_changes_begin(struct reader *reader, const uint8_t *body, size_t size_bytes)
{
	reader_init(reader, body, size_bytes);
	reader_skip(reader, VOLUME_RECORD_BODY_BYTES);
}

/* Count, places and counters of an extent, whose bytes are the change's so far. */
/*@ requires \valid_read(geometry) && \valid(change);
    requires \valid_read(change->bytes + (0 .. change->size_bytes - 1));
    requires change->size_bytes <= UINT16_MAX && change->logical < geometry->logical_blocks;
    requires \separated(change, geometry);
    assigns change->physical, change->counter, change->count, change->bytes;
    ensures \result ==> change_is_extent(geometry, change); */
static bool extent_decode(const struct volume_geometry *geometry, struct volume_change *change)
{
	if (change->size_bytes < VOLUME_EXTENT_HEADER_BYTES) {
		return false;
	}
	const uint8_t *bytes = change->bytes;
	const uint32_t tags_bytes = change->size_bytes - VOLUME_EXTENT_HEADER_BYTES;
	change->physical = bytes_load_le64(bytes);
	change->counter = bytes_load_le32(bytes + 8);
	change->count = tags_bytes / AEAD_TAG_BYTES;
	change->bytes = bytes + VOLUME_EXTENT_HEADER_BYTES;
	return geometry->profile == VOLUME_PROFILE_BLOCK && tags_bytes % AEAD_TAG_BYTES == 0 &&
	       change->count != 0 && change->offset == 0 && change->counter != 0 &&
	       change->counter <= UINT32_MAX - change->count &&
	       change->count <= geometry->logical_blocks - change->logical &&
	       volume_are_allocatable(geometry, change->physical, change->count);
}

/* Counter and tag of a carried block, which are the change's bytes so far. */
/*@ requires \valid_read(geometry) && \valid(change);
    requires \valid_read(change->bytes + (0 .. change->size_bytes - 1));
    requires \separated(change, geometry);
    assigns change->counter, change->count, change->bytes;
    ensures \result ==> change_is_carried(geometry, change); */
static bool carried_decode(const struct volume_geometry *geometry, struct volume_change *change)
{
	if (change->size_bytes != VOLUME_CARRIED_BYTES) {
		return false;
	}
	const uint8_t *bytes = change->bytes;
	change->counter = bytes_load_le32(bytes);
	change->count = 1;
	change->bytes = bytes + VOLUME_CARRIED_BYTES - AEAD_TAG_BYTES;
	return geometry->profile == VOLUME_PROFILE_BLOCK && change->offset == 0 &&
	       change->counter != 0;
}

/* A change's place has its kind and its offset. */
//@ requires place <= UINT16_MAX; assigns \nothing; ensures 0 <= \result < 16;
static uint32_t kind_in(uint32_t place)
{
	return place / VOLUME_CHANGE_KIND_UNIT;
}

//@ assigns \nothing; ensures 0 <= \result < VOLUME_CHANGE_KIND_UNIT;
static uint32_t offset_in(uint32_t place)
{
	return place % VOLUME_CHANGE_KIND_UNIT;
}

/* A change of which `header` says what it is, and `bytes` are all that it carries. */
/*@ requires \valid_read(geometry) && \valid(change);
    requires \valid_read(header + (0 .. VOLUME_CHANGE_HEADER_BYTES - 1));
    requires \valid_read(bytes + (0 .. size_bytes - 1)) && size_bytes <= UINT16_MAX;
    requires \separated(change, geometry);
    assigns *change;
    ensures \result ==> change_is_sound(geometry, change); */
static bool change_decode(const struct volume_geometry *geometry, const uint8_t *header,
			  const uint8_t *bytes, uint32_t size_bytes, struct volume_change *change)
{
	uint32_t logical = bytes_load_le32(header);
	uint32_t place = bytes_load_le16(header + 4);
	uint32_t kind = kind_in(place);
	uint32_t offset = offset_in(place);
	if (logical >= geometry->logical_blocks || kind > VOLUME_CHANGE_CARRIED ||
	    (kind != VOLUME_CHANGE_EXTENT && offset + size_bytes > BLOCK_BYTES) ||
	    (kind == VOLUME_CHANGE_HOLE && (offset != 0 || size_bytes != 0))) {
		return false;
	}
	change->kind = (enum volume_change_kind)kind;
	change->logical = logical;
	change->offset = offset;
	change->size_bytes = size_bytes;
	change->bytes = bytes;
	change->physical = 0;
	change->counter = 0;
	change->count = 0;
	if (kind == VOLUME_CHANGE_CARRIED) {
		return carried_decode(geometry, change);
	}
	return kind != VOLUME_CHANGE_EXTENT || extent_decode(geometry, change);
}

enum status volume_change_decode(const struct volume_geometry *geometry, struct reader *reader,
				 struct volume_change *change)
{
	const uint8_t *header = reader_bytes(reader, VOLUME_CHANGE_HEADER_BYTES);
	if (header == NULL) {
		return STATUS_AUTH_META;
	}
	uint32_t size_bytes = bytes_load_le16(header + 6);
	const uint8_t *bytes = reader_bytes(reader, size_bytes);
	if (!reader_ok(reader)) {
		return STATUS_AUTH_META;
	}
	bool is_sane = change_decode(geometry, header, bytes, size_bytes, change);
	//@ assert reader->at <= reader->size;
	//@ assert reader_goes_on{Pre, Here}(reader);
	return is_sane ? STATUS_OK : STATUS_AUTH_META;
}

/* Also counts those whose blocks the record carries. */
/*@ requires \valid_read(geometry) && \valid(carried_count);
    requires \valid_read(body + (0 .. size_bytes - 1));
    requires \separated(carried_count, geometry, body + (0 .. size_bytes - 1));
    assigns *carried_count; */
static bool changes_are_sane(const struct volume_geometry *geometry, const uint8_t *body,
			     size_t size_bytes, uint32_t count, uint32_t *carried_count)
{
	uint32_t carried = 0;
	struct reader reader;
	struct volume_change change;
	volume_changes_begin(&reader, body, size_bytes);
	/*@ loop invariant reader_is_sound(&reader);
	    loop invariant reader.data == body;
	    loop invariant reader.size == size_bytes;
	    loop invariant carried <= i;
	    loop assigns i, reader, change, carried;
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++) {
		if (volume_change_decode(geometry, &reader, &change) != STATUS_OK) {
			return false;
		}
		carried += change.kind == VOLUME_CHANGE_CARRIED ? 1 : 0;
	}
	*carried_count = carried;
	size_t left = reader_left(&reader);
	const uint8_t *padding = reader_bytes(&reader, left);
	return reader_ok(&reader) && padding != NULL && bytes_are_zero(padding, left);
}

enum status volume_record_body_decode(const struct volume_geometry *geometry, const uint8_t *body,
				      size_t size_bytes, struct volume_record *record)
{
	if (size_bytes < VOLUME_RECORD_BODY_BYTES) {
		return STATUS_AUTH_META;
	}
	struct volume_record read = {
		.session = bytes_load_le32(body),
		.flags = bytes_load_le16(body + 4),
		.change_count = bytes_load_le16(body + 6),
		.epoch = bytes_load_le64(body + 8),
		.sequence = bytes_load_le64(body + 16),
		.durable_sequence = bytes_load_le64(body + 24),
	};
	memcpy(read.previous_tag, body + 32, AEAD_TAG_BYTES);
	memcpy(read.anchor, body + 48, VOLUME_CHAIN_ANCHOR_BYTES);
	/* A transaction is one record in the state profile. A record without changes is a mark: it
	 * moves the running anchor, and is a transaction of its own. */
	bool commits = (read.flags & VOLUME_RECORD_COMMIT) != 0;
	bool has_flags =
		read.flags <= (VOLUME_RECORD_COMMIT | VOLUME_RECORD_UNANCHORED) &&
		(commits || (geometry->profile == VOLUME_PROFILE_BLOCK && read.change_count != 0));
	if (!has_flags || read.session == 0 || read.sequence == 0 ||
	    read.durable_sequence >= read.sequence ||
	    !changes_are_sane(geometry, body, size_bytes, read.change_count, &read.carried_count)) {
		return STATUS_AUTH_META;
	}
	*record = read;
	return STATUS_OK;
}

void volume_change_apply(const struct volume_change *change, uint8_t content[BLOCK_BYTES])
{
	if (change->kind == VOLUME_CHANGE_FRESH) {
		memset(content, 0, BLOCK_BYTES);
	}
	if (change->size_bytes != 0) {
		memcpy(content + change->offset, change->bytes, change->size_bytes);
	}
}
