// SPDX-License-Identifier: MIT
/* Listing, changing and removing keys, and beginning an epoch; also when the power fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume.h"
#include "volume_fixture.h"

static const uint8_t bytes_a[VOLUME_KEY_BYTES] = {1, 2, 3};
static const uint8_t bytes_b[VOLUME_KEY_BYTES] = {4, 5, 6};
static const struct volume_key recovery = {VOLUME_KEY_RECOVERY, bytes_a, VOLUME_KEY_BYTES};
static const struct volume_key raw = {VOLUME_KEY_RAW, bytes_b, VOLUME_KEY_BYTES};
static const struct volume_key phrase = {VOLUME_KEY_PASSPHRASE, (const uint8_t *)"horse", 5};

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

static void test_list_tells_what_is_in_use(void **state)
{
	struct fixture fixture;
	struct volume_keyslot_info keys[VOLUME_KEYSLOTS_MAX];
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	assert_int_equal(volume_keyslots_list(fixture.volume, keys), 1);
	assert_int_equal(keys[0].slot, 0);
	assert_int_equal(keys[0].type, VOLUME_KEY_RAW);
	assert_int_equal(keys[0].key_generation, 1);
	assert_int_equal(volume_key_add(fixture.volume, &recovery), STATUS_OK);
	assert_int_equal(volume_key_add(fixture.volume, &phrase), STATUS_OK);
	assert_int_equal(volume_key_remove(fixture.volume, &recovery), STATUS_OK);
	fixture_unmount(&fixture);
	assert_int_equal(fixture_mount_read_only(&fixture), STATUS_OK);
	assert_int_equal(volume_keyslots_list(fixture.volume, keys), 2);
	assert_int_equal(keys[1].slot, 2);
	assert_int_equal(keys[1].type, VOLUME_KEY_PASSPHRASE);
	assert_true(keys[1].iterations >= 10000);
	assert_int_equal(volume_keyslot_remove(fixture.volume, 2), STATUS_READ_ONLY);
	fixture_fini(&fixture);
}

static void test_remove_by_slot(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	assert_int_equal(volume_keyslot_remove(fixture.volume, 0), STATUS_INVALID);
	assert_int_equal(volume_keyslot_remove(fixture.volume, 1), STATUS_NOT_FOUND);
	assert_int_equal(volume_keyslot_remove(fixture.volume, VOLUME_KEYSLOTS_MAX),
			 STATUS_NOT_FOUND);
	assert_int_equal(volume_keyslot_remove(fixture.volume, UINT32_MAX), STATUS_NOT_FOUND);
	assert_int_equal(volume_key_add(fixture.volume, &raw), STATUS_OK);
	assert_int_equal(volume_keyslot_remove(fixture.volume, 0), STATUS_OK);
	fixture_unmount(&fixture);
	assert_int_equal(mount_with(&fixture, &fixture_key), STATUS_WRONG_KEY);
	assert_int_equal(mount_with(&fixture, &raw), STATUS_OK);
	fixture_fini(&fixture);
}

static void test_change_is_refused_by_name(void **state)
{
	struct fixture fixture;
	const struct volume_key short_key = {VOLUME_KEY_RAW, bytes_a, 31};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	assert_int_equal(volume_key_add(fixture.volume, &raw), STATUS_OK);
	assert_int_equal(volume_key_change(fixture.volume, &recovery, &phrase), STATUS_WRONG_KEY);
	assert_int_equal(volume_key_change(fixture.volume, &fixture_key, &raw), STATUS_EXISTS);
	assert_int_equal(volume_key_change(fixture.volume, &raw, &raw), STATUS_EXISTS);
	assert_int_equal(volume_key_change(fixture.volume, &raw, &short_key), STATUS_NO_KEY);
	assert_int_equal(volume_key_change(fixture.volume, &short_key, &raw), STATUS_NO_KEY);
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	assert_int_equal(volume_key_change(fixture.volume, &raw, &recovery), STATUS_BUSY);
	assert_int_equal(volume_keyslot_remove(fixture.volume, 0), STATUS_BUSY);
	assert_int_equal(volume_epoch_begin(fixture.volume), STATUS_BUSY);
	volume_txn_abort(fixture.volume);
	fixture_fini(&fixture);
}

/* With every slot in use as well. */
static void test_change_needs_no_free_slot(void **state)
{
	struct fixture fixture;
	struct volume_keyslot_info keys[VOLUME_KEYSLOTS_MAX];
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	for (uint8_t i = 1; i < VOLUME_KEYSLOTS_MAX; i++) {
		const uint8_t bytes[VOLUME_KEY_BYTES] = {i, 77};
		const struct volume_key key = {VOLUME_KEY_RAW, bytes, VOLUME_KEY_BYTES};
		assert_int_equal(volume_key_add(fixture.volume, &key), STATUS_OK);
	}
	assert_int_equal(volume_key_change(fixture.volume, &fixture_key, &recovery), STATUS_OK);
	assert_int_equal(volume_keyslots_list(fixture.volume, keys), VOLUME_KEYSLOTS_MAX);
	assert_int_equal(keys[0].type, VOLUME_KEY_RECOVERY);
	fixture_unmount(&fixture);
	assert_int_equal(mount_with(&fixture, &fixture_key), STATUS_WRONG_KEY);
	assert_int_equal(mount_with(&fixture, &recovery), STATUS_OK);
	fixture_fini(&fixture);
}

