// SPDX-License-Identifier: MIT
/* Crashes and failing devices under the block profile: data out of line, several records, the tail
 * rule. crash_checker.h says what is demanded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "crash_checker.h"

#define SMALL VOLUME_BLOCK_BLOCKS_MIN

static struct crash_budget small_budget(void)
{
	return (struct crash_budget){
		.exhaustive_sectors = 0,
		.patterned_subsets = 10 * crash_budget_factor(),
		.random_subsets = 6 * crash_budget_factor(),
		.nested_every = 12,
		.warm_every = 2,
		.nested_subsets = 2 * crash_budget_factor(),
		.verify_every = 16,
	};
}

struct scene {
	struct fixture fixture;
	struct crash_checker checker;
	struct model model;
};

static void scene_init(struct scene *scene, uint64_t blocks)
{
	const struct crash_budget budget = small_budget();
	memset(scene, 0, sizeof(*scene));
	fixture_init_profile(&scene->fixture, VOLUME_PROFILE_BLOCK, blocks, true);
	crash_checker_init(&scene->checker, &scene->fixture, &budget);
}

static void scene_fini(struct scene *scene, const char *name)
{
	if (scene->checker.failures != 0) {
		print_error("%llu of %llu states: first: %s\n",
			    (unsigned long long)scene->checker.failures,
			    (unsigned long long)scene->checker.states,
			    scene->checker.first_failure);
	}
	assert_int_equal(scene->checker.failures, 0);
	assert_int_equal(ledger_repeats(), 0);
	print_message("%s: %llu states, %llu before, %llu after\n", name,
		      (unsigned long long)scene->checker.states,
		      (unsigned long long)scene->checker.recovered_before,
		      (unsigned long long)scene->checker.recovered_after);
	crash_checker_fini(&scene->checker);
	fixture_fini(&scene->fixture);
}

/* A transaction of `count` blocks, `stride` apart, under the checker's eyes. */
static void commit_watched(struct scene *scene, uint32_t first, uint32_t count, uint32_t stride,
			   uint64_t seed)
{
	static struct model before;
	static struct model after;
	before = scene->model;
	after = scene->model;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t logical = first + i * stride;
		model_set(&after, logical, seed == 0 ? 0 : seed + i);
		model_set(&before, logical, model_get(&scene->model, logical));
	}
	crash_checker_watch(&scene->checker, &before, &after);
	assert_int_equal(volume_txn_begin(scene->fixture.volume), STATUS_OK);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(model_put(&scene->model, scene->fixture.volume, first + i * stride,
					   seed == 0 ? 0 : seed + i),
				 STATUS_OK);
	}
	assert_int_equal(volume_txn_commit(scene->fixture.volume), STATUS_OK);
	crash_checker_rest(&scene->checker);
	assert_true(model_equals(&scene->model, scene->fixture.volume));
}

static void checkpoint_watched(struct scene *scene)
{
	static struct model same;
	same = scene->model;
	crash_checker_watch(&scene->checker, &same, &same);
	assert_int_equal(volume_checkpoint(scene->fixture.volume), STATUS_OK);
	crash_checker_rest(&scene->checker);
}

static void test_commits(void **state)
{
	static struct scene scene;
	(void)state;
	scene_init(&scene, SMALL);
	commit_watched(&scene, 100, 1, 1, 1);  /* Inline. */
	commit_watched(&scene, 100, 12, 1, 4); /* One extent. */
	commit_watched(&scene, 95, 40, 3, 50); /* Extents of one, two data writes. */
	commit_watched(&scene, 100, 9, 1, 0);  /* Holes. */
	commit_watched(&scene, 103, 1, 1, 200);
	scene_fini(&scene, "block commits");
}

static void test_checkpoints(void **state)
{
	static struct scene scene;
	(void)state;
	scene_init(&scene, SMALL);
	commit_watched(&scene, 0, 20, 1, 1);
	checkpoint_watched(&scene);
	commit_watched(&scene, 5, 20, 140, 70);
	commit_watched(&scene, 6, 1, 1, 900);
	commit_watched(&scene, 0, 10, 1, 300);
	checkpoint_watched(&scene);
	commit_watched(&scene, 0, 10, 1, 0);
	checkpoint_watched(&scene);
	scene_fini(&scene, "block checkpoints");
}

/* ---- While a checkpoint runs in the background ---------------------------------------------- */

