// SPDX-License-Identifier: MIT
/* A device that was reset, and what it may come back with: the state that is remembered, with or
 * without the one commit that was on the way; nothing else. No witness is asked anywhere here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_recall.h"
#include "witness_scene.h"

struct recall_scene {
	struct witness_scene base;
	struct volume_recall recall;
};

static void scene_init(struct recall_scene *scene)
{
	witness_scene_init(&scene->base, VOLUME_PROFILE_STATE, &witness_open);
	scene->base.fixture.environment.witness = NULL;
	assert_int_equal(witnessed_remount(&scene->base, VOLUME_WITNESS_CHECK), STATUS_OK);
}

static void scene_fini(struct recall_scene *scene)
{
	scene->base.fixture.environment.recall = NULL;
	witness_scene_fini(&scene->base);
}

static void commits(struct recall_scene *scene, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(witnessed_commit(&scene->base), STATUS_OK);
	}
}

/* What the kernel does when the disk is given up. */
static void device_ends(struct recall_scene *scene)
{
	struct fixture *fixture = &scene->base.fixture;
	assert_int_equal(volume_recall_get(fixture->volume, &scene->recall), STATUS_OK);
	fixture_unmount(fixture);
	sim_disk_fail_at(&fixture->disk, 0, SIM_FAIL_ONCE, STATUS_OK);
}

static enum status mount_again(struct recall_scene *scene)
{
	struct fixture *fixture = &scene->base.fixture;
	fixture_unmount(fixture);
	fixture->environment.recall = &scene->recall;
	enum status status = fixture_mount(fixture);
	fixture->environment.recall = NULL;
	return status;
}

/* Somebody else's session on the same disk, who has the key. */
static void others_mount(struct recall_scene *scene)
{
	fixture_unmount(&scene->base.fixture);
	assert_int_equal(fixture_mount(&scene->base.fixture), STATUS_OK);
}

/* A mount that is refused has written nothing. */
static void refused(struct recall_scene *scene, enum status expected)
{
	struct sim_disk *disk = &scene->base.fixture.disk;
	fixture_unmount(&scene->base.fixture);
	const uint64_t writes = disk->counters.writes;
	assert_int_equal(mount_again(scene), expected);
	assert_null(scene->base.fixture.volume);
	assert_int_equal(disk->counters.writes, writes);
}

static bool holds(struct recall_scene *scene, uint64_t seed)
{
	uint8_t expected[BLOCK_BYTES];
	uint8_t found[BLOCK_BYTES];
	model_content(seed, expected);
	assert_int_equal(
		volume_read(scene->base.fixture.volume, (struct logical_block){SCENE_PLACE}, found),
		STATUS_OK);
	return memcmp(expected, found, BLOCK_BYTES) == 0;
}

/* ---- What is accepted ------------------------------------------------------------------------ */

static void test_the_same_state_is_accepted(void **state)
{
	(void)state;
	for (uint32_t count = 0; count < 4; count++) {
		struct recall_scene scene;
		scene_init(&scene);
		commits(&scene, count);
		if (count % 2 == 1) {
			assert_int_equal(volume_checkpoint(scene.base.fixture.volume), STATUS_OK);
		}
		/* More than once, as what is remembered of a mount that wrote nothing, too. */
		for (uint32_t turn = 0; turn < 3; turn++) {
			device_ends(&scene);
			assert_false(volume_recall_has_doubt(&scene.recall));
			assert_int_equal(mount_again(&scene), STATUS_OK);
			assert_true(model_equals(&scene.base.model, scene.base.fixture.volume));
		}
		commits(&scene, 1);
		scene_fini(&scene);
	}
}

/* What the disk keeps of what the dying device was doing. */
enum fate {
	FATE_LANDED,
	FATE_REFUSED,
	FATE_POWER_CUT,
	FATE_COUNT,
};

static bool nothing_survives(void *context, size_t sector)
{
	(void)context;
	(void)sector;
	return false;
}

struct outcomes {
	uint32_t present;
	uint32_t absent;
	uint32_t older_epoch;
	uint32_t newer_epoch;
};

