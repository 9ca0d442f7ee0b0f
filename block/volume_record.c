// SPDX-License-Identifier: MIT
/* Log records to and from bytes. */
#include "block/volume_record.h"

#include <string.h>

#include "base/bytes.h"

#define RECORD_VERSION 1u
#define KIND_SHIFT     12u
#define OFFSET_MASK    0xfffu

void volume_record_header_encode(uint8_t *to, const struct volume_record_header *header)
{
	bytes_store_le32(to, VOLUME_RECORD_MAGIC);
	bytes_store_le16(to + 4, RECORD_VERSION);
	bytes_store_le16(to + 6, (uint16_t)header->block_count);
	bytes_store_le32(to + 8, header->generation);
	bytes_store_le64(to + 12, header->counter);
	memcpy(to + 20, header->salt, VOLUME_SALT_BYTES);
	memcpy(to + 52, header->tag, AEAD_TAG_BYTES);
}

enum status volume_record_header_decode(const uint8_t block[BLOCK_BYTES],
					struct volume_record_header *header)
{
	uint32_t block_count = bytes_load_le16(block + 6);
	uint64_t counter = bytes_load_le64(block + 12);
	if (bytes_load_le32(block) != VOLUME_RECORD_MAGIC ||
	    bytes_load_le16(block + 4) != RECORD_VERSION || block_count == 0 ||
	    block_count > VOLUME_RECORD_BLOCKS_MAX || counter == 0) {
		return STATUS_NOT_FOUND;
	}
	header->block_count = block_count;
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

/* Count, places and counters of an extent. */
/*@ requires \valid_read(geometry) && geometry_is_sound(geometry) && \valid(change);
    requires \valid_read(change->bytes + (0 .. change->size_bytes - 1));
    requires \separated(change, geometry, change->bytes + (0 .. change->size_bytes - 1));
    requires change->size_bytes <= UINT16_MAX && change->logical < geometry->logical_blocks;
    assigns change->physical, change->counter, change->count, change->bytes;
    ensures \result ==> change_is_extent(geometry, change); */
static bool extent_decode(const struct volume_geometry *geometry, struct volume_change *change)
{
	struct reader reader;
	reader_init(&reader, change->bytes, change->size_bytes);
	change->physical = reader_le64(&reader);
	change->counter = reader_le32(&reader);
	size_t left = reader_left(&reader);
	change->count = (uint32_t)(left / AEAD_TAG_BYTES);
	change->bytes = reader_bytes(&reader, left);
	if (geometry->profile != VOLUME_PROFILE_BLOCK || !reader_ok(&reader) ||
	    left % AEAD_TAG_BYTES != 0 || change->count == 0 || change->offset != 0 ||
	    change->counter == 0 || change->counter > UINT32_MAX - change->count ||
	    change->count > geometry->logical_blocks - change->logical) {
		return false;
	}
	/*@ loop invariant i <= change->count;
	    loop invariant \forall integer k; 0 <= k < i ==>
	      is_allocatable(geometry, change->physical + k);
	    loop assigns i;
	    loop variant change->count - i; */
	for (uint32_t i = 0; i < change->count; i++) {
		/* Far from wrapping: what is allocatable is within the volume. */
		if (!volume_is_allocatable(geometry, change->physical + i)) {
			return false;
		}
	}
	return true;
}

enum status volume_change_decode(const struct volume_geometry *geometry, struct reader *reader,
				 struct volume_change *change)
{
	uint32_t logical = reader_le32(reader);
	uint32_t place = reader_le16(reader);
	uint32_t size_bytes = reader_le16(reader);
	const uint8_t *bytes = reader_bytes(reader, size_bytes);
	uint32_t kind = place >> KIND_SHIFT;
	uint32_t offset = place & OFFSET_MASK;
	if (!reader_ok(reader) || logical >= geometry->logical_blocks ||
	    kind > VOLUME_CHANGE_EXTENT ||
	    (kind != VOLUME_CHANGE_EXTENT && offset + size_bytes > BLOCK_BYTES)) {
		return STATUS_AUTH_META;
	}
	if (kind == VOLUME_CHANGE_HOLE && (offset != 0 || size_bytes != 0)) {
		return STATUS_AUTH_META;
	}
	*change = (struct volume_change){
		.kind = (enum volume_change_kind)kind,
		.logical = logical,
		.offset = offset,
		.size_bytes = size_bytes,
		.bytes = bytes,
	};
	if (kind == VOLUME_CHANGE_EXTENT && !extent_decode(geometry, change)) {
		return STATUS_AUTH_META;
	}
	return STATUS_OK;
}

/*@ requires \valid_read(geometry) && geometry_is_sound(geometry);
    requires \valid_read(body + (0 .. size_bytes - 1));
    assigns \nothing; */
static bool changes_are_sane(const struct volume_geometry *geometry, const uint8_t *body,
			     size_t size_bytes, uint32_t count)
{
	struct reader reader;
	volume_changes_begin(&reader, body, size_bytes);
	/*@ loop invariant reader_is_sound(&reader) && reader.data == body &&
	      reader.size == size_bytes;
	    loop assigns i, reader;
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++) {
		struct volume_change change;
		if (volume_change_decode(geometry, &reader, &change) != STATUS_OK) {
			return false;
		}
	}
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
	    !changes_are_sane(geometry, body, size_bytes, read.change_count)) {
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

/* ---- Encoding what differs ------------------------------------------------------------------ */

/* The bits in which 8 bytes differ. */
static uint64_t word_difference(const uint8_t *base, const uint8_t *content, uint32_t at)
{
	return bytes_load_le64(content + at) ^ (base == NULL ? 0 : bytes_load_le64(base + at));
}

/* A byte of 0 borrows from its highest bit, if none below it is 0. */
static bool has_zero_byte(uint64_t word)
{
	return ((word - UINT64_C(0x0101010101010101)) & ~word & UINT64_C(0x8080808080808080)) != 0;
}

/* The next range of `content` at or after `at` that differs from `base` (NULL: zeroes). Unchanged
 * gaps that are no longer than a change's header are swallowed. False: nothing differs. Words that
 * are all the same, or the same in no byte, are most of all words: they go by as a whole. */
static bool next_range(const uint8_t *base, const uint8_t *content, uint32_t at, uint32_t *first,
		       uint32_t *end)
{
	uint32_t gap = 0;
	bool found = false;
	for (uint32_t i = at; i < BLOCK_BYTES; i++) {
		if (i + sizeof(uint64_t) <= BLOCK_BYTES) {
			const uint64_t difference = word_difference(base, content, i);
			if (difference == 0 && !found) {
				i += (uint32_t)sizeof(difference) - 1;
				continue;
			}
			if (!has_zero_byte(difference)) {
				*first = found ? *first : i;
				found = true;
				i += (uint32_t)sizeof(difference) - 1;
				*end = i + 1;
				gap = 0;
				continue;
			}
		}
		uint8_t was = base == NULL ? 0 : base[i];
		if (content[i] != was) {
			if (!found) {
				*first = i;
				found = true;
			}
			*end = i + 1;
			gap = 0;
			continue;
		}
		gap++;
		if (found && gap > VOLUME_CHANGE_HEADER_BYTES) {
			break;
		}
	}
	return found;
}

static size_t ranges_cost(const uint8_t *base, const uint8_t *content)
{
	size_t cost = 0;
	uint32_t first = 0;
	uint32_t end = 0;
	for (uint32_t at = 0; next_range(base, content, at, &first, &end); at = end) {
		cost += VOLUME_CHANGE_HEADER_BYTES + end - first;
	}
	return cost;
}

static void change_write(struct writer *writer, uint32_t logical, enum volume_change_kind kind,
			 uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
	writer_le32(writer, logical);
	writer_le16(writer, (uint16_t)((uint32_t)kind << KIND_SHIFT | offset));
	writer_le16(writer, (uint16_t)size_bytes);
	writer_copy(writer, bytes, size_bytes);
}

uint32_t volume_changes_encode(struct writer *writer, uint32_t logical, const uint8_t *base,
			       const uint8_t content[BLOCK_BYTES])
{
	enum volume_change_kind kind = VOLUME_CHANGE_PATCH;
	size_t patch_cost = base == NULL ? SIZE_MAX : ranges_cost(base, content);
	if (patch_cost == 0) {
		return 0;
	}
	/* From zeroes if that is no longer, or all there is: recovery then needs no old content. */
	if (base == NULL || ranges_cost(NULL, content) <= patch_cost) {
		base = NULL;
		kind = VOLUME_CHANGE_FRESH;
	}
	uint32_t count = 0;
	uint32_t first = 0;
	uint32_t end = 0;
	for (uint32_t at = 0; next_range(base, content, at, &first, &end); at = end) {
		change_write(writer, logical, kind, first, content + first, end - first);
		kind = VOLUME_CHANGE_PATCH;
		count++;
	}
	if (count == 0) { /* Fresh zeroes. */
		change_write(writer, logical, kind, 0, content, 0);
		count = 1;
	}
	return count;
}

void volume_change_hole_encode(struct writer *writer, uint32_t logical)
{
	change_write(writer, logical, VOLUME_CHANGE_HOLE, 0, NULL, 0);
}

void volume_change_extent_encode(struct writer *writer, uint32_t logical, uint64_t physical,
				 uint32_t counter, uint32_t count)
{
	writer_le32(writer, logical);
	writer_le16(writer, (uint16_t)(VOLUME_CHANGE_EXTENT << KIND_SHIFT));
	writer_le16(writer, (uint16_t)(VOLUME_EXTENT_HEADER_BYTES + count * AEAD_TAG_BYTES));
	writer_le64(writer, physical);
	writer_le32(writer, counter);
}
