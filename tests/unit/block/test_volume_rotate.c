// SPDX-License-Identifier: MIT
/* Rotation of the master key: content stays, work goes on meanwhile, wherever it is interrupted it
 * goes on, and afterwards the old key opens nothing on the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"
#include "rotate_scene.h"

#define STEPS_MAX 10000u

static const uint8_t bytes_a[VOLUME_KEY_BYTES] = {1, 2, 3};
static const struct volume_key recovery = {VOLUME_KEY_RECOVERY, bytes_a, VOLUME_KEY_BYTES};

/* ---- What the old key opens ----------------------------------------------------------------- */

/* All that somebody may know who has had the old master key and the disk of then: where everything
 * was, and the salts. */
struct past {
	struct volume volume; /* Identity, keys and session table only. */
	struct volume_keyslots keyslots;
	size_t count;
	uint32_t levels[MODEL_BLOCKS_MAX];
	uint64_t indices[MODEL_BLOCKS_MAX];
	struct volume_entry entries[MODEL_BLOCKS_MAX];
};

static void past_add(struct past *past, uint32_t level, uint64_t index,
		     const struct volume_entry *entry)
{
	if (entry->physical != 0) {
		assert_true(past->count < MODEL_BLOCKS_MAX);
		past->levels[past->count] = level;
		past->indices[past->count] = index;
		past->entries[past->count++] = *entry;
	}
}

static void past_take(struct past *past, struct fixture *fixture, const struct model *model)
{
	struct volume *volume = fixture->volume;
	memset(past, 0, sizeof(*past));
	assert_int_equal(volume_checkpoint(volume), STATUS_OK);
	past->volume.aead = volume->aead;
	past->volume.master = volume->master;
	past->volume.geometry = volume->geometry;
	past->volume.superblock = volume->superblock;
	past->volume.table = volume->table;
	past->keyslots = volume->keyslots;
	memcpy(past->volume.uuid, volume->uuid, VOLUME_UUID_BYTES);
	past_add(past, volume->geometry.tree_levels, 0, &volume->superblock.tree);
	past_add(past, VOLUME_LEVEL_TABLE, 0, &volume->superblock.table);
	for (size_t i = 0; i < model->count; i++) {
		struct volume_entry entry;
		assert_int_equal(volume_tree_find(volume, model->logical[i], &entry), STATUS_OK);
		past_add(past, VOLUME_LEVEL_DATA, model->logical[i], &entry);
	}
	for (uint32_t group = 0; group < volume->geometry.group_count; group++) {
		struct volume_entry entry;
		assert_int_equal(volume_group_entry(volume, 0, group, &entry), STATUS_OK);
		past_add(past, VOLUME_LEVEL_BITMAP, group, &entry);
	}
}

static size_t entries_opened(struct past *past, const struct fixture *fixture)
{
	uint8_t plain[BLOCK_BYTES];
	size_t opened = 0;
	for (size_t i = 0; i < past->count; i++) {
		const uint8_t *cipher = sim_disk_look(&fixture->disk, past->entries[i].physical);
		opened += volume_cipher_open(&past->volume, past->levels[i], past->indices[i],
					     &past->entries[i], cipher, plain) == STATUS_OK
				  ? 1u
				  : 0u;
	}
	return opened;
}

/* Superblocks, keyslots and records, wherever they may be. */
static size_t blocks_opened(struct past *past, const struct fixture *fixture)
{
	static uint8_t record[(size_t)VOLUME_RECORD_BLOCKS_MAX * BLOCK_BYTES];
	const uint64_t blocks = fixture->disk.device.capacity.n;
	size_t opened = 0;
	for (uint64_t at = 0; at < blocks; at++) {
		const uint8_t *block = sim_disk_look(&fixture->disk, at);
		struct volume_superblock superblock;
		struct volume_record_header header;
		struct volume_keyslots keyslots;
		struct volume_master master;
		uint8_t digest[SHA256_BYTES];
		uint32_t slot = 0;
		if (volume_superblock_open(&past->volume, block, &superblock) == STATUS_OK) {
			opened++;
		}
		if (volume_keyslots_decode(block, &keyslots, digest) == STATUS_OK &&
		    volume_keyslots_unlock(&past->volume, &keyslots, &fixture_key, &slot,
					   &master) == STATUS_OK &&
		    master.generation == past->volume.master.generation) {
			opened++;
		}
		if (volume_record_header_decode(block, &header) == STATUS_OK &&
		    at + header.block_count <= blocks) {
			memcpy(record, block, (size_t)header.block_count * BLOCK_BYTES);
			opened += volume_record_open(&past->volume, &header, record) == STATUS_OK
					  ? 1u
					  : 0u;
		}
	}
	return opened;
}

static bool disk_has(const struct fixture *fixture, const uint8_t *bytes, size_t size)
{
	return memmem(fixture->disk.media, fixture->disk.device.capacity.n * BLOCK_BYTES, bytes,
		      size) != NULL;
}