/* The device dies at its k-th operation within `work`; false: it did not come that far. */
static bool dies_at(uint64_t k, enum fate fate, enum status (*work)(struct recall_scene *scene),
		    struct outcomes *outcomes)
{
	struct recall_scene scene;
	scene_init(&scene);
	struct sim_disk *disk = &scene.base.fixture.disk;
	commits(&scene, 2);
	const uint64_t before = scene.base.seed;
	disk->failed_writes_land = fate == FATE_LANDED;
	sim_disk_fail_at(disk, k, SIM_FAIL_FOR_GOOD, STATUS_BAD_HOST);
	const enum status status = work(&scene);
	device_ends(&scene);
	if (fate == FATE_POWER_CUT) {
		sim_disk_crash(disk, nothing_survives, NULL);
	}
	assert_int_equal(mount_again(&scene), STATUS_OK);
	bool is_new = scene.base.seed != before && holds(&scene, scene.base.seed);
	bool is_old = holds(&scene, before);
	assert_true(is_new != is_old);
	assert_true(is_old || volume_recall_has_doubt(&scene.recall) || status == STATUS_OK);
	if (scene.recall.doubt.sequence != 0) {
		outcomes->present += is_new;
		outcomes->absent += is_old;
	}
	struct volume_recall found;
	assert_int_equal(volume_recall_get(scene.base.fixture.volume, &found), STATUS_OK);
	if (scene.recall.superblock_doubt.epoch != 0) {
		outcomes->newer_epoch += found.superblock.epoch > scene.recall.superblock.epoch;
		outcomes->older_epoch += found.superblock.epoch == scene.recall.superblock.epoch;
	}
	commits(&scene, 1);
	scene_fini(&scene);
	return status != STATUS_OK;
}

static enum status one_commit(struct recall_scene *scene)
{
	return witnessed_commit(&scene->base);
}

static enum status one_checkpoint(struct recall_scene *scene)
{
	return volume_checkpoint(scene->base.fixture.volume);
}

static void test_the_commit_in_doubt_may_be_there_or_not(void **state)
{
	(void)state;
	struct outcomes seen = {0};
	for (enum fate fate = FATE_LANDED; fate < FATE_COUNT; fate++) {
		uint64_t k = 1;
		while (dies_at(k, fate, one_commit, &seen)) {
			k++;
		}
		assert_true(k > 2);
	}
	assert_true(seen.present > 0 && seen.absent > 0);
}

static void test_the_checkpoint_in_doubt_may_be_there_or_not(void **state)
{
	(void)state;
	struct outcomes seen = {0};
	for (enum fate fate = FATE_LANDED; fate < FATE_COUNT; fate++) {
		uint64_t k = 1;
		while (dies_at(k, fate, one_checkpoint, &seen)) {
			k++;
		}
		assert_true(k > 5);
	}
	assert_true(seen.older_epoch > 0 && seen.newer_epoch > 0);
}

/* The device dies again while it is being looked at, at each operation: what is remembered is still
 * true afterwards. */
static void test_an_attempt_that_fails_changes_nothing(void **state)
{
	(void)state;
	struct recall_scene scene;
	scene_init(&scene);
	commits(&scene, 1);
	struct sim_disk *disk = &scene.base.fixture.disk;
	sim_disk_fail_at(disk, 2, SIM_FAIL_FOR_GOOD, STATUS_BAD_HOST);
	assert_int_equal(witnessed_commit(&scene.base), STATUS_BAD_HOST);
	device_ends(&scene);
	enum status status = STATUS_BAD_HOST;
	for (uint64_t k = 1; status == STATUS_BAD_HOST; k++) {
		const uint64_t writes = disk->counters.writes;
		sim_disk_fail_at(disk, k, SIM_FAIL_FOR_GOOD, STATUS_BAD_HOST);
		status = mount_again(&scene);
		assert_int_equal(disk->counters.writes, writes);
		assert_true(k > 3 || status == STATUS_BAD_HOST);
	}
	assert_int_equal(status, STATUS_OK);
	sim_disk_fail_at(disk, 0, SIM_FAIL_ONCE, STATUS_OK);
	assert_true(holds(&scene, scene.base.seed));
	commits(&scene, 1);
	scene_fini(&scene);
}

/* ---- What is not ----------------------------------------------------------------------------- */

static void test_an_older_state_is_a_rollback(void **state)
{
	(void)state;
	struct recall_scene scene;
	scene_init(&scene);
	const uint32_t first = witnessed_snapshot(&scene.base);
	commits(&scene, 1);
	const uint32_t second = witnessed_snapshot(&scene.base);
	commits(&scene, 1);
	const uint32_t last = witnessed_snapshot(&scene.base);
	device_ends(&scene);
	witnessed_restore(&scene.base, first);
	refused(&scene, STATUS_ROLLBACK);
	witnessed_restore(&scene.base, second);
	refused(&scene, STATUS_ROLLBACK);
	witnessed_restore(&scene.base, last);
	assert_int_equal(mount_again(&scene), STATUS_OK);
	scene_fini(&scene);
}

/* The same commits, but the superblock of before a checkpoint: somebody has put it back. */
static void test_an_older_superblock_is_a_rollback(void **state)
{
	(void)state;
	struct recall_scene scene;
	scene_init(&scene);
	commits(&scene, 2);
	const uint32_t before = witnessed_snapshot(&scene.base);
	assert_int_equal(volume_checkpoint(scene.base.fixture.volume), STATUS_OK);
	device_ends(&scene);
	witnessed_restore(&scene.base, before);
	refused(&scene, STATUS_ROLLBACK);
	scene_fini(&scene);
}

