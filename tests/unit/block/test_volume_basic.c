// SPDX-License-Identifier: MIT
/* Create, mount, transactions, checkpoints, remounts, keys: against a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "volume_fixture.h"

static void put_one(struct fixture *fixture, struct model *model, uint32_t logical, uint64_t seed)
{
	assert_int_equal(model_commit(model, fixture->volume, logical, seed), STATUS_OK);
}

static void test_new_volume_is_empty(void **state)
{
	struct fixture fixture;
	struct volume_info info;
	uint8_t content[BLOCK_BYTES];
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	assert_true(volume_is_writable(fixture.volume));
	assert_int_equal(volume_logical_size(fixture.volume).n, 1 << 21);
	assert_int_equal(volume_slice_size(fixture.volume).n, 1 << 14);
	volume_info_get(fixture.volume, &info);
	assert_int_equal(info.epoch, 2);
	assert_int_equal(info.sequence, 0);
	assert_int_equal(info.open.size.n, FIXTURE_BLOCKS);
	assert_int_equal(info.keyslots_in_use, 1);
	assert_int_equal(info.blocks_used.n, 1); /* The session table. */
	memset(content, 0xff, sizeof(content));
	assert_int_equal(volume_read(fixture.volume, (struct logical_block){12345}, content),
			 STATUS_OK);
	for (size_t i = 0; i < BLOCK_BYTES; i++) {
		assert_int_equal(content[i], 0);
	}
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	fixture_fini(&fixture);
}

static void test_commits_survive_remounts(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	for (uint32_t i = 0; i < 12; i++) {
		put_one(&fixture, &model, i % 5 * 16384 + i, 100 + i);
		assert_true(model_equals(&model, fixture.volume));
		if (i % 3 == 0) {
			fixture_remount(&fixture);
			assert_true(model_equals(&model, fixture.volume));
		}
		if (i % 4 == 0) {
			assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
			assert_true(model_equals(&model, fixture.volume));
			assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
		}
	}
	put_one(&fixture, &model, 0, 0);
	fixture_remount(&fixture);
	assert_true(model_equals(&model, fixture.volume));
	fixture_fini(&fixture);
}

/* A long random walk: puts, discards, aborts, checkpoints, remounts. */
static void test_random_walk_matches_model(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	fixture_random_seed(1);
	for (uint32_t step = 0; step < 600; step++) {
		struct model next = model;
		assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
		uint32_t puts = 1 + fixture_random() % 6;
		for (uint32_t i = 0; i < puts; i++) {
			uint32_t logical = (uint32_t)(fixture_random() % 3 * 16384 +
						      fixture_random() % 50 * 37);
			uint64_t seed =
				fixture_random() % 4 == 0 ? 0 : (uint64_t)fixture_random() + 1;
			assert_int_equal(model_put(&next, fixture.volume, logical, seed),
					 STATUS_OK);
		}
		if (fixture_random() % 8 == 0) {
			volume_txn_abort(fixture.volume);
		} else {
			assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
			model = next;
		}
		if (step % 40 == 0) {
			assert_true(model_equals(&model, fixture.volume));
		}
		if (fixture_random() % 50 == 0) {
			fixture_remount(&fixture);
			assert_true(model_equals(&model, fixture.volume));
		}
		if (fixture_random() % 50 == 0) {
			assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
			assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
		}
	}
	struct volume_counters counters;
	volume_counters_get(fixture.volume, &counters);
	fixture_remount(&fixture);
	assert_true(model_equals(&model, fixture.volume));
	assert_int_equal(ledger_repeats(), 0);
	fixture_fini(&fixture);
}

static void test_largest_transaction(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	for (uint64_t round = 0; round < 4; round++) {
		assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
		for (uint32_t i = 0; i < VOLUME_TXN_BLOCKS_MAX; i++) {
			assert_int_equal(
				model_put(&model, fixture.volume, i, 3 * (round * 1000 + i) + 1),
				STATUS_OK);
		}
		const uint8_t more[BLOCK_BYTES] = {1};
		assert_int_equal(volume_txn_put(fixture.volume, (struct logical_block){9999}, more),
				 STATUS_TOO_LARGE);
		assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
		fixture_remount(&fixture);
		assert_true(model_equals(&model, fixture.volume));
	}
	fixture_fini(&fixture);
}

