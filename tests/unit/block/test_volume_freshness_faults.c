// SPDX-License-Identifier: MIT
/* Honest crashes, cut-off witnesses and lost answers: none of them is ever taken for a rollback or
 * a fork, and nothing that was acknowledged is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "witness_scene.h"

static const enum volume_profile profiles[] = {VOLUME_PROFILE_STATE, VOLUME_PROFILE_BLOCK};

static void commits(struct witness_scene *scene, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(witnessed_commit(scene), STATUS_OK);
	}
}

/* The advance was made, nobody heard of it, and the log up to there is gone. */
static void test_an_advance_without_an_answer_is_remembered(void **state)
{
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_open);
	commits(&scene, 2);
	fake_witness_fail_at(&scene.witness, 1, FAKE_WITNESS_AFTER);
	assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
	struct witness_mark reached = scene.witness.mark;
	assert_int_equal(reached.sequence, witnessed_sequence(&scene));
	scene.witness.is_silent = true;
	for (int i = 0; i < 2; i++) {
		commits(&scene, 2);
		assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
	}
	scene.witness.is_silent = false;
	scene.witness.fail_at = 0;
	uint32_t image = witnessed_snapshot(&scene);
	/* In this mount: sent again, then the rest. */
	assert_int_equal(volume_witness_sync(scene.fixture.volume), STATUS_OK);
	struct witness_mark truth = scene.witness.mark;
	assert_true(truth.sequence > reached.sequence);
	/* And by a mount that only has the superblock. */
	scene.witness.mark = reached;
	witnessed_restore(&scene, image);
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	assert_memory_equal(&truth, &scene.witness.mark, sizeof(truth));
	witness_scene_fini(&scene);
}

static void test_a_witness_that_comes_back_late(void **state)
{
	const struct volume_witness_policy policy = {.kind = VOLUME_WITNESS_BOUNDED, .commits = 8};
	struct witness_scene scene;
	(void)state;
	witness_scene_init(&scene, VOLUME_PROFILE_STATE, &policy);
	commits(&scene, 2);
	scene.witness.is_silent = true;
	assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	commits(&scene, 2);
	scene.witness.is_silent = false;
	struct witness_mark truth = scene.witness.mark;
	struct witness_mark lie = truth;
	/* It knows something between what was acknowledged and where the mount began. */
	scene.witness.lie = &lie;
	lie.sequence++;
	assert_int_equal(volume_witness_sync(scene.fixture.volume), STATUS_UNANCHORED);
	assert_true(volume_is_writable(scene.fixture.volume));
	scene.witness.lie = NULL;
	assert_int_equal(volume_witness_sync(scene.fixture.volume), STATUS_OK);
	assert_int_equal(scene.witness.mark.sequence, witnessed_sequence(&scene));
	/* Or something else altogether. */
	for (int ahead = 0; ahead < 2; ahead++) {
		scene.witness.is_silent = true;
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
		commits(&scene, 1);
		scene.witness.is_silent = false;
		lie = scene.witness.mark;
		lie.sequence += ahead == 1 ? 100 : 0;
		lie.anchor[0] ^= 1;
		scene.witness.lie = &lie;
		assert_int_equal(volume_witness_sync(scene.fixture.volume),
				 ahead == 1 ? STATUS_ROLLBACK : STATUS_FORK);
		assert_false(volume_is_writable(scene.fixture.volume));
		scene.witness.lie = NULL;
		assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	}
	assert_true(model_equals(&scene.model, scene.fixture.volume));
	witness_scene_fini(&scene);
}

static void snapshot_before_advance(void *context)
{
	(void)witnessed_snapshot(context);
}

/* The power goes between the disk's flush and the witness: the longer chain is accepted and
 * anchored. */
static void test_crash_between_disk_and_witness(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_COUNT(profiles); p++) {
		struct witness_scene scene;
		witness_scene_init(&scene, profiles[p], &witness_strict);
		for (int round = 0; round < 7; round++) {
			struct witness_mark before = scene.witness.mark;
			scene.witness.before_advance = snapshot_before_advance;
			scene.witness.before_advance_context = &scene;
			commits(&scene, 1);
			scene.witness.before_advance = NULL;
			struct witness_mark after = scene.witness.mark;
			scene.witness.mark = before;
			witnessed_restore(&scene, scene.snapshot_count - 1);
			assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_CHECK),
					 STATUS_OK);
			assert_memory_equal(&scene.witness.mark, &after, sizeof(after));
			assert_true(model_equals(&scene.model, scene.fixture.volume));
			if (round == 3) {
				assert_int_equal(volume_checkpoint(scene.fixture.volume),
						 STATUS_OK);
			}
		}
		witness_scene_fini(&scene);
	}
}

/* What the workload of the fault tests does; the first failure ends it. */
static enum status work(struct witness_scene *scene)
{
	static const uint8_t other_bytes[VOLUME_KEY_BYTES] = "another key of thirty-two bytes";
	const struct volume_key other = {VOLUME_KEY_RAW, other_bytes, sizeof(other_bytes)};
	enum status status = witnessed_commit(scene);
	for (int i = 0; i < 3 && status == STATUS_OK; i++) {
		status = witnessed_commit(scene);
	}
	if (status == STATUS_OK) {
		status = volume_checkpoint(scene->fixture.volume);
	}
	if (status == STATUS_OK) {
		status = volume_key_add(scene->fixture.volume, &other);
	}
	if (status == STATUS_OK) {
		status = witnessed_commit(scene);
	}
	if (status == STATUS_OK) {
		status = volume_witness_policy_set(scene->fixture.volume, &witness_strict);
	}
	return status == STATUS_OK ? witnessed_commit(scene) : status;
}