/* A commit on the way does not open a door for those before it. */
static void test_older_than_the_commit_before_the_one_in_doubt(void **state)
{
	(void)state;
	struct recall_scene scene;
	scene_init(&scene);
	const uint32_t before = witnessed_snapshot(&scene.base);
	commits(&scene, 1);
	sim_disk_fail_at(&scene.base.fixture.disk, 2, SIM_FAIL_FOR_GOOD, STATUS_TIMEOUT);
	assert_int_equal(witnessed_commit(&scene.base), STATUS_TIMEOUT);
	device_ends(&scene);
	assert_true(volume_recall_has_doubt(&scene.recall));
	witnessed_restore(&scene.base, before);
	refused(&scene, STATUS_ROLLBACK);
	scene_fini(&scene);
}

static void test_another_history_is_a_fork(void **state)
{
	(void)state;
	for (uint32_t in_doubt = 0; in_doubt < 2; in_doubt++) {
		struct recall_scene scene;
		scene_init(&scene);
		const uint32_t parting = witnessed_snapshot(&scene.base);
		commits(&scene, 1);
		if (in_doubt != 0) {
			sim_disk_fail_at(&scene.base.fixture.disk, 1, SIM_FAIL_FOR_GOOD,
					 STATUS_BAD_HOST);
			assert_int_equal(witnessed_commit(&scene.base), STATUS_BAD_HOST);
		}
		device_ends(&scene);
		/* As long, and longer. */
		for (uint32_t length = 1; length < 4; length++) {
			witnessed_restore(&scene.base, parting);
			others_mount(&scene);
			commits(&scene, length);
			refused(&scene, STATUS_FORK);
		}
		scene_fini(&scene);
	}
}

/* Our history, continued by somebody who is not us; by a commit, and by a checkpoint alone. */
static void test_a_continuation_is_a_fork(void **state)
{
	(void)state;
	for (uint32_t by_commit = 0; by_commit < 2; by_commit++) {
		struct recall_scene scene;
		scene_init(&scene);
		commits(&scene, 2);
		device_ends(&scene);
		others_mount(&scene);
		if (by_commit != 0) {
			commits(&scene, 1);
		} else {
			assert_int_equal(volume_checkpoint(scene.base.fixture.volume), STATUS_OK);
		}
		refused(&scene, STATUS_FORK);
		scene_fini(&scene);
	}
}

static void test_another_volume_under_the_same_key_is_a_fork(void **state)
{
	(void)state;
	struct recall_scene scene;
	scene_init(&scene);
	commits(&scene, 1);
	device_ends(&scene);
	assert_int_equal(fixture_create(&scene.base.fixture), STATUS_OK);
	refused(&scene, STATUS_FORK);
	scene_fini(&scene);
}

static void test_the_block_profile_cannot_be_recalled(void **state)
{
	(void)state;
	struct fixture fixture;
	struct volume_recall recall = {.doubt = {.sequence = 7}};
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, VOLUME_BLOCK_BLOCKS_MIN, true);
	assert_int_equal(volume_recall_get(fixture.volume, &recall), STATUS_UNSUPPORTED);
	assert_int_equal(recall.doubt.sequence, 7);
	fixture_fini(&fixture);
}

/* ---- The judgement alone --------------------------------------------------------------------- */

static void test_what_is_zero_matches_nothing(void **state)
{
	(void)state;
	const struct volume_recall recall = {
		.committed = {.sequence = 0, .anchor = {1}},
		.superblock = {.epoch = 0, .digest = {1}},
	};
	struct volume_recall found = recall;
	assert_int_equal(volume_recall_judge(&recall, &found), STATUS_OK);
	found.committed.anchor[0] = 0;
	assert_int_equal(volume_recall_judge(&recall, &found), STATUS_FORK);
	found = recall;
	found.superblock.digest[0] = 0;
	assert_int_equal(volume_recall_judge(&recall, &found), STATUS_FORK);
	found = recall;
	found.uuid[15] = 1;
	assert_int_equal(volume_recall_judge(&recall, &found), STATUS_FORK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_state_is_accepted),
		cmocka_unit_test(test_the_commit_in_doubt_may_be_there_or_not),
		cmocka_unit_test(test_the_checkpoint_in_doubt_may_be_there_or_not),
		cmocka_unit_test(test_an_attempt_that_fails_changes_nothing),
		cmocka_unit_test(test_an_older_state_is_a_rollback),
		cmocka_unit_test(test_an_older_superblock_is_a_rollback),
		cmocka_unit_test(test_older_than_the_commit_before_the_one_in_doubt),
		cmocka_unit_test(test_another_history_is_a_fork),
		cmocka_unit_test(test_a_continuation_is_a_fork),
		cmocka_unit_test(test_another_volume_under_the_same_key_is_a_fork),
		cmocka_unit_test(test_the_block_profile_cannot_be_recalled),
		cmocka_unit_test(test_what_is_zero_matches_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
