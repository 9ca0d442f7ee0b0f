// SPDX-License-Identifier: MIT
/* Rollbacks, forks, clones and lies: each is found, and called by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_format.h"
#include "witness_scene.h"

static const enum volume_profile profiles[] = {VOLUME_PROFILE_STATE, VOLUME_PROFILE_BLOCK};

static void commits(struct witness_scene *scene, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(witnessed_commit(scene), STATUS_OK);
	}
}

/* ---- Rollbacks ------------------------------------------------------------------------------- */

static void test_every_earlier_image_is_a_rollback(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_COUNT(profiles); p++) {
		struct witness_scene scene;
		witness_scene_init(&scene, profiles[p], &witness_strict);
		for (uint32_t i = 0; i < SCENE_SNAPSHOTS - 1; i++) {
			(void)witnessed_snapshot(&scene);
			commits(&scene, 1);
			if (i % 5 == 3) {
				assert_int_equal(volume_checkpoint(scene.fixture.volume),
						 STATUS_OK);
			}
		}
		uint32_t last = witnessed_snapshot(&scene);
		for (uint32_t i = 0; i < last; i++) {
			witnessed_restore(&scene, i);
			assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK),
					 STATUS_ROLLBACK);
		}
		witnessed_restore(&scene, last);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
		assert_true(model_equals(&scene.model, scene.fixture.volume));
		witness_scene_fini(&scene);
	}
}

/* Damage to the last record looks like a torn one, except to a witness. */
static void test_a_dropped_last_record_is_a_rollback(void **state)
{
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_strict);
	uint8_t *before = malloc(VOLUME_RING_BLOCKS * BLOCK_BYTES);
	assert_non_null(before);
	commits(&scene, 3);
	memcpy(before, sim_disk_look(&scene.fixture.disk, 4), VOLUME_RING_BLOCKS * BLOCK_BYTES);
	commits(&scene, 1);
	fixture_unmount(&scene.fixture);
	memcpy(sim_disk_edit(&scene.fixture.disk, 4), before, VOLUME_RING_BLOCKS * BLOCK_BYTES);
	free(before);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_ROLLBACK);
	scene.fixture.environment.witness = NULL;
	assert_int_equal(fixture_mount_read_only(&scene.fixture), STATUS_OK);
	witness_scene_fini(&scene);
}

static const uint8_t other_bytes[VOLUME_KEY_BYTES] = "another key of thirty-two bytes";
static const struct volume_key other_key = {VOLUME_KEY_RAW, other_bytes, sizeof(other_bytes)};

static enum status key_is_added(struct volume *volume)
{
	return volume_key_add(volume, &other_key);
}

static enum status key_is_removed(struct volume *volume)
{
	return volume_key_remove(volume, &other_key);
}

static enum status policy_is_set(struct volume *volume)
{
	return volume_witness_policy_set(volume, &witness_strict);
}

static enum status master_key_is_rotated(struct volume *volume)
{
	uint32_t missing = 0;
	return volume_key_rotate_begin(volume, &fixture_key, 1, true, &missing);
}

/* What is in no record of its own moves the anchor all the same: an image from right before each of
 * these is older, and the one from after it is not. */
static void test_changes_of_keys_and_policy_are_history(void **state)
{
	enum status (*const changes[])(struct volume * volume) = {
		key_is_added,       key_is_removed,        policy_is_set,
		volume_epoch_begin, master_key_is_rotated,
	};
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_open);
	for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
		uint32_t before = witnessed_snapshot(&scene);
		assert_int_equal(changes[i](scene.fixture.volume), STATUS_OK);
		uint32_t after = witnessed_snapshot(&scene);
		witnessed_restore(&scene, before);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_ROLLBACK);
		witnessed_restore(&scene, after);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	}
	/* The chain goes on under the new master key. */
	commits(&scene, 2);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	assert_true(model_equals(&scene.model, scene.fixture.volume));
	witness_scene_fini(&scene);
}