/* So many steps, each under the checker's eyes. False: none runs any more. */
static bool steps_watched(struct scene *scene, uint32_t count)
{
	static struct model same;
	bool done = false;
	same = scene->model;
	crash_checker_watch(&scene->checker, &same, &same);
	for (uint32_t i = 0; i < count && !done; i++) {
		assert_int_equal(volume_checkpoint_step(scene->fixture.volume, &done), STATUS_OK);
	}
	crash_checker_rest(&scene->checker);
	return !done;
}

static void background_begin(struct scene *scene)
{
	assert_int_equal(volume_checkpoint_begin(scene->fixture.volume), STATUS_OK);
	assert_true(volume_checkpoint_is_running(scene->fixture.volume));
}

/* Between any two steps a commit: in turn one that is inline, one that is out of line, one of
 * holes, over what is frozen and over what is not. Then the power fails for good. */
static void test_commits_during_a_checkpoint(void **state)
{
	static struct scene scene;
	uint32_t turn = 0;
	(void)state;
	scene_init(&scene, SMALL);
	commit_watched(&scene, 0, 20, 1, 1);
	commit_watched(&scene, 5, 6, 140, 70);
	checkpoint_watched(&scene);
	for (int round = 0; round < 2; round++) {
		commit_watched(&scene, 4, 12, 1, 900 + turn);
		commit_watched(&scene, 7, 3, 140, 950 + turn);
		background_begin(&scene);
		for (bool runs = true; runs; turn++) {
			uint32_t first = turn % 2 == 0 ? 6 : 40 + turn;
			commit_watched(&scene, first, turn % 3 == 0 ? 10 : 2, 1,
				       turn % 5 == 4 ? 0 : 1000 + 50 * turn);
			runs = steps_watched(&scene, 1);
		}
		/* Records of both epochs are behind the head. */
		commit_watched(&scene, 8, 2, 1, 5000 + turn);
		fixture_unmount(&scene.fixture);
		assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
		assert_true(model_equals(&scene.model, scene.fixture.volume));
		assert_int_equal(volume_verify(scene.fixture.volume, NULL, NULL), STATUS_OK);
	}
	scene_fini(&scene, "commits during a checkpoint");
}

/* Steps while a transaction is open, up to and beyond the checkpoint's end; then it commits. */
static void test_steps_during_a_transaction(void **state)
{
	static struct scene scene;
	static struct model before;
	static struct model after;
	(void)state;
	scene_init(&scene, SMALL);
	commit_watched(&scene, 0, 40, 1, 1);
	background_begin(&scene);
	before = scene.model;
	after = scene.model;
	for (uint32_t i = 0; i < 60; i++) {
		model_set(&after, 20 + i, 3000 + i);
		model_set(&before, 20 + i, model_get(&scene.model, 20 + i));
	}
	crash_checker_watch(&scene.checker, &before, &after);
	assert_int_equal(volume_txn_begin(scene.fixture.volume), STATUS_OK);
	for (uint32_t i = 0; i < 60; i++) {
		bool done = false;
		assert_int_equal(volume_checkpoint_step(scene.fixture.volume, &done), STATUS_OK);
		assert_int_equal(model_put(&scene.model, scene.fixture.volume, 20 + i, 3000 + i),
				 STATUS_OK);
	}
	assert_false(volume_checkpoint_is_running(scene.fixture.volume));
	assert_int_equal(volume_txn_commit(scene.fixture.volume), STATUS_OK);
	crash_checker_rest(&scene.checker);
	assert_true(model_equals(&scene.model, scene.fixture.volume));
	commit_watched(&scene, 30, 20, 1, 4000);
	checkpoint_watched(&scene);
	scene_fini(&scene, "steps during a transaction");
}

static void test_random_walk_in_the_background(void **state)
{
	static struct scene scene;
	(void)state;
	fixture_random_seed(12);
	scene_init(&scene, SMALL);
	scene.checker.budget.patterned_subsets = 2 * crash_budget_factor();
	scene.checker.budget.random_subsets = 2 * crash_budget_factor();
	for (size_t step = 0; step < 60 * crash_budget_factor(); step++) {
		uint32_t first = fixture_random() % 300;
		uint32_t count = 1 + fixture_random() % 40;
		switch (fixture_random() % 8) {
		case 0:
			assert_int_equal(volume_checkpoint_begin(scene.fixture.volume), STATUS_OK);
			break;
		case 1:
		case 2: (void)steps_watched(&scene, 1 + fixture_random() % 8); break;
		case 3:
			fixture_unmount(&scene.fixture);
			assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
			break;
		case 4: /* Given up: what it wrote out of line is not there. */
			assert_int_equal(volume_txn_begin(scene.fixture.volume), STATUS_OK);
			for (uint32_t i = 0; i < 40; i++) {
				uint8_t content[BLOCK_BYTES];
				model_content(fixture_random() + 1u, content);
				assert_int_equal(volume_txn_put(scene.fixture.volume,
								(struct logical_block){first + i},
								content),
						 STATUS_OK);
			}
			(void)steps_watched(&scene, fixture_random() % 4);
			volume_txn_abort(scene.fixture.volume);
			break;
		case 5: commit_watched(&scene, first, 1, 1, fixture_random() + 1); break;
		default:
			commit_watched(&scene, first, count, 1 + fixture_random() % 2,
				       fixture_random() % 6 == 0 ? 0
								 : (uint64_t)fixture_random() + 1);
			break;
		}
	}
	assert_int_equal(volume_verify(scene.fixture.volume, NULL, NULL), STATUS_OK);
	scene_fini(&scene, "random walk in the background");
}