static void test_transaction_sees_itself_and_nobody_else_does(void **state)
{
	struct fixture fixture;
	uint8_t content[BLOCK_BYTES] = {7};
	uint8_t read[BLOCK_BYTES];
	const struct logical_block block = {5};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	assert_int_equal(volume_txn_put(fixture.volume, block, content), STATUS_INVALID);
	assert_int_equal(volume_txn_commit(fixture.volume), STATUS_INVALID);
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_BUSY);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_BUSY);
	assert_int_equal(volume_key_add(fixture.volume, &fixture_key), STATUS_BUSY);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_BUSY);
	assert_int_equal(volume_txn_put(fixture.volume,
					volume_logical_size(fixture.volume).n == 0
						? block
						: (struct logical_block){1u << 21},
					content),
			 STATUS_INVALID);
	assert_int_equal(volume_txn_put(fixture.volume, block, content), STATUS_OK);
	assert_int_equal(volume_txn_read(fixture.volume, block, read), STATUS_OK);
	assert_int_equal(read[0], 7);
	assert_int_equal(volume_read(fixture.volume, block, read), STATUS_OK);
	assert_int_equal(read[0], 0);
	volume_txn_abort(fixture.volume);
	assert_int_equal(volume_txn_read(fixture.volume, block, read), STATUS_OK);
	assert_int_equal(read[0], 0);
	assert_int_equal(volume_read(fixture.volume, (struct logical_block){1u << 21}, read),
			 STATUS_INVALID);
	fixture_fini(&fixture);
}

/* ---- Keys ---------------------------------------------------------------------------------- */

static enum status mount_with(struct fixture *fixture, const struct volume_key *key)
{
	enum status status =
		volume_mount(&fixture->environment, key, false, &fixture->volume, NULL);
	if (status == STATUS_OK) {
		fixture_unmount(fixture);
	}
	fixture->volume = NULL;
	return status;
}

static void test_keys_come_and_go(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	static const uint8_t other_bytes[VOLUME_KEY_BYTES] = {1, 2, 3};
	const struct volume_key recovery = {VOLUME_KEY_RECOVERY, other_bytes, VOLUME_KEY_BYTES};
	const struct volume_key wrong = {VOLUME_KEY_RAW, other_bytes, VOLUME_KEY_BYTES};
	const struct volume_key short_key = {VOLUME_KEY_RAW, other_bytes, 31};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	put_one(&fixture, &model, 3, 33);
	assert_int_equal(volume_key_remove(fixture.volume, &fixture_key), STATUS_INVALID);
	assert_int_equal(volume_key_add(fixture.volume, &fixture_key), STATUS_EXISTS);
	assert_int_equal(volume_key_remove(fixture.volume, &recovery), STATUS_WRONG_KEY);
	assert_int_equal(volume_key_add(fixture.volume, &recovery), STATUS_OK);
	put_one(&fixture, &model, 4, 44);
	fixture_unmount(&fixture);

	assert_int_equal(mount_with(&fixture, &wrong), STATUS_WRONG_KEY);
	assert_int_equal(mount_with(&fixture, &short_key), STATUS_NO_KEY);
	assert_int_equal(mount_with(&fixture, NULL), STATUS_NO_KEY);
	assert_int_equal(
		volume_mount(&fixture.environment, &recovery, false, &fixture.volume, NULL),
		STATUS_OK);
	assert_true(model_equals(&model, fixture.volume));
	assert_int_equal(volume_key_remove(fixture.volume, &fixture_key), STATUS_OK);
	put_one(&fixture, &model, 5, 55);
	fixture_unmount(&fixture);
	assert_int_equal(mount_with(&fixture, &fixture_key), STATUS_WRONG_KEY);
	assert_int_equal(mount_with(&fixture, &recovery), STATUS_OK);
	fixture_fini(&fixture);
}

static void test_passphrase(void **state)
{
	struct fixture fixture;
	const struct volume_key passphrase = {VOLUME_KEY_PASSPHRASE,
					      (const uint8_t *)"correct horse", 13};
	const struct volume_key wrong = {VOLUME_KEY_PASSPHRASE, (const uint8_t *)"correct mule",
					 12};
	(void)state;
	fixture_init(&fixture, FIXTURE_BLOCKS);
	assert_int_equal(volume_create(&fixture.environment, fixture.disk.device.capacity,
				       &passphrase, NULL, NULL),
			 STATUS_OK);
	assert_int_equal(mount_with(&fixture, &passphrase), STATUS_OK);
	assert_int_equal(mount_with(&fixture, &wrong), STATUS_WRONG_KEY);
	fixture_fini(&fixture);
}

