// SPDX-License-Identifier: MIT
/* Encoders and decoders: round trips of every field, refusal of everything that no writer of this
 * format wrote, and totality on any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "block/volume_format.h"
#include "volume_fixture.h"

#define ROUNDS 3000

/* ---- Geometry ------------------------------------------------------------------------------ */

static void test_geometry_of_all_sizes(void **state)
{
	struct volume_geometry geometry;
	(void)state;
	assert_int_equal(
		volume_geometry_make(VOLUME_PROFILE_STATE, VOLUME_STATE_BLOCKS_MIN - 1, &geometry),
		STATUS_INVALID);
	assert_int_equal(
		volume_geometry_make(VOLUME_PROFILE_STATE, VOLUME_STATE_BLOCKS_MAX + 1, &geometry),
		STATUS_INVALID);
	assert_int_equal(volume_geometry_make(VOLUME_PROFILE_STATE, UINT64_MAX, &geometry),
			 STATUS_INVALID);
	for (uint64_t size = VOLUME_STATE_BLOCKS_MIN; size <= VOLUME_STATE_BLOCKS_MAX; size++) {
		assert_int_equal(volume_geometry_make(VOLUME_PROFILE_STATE, size, &geometry),
				 STATUS_OK);
		assert_true(geometry.group_end <= size - 4);
		assert_true(geometry.group_count >= 1 && geometry.group_count <= 8);
		uint64_t last = volume_bitmap_place(&geometry, geometry.group_count - 1, 1);
		assert_true(last + 1 < geometry.group_end); /* Room for a block in each group. */
		assert_true(geometry.group_end - geometry.group_first <=
			    (uint64_t)geometry.group_count * VOLUME_GROUP_BLOCKS);
		assert_true(size - 4 - geometry.group_end < 3);
	}
	assert_int_equal(volume_geometry_make(VOLUME_PROFILE_STATE, 16384, &geometry), STATUS_OK);
	assert_int_equal(geometry.ring_first, 4);
	assert_int_equal(geometry.group_first, 260);
	assert_false(volume_is_allocatable(&geometry, 259));
	assert_false(volume_is_allocatable(&geometry, 260));
	assert_false(volume_is_allocatable(&geometry, 261));
	assert_true(volume_is_allocatable(&geometry, 262));
	assert_true(volume_is_allocatable(&geometry, 16379));
	assert_false(volume_is_allocatable(&geometry, 16380));
	assert_false(volume_is_allocatable(&geometry, UINT64_MAX));
	assert_int_equal(volume_superblock_place(16384, 1, 0), 1);
	assert_int_equal(volume_superblock_place(16384, 1, 1), 16383);
	assert_int_equal(volume_keyslots_place(16384, 0, 0), 2);
	assert_int_equal(volume_keyslots_place(16384, 1, 1), 16381);
}

static void test_neighbours_stay_in_their_group(void **state)
{
	struct volume_geometry geometry;
	(void)state;
	assert_int_equal(volume_geometry_make(VOLUME_PROFILE_BLOCK, 262144, &geometry), STATUS_OK);
	const uint64_t second = volume_bitmap_place(&geometry, 1, 0);
	const uint64_t begins[] = {geometry.group_first,
				   second - 6,
				   second - 1,
				   second,
				   second + geometry.group_reserved,
				   geometry.group_end - 3,
				   geometry.group_end};
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		bool expected = true;
		for (uint32_t count = 1; count < 12; count++) {
			expected =
				expected && volume_is_allocatable(&geometry, begins[i] + count - 1);
			assert_int_equal(volume_are_allocatable(&geometry, begins[i], count),
					 expected);
		}
	}
	assert_true(volume_are_allocatable(&geometry, second - 6, 6));
	assert_false(volume_are_allocatable(&geometry, UINT64_MAX, 2));
	assert_false(volume_are_allocatable(&geometry, second + 8, UINT32_MAX));
}

/* ---- Entries and tables -------------------------------------------------------------------- */

