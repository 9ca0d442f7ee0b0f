// SPDX-License-Identifier: MIT
/* Log records and their changes: round trips, refusals, and how short they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/reader.h"
#include "block/volume_record.h"
#include "volume_fixture.h"

static const struct volume_geometry *state_geometry(void)
{
	static struct volume_geometry geometry;
	assert_int_equal(volume_geometry_make(VOLUME_PROFILE_STATE, 16384, &geometry), STATUS_OK);
	return &geometry;
}

#define ROUNDS 3000

/* ---- Records ------------------------------------------------------------------------------- */

static void test_record_header(void **state)
{
	struct volume_record_header header = {.block_count = 5,
					      .sealed_bytes = 5 * BLOCK_BYTES,
					      .generation = 2,
					      .counter = 0x1122334455};
	struct volume_record_header read;
	uint8_t block[BLOCK_BYTES] = {0};
	(void)state;
	fixture_random_bytes(header.salt, sizeof(header.salt));
	fixture_random_bytes(header.tag, sizeof(header.tag));
	volume_record_header_encode(block, &header);
	memset(&read, 0, sizeof(read));
	assert_int_equal(volume_record_header_decode(block, &read), STATUS_OK);
	assert_memory_equal(&header, &read, sizeof(header));
	/* Sealed in part; what would be another way to say "all", or nothing, or more, is refused.
	 */
	for (uint32_t grains = 1; grains < 5 * BLOCK_BYTES / VOLUME_RECORD_GRAIN_BYTES; grains++) {
		header.sealed_bytes = grains * VOLUME_RECORD_GRAIN_BYTES;
		volume_record_header_encode(block, &header);
		assert_int_equal(volume_record_header_decode(block, &read), STATUS_OK);
		assert_memory_equal(&header, &read, sizeof(header));
		block[4] = 1; /* Version 1 says nothing of it. */
		assert_int_equal(volume_record_header_decode(block, &read), STATUS_NOT_FOUND);
	}
	block[4] = 2;
	block[7] = 0;
	assert_int_equal(volume_record_header_decode(block, &read), STATUS_NOT_FOUND);
	for (uint32_t grains = 40; grains < 256; grains++) {
		block[7] = (uint8_t)grains;
		assert_int_equal(volume_record_header_decode(block, &read), STATUS_NOT_FOUND);
	}
	header.block_count = VOLUME_RECORD_BLOCKS_MAX + 1;
	header.sealed_bytes = header.block_count * BLOCK_BYTES;
	volume_record_header_encode(block, &header);
	assert_int_equal(volume_record_header_decode(block, &read), STATUS_NOT_FOUND);
	header.block_count = 0;
	header.sealed_bytes = 0;
	volume_record_header_encode(block, &header);
	assert_int_equal(volume_record_header_decode(block, &read), STATUS_NOT_FOUND);
	header.block_count = 1;
	header.sealed_bytes = BLOCK_BYTES;
	header.counter = 0;
	volume_record_header_encode(block, &header);
	assert_int_equal(volume_record_header_decode(block, &read), STATUS_NOT_FOUND);
	for (int i = 0; i < ROUNDS; i++) {
		fixture_random_bytes(block, VOLUME_RECORD_HEADER_BYTES);
		assert_int_equal(volume_record_header_decode(block, &read), STATUS_NOT_FOUND);
	}
}

static struct volume_record record_sample(void)
{
	struct volume_record record = {
		.session = 3,
		.flags = VOLUME_RECORD_COMMIT | VOLUME_RECORD_UNANCHORED,
		.change_count = 1,
		.epoch = 7,
		.sequence = 100,
		.durable_sequence = 99,
	};
	fixture_random_bytes(record.previous_tag, sizeof(record.previous_tag));
	fixture_random_bytes(record.anchor, sizeof(record.anchor));
	return record;
}

/* A body with one change of 100 bytes; returns where the changes end. */
static size_t body_make(uint8_t *body, size_t size, const struct volume_record *record)
{
	uint8_t content[BLOCK_BYTES] = {0};
	struct writer writer;
	fixture_random_bytes(content, 100);
	content[0] = 1;
	content[99] = 1;
	memset(body, 0, size);
	writer_init(&writer, body, size);
	writer_zero(&writer, VOLUME_RECORD_BODY_BYTES);
	assert_int_equal(volume_changes_encode(&writer, 77, NULL, content), 1);
	volume_record_body_encode(body, record);
	return writer.at;
}