/* ---- Forks and clones ------------------------------------------------------------------------ */

static void test_a_branch_is_a_fork(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_COUNT(profiles); p++) {
		struct witness_scene scene;
		witness_scene_init(&scene, profiles[p], &witness_open);
		commits(&scene, 2);
		uint32_t parting = witnessed_snapshot(&scene);
		/* One branch while the witness is away, the other one with it. */
		scene.witness.is_silent = true;
		commits(&scene, 4);
		uint32_t branch = witnessed_snapshot(&scene);
		assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
		commits(&scene, 1);
		uint32_t released = witnessed_snapshot(&scene);
		scene.witness.is_silent = false;
		witnessed_restore(&scene, parting);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
		commits(&scene, 3);
		assert_int_equal(volume_witness_sync(scene.fixture.volume), STATUS_OK);
		uint32_t main_line = witnessed_snapshot(&scene);
		/* Within the replayed records; of the same length; behind the log's head. */
		witnessed_restore(&scene, branch);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_FORK);
		witnessed_restore(&scene, released);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_FORK);
		witnessed_restore(&scene, main_line);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
		commits(&scene, 1);
		assert_int_equal(volume_witness_sync(scene.fixture.volume), STATUS_OK);
		witnessed_restore(&scene, branch);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_FORK);
		witness_scene_fini(&scene);
	}
}

/* Two copies, both mounted before either commits. */
static void clones_run(bool has_no_fence)
{
	struct witness_scene scene;
	struct fixture copy;
	struct model model = {.count = 0};
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_strict);
	scene.witness.has_no_fence = has_no_fence;
	commits(&scene, 2);
	fixture_init(&copy, FIXTURE_BLOCKS);
	memcpy(copy.disk.media, scene.fixture.disk.media, FIXTURE_BLOCKS * BLOCK_BYTES);
	copy.environment.witness = &scene.witness.port;
	assert_int_equal(fixture_mount(&copy), STATUS_OK);
	/* With a fence the earlier one is out at once; without, the later commit loses. */
	enum status later = STATUS_OK;
	enum status earlier = STATUS_OK;
	if (has_no_fence) {
		earlier = witnessed_commit(&scene);
		later = model_commit(&model, copy.volume, SCENE_PLACE, 99);
		assert_int_equal(earlier, STATUS_OK);
		assert_int_equal(later, STATUS_FORK);
		assert_false(volume_is_writable(copy.volume));
	} else {
		later = model_commit(&model, copy.volume, SCENE_PLACE, 99);
		earlier = witnessed_commit(&scene);
		assert_int_equal(later, STATUS_OK);
		assert_int_equal(earlier, STATUS_FORK);
		assert_false(volume_is_writable(scene.fixture.volume));
	}
	/* And stays out. */
	struct fixture *loser = has_no_fence ? &copy : &scene.fixture;
	fixture_unmount(loser);
	assert_int_equal(fixture_mount(loser), STATUS_FORK);
	fixture_fini(&copy);
	witness_scene_fini(&scene);
}

static void test_clones_by_fence(void **state)
{
	(void)state;
	clones_run(false);
}

static void test_clones_by_comparison(void **state)
{
	(void)state;
	clones_run(true);
}

/* Whatever the policy: who hears of a fork writes no more. */
static void test_a_fenced_open_volume_stops_at_its_checkpoint(void **state)
{
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_open);
	commits(&scene, 1);
	scene.witness.fence++;
	commits(&scene, 1);
	assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_FORK);
	assert_false(volume_is_writable(scene.fixture.volume));
	assert_int_equal(witnessed_freshness(&scene).freshness, VOLUME_FRESHNESS_UNANCHORED);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	assert_true(model_equals(&scene.model, scene.fixture.volume));
	witness_scene_fini(&scene);
}

/* ---- Accepting an older image ---------------------------------------------------------------- */

