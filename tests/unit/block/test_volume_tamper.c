// SPDX-License-Identifier: MIT
/* The host damages, moves and brings back superblocks, keyslots and log records. Whatever it does,
 * a mount fails with the right status or shows one state that was committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tamper_scene.h"

static void flip_both(struct scene *scene, uint64_t first, uint64_t second, uint32_t bit)
{
	sim_disk_flip(&scene->fixture.disk, first, bit);
	sim_disk_flip(&scene->fixture.disk, second, bit);
}

/* ---- Superblocks --------------------------------------------------------------------------- */

static void test_superblock_bits(void **state)
{
	struct scene scene;
	const uint64_t end = FIXTURE_BLOCKS;
	(void)state;
	scene_init(&scene);
	/* Epoch 4 is in slot 0, epoch 3 in slot 1. */
	for (uint32_t byte = 0; byte < VOLUME_SUPERBLOCK_USED_BYTES; byte++) {
		uint32_t bit = byte * 8 + byte % 8;
		for (uint32_t slot = 0; slot < 2; slot++) {
			/* One copy: the other one serves. */
			if (byte % 4 == 0) {
				sim_disk_flip(&scene.fixture.disk,
					      byte % 8 == 0 ? slot : end - 2 + slot, bit);
				scene_assert_mount(&scene, STATUS_OK);
			}
			/* Both: an error, and never the other slot's state, older or not. */
			flip_both(&scene, slot, end - 2 + slot, bit);
			scene_assert_mount(&scene, STATUS_AUTH_META);
		}
	}
	/* All four. */
	flip_both(&scene, 0, end - 2, 3);
	flip_both(&scene, 1, end - 1, 3);
	scene_assert_mount(&scene, STATUS_AUTH_META);
	for (uint64_t i = 0; i < 2; i++) {
		memset(sim_disk_edit(&scene.fixture.disk, i), 0, BLOCK_BYTES);
		memset(sim_disk_edit(&scene.fixture.disk, end - 2 + i), 0, BLOCK_BYTES);
	}
	scene_assert_mount(&scene, STATUS_AUTH_META); /* The keyslots are still ours. */
	scene_fini(&scene);
}

/* On a device that is larger than the volume only the first copies tell where the others are: also
 * when the host has put them into each other's places. */
static void test_headers_in_wrong_places_are_ours(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init(&fixture, FIXTURE_BLOCKS + 64);
	assert_int_equal(volume_create(&fixture.environment, (struct block_count){FIXTURE_BLOCKS},
				       &fixture_key, NULL, NULL),
			 STATUS_OK);
	for (uint64_t i = 0; i < 2; i++) {
		uint8_t block[BLOCK_BYTES];
		memcpy(block, sim_disk_look(&fixture.disk, i), BLOCK_BYTES);
		memcpy(sim_disk_edit(&fixture.disk, i), sim_disk_look(&fixture.disk, 2 + i),
		       BLOCK_BYTES);
		memcpy(sim_disk_edit(&fixture.disk, 2 + i), block, BLOCK_BYTES);
	}
	/* Each has its good copy at the volume's end. */
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	fixture_unmount(&fixture);
	memset(sim_disk_edit(&fixture.disk, FIXTURE_BLOCKS - 1), 0, BLOCK_BYTES);
	assert_int_equal(fixture_mount(&fixture), STATUS_AUTH_META);
	fixture_fini(&fixture);
}

static void test_superblock_damage_is_repaired(void **state)
{
	struct scene scene;
	struct model model;
	(void)state;
	scene_init(&scene);
	model = scene.history[scene.count - 1];
	struct sim_disk *disk = &scene.fixture.disk;
	const uint64_t places[] = {0,
				   1,
				   2,
				   3,
				   FIXTURE_BLOCKS - 1,
				   FIXTURE_BLOCKS - 2,
				   FIXTURE_BLOCKS - 3,
				   FIXTURE_BLOCKS - 4};
	for (size_t i = 0; i < 8; i++) {
		memset(sim_disk_edit(disk, places[i]), 0x55, BLOCK_BYTES);
		assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
		assert_int_equal(model_commit(&model, scene.fixture.volume, 9, 3 * (i + 9)),
				 STATUS_OK);
		assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
		fixture_unmount(&scene.fixture);
		uint64_t other = places[i] < 4 ? FIXTURE_BLOCKS - 4 + (places[i] + 2) % 4
					       : (places[i] - (FIXTURE_BLOCKS - 4) + 2) % 4;
		memset(sim_disk_edit(disk, other), 0x55, BLOCK_BYTES);
		assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
		assert_true(model_equals(&model, scene.fixture.volume));
		assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
		assert_int_equal(model_commit(&model, scene.fixture.volume, 9, 3 * (i + 99)),
				 STATUS_OK);
		assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
		fixture_unmount(&scene.fixture);
	}
	scene_fini(&scene);
}