static void test_record_body(void **state)
{
	uint8_t body[BLOCK_BYTES - VOLUME_RECORD_HEADER_BYTES];
	struct volume_record record = record_sample();
	struct volume_record read;
	(void)state;
	size_t end = body_make(body, sizeof(body), &record);
	memset(&read, 0, sizeof(read));
	assert_int_equal(volume_record_body_decode(state_geometry(), body, sizeof(body), &read),
			 STATUS_OK);
	assert_memory_equal(&record, &read, sizeof(record));
	body[end] = 1; /* Padding. */
	assert_int_equal(volume_record_body_decode(state_geometry(), body, sizeof(body), &read),
			 STATUS_AUTH_META);
	body[end] = 0;
	body[64 + 3] = 1; /* Logical block beyond the space. */
	assert_int_equal(volume_record_body_decode(state_geometry(), body, sizeof(body), &read),
			 STATUS_AUTH_META);
	body[64 + 3] = 0;
	body[64 + 5] = 0x30; /* Kind 3: out of line. */
	assert_int_equal(volume_record_body_decode(state_geometry(), body, sizeof(body), &read),
			 STATUS_AUTH_META);
	body[64 + 5] = 0x2f; /* A hole with bytes. */
	assert_int_equal(volume_record_body_decode(state_geometry(), body, sizeof(body), &read),
			 STATUS_AUTH_META);
	body[64 + 5] = 0x0f; /* Range beyond the block. */
	body[64 + 4] = 0xff;
	assert_int_equal(volume_record_body_decode(state_geometry(), body, sizeof(body), &read),
			 STATUS_AUTH_META);
	body_make(body, sizeof(body), &record);
	for (size_t size = 0; size < end; size++) { /* Cut off anywhere. */
		assert_int_equal(volume_record_body_decode(state_geometry(), body, size, &read),
				 STATUS_AUTH_META);
	}
}

static void test_record_body_refusals(void **state)
{
	uint8_t body[BLOCK_BYTES];
	struct volume_record read;
	struct volume_record cases[6];
	(void)state;
	for (size_t i = 0; i < 6; i++) {
		cases[i] = record_sample();
	}
	cases[0].flags = VOLUME_RECORD_UNANCHORED; /* Transactions of several records: not here. */
	cases[1].flags |= 4;
	cases[2].change_count = 0;
	cases[3].session = 0;
	cases[4].durable_sequence = 100;
	cases[5].change_count = 2;
	for (size_t i = 0; i < 6; i++) {
		size_t end = body_make(body, sizeof(body), &cases[i]);
		/* Two changes: the second one would be the padding, a FRESH-less empty patch of
		 * block 0, which is well-formed; so cut the body where the first ends. */
		size_t size = i == 5 ? end : sizeof(body);
		assert_int_equal(volume_record_body_decode(state_geometry(), body, size, &read),
				 STATUS_AUTH_META);
	}
	for (int i = 0; i < ROUNDS; i++) {
		fixture_random_bytes(body, sizeof(body));
		struct volume_record record = record_sample();
		record.change_count = 1 + fixture_random() % 20;
		volume_record_body_encode(body, &record);
		assert_int_equal(
			volume_record_body_decode(state_geometry(), body, sizeof(body), &read),
			STATUS_AUTH_META);
	}
}