static void test_keyslots_have_a_limit(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	for (uint8_t i = 0; i < 8; i++) {
		const uint8_t bytes[VOLUME_KEY_BYTES] = {i, 77};
		const struct volume_key key = {VOLUME_KEY_RAW, bytes, VOLUME_KEY_BYTES};
		assert_int_equal(volume_key_add(fixture.volume, &key),
				 i < 7 ? STATUS_OK : STATUS_LIMIT);
	}
	fixture_fini(&fixture);
}

/* ---- Refusals ------------------------------------------------------------------------------ */

static void test_what_is_no_volume(void **state)
{
	struct fixture fixture;
	struct volume_public_info info;
	(void)state;
	fixture_init(&fixture, FIXTURE_BLOCKS);
	assert_int_equal(fixture_mount(&fixture), STATUS_NOT_A_VOLUME); /* Noise. */
	assert_int_equal(volume_public_info_read(&fixture.disk.device, &info), STATUS_NOT_A_VOLUME);
	memset(fixture.disk.media, 0, FIXTURE_BLOCKS * BLOCK_BYTES);
	assert_int_equal(fixture_mount(&fixture), STATUS_NOT_A_VOLUME);
	memset(fixture.disk.media, 0xff, FIXTURE_BLOCKS * BLOCK_BYTES);
	assert_int_equal(fixture_mount(&fixture), STATUS_NOT_A_VOLUME);
	fixture.disk.device.capacity.n = 3;
	assert_int_equal(fixture_mount(&fixture), STATUS_NOT_A_VOLUME);
	fixture_fini(&fixture);
}

static void test_device_must_fit(void **state)
{
	struct fixture fixture;
	struct volume_public_info info;
	struct block_device *device = &fixture.disk.device;
	(void)state;
	fixture_init(&fixture, FIXTURE_BLOCKS + 100);
	const struct block_count sizes[] = {{2047}, {262145}, {0}};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
			volume_create(&fixture.environment, sizes[i], &fixture_key, NULL, NULL),
			STATUS_INVALID);
	}
	assert_int_equal(volume_create(&fixture.environment, (struct block_count){4096},
				       &fixture_key, NULL, NULL),
			 STATUS_TRUNCATED);
	assert_int_equal(fixture_create(&fixture), STATUS_OK);
	device->has_flush = false;
	assert_int_equal(fixture_mount(&fixture), STATUS_NO_FLUSH);
	assert_int_equal(fixture_create(&fixture), STATUS_NO_FLUSH);
	assert_int_equal(fixture_mount_read_only(&fixture), STATUS_OK);
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_READ_ONLY);
	fixture_unmount(&fixture);
	device->has_flush = true;
	device->read_only = true;
	assert_int_equal(fixture_mount(&fixture), STATUS_READ_ONLY);
	assert_int_equal(fixture_create(&fixture), STATUS_READ_ONLY);
	device->read_only = false;
	device->capacity.n -= 1;
	assert_int_equal(fixture_mount(&fixture), STATUS_TRUNCATED);
	assert_int_equal(volume_public_info_read(device, &info), STATUS_OK);
	assert_int_equal(info.size.n, FIXTURE_BLOCKS + 100);
	fixture.environment.arena_size_bytes = 100;
	assert_int_equal(fixture_mount(&fixture), STATUS_NO_MEMORY);
	fixture_fini(&fixture);
}

static void test_no_entropy_no_writing(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	fixture_unmount(&fixture);
	fixture.entropy_is_empty = true;
	assert_int_equal(fixture_mount(&fixture), STATUS_NO_ENTROPY);
	assert_int_equal(fixture_mount_read_only(&fixture), STATUS_OK);
	fixture_unmount(&fixture);
	assert_int_equal(fixture_create(&fixture), STATUS_NO_ENTROPY);
	fixture_fini(&fixture);
}

static void test_volume_may_be_smaller_than_device(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init(&fixture, 40000);
	assert_int_equal(volume_create(&fixture.environment, (struct block_count){36000},
				       &fixture_key, NULL, NULL),
			 STATUS_OK);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	for (uint32_t i = 0; i < 100; i++) {
		put_one(&fixture, &model, i * 1000, i + 1);
	}
	fixture_remount(&fixture);
	assert_true(model_equals(&model, fixture.volume));
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	fixture_fini(&fixture);
}

static void test_nothing_readable_on_the_disk(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	for (uint32_t i = 0; i < 20; i++) {
		put_one(&fixture, &model, i, i + 1);
	}
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	put_one(&fixture, &model, 3, 1000);
	fixture_unmount(&fixture);
	assert_false(fixture_disk_contains(&fixture, FIXTURE_CANARY));
	/* The search itself works. */
	memcpy(fixture.disk.media + 12345, FIXTURE_CANARY, strlen(FIXTURE_CANARY));
	assert_true(fixture_disk_contains(&fixture, FIXTURE_CANARY));
	fixture_fini(&fixture);
}

