// SPDX-License-Identifier: MIT
/* A volume and its witness while both are there: what commits cost, what each policy promises, what
 * a mount makes of the witness's answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "witness_scene.h"

static const enum volume_profile profiles[] = {VOLUME_PROFILE_STATE, VOLUME_PROFILE_BLOCK};

static struct volume_witness_policy bounded(uint32_t commits, uint32_t seconds)
{
	return (struct volume_witness_policy){
		.kind = VOLUME_WITNESS_BOUNDED, .commits = commits, .seconds = seconds};
}

static void commits(struct witness_scene *scene, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(witnessed_commit(scene), STATUS_OK);
	}
}

static void commit_costs(struct witness_scene *scene, uint64_t advances)
{
	const struct block_device_counters *counters = &scene->fixture.disk.counters;
	uint64_t before = scene->witness.advances;
	sim_disk_counters_reset(&scene->fixture.disk);
	assert_int_equal(witnessed_commit(scene), STATUS_OK);
	assert_int_equal(counters->writes, 1);
	assert_int_equal(counters->flushes, 1);
	assert_int_equal(scene->witness.advances - before, advances);
}

/* ---- Costs --------------------------------------------------------------------------------- */

static void test_strict_costs_one_advance(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_COUNT(profiles); p++) {
		struct witness_scene scene;
		witness_scene_init(&scene, profiles[p], &witness_strict);
		commits(&scene, 1);
		for (int i = 0; i < 20; i++) {
			commit_costs(&scene, 1);
			assert_int_equal(scene.witness.mark.sequence, witnessed_sequence(&scene));
			assert_int_equal(witnessed_freshness(&scene).freshness,
					 VOLUME_FRESHNESS_ANCHORED);
		}
		/* The checkpoint finds the witness where it is to be. */
		uint64_t calls = scene.witness.calls;
		assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
		assert_int_equal(scene.witness.calls, calls);
		witness_scene_fini(&scene);
	}
}

static void test_open_costs_nothing_but_at_checkpoints(void **state)
{
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_open);
	commits(&scene, 1);
	for (int i = 0; i < 10; i++) {
		commit_costs(&scene, 0);
		assert_int_equal(witnessed_freshness(&scene).freshness, VOLUME_FRESHNESS_BEHIND);
	}
	uint64_t advances = scene.witness.advances;
	assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
	assert_int_equal(scene.witness.advances, advances + 1);
	assert_int_equal(witnessed_freshness(&scene).freshness, VOLUME_FRESHNESS_ANCHORED);
	/* Without one, likewise, and it says so. */
	scene.fixture.environment.witness = NULL;
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	commit_costs(&scene, 0);
	assert_int_equal(witnessed_freshness(&scene).freshness, VOLUME_FRESHNESS_UNANCHORED);
	assert_int_equal(witnessed_freshness(&scene).cause, STATUS_NO_DEVICE);
	assert_int_equal(volume_witness_sync(scene.fixture.volume), STATUS_UNANCHORED);
	witness_scene_fini(&scene);
}

static void test_mount_of_an_anchored_volume_asks_once(void **state)
{
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_strict);
	commits(&scene, 3);
	uint64_t calls = scene.witness.calls;
	sim_disk_counters_reset(&scene.fixture.disk);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	assert_int_equal(scene.witness.calls, calls + 1);
	assert_int_equal(scene.fixture.disk.counters.writes, 0);
	witness_scene_fini(&scene);
}

/* ---- First contact --------------------------------------------------------------------------- */