static void test_entry(void **state)
{
	struct volume_entry entry = {.physical = 0x1234567890, .session = 7, .counter = 9};
	struct volume_entry read;
	uint8_t bytes[VOLUME_ENTRY_BYTES];
	(void)state;
	fixture_random_bytes(entry.tag, sizeof(entry.tag));
	volume_entry_encode(bytes, &entry);
	assert_int_equal(volume_entry_decode(bytes, &read), STATUS_OK);
	assert_memory_equal(&entry, &read, sizeof(entry));
	for (size_t i = 5; i < 8; i++) { /* flags and reserved. */
		bytes[i] = 1;
		assert_int_equal(volume_entry_decode(bytes, &read), STATUS_AUTH_META);
		bytes[i] = 0;
	}
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(volume_entry_decode(bytes, &read), STATUS_OK);
	assert_int_equal(read.physical, 0);
	for (size_t i = 8; i < sizeof(bytes); i++) { /* A hole is all zero. */
		bytes[i] = 1;
		assert_int_equal(volume_entry_decode(bytes, &read), STATUS_AUTH_META);
		bytes[i] = 0;
	}
}

static void test_session_table(void **state)
{
	static struct volume_session_table table;
	static struct volume_session_table read;
	uint8_t block[BLOCK_BYTES];
	(void)state;
	table.count = VOLUME_SESSIONS_MAX;
	for (uint32_t i = 0; i < table.count; i++) {
		table.rows[i] = (struct volume_session_row){
			.id = 10 + i, .generation = 1 + i, .live_blocks = 1000 + i};
		fixture_random_bytes(table.rows[i].salt, VOLUME_SALT_BYTES);
	}
	volume_table_encode(block, &table);
	assert_int_equal(volume_table_decode(block, &read), STATUS_OK);
	assert_memory_equal(&table, &read, sizeof(table));
	bytes_store_le32(block, VOLUME_SESSIONS_MAX + 1);
	assert_int_equal(volume_table_decode(block, &read), STATUS_AUTH_META);
	bytes_store_le32(block, VOLUME_SESSIONS_MAX - 1); /* The last row becomes padding. */
	assert_int_equal(volume_table_decode(block, &read), STATUS_AUTH_META);
	table.rows[5].id = table.rows[4].id; /* Not rising. */
	volume_table_encode(block, &table);
	assert_int_equal(volume_table_decode(block, &read), STATUS_AUTH_META);
	for (int i = 0; i < ROUNDS; i++) {
		fixture_random_bytes(block, sizeof(block));
		assert_int_equal(volume_table_decode(block, &read), STATUS_AUTH_META);
	}
}

/* ---- Superblock ---------------------------------------------------------------------------- */

static void superblock_sample(struct volume_superblock *superblock)
{
	memset(superblock, 0, sizeof(*superblock));
	assert_int_equal(volume_geometry_make(VOLUME_PROFILE_STATE, 100000, &superblock->geometry),
			 STATUS_OK);
	superblock->epoch = 0x1122334455667788;
	superblock->log_offset = 255;
	superblock->log_sequence = 0x99aabbccddeeff00;
	superblock->tree = (struct volume_entry){.physical = 262, .session = 1, .counter = 2};
	superblock->table = (struct volume_entry){.physical = 300, .session = 3, .counter = 4};
	for (uint32_t i = 0; i < superblock->geometry.group_count; i++) {
		superblock->groups[i] = (struct volume_entry){
			.physical = volume_bitmap_place(&superblock->geometry, i, i % 2),
			.session = 5 + i,
			.counter = 6 + i,
		};
	}
	superblock->session = 0xfffffff0;
	superblock->next_session = 0xfffffff1;
	superblock->session_generation = 3;
	superblock->keyslot_epoch = 12;
	superblock->witness_sequence = 13;
	fixture_random_bytes(superblock->log_tag, AEAD_TAG_BYTES);
	fixture_random_bytes(superblock->anchor, VOLUME_ANCHOR_BYTES);
	fixture_random_bytes(superblock->session_salt, VOLUME_SALT_BYTES);
	fixture_random_bytes(superblock->keyslot_digest, SHA256_BYTES);
	fixture_random_bytes(superblock->witness_anchor, VOLUME_ANCHOR_BYTES);
	fixture_random_bytes(superblock->tree.tag, AEAD_TAG_BYTES);
}