/* More mounts than the session table has rows: old sessions are swept. */
static void test_many_sessions(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	for (uint32_t i = 0; i < 150; i++) {
		put_one(&fixture, &model, i % 140 * 200, i + 1);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		if (i % 10 == 9) {
			assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
		}
		fixture_remount(&fixture);
	}
	assert_true(model_equals(&model, fixture.volume));
	assert_int_equal(ledger_repeats(), 0);
	assert_true(ledger_seals() > 1000);
	fixture_fini(&fixture);
}

/* ---- Inside -------------------------------------------------------------------------------- */

/* The anchor names the history: it moves with each commit and is found again by a mount. */
static void test_anchor_follows_history(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	uint8_t before[VOLUME_ANCHOR_BYTES];
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	for (uint32_t i = 0; i < 6; i++) {
		memcpy(before, fixture.volume->log.anchor, sizeof(before));
		put_one(&fixture, &model, i, i + 1);
		assert_memory_not_equal(before, fixture.volume->log.anchor, sizeof(before));
		memcpy(before, fixture.volume->log.anchor, sizeof(before));
		if (i == 3) {
			assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		}
		fixture_remount(&fixture);
		assert_memory_equal(before, fixture.volume->log.anchor, sizeof(before));
	}
	fixture_fini(&fixture);
}

/* verify compares what it reached with what the tables say. */
static void test_verify_sees_wrong_tables(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	for (int which = 0; which < 3; which++) {
		fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
		put_one(&fixture, &model, 1, 1);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
		switch (which) {
		case 0: fixture.volume->bitmaps.blocks[100] ^= 1; break;
		case 1: fixture.volume->table.rows[0].live_blocks++; break;
		default: fixture.volume->table.rows[0].live_blocks--; break;
		}
		assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_AUTH_META);
		assert_false(volume_is_writable(fixture.volume));
		fixture_fini(&fixture);
	}
}

/* A session's keys are not used beyond their limit: a new session begins before, and if that were
 * to fail, sealing stops. */
static void test_seals_are_limited(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	put_one(&fixture, &model, 1, 1);
	uint32_t first = fixture.volume->session.id;
	fixture.volume->session.log_seals = (uint64_t)UINT32_MAX - 1000;
	put_one(&fixture, &model, 2, 2);
	assert_int_equal(fixture.volume->session.id, first + 1);
	assert_int_equal(fixture.volume->session.log_seals, 1);
	fixture.volume->session.node_seals = (uint64_t)UINT32_MAX - 1000;
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_int_equal(fixture.volume->session.id, first + 2);
	put_one(&fixture, &model, 3, 3);
	fixture.volume->session.log_seals = UINT32_MAX;
	fixture.entropy_is_empty = true;
	assert_int_equal(model_commit(&model, fixture.volume, 3, 33), STATUS_NO_ENTROPY);
	fixture.entropy_is_empty = false;
	model_set(&model, 3, 3);
	assert_true(model_equals(&model, fixture.volume));
	fixture_remount(&fixture);
	assert_true(model_equals(&model, fixture.volume));
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	uint8_t record[BLOCK_BYTES] = {0};
	uint8_t tag[AEAD_TAG_BYTES];
	fixture.volume->session.log_seals = UINT32_MAX;
	assert_int_equal(volume_record_seal(fixture.volume, record, 1, BLOCK_BYTES, tag),
			 STATUS_LIMIT);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_volume_is_empty),
		cmocka_unit_test(test_commits_survive_remounts),
		cmocka_unit_test(test_random_walk_matches_model),
		cmocka_unit_test(test_largest_transaction),
		cmocka_unit_test(test_transaction_sees_itself_and_nobody_else_does),
		cmocka_unit_test(test_keys_come_and_go),
		cmocka_unit_test(test_passphrase),
		cmocka_unit_test(test_keyslots_have_a_limit),
		cmocka_unit_test(test_what_is_no_volume),
		cmocka_unit_test(test_device_must_fit),
		cmocka_unit_test(test_no_entropy_no_writing),
		cmocka_unit_test(test_volume_may_be_smaller_than_device),
		cmocka_unit_test(test_nothing_readable_on_the_disk),
		cmocka_unit_test(test_many_sessions),
		cmocka_unit_test(test_anchor_follows_history),
		cmocka_unit_test(test_verify_sees_wrong_tables),
		cmocka_unit_test(test_seals_are_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