static void test_enrolment_is_a_decision(void **state)
{
	struct witness_scene scene;
	struct volume_info info;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_strict);
	assert_int_equal(scene.witness.enrolments, 1);
	commits(&scene, 2);
	/* The witness forgets. */
	scene.witness.knows = false;
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_NOT_ENROLLED);
	/* Who enrols it now vouches for more than that it is new. */
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_ENROL), STATUS_NOT_ENROLLED);
	assert_int_equal(scene.witness.enrolments, 1);
	assert_int_equal(fixture_mount_read_only(&scene.fixture), STATUS_OK);
	volume_info_get(scene.fixture.volume, &info);
	assert_int_equal(info.freshness.freshness, VOLUME_FRESHNESS_NOT_ENROLLED);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_ACCEPT), STATUS_OK);
	assert_int_equal(scene.witness.enrolments, 2);
	commits(&scene, 1);
	assert_true(model_equals(&scene.model, scene.fixture.volume));
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	witness_scene_fini(&scene);
}

static void test_open_policy_is_enrolled_by_decision_too(void **state)
{
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_open);
	scene.witness.knows = false;
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_NOT_ENROLLED);
	scene.witness.is_silent = true;
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_ENROL), STATUS_UNANCHORED);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	witness_scene_fini(&scene);
}

/* ---- Silence --------------------------------------------------------------------------------- */

static void test_strict_without_an_answer(void **state)
{
	struct witness_scene scene;
	struct volume_info info;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_strict);
	commits(&scene, 2);
	scene.witness.is_silent = true;
	/* The transaction is on the disk, and nobody may rely on it. */
	struct model before = scene.model;
	assert_int_equal(witnessed_commit(&scene), STATUS_UNANCHORED);
	assert_false(volume_is_writable(scene.fixture.volume));
	assert_true(model_equals(&before, scene.fixture.volume));
	assert_int_equal(witnessed_commit(&scene), STATUS_READ_ONLY);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_UNANCHORED);
	assert_int_equal(fixture_mount_read_only(&scene.fixture), STATUS_OK);
	volume_info_get(scene.fixture.volume, &info);
	assert_int_equal(info.freshness.freshness, VOLUME_FRESHNESS_UNANCHORED);
	assert_int_equal(info.freshness.cause, STATUS_TIMEOUT);
	/* No port at all is no better. */
	scene.fixture.environment.witness = NULL;
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_UNANCHORED);
	scene.fixture.environment.witness = &scene.witness.port;
	scene.witness.is_silent = false;
	/* Decided now: it is there. */
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	assert_int_equal(scene.witness.mark.sequence, witnessed_sequence(&scene));
	assert_false(model_equals(&before, scene.fixture.volume));
	witness_scene_fini(&scene);
}

static void test_readers_fence_nobody(void **state)
{
	struct witness_scene scene;
	struct volume *reader = NULL;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_strict);
	struct fixture copy;
	fixture_init(&copy, FIXTURE_BLOCKS);
	commits(&scene, 1);
	memcpy(copy.disk.media, scene.fixture.disk.media, FIXTURE_BLOCKS * BLOCK_BYTES);
	copy.environment.witness = &scene.witness.port;
	assert_int_equal(volume_mount(&copy.environment, &fixture_key, true, &reader, NULL),
			 STATUS_OK);
	struct volume_info info;
	volume_info_get(reader, &info);
	assert_int_equal(info.freshness.freshness, VOLUME_FRESHNESS_ANCHORED);
	assert_int_equal(scene.witness.peeks, 1);
	commits(&scene, 1);
	volume_unmount(reader);
	/* And a reader sees a rollback for what it is. */
	assert_int_equal(volume_mount(&copy.environment, &fixture_key, true, &reader, NULL),
			 STATUS_ROLLBACK);
	fixture_fini(&copy);
	witness_scene_fini(&scene);
}

static void test_bound_in_commits(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_COUNT(profiles); p++) {
		struct witness_scene scene;
		const struct volume_witness_policy policy = bounded(3, 0);
		witness_scene_init(&scene, profiles[p], &policy);
		uint64_t advances = scene.witness.advances;
		commits(&scene, 9);
		assert_int_equal(scene.witness.advances - advances, 2);
		assert_int_equal(witnessed_freshness(&scene).commits_behind, 3);
		/* The tenth would be the fourth: nothing is written, and nothing is lost. */
		scene.witness.is_silent = true;
		sim_disk_counters_reset(&scene.fixture.disk);
		assert_int_equal(witnessed_commit(&scene), STATUS_UNANCHORED);
		assert_int_equal(scene.fixture.disk.counters.writes, 0);
		assert_true(volume_is_writable(scene.fixture.volume));
		scene.witness.is_silent = false;
		commits(&scene, 1);
		assert_int_equal(witnessed_freshness(&scene).commits_behind, 1);
		assert_true(model_equals(&scene.model, scene.fixture.volume));
		witness_scene_fini(&scene);
	}
}