/* Carried blocks: round trip, who may have them, what they look like. */
static void test_carried(void **state)
{
	struct volume_geometry geometry;
	struct volume_record record = record_sample();
	struct volume_record read;
	struct volume_change change;
	struct reader reader;
	struct writer writer;
	uint8_t body[BLOCK_BYTES] = {0};
	uint8_t tag[AEAD_TAG_BYTES];
	(void)state;
	assert_int_equal(volume_geometry_make(VOLUME_PROFILE_BLOCK, 16384, &geometry), STATUS_OK);
	fixture_random_bytes(tag, sizeof(tag));
	record.change_count = 3;
	writer_init(&writer, body, sizeof(body));
	writer_zero(&writer, VOLUME_RECORD_BODY_BYTES);
	for (uint32_t i = 0; i < 3; i++) {
		volume_change_carried_encode(&writer, 70 + i, 0x01020304 + i, tag);
	}
	volume_record_body_encode(body, &record);
	assert_int_equal(volume_record_body_decode(&geometry, body, sizeof(body), &read),
			 STATUS_OK);
	assert_int_equal(read.carried_count, 3);
	volume_changes_begin(&reader, body, sizeof(body));
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(volume_change_decode(&geometry, &reader, &change), STATUS_OK);
		assert_int_equal(change.kind, VOLUME_CHANGE_CARRIED);
		assert_int_equal(change.logical, 70 + i);
		assert_int_equal(change.counter, 0x01020304 + i);
		assert_int_equal(change.count, 1);
		assert_memory_equal(change.bytes, tag, sizeof(tag));
	}
	const size_t at = VOLUME_RECORD_BODY_BYTES;
	static const struct {
		size_t offset;
		uint8_t value;
	} faults[] = {
		{4, 1},               /* An offset. */
		{5, 0x50},            /* Another kind. */
		{6, 19},              /* A length. */
		{6, 21},   {3, 0xff}, /* A logical block beyond the volume. */
	};
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const uint8_t was = body[at + faults[i].offset];
		body[at + faults[i].offset] = faults[i].value;
		assert_int_equal(volume_record_body_decode(&geometry, body, sizeof(body), &read),
				 STATUS_AUTH_META);
		body[at + faults[i].offset] = was;
	}
	memset(body + at + 8, 0, 4); /* No counter. */
	assert_int_equal(volume_record_body_decode(&geometry, body, sizeof(body), &read),
			 STATUS_AUTH_META);
	body[at + 8] = 1;
	assert_int_equal(volume_record_body_decode(&geometry, body, sizeof(body), &read),
			 STATUS_OK);
	assert_int_equal(volume_record_body_decode(state_geometry(), body, sizeof(body), &read),
			 STATUS_AUTH_META); /* Not in the state profile. */
}

/* A record without changes moves the anchor; one that is no transaction would not end. */
static void test_marks(void **state)
{
	struct volume_geometry geometry;
	struct volume_record record = record_sample();
	struct volume_record read;
	uint8_t body[BLOCK_BYTES - VOLUME_RECORD_HEADER_BYTES] = {0};
	(void)state;
	assert_int_equal(volume_geometry_make(VOLUME_PROFILE_BLOCK, 16384, &geometry), STATUS_OK);
	record.change_count = 0;
	for (uint32_t flags = 0; flags < 4; flags++) {
		bool commits = (flags & VOLUME_RECORD_COMMIT) != 0;
		record.flags = flags;
		volume_record_body_encode(body, &record);
		assert_int_equal(
			volume_record_body_decode(state_geometry(), body, sizeof(body), &read),
			commits ? STATUS_OK : STATUS_AUTH_META);
		assert_int_equal(volume_record_body_decode(&geometry, body, sizeof(body), &read),
				 commits ? STATUS_OK : STATUS_AUTH_META);
	}
}

/* ---- Changes ------------------------------------------------------------------------------- */

static void content_make(uint8_t *content, const uint8_t *base)
{
	switch (fixture_random() % 4) {
	case 0: fixture_random_bytes(content, BLOCK_BYTES); break;
	case 1: memset(content, 0, BLOCK_BYTES); break;
	default: memcpy(content, base, BLOCK_BYTES); break;
	}
	uint32_t edits = fixture_random() % 30;
	for (uint32_t i = 0; i < edits; i++) {
		uint32_t at = fixture_random() % BLOCK_BYTES;
		uint32_t size = 1 + fixture_random() % 60;
		fixture_random_bytes(content + at,
				     at + size > BLOCK_BYTES ? BLOCK_BYTES - at : size);
	}
}