/* Two records, and only the second commits. */
static void test_several_records(void **state)
{
	static struct scene scene;
	(void)state;
	scene_init(&scene, 16384);
	scene.checker.budget.patterned_subsets = 2 * crash_budget_factor();
	scene.checker.budget.nested_every = 0;
	scene.checker.budget.warm_every = 0;
	uint64_t sequence = scene.fixture.volume->log.sequence;
	commit_watched(&scene, 7, 520, 3, 1);
	assert_int_equal(scene.fixture.volume->log.sequence, sequence + 2);
	scene_fini(&scene, "several records");
}

static void test_random_walk(void **state)
{
	static struct scene scene;
	(void)state;
	fixture_random_seed(11);
	scene_init(&scene, SMALL);
	scene.checker.budget.patterned_subsets = 3 * crash_budget_factor();
	scene.checker.budget.random_subsets = 2 * crash_budget_factor();
	for (size_t step = 0; step < 24 * crash_budget_factor(); step++) {
		uint32_t first = fixture_random() % 300;
		uint32_t count = 1 + fixture_random() % 40;
		switch (fixture_random() % 8) {
		case 0: checkpoint_watched(&scene); break;
		case 1:
			fixture_unmount(&scene.fixture);
			assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
			break;
		case 2: commit_watched(&scene, first, count, 1, 0); break;
		case 3: commit_watched(&scene, first, 1, 1, fixture_random() + 1); break;
		default:
			commit_watched(&scene, first, count, 1 + fixture_random() % 2,
				       (uint64_t)fixture_random() + 1);
			break;
		}
	}
	scene_fini(&scene, "block random walk");
}

/* ---- The tail rule ------------------------------------------------------------------------- */

static bool all_but(void *context, size_t sector)
{
	return sector != *(const size_t *)context;
}

/* The last record arrived, one sector of its data did not: the transaction never happened. Once a
 * later record says that it was flushed, the same damage costs the block, not the transaction. */
static void test_tail_rule(void **state)
{
	struct fixture fixture;
	struct model old = {0};
	uint8_t content[BLOCK_BYTES];
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	for (uint32_t i = 0; i < 12; i++) {
		assert_int_equal(model_put(&old, fixture.volume, i, i + 1), STATUS_OK);
	}
	assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
	struct model new = old;
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	for (uint32_t i = 0; i < 12; i++) {
		assert_int_equal(model_put(&new, fixture.volume, i, i + 100), STATUS_OK);
	}
	/* The flush fails, and the power goes. */
	sim_disk_fail_at(&fixture.disk, 3, SIM_FAIL_ONCE, STATUS_IO);
	assert_int_equal(volume_txn_commit(fixture.volume), STATUS_IO);
	assert_false(volume_is_writable(fixture.volume));
	sim_disk_fail_at(&fixture.disk, 0, SIM_FAIL_ONCE, STATUS_IO);
	fixture_unmount(&fixture);
	size_t lost = 5 * 8 + 3; /* Of the sixth block of data. */
	sim_disk_crash(&fixture.disk, all_but, &lost);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	assert_true(model_equals(&old, fixture.volume));
	/* What comes next is not confused by what was left. */
	assert_int_equal(model_commit(&old, fixture.volume, 3, 77), STATUS_OK);
	fixture_unmount(&fixture);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	assert_true(model_equals(&old, fixture.volume));
	assert_int_equal(volume_read(fixture.volume, (struct logical_block){3}, content),
			 STATUS_OK);
	fixture_fini(&fixture);
}

/* ---- Failing devices ------------------------------------------------------------------------ */

static enum status put_many(struct fixture *fixture, struct model *model, uint32_t first,
			    uint32_t count, uint64_t seed)
{
	enum status status = volume_txn_begin(fixture->volume);
	for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
		status = model_put(model, fixture->volume, first + i, seed == 0 ? 0 : seed + i);
	}
	if (status != STATUS_OK) {
		volume_txn_abort(fixture->volume);
		return status;
	}
	return volume_txn_commit(fixture->volume);
}