static void test_the_old_key_opens_nothing(void **state)
{
	static struct past past;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rotate_rows); i++) {
		struct fixture fixture;
		struct model model = {0};
		rotate_create(&fixture, &rotate_rows[i]);
		rotate_fill(&fixture, &model);
		past_take(&past, &fixture, &model);
		assert_true(past.count > 80);
		assert_int_equal(entries_opened(&past, &fixture), past.count);
		assert_true(blocks_opened(&past, &fixture) > 6);
		assert_int_equal(rotate_begin(fixture.volume), STATUS_OK);
		assert_true(rotate_is_running(&fixture));
		assert_int_equal(rotate_on(fixture.volume), STATUS_OK);
		assert_false(rotate_is_running(&fixture));
		assert_int_equal(rotate_generation(&fixture), 2);
		assert_int_equal(entries_opened(&past, &fixture), 0);
		assert_int_equal(blocks_opened(&past, &fixture), 0);
		for (uint32_t row = 0; row < past.volume.table.count; row++) {
			assert_false(disk_has(&fixture, past.volume.table.rows[row].salt,
					      VOLUME_SALT_BYTES));
		}
		assert_int_equal(fixture.volume->previous.generation, 0);
		rotate_check(&fixture, &model);
		rotate_put(&fixture, &model, 30, 30, 900);
		rotate_check(&fixture, &model);
		fixture_fini(&fixture);
	}
}

/* Keyslots of the old generation that are put back do not open the volume. */
static void test_old_keyslots_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rotate_rows); i++) {
		struct fixture fixture;
		struct model model = {0};
		static uint8_t saved[4][BLOCK_BYTES];
		const uint64_t size = rotate_rows[i].size;
		const uint64_t places[4] = {2, 3, size - 4, size - 3};
		rotate_create(&fixture, &rotate_rows[i]);
		rotate_fill(&fixture, &model);
		for (size_t b = 0; b < 4; b++) {
			memcpy(saved[b], sim_disk_look(&fixture.disk, places[b]), BLOCK_BYTES);
		}
		assert_int_equal(rotate_begin(fixture.volume), STATUS_OK);
		assert_int_equal(rotate_on(fixture.volume), STATUS_OK);
		uint32_t in_use = fixture.volume->keyslots_area;
		fixture_unmount(&fixture);
		/* The area that does not count: ignored. */
		for (size_t b = 0; b < 4; b++) {
			if (b % 2 != in_use) {
				memcpy(sim_disk_edit(&fixture.disk, places[b]), saved[b],
				       BLOCK_BYTES);
			}
		}
		assert_int_equal(fixture_mount(&fixture), STATUS_OK);
		assert_int_equal(rotate_generation(&fixture), 2);
		assert_true(model_equals(&model, fixture.volume));
		fixture_unmount(&fixture);
		/* Both: it opens a master key, and that one opens nothing. */
		for (size_t b = 0; b < 4; b++) {
			memcpy(sim_disk_edit(&fixture.disk, places[b]), saved[b], BLOCK_BYTES);
		}
		enum status status = fixture_mount(&fixture);
		assert_true(status == STATUS_WRONG_KEY || status == STATUS_AUTH_META);
		fixture.volume = NULL;
		fixture_fini(&fixture);
	}
}

/* ---- Keyslots ---------------------------------------------------------------------------------
 */

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

static void test_other_slots(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	uint32_t missing = 0;
	const struct volume_key both[] = {fixture_key, recovery};
	const struct volume_key unknown = {VOLUME_KEY_RAW, bytes_a, VOLUME_KEY_BYTES};
	(void)state;
	rotate_create(&fixture, &rotate_rows[0]);
	rotate_fill(&fixture, &model);
	assert_int_equal(volume_key_add(fixture.volume, &recovery), STATUS_OK);
	assert_int_equal(volume_key_rotate_begin(fixture.volume, NULL, 0, true, &missing),
			 STATUS_NO_KEY);
	assert_int_equal(volume_key_rotate_begin(fixture.volume, &fixture_key, 1, false, &missing),
			 STATUS_NO_KEY);
	assert_int_equal(missing, 1u << 1);
	assert_int_equal(volume_key_rotate_begin(fixture.volume, &unknown, 1, true, &missing),
			 STATUS_WRONG_KEY);
	assert_int_equal(rotate_generation(&fixture), 1);
	assert_int_equal(volume_key_rotate_begin(fixture.volume, both, 2, false, &missing),
			 STATUS_OK);
	assert_int_equal(missing, 0);
	assert_int_equal(volume_key_rotate_begin(fixture.volume, both, 2, false, &missing),
			 STATUS_BUSY);
	assert_int_equal(volume_grow(fixture.volume, (struct block_count){rotate_rows[0].size}),
			 STATUS_BUSY);
	assert_int_equal(rotate_on(fixture.volume), STATUS_OK);
	fixture_unmount(&fixture);
	assert_int_equal(mount_with(&fixture, &recovery), STATUS_OK);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	assert_int_equal(rotate_begin(fixture.volume), STATUS_BUSY);
	volume_txn_abort(fixture.volume);
	assert_int_equal(volume_key_rotate_begin(fixture.volume, &fixture_key, 1, true, &missing),
			 STATUS_OK);
	assert_int_equal(missing, 1u << 1);
	rotate_check(&fixture, &model); /* Also while it is under way. */
	fixture_unmount(&fixture);
	assert_int_equal(mount_with(&fixture, &recovery), STATUS_WRONG_KEY);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	assert_int_equal(rotate_on(fixture.volume), STATUS_OK);
	assert_int_equal(rotate_generation(&fixture), 3);
	rotate_check(&fixture, &model);
	fixture_fini(&fixture);
}