static void test_accepting_makes_the_other_history_a_fork(void **state)
{
	(void)state;
	for (uint32_t more = 0; more < 4; more++) {
		struct witness_scene scene;
		witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_strict);
		commits(&scene, 2);
		uint32_t backup = witnessed_snapshot(&scene);
		commits(&scene, 2);
		uint32_t abandoned = witnessed_snapshot(&scene);
		witnessed_restore(&scene, backup);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_ENROL), STATUS_ROLLBACK);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_ACCEPT), STATUS_OK);
		assert_int_equal(scene.witness.replacements, 1);
		commits(&scene, more);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
		uint64_t sequence = witnessed_sequence(&scene);
		witnessed_restore(&scene, abandoned);
		enum status status = witnessed_remount(&scene, VOLUME_WITNESS_CHECK);
		assert_int_equal(status, sequence <= 5 ? STATUS_FORK : STATUS_ROLLBACK);
		/* The backup as it was is older than what was made of it. */
		witnessed_restore(&scene, backup);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_ROLLBACK);
		witness_scene_fini(&scene);
	}
}

/* ---- Lies ------------------------------------------------------------------------------------ */

static void lie_is(struct witness_scene *scene, struct witness_mark lie, enum status expected)
{
	scene->witness.lie = &lie;
	assert_int_equal(witnessed_remount(scene, VOLUME_WITNESS_CHECK), expected);
	fixture_unmount(&scene->fixture);
	scene->witness.lie = NULL;
}

static void test_a_witness_that_lies(void **state)
{
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_strict);
	struct witness_mark enrolled = scene.witness.mark;
	commits(&scene, 2);
	struct witness_mark middle = scene.witness.mark;
	commits(&scene, 2);
	struct witness_mark truth = scene.witness.mark;
	struct witness_mark lie = truth;
	lie.anchor[31] ^= 1;
	lie_is(&scene, lie, STATUS_FORK);
	lie = truth;
	lie.sequence++;
	lie_is(&scene, lie, STATUS_ROLLBACK);
	lie = middle;
	lie.anchor[0] ^= 1;
	lie_is(&scene, lie, STATUS_FORK);
	/* Points of this history that it acknowledged more than: it was turned back itself. */
	lie_is(&scene, middle, STATUS_FORK);
	lie_is(&scene, enrolled, STATUS_FORK);
	lie_is(&scene, (struct witness_mark){.sequence = 0}, STATUS_FORK);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	/* Likewise behind the log's head. */
	assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
	lie_is(&scene, middle, STATUS_FORK);
	lie_is(&scene, (struct witness_mark){.sequence = 0}, STATUS_FORK);
	lie_is(&scene, truth, STATUS_OK);
	witness_scene_fini(&scene);
}

static void test_zero_is_no_mark_even_of_a_volume_without_one(void **state)
{
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_open);
	scene.fixture.environment.witness = NULL;
	fixture_unmount(&scene.fixture);
	assert_int_equal(fixture_create(&scene.fixture), STATUS_OK);
	scene.fixture.environment.witness = &scene.witness.port;
	lie_is(&scene, (struct witness_mark){.sequence = 0}, STATUS_FORK);
	witness_scene_fini(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_earlier_image_is_a_rollback),
		cmocka_unit_test(test_a_dropped_last_record_is_a_rollback),
		cmocka_unit_test(test_changes_of_keys_and_policy_are_history),
		cmocka_unit_test(test_a_branch_is_a_fork),
		cmocka_unit_test(test_clones_by_fence),
		cmocka_unit_test(test_clones_by_comparison),
		cmocka_unit_test(test_a_fenced_open_volume_stops_at_its_checkpoint),
		cmocka_unit_test(test_accepting_makes_the_other_history_a_fork),
		cmocka_unit_test(test_a_witness_that_lies),
		cmocka_unit_test(test_zero_is_no_mark_even_of_a_volume_without_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