static void test_bound_in_commits_holds_across_mounts(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_COUNT(profiles); p++) {
		struct witness_scene scene;
		const struct volume_witness_policy policy = bounded(3, 0);
		witness_scene_init(&scene, profiles[p], &policy);
		commits(&scene, 4); /* The first three are anchored, one is not. */
		scene.witness.is_silent = true;
		for (int i = 0; i < 2; i++) {
			assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK),
					 STATUS_OK);
			commits(&scene, 1);
			/* Whether they are in the log or behind its head. */
			assert_int_equal(i == 0 ? volume_checkpoint(scene.fixture.volume)
						: STATUS_OK,
					 STATUS_OK);
		}
		assert_int_equal(witnessed_commit(&scene), STATUS_UNANCHORED);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
		assert_int_equal(witnessed_commit(&scene), STATUS_UNANCHORED);
		scene.witness.is_silent = false;
		commits(&scene, 1);
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
		assert_int_equal(scene.witness.mark.sequence, witnessed_sequence(&scene));
		witness_scene_fini(&scene);
	}
}

static void test_bound_in_seconds(void **state)
{
	struct witness_scene scene;
	const struct volume_witness_policy policy = bounded(1000, 10);
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &policy);
	scene.now_us = 100 * 1000000u; /* Nothing is outstanding, so nothing is late. */
	commit_costs(&scene, 0);
	scene.now_us += 9999999;
	commit_costs(&scene, 0);
	scene.now_us += 1;
	commit_costs(&scene, 1);
	scene.witness.is_silent = true;
	scene.now_us += 10 * 1000000u;
	assert_int_equal(witnessed_commit(&scene), STATUS_UNANCHORED);
	assert_true(volume_is_writable(scene.fixture.volume));
	/* Without a clock every commit may be late. */
	scene.fixture.environment.clock = NULL;
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	assert_int_equal(witnessed_commit(&scene), STATUS_UNANCHORED);
	witness_scene_fini(&scene);
}

/* ---- Policies -------------------------------------------------------------------------------- */

static void test_policies_that_make_no_sense(void **state)
{
	const struct volume_witness_policy cases[] = {
		{.kind = VOLUME_WITNESS_OPEN, .commits = 1},
		{.kind = VOLUME_WITNESS_STRICT, .seconds = 1},
		{.kind = VOLUME_WITNESS_BOUNDED, .seconds = 1},
		{.kind = (enum volume_witness_policy_kind)3},
	};
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_open);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(volume_witness_policy_set(scene.fixture.volume, &cases[i]),
				 STATUS_INVALID);
		const struct volume_create_params params = {.profile = VOLUME_PROFILE_STATE,
							    .size = {FIXTURE_BLOCKS},
							    .witness_policy = cases[i]};
		struct fixture other;
		fixture_init(&other, FIXTURE_BLOCKS);
		assert_int_equal(volume_create_with(&other.environment, &params, &fixture_key),
				 STATUS_INVALID);
		fixture_fini(&other);
	}
	witness_scene_fini(&scene);
}

