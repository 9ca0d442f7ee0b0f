// SPDX-License-Identifier: MIT
/* A log record: the clear header, the opened body with its changes, and the encoder of changes.
 *
 * Input: a mode, then what the mode needs. */
#include <string.h>

#include "block/volume_record.h"
#include "tests/fuzz/fuzz.h"

enum mode {
	MODE_HEADER,
	MODE_BODY,
	MODE_CHANGES,
	MODE_COUNT
};

static void header_run(struct fuzz_input *input)
{
	uint8_t block[BLOCK_BYTES];
	uint8_t again[VOLUME_RECORD_HEADER_BYTES];
	struct volume_record_header header;
	(void)fuzz_fill(input, block, sizeof(block));
	fuzz_stain(&header, sizeof(header));
	const enum status status = volume_record_header_decode(block, &header);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(status == STATUS_NOT_FOUND);
		FUZZ_REQUIRE(fuzz_is_stained(&header, sizeof(header)));
		return;
	}
	FUZZ_REQUIRE(header.block_count >= 1 && header.counter != 0);
	FUZZ_REQUIRE(header.block_count <= VOLUME_RECORD_BLOCKS_MAX);
	FUZZ_REQUIRE(header.sealed_bytes > VOLUME_RECORD_OVERHEAD &&
		     header.sealed_bytes <= header.block_count * BLOCK_BYTES);
	volume_record_header_encode(again, &header);
	FUZZ_REQUIRE(memcmp(block, again, sizeof(again)) == 0);
}

static const struct volume_geometry *geometry_of(uint32_t profile)
{
	static struct volume_geometry geometries[2];
	struct volume_geometry *geometry = &geometries[profile == VOLUME_PROFILE_BLOCK ? 1 : 0];
	FUZZ_REQUIRE(volume_geometry_make(profile, 16384, geometry) == STATUS_OK);
	return geometry;
}

/* What an extent promises to the replay that opens its blocks. */
static void extent_check(const struct volume_geometry *geometry, const struct volume_change *change)
{
	FUZZ_REQUIRE(geometry->profile == VOLUME_PROFILE_BLOCK);
	FUZZ_REQUIRE(change->count >= 1 && change->count <= VOLUME_EXTENT_BLOCKS_MAX * 2u);
	FUZZ_REQUIRE((uint64_t)change->logical + change->count <= geometry->logical_blocks);
	FUZZ_REQUIRE(change->counter != 0 &&
		     (uint64_t)change->counter + change->count <= (uint64_t)UINT32_MAX + 1);
	FUZZ_REQUIRE(volume_is_allocatable(geometry, change->physical) &&
		     volume_is_allocatable(geometry, change->physical + change->count - 1));
}

static void carried_check(const struct volume_geometry *geometry,
			  const struct volume_change *change)
{
	FUZZ_REQUIRE(geometry->profile == VOLUME_PROFILE_BLOCK);
	FUZZ_REQUIRE(change->count == 1 && change->counter != 0);
}

static void changes_check(const struct volume_geometry *geometry, const uint8_t *body, size_t size,
			  uint32_t count)
{
	static uint8_t content[BLOCK_BYTES];
	struct reader reader;
	volume_changes_begin(&reader, body, size);
	for (uint32_t i = 0; i < count; i++) {
		struct volume_change change;
		/* Checked as a whole already, so each decodes. */
		FUZZ_REQUIRE(volume_change_decode(geometry, &reader, &change) == STATUS_OK);
		FUZZ_REQUIRE(change.logical < geometry->logical_blocks);
		if (change.kind == VOLUME_CHANGE_EXTENT || change.kind == VOLUME_CHANGE_CARRIED) {
			if (change.kind == VOLUME_CHANGE_EXTENT) {
				extent_check(geometry, &change);
			} else {
				carried_check(geometry, &change);
			}
			const size_t tags = (size_t)change.count * AEAD_TAG_BYTES;
			FUZZ_REQUIRE(change.bytes >= body && change.bytes + tags <= body + size);
			continue;
		}
		FUZZ_REQUIRE((uint64_t)change.offset + change.size_bytes <= BLOCK_BYTES);
		FUZZ_REQUIRE(
			change.size_bytes == 0 ||
			(change.bytes >= body && change.bytes + change.size_bytes <= body + size));
		if (change.kind == VOLUME_CHANGE_HOLE) {
			FUZZ_REQUIRE(change.size_bytes == 0);
		} else {
			volume_change_apply(&change, content);
		}
	}
}