static void test_newer_format(void **state)
{
	struct scene scene;
	struct volume_superblock_header header;
	uint8_t block[BLOCK_BYTES];
	struct volume_public_info info;
	(void)state;
	scene_init(&scene);
	struct sim_disk *disk = &scene.fixture.disk;
	assert_int_equal(volume_superblock_header_decode(sim_disk_look(disk, 0), &header),
			 STATUS_OK);
	header.version = VOLUME_FORMAT_VERSION + 1;
	assert_int_equal(volume_superblock_header_encode(block, &header), STATUS_OK);
	memcpy(sim_disk_edit(disk, 1), block, BLOCK_BYTES);
	assert_int_equal(volume_public_info_read(&disk->device, &info), STATUS_NEWER_FORMAT);
	scene_assert_mount(&scene, STATUS_NEWER_FORMAT);
	scene_fini(&scene);
}

static void copy_from(struct scene *scene, uint64_t to, const uint8_t *image, uint64_t from)
{
	memcpy(sim_disk_edit(&scene->fixture.disk, to), image + from * BLOCK_BYTES, BLOCK_BYTES);
}

static void test_superblocks_in_the_wrong_place(void **state)
{
	struct scene scene;
	const uint64_t end = FIXTURE_BLOCKS;
	(void)state;
	scene_init(&scene);
	/* One copy in the other slot is a bad copy; both are a bad slot. */
	copy_from(&scene, 1, scene.versions[2], 0);
	scene_assert_mount(&scene, STATUS_OK);
	copy_from(&scene, 1, scene.versions[2], 0);
	copy_from(&scene, end - 1, scene.versions[2], 0);
	scene_assert_mount(&scene, STATUS_AUTH_META);
	/* Epochs 4 and 1 are authentic both, but never stand side by side. */
	copy_from(&scene, 1, scene.versions[0], 1);
	copy_from(&scene, end - 1, scene.versions[0], 1);
	scene_assert_mount(&scene, STATUS_TAMPER);
	scene_fini(&scene);
}

/* A superblock whose checkpoint was cut off by a crash, and whose epoch was then written anew, is
 * shown by the host in the end. */
static void test_lost_superblock_cannot_return(void **state)
{
	struct scene scene;
	uint8_t lost[BLOCK_BYTES];
	const uint64_t end = FIXTURE_BLOCKS;
	(void)state;
	scene_init(&scene);
	struct fixture *fixture = &scene.fixture;
	struct model model = scene.history[scene.count - 1];
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	sim_disk_mark(&fixture->disk);
	assert_int_equal(volume_checkpoint(fixture->volume), STATUS_OK);
	memcpy(lost, sim_disk_look(&fixture->disk, 1), BLOCK_BYTES); /* Epoch 5. */
	fixture_unmount(fixture);
	uint8_t nodes[40][BLOCK_BYTES];
	for (uint64_t i = 0; i < 40; i++) {
		memcpy(nodes[i], sim_disk_look(&fixture->disk, GROUP_FIRST + i), BLOCK_BYTES);
	}
	sim_disk_revert(&fixture->disk); /* The crash. */
	sim_disk_unmark(&fixture->disk);
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	assert_int_equal(model_commit(&model, fixture->volume, 400, 36), STATUS_OK);
	assert_int_equal(model_commit(&model, fixture->volume, 400, 39), STATUS_OK);
	fixture_unmount(fixture);
	memcpy(sim_disk_edit(&fixture->disk, 1), lost, BLOCK_BYTES);
	memcpy(sim_disk_edit(&fixture->disk, end - 1), lost, BLOCK_BYTES);
	for (uint64_t i = 0; i < 40; i++) {
		memcpy(sim_disk_edit(&fixture->disk, GROUP_FIRST + i), nodes[i], BLOCK_BYTES);
	}
	assert_int_equal(fixture_mount(fixture), STATUS_TAMPER);
	scene_fini(&scene);
}