/* ---- Meanwhile ---------------------------------------------------------------------------------
 */

static void test_work_goes_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rotate_rows); i++) {
		struct fixture fixture;
		struct model model = {0};
		bool done = false;
		rotate_create(&fixture, &rotate_rows[i]);
		rotate_fill(&fixture, &model);
		assert_int_equal(rotate_begin(fixture.volume), STATUS_OK);
		for (uint32_t n = 0; !done; n++) {
			assert_true(n < STEPS_MAX);
			rotate_put(&fixture, &model, 5 + n * 7 % 90, 12, 1000 + n * 20);
			rotate_put(&fixture, &model, 40 + n % 9, 2, 0);
			if (n % 2 == 1) {
				rotate_check(&fixture, &model);
			}
			assert_int_equal(volume_key_rotate_step(fixture.volume, &done), STATUS_OK);
		}
		rotate_check(&fixture, &model);
		assert_false(rotate_is_running(&fixture));
		fixture_fini(&fixture);
	}
}

/* A damaged block costs itself, for good, and not the rotation. */
static void test_damaged_block(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rotate_rows); i++) {
		struct fixture fixture;
		struct model model = {0};
		struct volume_entry entry;
		uint8_t content[BLOCK_BYTES];
		rotate_create(&fixture, &rotate_rows[i]);
		rotate_fill(&fixture, &model);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		assert_int_equal(volume_tree_find(fixture.volume, 1003, &entry), STATUS_OK);
		sim_disk_flip(&fixture.disk, entry.physical, 77);
		assert_int_equal(rotate_begin(fixture.volume), STATUS_OK);
		assert_int_equal(rotate_on(fixture.volume), STATUS_OK);
		assert_int_equal(volume_read(fixture.volume, (struct logical_block){1003}, content),
				 STATUS_AUTH_DATA);
		assert_true(volume_is_writable(fixture.volume));
		fixture_unmount(&fixture);
		assert_int_equal(fixture_mount(&fixture), STATUS_OK);
		assert_int_equal(volume_read(fixture.volume, (struct logical_block){1003}, content),
				 STATUS_AUTH_DATA);
		rotate_put(&fixture, &model, 1003, 1, 77);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		rotate_check(&fixture, &model);
		fixture_fini(&fixture);
	}
}

/* On a volume that takes nothing more a rotation still comes through. */
static void test_full_volume(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	uint8_t content[BLOCK_BYTES];
	enum status status = STATUS_OK;
	(void)state;
	rotate_create(&fixture, &rotate_rows[0]);
	rotate_put(&fixture, &model, 7, 20, 1);
	for (uint32_t n = 0; status == STATUS_OK; n++) {
		model_content(7 + 3 * (uint64_t)n, content);
		status = volume_txn_begin(fixture.volume);
		for (uint32_t b = 0; b < 20 && status == STATUS_OK; b++) {
			status = volume_txn_put(fixture.volume,
						(struct logical_block){2000 + n * 20 + b}, content);
		}
		status = status == STATUS_OK ? volume_txn_commit(fixture.volume) : status;
	}
	assert_int_equal(status, STATUS_NO_SPACE);
	assert_int_equal(rotate_begin(fixture.volume), STATUS_OK);
	assert_int_equal(rotate_on(fixture.volume), STATUS_OK);
	rotate_check(&fixture, &model);
	fixture_fini(&fixture);
}

/* Without room for one block a step says so, and a later one goes on. */
static void test_no_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rotate_rows); i++) {
		struct fixture fixture;
		struct model model = {0};
		bool done = false;
		rotate_create(&fixture, &rotate_rows[i]);
		rotate_fill(&fixture, &model);
		assert_int_equal(rotate_begin(fixture.volume), STATUS_OK);
		fixture.volume->bitmaps.held = fixture.volume->bitmaps.free_count;
		assert_int_equal(volume_key_rotate_step(fixture.volume, &done), STATUS_NO_SPACE);
		assert_false(done);
		assert_true(volume_is_writable(fixture.volume));
		rotate_check(&fixture, &model);
		rotate_put(&fixture, &model, 70, 3, 800);
		assert_int_equal(rotate_on(fixture.volume), STATUS_OK);
		rotate_check(&fixture, &model);
		fixture_fini(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_old_key_opens_nothing),
		cmocka_unit_test(test_old_keyslots_are_refused),
		cmocka_unit_test(test_other_slots),
		cmocka_unit_test(test_work_goes_on),
		cmocka_unit_test(test_damaged_block),
		cmocka_unit_test(test_full_volume),
		cmocka_unit_test(test_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