/* Commits and checkpoints until something fails; `sure` is what was acknowledged. */
static enum status story_tell(struct fixture *fixture, struct model *sure, struct model *maybe)
{
	static const struct {
		uint32_t first;
		uint32_t count;
		uint64_t seed;
	} steps[] = {{10, 3, 100}, {10, 50, 200},  {0, 0, 0}, {12, 20, 0},
		     {12, 2, 300}, {900, 40, 400}, {0, 0, 0}, {10, 12, 500}};
	enum status status = fixture_mount(fixture);
	for (size_t i = 0; i < ARRAY_COUNT(steps) && status == STATUS_OK; i++) {
		*maybe = *sure;
		status = steps[i].count == 0 ? volume_checkpoint(fixture->volume)
					     : put_many(fixture, maybe, steps[i].first,
							steps[i].count, steps[i].seed);
		if (status == STATUS_OK) {
			*sure = *maybe;
		}
	}
	return status;
}

typedef enum status (*story)(struct fixture *fixture, struct model *sure, struct model *maybe);

static void fail_everywhere(story tell)
{
	struct fixture fixture;
	static struct model sure;
	static struct model maybe;
	bool reached = true;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	fixture_unmount(&fixture);
	for (uint64_t k = 1; reached; k++) {
		memset(&sure, 0, sizeof(sure));
		memset(&maybe, 0, sizeof(maybe));
		sim_disk_mark(&fixture.disk);
		sim_disk_fail_at(&fixture.disk, k, SIM_FAIL_ONCE, STATUS_IO);
		enum status status = tell(&fixture, &sure, &maybe);
		reached = fixture.disk.operations >= k;
		assert_true(status == STATUS_OK || status == STATUS_IO);
		if (fixture.volume != NULL) {
			assert_true(volume_is_writable(fixture.volume) !=
				    fixture.disk.write_path_failed);
		}
		sim_disk_fail_at(&fixture.disk, 0, SIM_FAIL_ONCE, STATUS_IO);
		fixture_unmount(&fixture);
		assert_int_equal(fixture_mount(&fixture), STATUS_OK);
		assert_true(model_equals(&sure, fixture.volume) ||
			    model_equals(&maybe, fixture.volume));
		assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
		fixture_unmount(&fixture);
		sim_disk_revert(&fixture.disk);
		sim_disk_unmark(&fixture.disk);
	}
	assert_int_equal(ledger_repeats(), 0);
	fixture_fini(&fixture);
}

static void test_kth_operation_fails(void **state)
{
	(void)state;
	fail_everywhere(story_tell);
}

/* Commits between the steps of a checkpoint, until a commit fails. A step that fails because of a
 * read is tried again by the next one. */
static enum status background_tell(struct fixture *fixture, struct model *sure, struct model *maybe)
{
	enum status status = fixture_mount(fixture);
	for (uint32_t i = 0; i < 14 && status == STATUS_OK; i++) {
		bool done = false;
		*maybe = *sure;
		status = put_many(fixture, maybe, 150 * (i % 4) + 10, i % 3 == 0 ? 12 : 2,
				  100 + 20 * i);
		if (status != STATUS_OK) {
			break;
		}
		*sure = *maybe;
		enum status other = STATUS_OK;
		if (i == 4) {
			other = volume_checkpoint(fixture->volume);
		} else if (i == 8) {
			other = volume_checkpoint_begin(fixture->volume);
		}
		for (uint32_t step = 0; i > 8 && step < 5 && other == STATUS_OK; step++) {
			other = volume_checkpoint_step(fixture->volume, &done);
		}
		assert_true(other == STATUS_OK || other == STATUS_IO);
		if (!volume_is_writable(fixture->volume)) {
			return STATUS_IO;
		}
	}
	return status;
}

static void test_kth_operation_fails_in_the_background(void **state)
{
	(void)state;
	fail_everywhere(background_tell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commits),
		cmocka_unit_test(test_checkpoints),
		cmocka_unit_test(test_commits_during_a_checkpoint),
		cmocka_unit_test(test_steps_during_a_transaction),
		cmocka_unit_test(test_random_walk_in_the_background),
		cmocka_unit_test(test_several_records),
		cmocka_unit_test(test_random_walk),
		cmocka_unit_test(test_tail_rule),
		cmocka_unit_test(test_kth_operation_fails),
		cmocka_unit_test(test_kth_operation_fails_in_the_background),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