static void test_superblock_body(void **state)
{
	struct volume_superblock superblock;
	struct volume_superblock read;
	uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES];
	(void)state;
	superblock_sample(&superblock);
	memset(&read, 0, sizeof(read));
	volume_superblock_body_encode(body, &superblock);
	assert_int_equal(volume_superblock_body_decode(body, VOLUME_PROFILE_STATE, 100000, &read),
			 STATUS_OK);
	uint8_t again[VOLUME_SUPERBLOCK_BODY_BYTES];
	volume_superblock_body_encode(again, &read);
	assert_memory_equal(body, again, sizeof(body));
	assert_int_equal(read.epoch, superblock.epoch);
	assert_int_equal(read.log_sequence, superblock.log_sequence);
	assert_int_equal(read.groups[2].physical, superblock.groups[2].physical);
	assert_int_equal(read.witness_sequence, 13);
	superblock.witness_policy = (struct volume_witness_policy){
		.kind = VOLUME_WITNESS_BOUNDED, .commits = 0x11223344, .seconds = 0x55667788};
	superblock.witness_doubt_sequence = 14;
	fixture_random_bytes(superblock.witness_doubt_anchor, VOLUME_ANCHOR_BYTES);
	volume_superblock_body_encode(body, &superblock);
	assert_int_equal(volume_superblock_body_decode(body, VOLUME_PROFILE_STATE, 100000, &read),
			 STATUS_OK);
	assert_int_equal(read.witness_doubt_sequence, 14);
	assert_memory_equal(read.witness_doubt_anchor, superblock.witness_doubt_anchor,
			    VOLUME_ANCHOR_BYTES);
	assert_memory_equal(&read.witness_policy, &superblock.witness_policy,
			    sizeof(read.witness_policy));
	assert_int_equal(volume_superblock_body_decode(body, VOLUME_PROFILE_STATE, 100001, &read),
			 STATUS_OK);
	assert_int_equal(volume_superblock_body_decode(body, VOLUME_PROFILE_STATE, 2048, &read),
			 STATUS_AUTH_META);
	assert_int_equal(volume_superblock_body_decode(body, VOLUME_PROFILE_STATE, 1, &read),
			 STATUS_AUTH_META);
}

/* Each damaged field that can be told from a good one is refused. */
static void test_superblock_body_refusals(void **state)
{
	static const struct {
		uint32_t at;
		uint8_t value;
	} cases[] = {
		{8, 5},            /* ring first */
		{16, 1},           /* ring blocks */
		{20, 5},           /* group count */
		{24, 1},           /* group first */
		{34, 1},           /* log offset beyond the ring */
		{102, 9},          /* tree entry: reserved */
		{130, 9},          /* table entry: out of the groups */
		{196, 0},          /* next session not above the session */
		{240, 0},          /* acknowledged: an anchor without a number */
		{280, 2},          /* policy: bounded without a bound */
		{280, 3},          /* policy */
		{284, 1},          /* flags */
		{288, 1},          /* sweep cursor */
		{296, 1},          /* bound of an open policy */
		{300, 1},          /* likewise */
		{304, 1},          /* reserved */
		{319, 1},          /* reserved */
		{320, 6},          /* bitmap of group 0 elsewhere */
		{320 + 4 * 32, 1}, /* group that is not there */
		{832, 1},          /* reserved */
		{896, 9},          /* in doubt, and older than what is not */
		{904, 1},          /* in doubt: an anchor without a number */
		{936, 1},          /* reserved */
		{1023, 1},         /* reserved */
	};
	struct volume_superblock superblock;
	struct volume_superblock read;
	uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES];
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		superblock_sample(&superblock);
		volume_superblock_body_encode(body, &superblock);
		assert_int_not_equal(body[cases[i].at], cases[i].value);
		body[cases[i].at] = cases[i].value;
		assert_int_equal(
			volume_superblock_body_decode(body, VOLUME_PROFILE_STATE, 100000, &read),
			STATUS_AUTH_META);
	}
	superblock_sample(&superblock);
	superblock.epoch = 0;
	volume_superblock_body_encode(body, &superblock);
	assert_int_equal(volume_superblock_body_decode(body, VOLUME_PROFILE_STATE, 100000, &read),
			 STATUS_AUTH_META);
	for (int i = 0; i < ROUNDS; i++) {
		fixture_random_bytes(body, sizeof(body));
		assert_int_equal(
			volume_superblock_body_decode(body, VOLUME_PROFILE_STATE, 100000, &read),
			STATUS_AUTH_META);
	}
}