/* Applying what was encoded gives the content, whatever was there; the cost is bounded. */
static void test_changes_round_trip(void **state)
{
	uint8_t base[BLOCK_BYTES] = {0};
	uint8_t content[BLOCK_BYTES];
	uint8_t record[VOLUME_RECORD_BODY_BYTES + VOLUME_CHANGE_BYTES_MAX];
	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct writer writer;
		struct reader reader;
		struct volume_change change;
		bool knows_base = fixture_random() % 3 != 0;
		content_make(content, base);
		writer_init(&writer, record, sizeof(record));
		writer_zero(&writer, VOLUME_RECORD_BODY_BYTES);
		uint32_t count =
			volume_changes_encode(&writer, 5, knows_base ? base : NULL, content);
		assert_true(writer_ok(&writer)); /* Never longer than the bound. */
		if (!knows_base) {
			fixture_random_bytes(base, sizeof(base)); /* It must not matter. */
		}
		assert_true(count != 0 || memcmp(base, content, BLOCK_BYTES) == 0);
		volume_changes_begin(&reader, record, writer.at);
		for (uint32_t i = 0; i < count; i++) {
			assert_int_equal(volume_change_decode(state_geometry(), &reader, &change),
					 STATUS_OK);
			assert_int_equal(change.logical, 5);
			volume_change_apply(&change, base);
		}
		assert_int_equal(reader_left(&reader), 0);
		assert_memory_equal(base, content, BLOCK_BYTES);
	}
}

/* The rule, byte by byte: the ranges that differ, gaps of up to a header's length swallowed. */
static size_t ranges_expected(const uint8_t *base, const uint8_t *content, uint32_t *count)
{
	size_t cost = 0;
	uint32_t last = BLOCK_BYTES; /* The last byte that differed; none yet. */
	*count = 0;
	for (uint32_t i = 0; i < BLOCK_BYTES; i++) {
		if (content[i] == base[i]) {
			continue;
		}
		const bool joins =
			last != BLOCK_BYTES && i - last - 1 <= VOLUME_CHANGE_HEADER_BYTES;
		cost += joins ? i - last : VOLUME_CHANGE_HEADER_BYTES + 1;
		*count += joins ? 0 : 1;
		last = i;
	}
	return cost;
}

/* The changes as such, byte by byte: from zeroes if that is no longer. Returns how many. */
static uint32_t changes_expected(struct writer *writer, const uint8_t *base, const uint8_t *content)
{
	static const uint8_t zeroes[BLOCK_BYTES];
	uint32_t count = 0;
	const bool is_fresh =
		ranges_expected(zeroes, content, &count) <= ranges_expected(base, content, &count);
	const uint8_t *from = is_fresh ? zeroes : base;
	uint32_t kind = is_fresh ? VOLUME_CHANGE_FRESH : VOLUME_CHANGE_PATCH;
	count = 0;
	for (uint32_t at = 0; at < BLOCK_BYTES;) {
		const uint32_t first = at++;
		uint32_t end = at;
		if (content[first] == from[first]) {
			continue;
		}
		for (; at < BLOCK_BYTES && at - end <= VOLUME_CHANGE_HEADER_BYTES; at++) {
			end = content[at] != from[at] ? at + 1 : end;
		}
		writer_le32(writer, 1);
		writer_le16(writer, (uint16_t)(kind * VOLUME_CHANGE_KIND_UNIT + first));
		writer_le16(writer, (uint16_t)(end - first));
		writer_copy(writer, content + first, end - first);
		kind = VOLUME_CHANGE_PATCH;
		at = end;
		count++;
	}
	return count;
}