static void test_policy_is_sealed(void **state)
{
	struct witness_scene scene;
	const struct volume_witness_policy policy = bounded(7, 70);
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_open);
	commits(&scene, 2);
	assert_int_equal(volume_witness_policy_set(scene.fixture.volume, &policy), STATUS_OK);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	struct volume_freshness_info info = witnessed_freshness(&scene);
	assert_memory_equal(&info.policy, &policy, sizeof(policy));
	/* Loosened while its witness is lost: only by somebody who answers for that. */
	assert_int_equal(volume_witness_policy_set(scene.fixture.volume, &witness_strict),
			 STATUS_OK);
	scene.fixture.environment.witness = NULL;
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_UNANCHORED);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_ACCEPT), STATUS_OK);
	/* The policy holds until it is changed, before anything is written. */
	assert_int_equal(witnessed_commit(&scene), STATUS_UNANCHORED);
	assert_true(volume_is_writable(scene.fixture.volume));
	assert_int_equal(volume_witness_policy_set(scene.fixture.volume, &policy),
			 STATUS_UNANCHORED);
	assert_int_equal(volume_witness_policy_set(scene.fixture.volume, &witness_open), STATUS_OK);
	commits(&scene, 1);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	assert_true(model_equals(&scene.model, scene.fixture.volume));
	witness_scene_fini(&scene);
}

static void test_policy_needs_an_idle_writable_volume(void **state)
{
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_open);
	assert_int_equal(volume_txn_begin(scene.fixture.volume), STATUS_OK);
	assert_int_equal(volume_witness_policy_set(scene.fixture.volume, &witness_strict),
			 STATUS_BUSY);
	assert_int_equal(volume_witness_sync(scene.fixture.volume), STATUS_BUSY);
	volume_txn_abort(scene.fixture.volume);
	fixture_unmount(&scene.fixture);
	assert_int_equal(fixture_mount_read_only(&scene.fixture), STATUS_OK);
	assert_int_equal(volume_witness_policy_set(scene.fixture.volume, &witness_strict),
			 STATUS_READ_ONLY);
	assert_int_equal(volume_witness_sync(scene.fixture.volume), STATUS_READ_ONLY);
	witness_scene_fini(&scene);
}

static void test_sync_anchors_what_is_behind(void **state)
{
	struct witness_scene scene;
	struct volume_counters counters;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_open);
	commits(&scene, 5);
	assert_int_equal(volume_witness_sync(scene.fixture.volume), STATUS_OK);
	assert_int_equal(witnessed_freshness(&scene).freshness, VOLUME_FRESHNESS_ANCHORED);
	assert_int_equal(scene.witness.mark.sequence, witnessed_sequence(&scene));
	volume_counters_get(scene.fixture.volume, &counters);
	assert_int_equal(counters.witness_advances, 1);
	witness_scene_fini(&scene);
}

static void test_states_have_names(void **state)
{
	(void)state;
	assert_string_equal(volume_freshness_name(VOLUME_FRESHNESS_UNANCHORED), "unanchored");
	assert_string_equal(volume_freshness_name(VOLUME_FRESHNESS_NOT_ENROLLED), "not-enrolled");
	assert_string_equal(volume_freshness_name(VOLUME_FRESHNESS_ANCHORED), "anchored");
	assert_string_equal(volume_freshness_name(VOLUME_FRESHNESS_BEHIND), "behind");
	assert_string_equal(volume_freshness_name((enum volume_freshness)4), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strict_costs_one_advance),
		cmocka_unit_test(test_open_costs_nothing_but_at_checkpoints),
		cmocka_unit_test(test_mount_of_an_anchored_volume_asks_once),
		cmocka_unit_test(test_enrolment_is_a_decision),
		cmocka_unit_test(test_open_policy_is_enrolled_by_decision_too),
		cmocka_unit_test(test_strict_without_an_answer),
		cmocka_unit_test(test_readers_fence_nobody),
		cmocka_unit_test(test_bound_in_commits),
		cmocka_unit_test(test_bound_in_commits_holds_across_mounts),
		cmocka_unit_test(test_bound_in_seconds),
		cmocka_unit_test(test_policies_that_make_no_sense),
		cmocka_unit_test(test_policy_is_sealed),
		cmocka_unit_test(test_policy_needs_an_idle_writable_volume),
		cmocka_unit_test(test_sync_anchors_what_is_behind),
		cmocka_unit_test(test_states_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