static void test_superblock_header(void **state)
{
	struct volume_superblock_header header = {
		.version = 1, .profile = 1, .generation = 4, .size = 16384};
	struct volume_superblock_header read;
	uint8_t block[BLOCK_BYTES];
	(void)state;
	fixture_random_bytes(header.uuid, sizeof(header.uuid));
	fixture_random_bytes(header.salt, sizeof(header.salt));
	fixture_random_bytes(header.tag, sizeof(header.tag));
	assert_int_equal(volume_superblock_header_encode(block, &header), STATUS_OK);
	memset(&read, 0, sizeof(read));
	assert_int_equal(volume_superblock_header_decode(block, &read), STATUS_OK);
	assert_memory_equal(&header, &read, sizeof(header));
	/* Every bit before the tag: recognised as ours, and damaged. */
	for (uint32_t bit = 0; bit < VOLUME_SUPERBLOCK_AAD_BYTES * 8; bit++) {
		block[bit / 8] = (uint8_t)(block[bit / 8] ^ 1u << (bit % 8));
		assert_int_equal(volume_superblock_header_decode(block, &read), STATUS_AUTH_META);
		block[bit / 8] = (uint8_t)(block[bit / 8] ^ 1u << (bit % 8));
	}
	header.version = 2;
	assert_int_equal(volume_superblock_header_encode(block, &header), STATUS_OK);
	assert_int_equal(volume_superblock_header_decode(block, &read), STATUS_NEWER_FORMAT);
	header.version = 1;
	header.profile = 3;
	assert_int_equal(volume_superblock_header_encode(block, &header), STATUS_OK);
	assert_int_equal(volume_superblock_header_decode(block, &read), STATUS_NEWER_FORMAT);
	header.profile = 0;
	assert_int_equal(volume_superblock_header_encode(block, &header), STATUS_OK);
	assert_int_equal(volume_superblock_header_decode(block, &read), STATUS_AUTH_META);
	header.profile = 1;
	header.features = VOLUME_FEATURES_KNOWN;
	assert_int_equal(volume_superblock_header_encode(block, &header), STATUS_OK);
	assert_int_equal(volume_superblock_header_decode(block, &read), STATUS_OK);
	assert_int_equal(read.features, VOLUME_FEATURES_KNOWN);
	header.features = VOLUME_FEATURES_KNOWN + 1;
	assert_int_equal(volume_superblock_header_encode(block, &header), STATUS_OK);
	assert_int_equal(volume_superblock_header_decode(block, &read), STATUS_NEWER_FORMAT);
	header.features = 0;
	for (int i = 0; i < ROUNDS; i++) {
		fixture_random_bytes(block, sizeof(block));
		assert_int_equal(volume_superblock_header_decode(block, &read),
				 STATUS_NOT_A_VOLUME);
	}
}

/* ---- Keyslots ------------------------------------------------------------------------------ */