/* After a failure anywhere: an honest disk and an honest witness agree, and what was acknowledged
 * is there. */
static void aftermath(struct witness_scene *scene)
{
	uint8_t content[BLOCK_BYTES];
	uint8_t expected[BLOCK_BYTES];
	scene->witness.fail_at = 0;
	scene->witness.is_silent = false;
	sim_disk_fail_at(&scene->fixture.disk, 0, SIM_FAIL_ONCE, STATUS_OK);
	assert_int_equal(witnessed_remount(scene, VOLUME_WITNESS_CHECK), STATUS_OK);
	assert_int_equal(scene->witness.mark.sequence, witnessed_sequence(scene));
	assert_int_equal(
		volume_read(scene->fixture.volume, (struct logical_block){SCENE_PLACE}, content),
		STATUS_OK);
	uint64_t acknowledged = model_get(&scene->model, SCENE_PLACE);
	model_content(acknowledged, expected);
	uint64_t found = 0;
	memcpy(&found, content, sizeof(found)); /* Contents begin with their seed; they rise. */
	assert_true(memcmp(content, expected, BLOCK_BYTES) == 0 || found == acknowledged + 1);
	assert_int_equal(volume_verify(scene->fixture.volume, NULL, NULL), STATUS_OK);
	assert_int_equal(ledger_repeats(), 0);
}

static void test_every_call_of_the_witness_fails(void **state)
{
	const struct volume_witness_policy policies[] = {
		witness_open, witness_strict, {.kind = VOLUME_WITNESS_BOUNDED, .commits = 2}};
	const enum fake_witness_failure failures[] = {FAKE_WITNESS_BEFORE, FAKE_WITNESS_AFTER};
	(void)state;
	for (size_t p = 0; p < ARRAY_COUNT(policies); p++) {
		for (size_t f = 0; f < ARRAY_COUNT(failures); f++) {
			bool done = false;
			for (uint64_t k = 1; !done; k++) {
				struct witness_scene scene;
				assert_true(k < 40);
				witness_scene_init(&scene, VOLUME_PROFILE_STATE, &policies[p]);
				fake_witness_fail_at(&scene.witness, k, failures[f]);
				enum status status = work(&scene);
				done = scene.witness.calls < k;
				assert_true(done ? status == STATUS_OK
						 : status == STATUS_OK ||
							    status == STATUS_UNANCHORED);
				aftermath(&scene);
				witness_scene_fini(&scene);
			}
		}
	}
}

static void test_every_operation_of_the_disk_fails(void **state)
{
	(void)state;
	for (int lands = 0; lands < 2; lands++) {
		bool done = false;
		for (uint64_t k = 1; !done; k++) {
			struct witness_scene scene;
			assert_true(k < 400);
			witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_strict);
			scene.fixture.disk.failed_writes_land = lands == 1;
			sim_disk_fail_at(&scene.fixture.disk, k, SIM_FAIL_ONCE, STATUS_IO);
			enum status status = work(&scene);
			done = scene.fixture.disk.operations < k;
			assert_int_equal(status, done ? STATUS_OK : STATUS_IO);
			aftermath(&scene);
			witness_scene_fini(&scene);
		}
	}
}

/* The k-th call of a mount that enrols or accepts fails. */
static void test_decisions_that_fail_can_be_repeated(void **state)
{
	const enum fake_witness_failure failures[] = {FAKE_WITNESS_BEFORE, FAKE_WITNESS_AFTER};
	(void)state;
	for (int accepts = 0; accepts < 2; accepts++) {
		for (uint64_t k = 1; k <= 2; k++) {
			for (size_t f = 0; f < ARRAY_COUNT(failures); f++) {
				struct witness_scene scene;
				witness_scene_init(&scene, VOLUME_PROFILE_STATE, &witness_strict);
				uint32_t backup = witnessed_snapshot(&scene);
				commits(&scene, 2);
				scene.witness.knows = accepts == 1;
				witnessed_restore(&scene, backup);
				memset(&scene.model, 0, sizeof(scene.model));
				fake_witness_fail_at(&scene.witness, k, failures[f]);
				enum status status =
					witnessed_remount(&scene, VOLUME_WITNESS_ACCEPT);
				assert_int_equal(status, k == 1 ? STATUS_OK : STATUS_UNANCHORED);
				scene.witness.fail_at = 0;
				assert_int_equal(witnessed_remount(&scene, VOLUME_WITNESS_ACCEPT),
						 STATUS_OK);
				assert_int_equal(scene.witness.mark.sequence,
						 witnessed_sequence(&scene));
				commits(&scene, 1);
				witness_scene_fini(&scene);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_advance_without_an_answer_is_remembered),
		cmocka_unit_test(test_a_witness_that_comes_back_late),
		cmocka_unit_test(test_crash_between_disk_and_witness),
		cmocka_unit_test(test_every_call_of_the_witness_fails),
		cmocka_unit_test(test_every_operation_of_the_disk_fails),
		cmocka_unit_test(test_decisions_that_fail_can_be_repeated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