/* ---- Keyslots ------------------------------------------------------------------------------ */

static void test_keyslot_bits(void **state)
{
	struct scene scene;
	const uint64_t end = FIXTURE_BLOCKS;
	(void)state;
	scene_init(&scene);
	for (uint32_t byte = 0; byte < BLOCK_BYTES; byte++) {
		if (byte > 400 && byte < 4060 && byte % 61 != 0) {
			continue; /* Free slots and reserved bytes: some of them. */
		}
		uint32_t bit = byte * 8 + byte % 8;
		sim_disk_flip(&scene.fixture.disk, byte % 2 == 0 ? 3 : end - 3, bit);
		if (byte % 8 == 0) {
			scene_assert_mount(&scene, STATUS_OK);
		} else {
			scene_restore(&scene);
		}
		/* Area B is in use. */
		flip_both(&scene, 3, end - 3, bit);
		scene_assert_mount(&scene, STATUS_AUTH_META);
	}
	/* The unused area's damage costs nothing. */
	flip_both(&scene, 2, end - 4, 1000);
	scene_assert_mount(&scene, STATUS_OK);
	scene_fini(&scene);
}

static void test_removed_key_does_not_come_back(void **state)
{
	struct scene scene;
	static const uint8_t bytes[VOLUME_KEY_BYTES] = {3, 4};
	const struct volume_key other = {VOLUME_KEY_RECOVERY, bytes, VOLUME_KEY_BYTES};
	uint8_t old[8][BLOCK_BYTES];
	const uint64_t end = FIXTURE_BLOCKS;
	const uint64_t places[8] = {0, 1, 2, 3, end - 4, end - 3, end - 2, end - 1};
	(void)state;
	scene_init(&scene);
	struct fixture *fixture = &scene.fixture;
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	assert_int_equal(volume_key_add(fixture->volume, &other), STATUS_OK);
	for (size_t i = 0; i < 8; i++) {
		memcpy(old[i], sim_disk_look(&fixture->disk, places[i]), BLOCK_BYTES);
	}
	assert_int_equal(volume_key_remove(fixture->volume, &fixture_key), STATUS_OK);
	fixture_unmount(fixture);
	sim_disk_mark(&fixture->disk);
	/* Any mix of old and new copies of superblocks and keyslots, except all of the old. */
	size_t refused = 0;
	for (uint32_t mix = 0; mix < 255; mix++) {
		for (size_t i = 0; i < 8; i++) {
			if ((mix >> i & 1) != 0) {
				memcpy(sim_disk_edit(&fixture->disk, places[i]), old[i],
				       BLOCK_BYTES);
			}
		}
		/* Superblocks: bits 0, 1, 6, 7. All four old is the honest older state. */
		bool rolled_back = (mix & 0xc3) == 0xc3;
		enum status status = fixture_mount(fixture);
		if (!rolled_back) {
			assert_int_not_equal(status, STATUS_OK);
			refused++;
		}
		fixture_unmount(fixture);
		sim_disk_revert(&fixture->disk);
	}
	assert_true(refused >= 240);
	sim_disk_unmark(&fixture->disk);
	scene_fini(&scene);
}

/* ---- Log ----------------------------------------------------------------------------------- */

static void test_log_bits(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	assert_int_equal(scene.log_records, 4);
	for (uint32_t byte = 0; byte < BLOCK_BYTES; byte += byte < 200 ? 1 : 23) {
		for (uint32_t r = 0; r < scene.log_records; r++) {
			uint32_t bit = byte * 8 + (byte + r) % 8;
			sim_disk_flip(&scene.fixture.disk, RING_FIRST + scene.log_offset + r, bit);
			enum status status = fixture_mount(&scene.fixture);
			if (r + 1 < scene.log_records) {
				assert_int_equal(status, STATUS_TAMPER);
			} else {
				/* The documented limit: a lost last record looks like a torn one.
				 */
				assert_int_equal(status, STATUS_OK);
				assert_int_equal(scene_state_shown(&scene), (int)scene.count - 2);
			}
			scene_restore(&scene);
		}
	}
	scene_fini(&scene);
}

