// SPDX-License-Identifier: MIT
/* What differs between two contents of a block, as changes of a log record. */
#include "base/bytes.h"
#include "block/volume_record.h"

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

/* What every change begins with; `size_bytes` follow. */
static void header_write(struct writer *writer, uint32_t logical, enum volume_change_kind kind,
			 uint32_t offset, uint32_t size_bytes)
{
	writer_le32(writer, logical);
	writer_le16(writer, (uint16_t)((uint32_t)kind * VOLUME_CHANGE_KIND_UNIT + offset));
	writer_le16(writer, (uint16_t)size_bytes);
}

static void change_write(struct writer *writer, uint32_t logical, enum volume_change_kind kind,
			 uint32_t offset, const uint8_t *bytes, uint32_t size_bytes)
{
	header_write(writer, logical, kind, offset, size_bytes);
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

void volume_change_carried_encode(struct writer *writer, uint32_t logical, uint32_t counter,
				  const uint8_t tag[AEAD_TAG_BYTES])
{
	header_write(writer, logical, VOLUME_CHANGE_CARRIED, 0, VOLUME_CARRIED_BYTES);
	writer_le32(writer, counter);
	writer_copy(writer, tag, AEAD_TAG_BYTES);
}

void volume_change_extent_encode(struct writer *writer, uint32_t logical, uint64_t physical,
				 uint32_t counter, uint32_t count)
{
	header_write(writer, logical, VOLUME_CHANGE_EXTENT, 0,
		     VOLUME_EXTENT_HEADER_BYTES + count * AEAD_TAG_BYTES);
	writer_le64(writer, physical);
	writer_le32(writer, counter);
}