static bool none_survives(void *context, size_t sector)
{
	(void)context;
	(void)sector;
	return false;
}

static bool half_survives(void *context, size_t sector)
{
	(void)context;
	return sector % 2 == 0;
}

/* Whatever operation the power fails at, exactly one of the two keys opens the volume. */
static void test_change_is_one_step(void **state)
{
	struct fixture fixture;
	bool changed = false;
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	sim_disk_mark(&fixture.disk);
	for (uint64_t k = 1; !changed; k++) {
		assert_true(k < 200);
		sim_disk_fail_at(&fixture.disk, k, SIM_FAIL_FOR_GOOD, STATUS_IO);
		changed = volume_key_change(fixture.volume, &fixture_key, &raw) == STATUS_OK;
		sim_disk_fail_at(&fixture.disk, 0, SIM_FAIL_ONCE, STATUS_OK);
		sim_disk_crash(&fixture.disk, k % 2 == 0 ? half_survives : none_survives, NULL);
		fixture_unmount(&fixture);
		bool old_opens = mount_with(&fixture, &fixture_key) == STATUS_OK;
		bool new_opens = mount_with(&fixture, &raw) == STATUS_OK;
		assert_true(old_opens != new_opens);
		assert_true(new_opens || !changed);
		sim_disk_revert(&fixture.disk);
		assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	}
	sim_disk_unmark(&fixture.disk);
	fixture_fini(&fixture);
}

static void test_epoch_begins_though_nothing_changed(void **state)
{
	struct fixture fixture;
	struct volume_info before;
	struct volume_info after;
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	volume_info_get(fixture.volume, &before);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	volume_info_get(fixture.volume, &after);
	assert_int_equal(after.epoch, before.epoch);
	assert_int_equal(volume_epoch_begin(fixture.volume), STATUS_OK);
	fixture_unmount(&fixture);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	volume_info_get(fixture.volume, &after);
	assert_int_equal(after.epoch, before.epoch + 1);
	assert_int_equal(after.sequence, before.sequence);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_tells_what_is_in_use),
		cmocka_unit_test(test_remove_by_slot),
		cmocka_unit_test(test_change_is_refused_by_name),
		cmocka_unit_test(test_change_needs_no_free_slot),
		cmocka_unit_test(test_change_is_one_step),
		cmocka_unit_test(test_epoch_begins_though_nothing_changed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