static void keyslots_sample(struct volume_keyslots *keyslots)
{
	memset(keyslots, 0, sizeof(*keyslots));
	keyslots->size = 16384;
	keyslots->profile = VOLUME_PROFILE_STATE;
	keyslots->epoch = 3;
	for (uint32_t i = 0; i < 3; i++) {
		struct volume_keyslot *slot = &keyslots->slots[i * 3];
		fixture_random_bytes(slot->salt, VOLUME_SALT_BYTES);
		fixture_random_bytes(slot->commitment, SHA256_BYTES);
		fixture_random_bytes(slot->wrapped, VOLUME_KEY_BYTES);
		fixture_random_bytes(slot->tag, AEAD_TAG_BYTES);
		slot->type = i + 1;
		slot->generation = 1;
		slot->iterations = slot->type == VOLUME_KEY_PASSPHRASE ? 210000 : 0;
	}
}

static void test_keyslots(void **state)
{
	struct volume_keyslots keyslots;
	struct volume_keyslots read;
	uint8_t block[BLOCK_BYTES];
	uint8_t digest[SHA256_BYTES];
	uint8_t again[SHA256_BYTES];
	(void)state;
	keyslots_sample(&keyslots);
	memset(&read, 0, sizeof(read));
	assert_int_equal(volume_keyslots_encode(block, &keyslots, digest), STATUS_OK);
	assert_int_equal(volume_keyslots_decode(block, &read, again), STATUS_OK);
	assert_memory_equal(&keyslots, &read, sizeof(read));
	assert_memory_equal(digest, again, sizeof(digest));
	for (uint32_t bit = 0; bit < BLOCK_BYTES * 8; bit += 7) {
		block[bit / 8] = (uint8_t)(block[bit / 8] ^ 1u << (bit % 8));
		assert_int_equal(volume_keyslots_decode(block, &read, again), STATUS_AUTH_META);
		block[bit / 8] = (uint8_t)(block[bit / 8] ^ 1u << (bit % 8));
	}
	for (int i = 0; i < ROUNDS / 10; i++) {
		fixture_random_bytes(block, sizeof(block));
		assert_int_equal(volume_keyslots_decode(block, &read, again), STATUS_NOT_A_VOLUME);
	}
}

/* An intact digest does not make nonsense acceptable: anybody can compute it. */
static void test_keyslots_refusals(void **state)
{
	struct volume_keyslots keyslots;
	struct volume_keyslots read;
	uint8_t block[BLOCK_BYTES];
	uint8_t digest[SHA256_BYTES];
	(void)state;
	const uint32_t iterations[] = {0, 9999, 10000001, UINT32_MAX};
	for (size_t i = 0; i < ARRAY_COUNT(iterations); i++) {
		keyslots_sample(&keyslots);
		keyslots.slots[3].iterations = iterations[i]; /* A planted slot must not hang us. */
		assert_int_equal(volume_keyslots_encode(block, &keyslots, digest), STATUS_OK);
		assert_int_equal(volume_keyslots_decode(block, &read, digest), STATUS_AUTH_META);
	}
	keyslots_sample(&keyslots);
	keyslots.slots[0].type = 4;
	assert_int_equal(volume_keyslots_encode(block, &keyslots, digest), STATUS_OK);
	assert_int_equal(volume_keyslots_decode(block, &read, digest), STATUS_AUTH_META);
	keyslots_sample(&keyslots);
	keyslots.slots[0].type = 0; /* A free slot with content. */
	assert_int_equal(volume_keyslots_encode(block, &keyslots, digest), STATUS_OK);
	assert_int_equal(volume_keyslots_decode(block, &read, digest), STATUS_AUTH_META);
	keyslots_sample(&keyslots);
	keyslots.epoch = 0;
	assert_int_equal(volume_keyslots_encode(block, &keyslots, digest), STATUS_OK);
	assert_int_equal(volume_keyslots_decode(block, &read, digest), STATUS_AUTH_META);
}

int main(void)
{
	fixture_random_seed(3);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_geometry_of_all_sizes),
		cmocka_unit_test(test_neighbours_stay_in_their_group),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_session_table),
		cmocka_unit_test(test_superblock_body),
		cmocka_unit_test(test_superblock_body_refusals),
		cmocka_unit_test(test_superblock_header),
		cmocka_unit_test(test_keyslots),
		cmocka_unit_test(test_keyslots_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