/* However densely they differ: whole words go by faster, and to the same end. */
static void test_changes_are_those_of_single_bytes(void **state)
{
	static uint8_t base[BLOCK_BYTES];
	static uint8_t content[BLOCK_BYTES];
	static uint8_t encoded[VOLUME_CHANGE_BYTES_MAX];
	static uint8_t wanted[VOLUME_CHANGE_BYTES_MAX];
	uint32_t fresh_count = 0;
	uint64_t random = 7;
	(void)state;
	for (uint32_t turn = 0; turn < 400; turn++) {
		/* Of 256 bytes so many differ, in bursts of up to 32. */
		const uint32_t density = turn * 256 / 398; /* In the end all. */
		for (uint32_t i = 0; i < BLOCK_BYTES;) {
			random = random * UINT64_C(6364136223846793005) + 99;
			const uint32_t burst = 1 + (uint32_t)(random >> 33) % 32;
			const bool differs = (uint32_t)(random >> 40) % 256 < density;
			/* Every other block has zeroes as well, and some are shorter from those. */
			const bool is_zero = turn % 2 == 1 && (random >> 58) % 8 != 0;
			for (uint32_t k = 0; k < burst && i < BLOCK_BYTES; k++, i++) {
				base[i] = (uint8_t)(1 + (random >> 48));
				content[i] = (uint8_t)(base[i] + (differs ? 1 + k % 200 : 0));
				if (is_zero) {
					content[i] = 0;
					base[i] = differs ? base[i] : 0;
				}
			}
		}
		struct writer writer;
		struct writer expected;
		writer_init(&writer, encoded, sizeof(encoded));
		writer_init(&expected, wanted, sizeof(wanted));
		const uint32_t count = changes_expected(&expected, base, content);
		assert_int_equal(volume_changes_encode(&writer, 1, base, content), count);
		assert_int_equal(writer.at, expected.at);
		assert_memory_equal(encoded, wanted, writer.at);
		fresh_count += count != 0 && wanted[5] >> 4 == VOLUME_CHANGE_FRESH ? 1 : 0;
	}
	assert_true(fresh_count > 10 && fresh_count < 390);
}

static void test_changes_are_short(void **state)
{
	uint8_t base[BLOCK_BYTES];
	uint8_t content[BLOCK_BYTES];
	uint8_t record[VOLUME_CHANGE_BYTES_MAX];
	struct writer writer;
	(void)state;
	memset(base, 0x11, sizeof(base));
	memcpy(content, base, sizeof(base));
	writer_init(&writer, record, sizeof(record));
	assert_int_equal(volume_changes_encode(&writer, 1, base, content), 0);
	assert_int_equal(writer.at, 0);
	content[100] = 1;
	content[109] = 1; /* A gap of 8: one range is no longer than two. */
	assert_int_equal(volume_changes_encode(&writer, 1, base, content), 1);
	assert_int_equal(writer.at, 8 + 10);
	content[120] = 1; /* A gap of 10: two ranges. */
	writer_init(&writer, record, sizeof(record));
	assert_int_equal(volume_changes_encode(&writer, 1, base, content), 2);
	assert_int_equal(writer.at, 8 + 10 + 8 + 1);
	memset(content, 0, sizeof(content)); /* All of it changes; from zeroes that is little. */
	content[7] = 7;
	writer_init(&writer, record, sizeof(record));
	assert_int_equal(volume_changes_encode(&writer, 1, base, content), 1);
	assert_int_equal(writer.at, 8 + 1);
	memset(base + 3000, 0, BLOCK_BYTES - 3000); /* As long from zeroes as from its base. */
	memset(content, 0x22, 3000);
	writer_init(&writer, record, sizeof(record));
	assert_int_equal(volume_changes_encode(&writer, 1, base, content), 1);
	assert_int_equal(writer.at, 8 + 3000);
	assert_int_equal(record[5] >> 4, VOLUME_CHANGE_FRESH);
	base[1000] = 0x22; /* A byte shorter from its base. */
	base[1500] = 0x22;
	memcpy(base + 2000, content + 2000, 9);
	writer_init(&writer, record, sizeof(record));
	assert_int_equal(volume_changes_encode(&writer, 1, base, content), 2);
	assert_int_equal(writer.at, 2 * 8 + 3000 - 9);
	assert_int_equal(record[5] >> 4, VOLUME_CHANGE_PATCH);
	fixture_random_bytes(content, sizeof(content));
	writer_init(&writer, record, sizeof(record));
	assert_true(volume_changes_encode(&writer, 1, base, content) >= 1);
	assert_true(writer_ok(&writer));
}

int main(void)
{
	fixture_random_seed(4);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_header),
		cmocka_unit_test(test_record_body),
		cmocka_unit_test(test_record_body_refusals),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_carried),
		cmocka_unit_test(test_changes_round_trip),
		cmocka_unit_test(test_changes_are_those_of_single_bytes),
		cmocka_unit_test(test_changes_are_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