/* After an orderly end, nothing in the ring is needed, and any loss in it is harmless. */
static void test_checkpoint_closes_the_last_record_gap(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
	assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
	fixture_unmount(&scene.fixture);
	for (uint64_t i = 0; i < VOLUME_RING_BLOCKS; i++) {
		memset(sim_disk_edit(&scene.fixture.disk, RING_FIRST + i), 0xaa, BLOCK_BYTES);
	}
	assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
	assert_int_equal(scene_state_shown(&scene), (int)scene.count - 1);
	scene_fini(&scene);
}

/* A record that was torn by a crash, and so never counted, is shown again by the host once others
 * have been committed in its place. */
static void test_torn_record_cannot_return(void **state)
{
	struct scene scene;
	uint8_t torn[BLOCK_BYTES];
	(void)state;
	scene_init(&scene);
	struct fixture *fixture = &scene.fixture;
	struct sim_disk *disk = &fixture->disk;
	const uint64_t place = RING_FIRST + scene.log_offset + scene.log_records;
	struct model model = scene.history[scene.count - 1];
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	sim_disk_mark(disk);
	assert_int_equal(model_commit(&model, fixture->volume, 400, 33), STATUS_OK);
	memcpy(torn, sim_disk_look(disk, place), BLOCK_BYTES);
	sim_disk_revert(disk); /* The crash. */
	sim_disk_unmark(disk);
	fixture_unmount(fixture);
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	model = scene.history[scene.count - 1];
	assert_int_equal(model_commit(&model, fixture->volume, 400, 36), STATUS_OK);
	assert_int_equal(model_commit(&model, fixture->volume, 400, 39), STATUS_OK);
	fixture_unmount(fixture);
	memcpy(sim_disk_edit(disk, place), torn, BLOCK_BYTES);
	assert_int_equal(fixture_mount(fixture), STATUS_TAMPER);
	scene_fini(&scene);
}

/* The ring's start continues the log only for a record that did not fit before the end. */
static void test_record_moved_to_the_start(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	for (uint32_t round = 0; round < 3; round++) {
		struct volume *volume = fixture.volume;
		assert_int_equal(volume_txn_begin(volume), STATUS_OK);
		for (uint32_t i = 0; i < VOLUME_TXN_BLOCKS_MAX; i++) {
			assert_int_equal(model_put(&model, volume, i, 3 * (round * 99 + i) + 1),
					 STATUS_OK);
		}
		assert_int_equal(volume_txn_commit(volume), STATUS_OK);
		assert_int_equal(volume_checkpoint(volume), STATUS_OK);
	}
	const uint64_t place = RING_FIRST + fixture.volume->log.offset;
	assert_true(fixture.volume->log.offset + VOLUME_RECORD_BLOCKS_MAX > VOLUME_RING_BLOCKS);
	assert_int_equal(model_commit(&model, fixture.volume, 1, 3), STATUS_OK);
	fixture_unmount(&fixture);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	fixture_unmount(&fixture);
	memcpy(sim_disk_edit(&fixture.disk, RING_FIRST), sim_disk_look(&fixture.disk, place),
	       BLOCK_BYTES);
	memset(sim_disk_edit(&fixture.disk, place), 0, BLOCK_BYTES);
	assert_int_equal(fixture_mount(&fixture), STATUS_TAMPER);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_superblock_bits),
		cmocka_unit_test(test_headers_in_wrong_places_are_ours),
		cmocka_unit_test(test_superblock_damage_is_repaired),
		cmocka_unit_test(test_newer_format),
		cmocka_unit_test(test_superblocks_in_the_wrong_place),
		cmocka_unit_test(test_lost_superblock_cannot_return),
		cmocka_unit_test(test_keyslot_bits),
		cmocka_unit_test(test_removed_key_does_not_come_back),
		cmocka_unit_test(test_log_bits),
		cmocka_unit_test(test_record_moved_to_the_start),
		cmocka_unit_test(test_checkpoint_closes_the_last_record_gap),
		cmocka_unit_test(test_torn_record_cannot_return),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