static void body_run(struct fuzz_input *input)
{
	static uint8_t body[VOLUME_RECORD_BLOCKS_MAX * BLOCK_BYTES];
	uint8_t again[VOLUME_RECORD_BODY_BYTES];
	struct volume_record record;
	const uint8_t shape = fuzz_u8(input);
	const uint32_t blocks = 1 + shape % VOLUME_RECORD_BLOCKS_MAX;
	const struct volume_geometry *geometry =
		geometry_of(shape >= 128 ? VOLUME_PROFILE_BLOCK : VOLUME_PROFILE_STATE);
	/* One case in many is shorter than its fixed part. */
	const size_t size = blocks == VOLUME_RECORD_BLOCKS_MAX
				    ? VOLUME_RECORD_BODY_BYTES - 1
				    : blocks * BLOCK_BYTES - VOLUME_RECORD_HEADER_BYTES;
	(void)fuzz_fill(input, body, size);
	fuzz_stain(&record, sizeof(record));
	const enum status status = volume_record_body_decode(geometry, body, size, &record);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(status == STATUS_AUTH_META);
		FUZZ_REQUIRE(fuzz_is_stained(&record, sizeof(record)));
		return;
	}
	FUZZ_REQUIRE(record.session != 0);
	FUZZ_REQUIRE(record.change_count != 0 || (record.flags & VOLUME_RECORD_COMMIT) != 0);
	FUZZ_REQUIRE(record.durable_sequence < record.sequence);
	FUZZ_REQUIRE(geometry->profile == VOLUME_PROFILE_BLOCK ||
		     (record.flags & VOLUME_RECORD_COMMIT) != 0);
	FUZZ_REQUIRE(record.carried_count <= record.change_count);
	volume_record_body_encode(again, &record);
	FUZZ_REQUIRE(memcmp(body, again, sizeof(again)) == 0);
	changes_check(geometry, body, size, record.change_count);
}

/* The other direction: whatever two contents are, the encoded difference leads from one to the
 * other and costs no more than it may. */
static void changes_run(struct fuzz_input *input)
{
	static uint8_t base[BLOCK_BYTES];
	static uint8_t content[BLOCK_BYTES];
	static uint8_t encoded[VOLUME_CHANGE_BYTES_MAX];
	struct writer writer;
	struct reader reader;
	const uint8_t flags = fuzz_u8(input);
	const uint32_t logical = fuzz_u32(input) % VOLUME_LOGICAL_BLOCKS;
	(void)fuzz_fill(input, base, (size_t)fuzz_u16(input) % (BLOCK_BYTES + 1));
	memcpy(content, base, BLOCK_BYTES);
	for (unsigned int i = 0; i < 64 && fuzz_left(input) > 0; i++) {
		const uint16_t at = fuzz_u16(input) % BLOCK_BYTES;
		content[at] = fuzz_u8(input);
	}
	writer_init(&writer, encoded, sizeof(encoded));
	const uint8_t *from = (flags & 1) != 0 ? NULL : base;
	const uint32_t count = volume_changes_encode(&writer, logical, from, content);
	FUZZ_REQUIRE(writer_ok(&writer));
	FUZZ_REQUIRE((count == 0) == (from != NULL && memcmp(base, content, BLOCK_BYTES) == 0));
	reader_init(&reader, encoded, writer.at);
	for (uint32_t i = 0; i < count; i++) {
		struct volume_change change;
		FUZZ_REQUIRE(volume_change_decode(geometry_of(VOLUME_PROFILE_STATE), &reader,
						  &change) == STATUS_OK);
		FUZZ_REQUIRE(change.logical == logical);
		/* Over what is unknown only a fresh start may come first. */
		FUZZ_REQUIRE(from != NULL || i > 0 || change.kind == VOLUME_CHANGE_FRESH);
		volume_change_apply(&change, base);
	}
	FUZZ_REQUIRE(reader_left(&reader) == 0);
	FUZZ_REQUIRE(memcmp(base, content, BLOCK_BYTES) == 0);
	memset(base, 0, sizeof(base));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	switch (fuzz_u8(&input) % MODE_COUNT) {
	case MODE_HEADER: header_run(&input); break;
	case MODE_BODY: body_run(&input); break;
	default: changes_run(&input); break;
	}
	return 0;
}
