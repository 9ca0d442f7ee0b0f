// SPDX-License-Identifier: MIT
/* What differs between two contents of a block, as changes of a log record. */
#include "base/bytes.h"
#include "block/volume_record.h"

/* What a block without a base differs from. */
static const uint8_t zeroes[BLOCK_BYTES];

#define WORD_BYTES ((uint32_t)sizeof(uint64_t))
#define TURN_BYTES (4 * WORD_BYTES)

/* The bits in which 8 bytes differ; the first byte's are the lowest. */
static uint64_t difference(const uint8_t *base, const uint8_t *content, uint32_t at)
{
	return bytes_load_le64(content + at) ^ bytes_load_le64(base + at);
}

/* The first byte at or after `at` that differs, or the block's end. Words that are the same are
 * most of all words. */
static uint32_t same_skip(const uint8_t *base, const uint8_t *content, uint32_t at)
{
	while (at + TURN_BYTES <= BLOCK_BYTES &&
	       (difference(base, content, at) | difference(base, content, at + WORD_BYTES) |
		difference(base, content, at + 2 * WORD_BYTES) |
		difference(base, content, at + 3 * WORD_BYTES)) == 0) {
		at += TURN_BYTES;
	}
	for (; at + WORD_BYTES <= BLOCK_BYTES; at += WORD_BYTES) {
		const uint64_t bits = difference(base, content, at);
		if (bits != 0) {
			return at + (uint32_t)__builtin_ctzll(bits) / 8;
		}
	}
	while (at < BLOCK_BYTES && content[at] == base[at]) {
		at++;
	}
	return at;
}

/* How many bytes from `at` on differ, without one that does not between them; a word's at most. */
static uint32_t differing_count(const uint8_t *base, const uint8_t *content, uint32_t at)
{
	if (at + WORD_BYTES > BLOCK_BYTES) {
		return content[at] == base[at] ? 0 : 1;
	}
	/* A byte of 0 borrows from its highest bit, and so may those above it, but none below. */
	const uint64_t bits = difference(base, content, at);
	const uint64_t same =
		(bits - UINT64_C(0x0101010101010101)) & ~bits & UINT64_C(0x8080808080808080);
	return same == 0 ? WORD_BYTES : (uint32_t)__builtin_ctzll(same) / 8;
}

/* The next range of `content` at or after `at` that differs from `base`. Unchanged gaps that are no
 * longer than a change's header are swallowed. With its header a range takes more than `most` if it
 * does, however much more. False: nothing differs. */
static bool next_range(const uint8_t *base, const uint8_t *content, uint32_t at, size_t most,
		       uint32_t *first, uint32_t *end)
{
	uint32_t gap = 0;
	at = same_skip(base, content, at);
	/* The gap at a range's end is no longer than its header: `most` is passed with it. */
	const uint32_t stop = most < BLOCK_BYTES - at ? at + (uint32_t)most + 1 : BLOCK_BYTES;
	*first = at;
	while (at < stop && gap <= VOLUME_CHANGE_HEADER_BYTES) {
		const uint32_t count = differing_count(base, content, at);
		if (count == 0) {
			at++;
			gap++;
		} else {
			at += count;
			*end = at;
			gap = 0;
		}
	}
	return *first < BLOCK_BYTES;
}

/* What the ranges take as changes; if that is more than `most`, something that is more. */
static size_t ranges_cost(const uint8_t *base, const uint8_t *content, size_t most)
{
	size_t cost = 0;
	uint32_t first = 0;
	uint32_t end = 0;
	for (uint32_t at = 0;
	     cost <= most && next_range(base, content, at, most - cost, &first, &end); at = end) {
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
	const size_t patch_cost = base == NULL ? SIZE_MAX : ranges_cost(base, content, SIZE_MAX);
	if (patch_cost == 0) {
		return 0;
	}
	/* From zeroes if that is no longer, or all there is: recovery then needs no old content. */
	if (base == NULL || ranges_cost(zeroes, content, patch_cost) <= patch_cost) {
		base = zeroes;
		kind = VOLUME_CHANGE_FRESH;
	}
	uint32_t count = 0;
	uint32_t first = 0;
	uint32_t end = 0;
	for (uint32_t at = 0; next_range(base, content, at, BLOCK_BYTES, &first, &end); at = end) {
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
