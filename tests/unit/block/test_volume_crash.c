// SPDX-License-Identifier: MIT
/* Crashes: crash_checker.h says what is demanded. The full campaign has a larger budget: set
 * HOLDFAST_CRASH_BUDGET to a factor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crash_checker.h"

static struct crash_budget small_budget(void)
{
	return (struct crash_budget){
		.exhaustive_sectors = 8,
		.patterned_subsets = 12 * crash_budget_factor(),
		.random_subsets = 10 * crash_budget_factor(),
		.nested_every = 24,
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

static void scene_init(struct scene *scene, const struct crash_budget *budget)
{
	memset(scene, 0, sizeof(*scene));
	fixture_init_mounted(&scene->fixture, FIXTURE_BLOCKS);
	crash_checker_init(&scene->checker, &scene->fixture, budget);
}

static void scene_check(struct scene *scene)
{
	if (scene->checker.failures != 0) {
		print_error("%llu of %llu states: first: %s\n",
			    (unsigned long long)scene->checker.failures,
			    (unsigned long long)scene->checker.states,
			    scene->checker.first_failure);
	}
	assert_int_equal(scene->checker.failures, 0);
	assert_int_equal(ledger_repeats(), 0);
}

static void scene_fini(struct scene *scene, const char *name)
{
	scene_check(scene);
	print_message("%s: %llu states, %llu before, %llu after\n", name,
		      (unsigned long long)scene->checker.states,
		      (unsigned long long)scene->checker.recovered_before,
		      (unsigned long long)scene->checker.recovered_after);
	crash_checker_fini(&scene->checker);
	fixture_fini(&scene->fixture);
}

/* A transaction of `count` blocks from `first`, under the checker's eyes. */
static void commit_watched(struct scene *scene, uint32_t first, uint32_t count, uint64_t seed)
{
	struct model before = scene->model;
	struct model after = scene->model;
	for (uint32_t i = 0; i < count; i++) {
		model_set(&after, first + i, seed == 0 ? 0 : seed + i);
		model_set(&before, first + i, model_get(&scene->model, first + i));
	}
	assert_int_equal(volume_txn_begin(scene->fixture.volume), STATUS_OK);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(model_put(&scene->model, scene->fixture.volume, first + i,
					   seed == 0 ? 0 : seed + i),
				 STATUS_OK);
	}
	crash_checker_watch(&scene->checker, &before, &after);
	assert_int_equal(volume_txn_commit(scene->fixture.volume), STATUS_OK);
	crash_checker_rest(&scene->checker);
	assert_true(model_equals(&scene->model, scene->fixture.volume));
}

static void commit_quietly(struct scene *scene, uint32_t logical, uint64_t seed)
{
	assert_int_equal(model_commit(&scene->model, scene->fixture.volume, logical, seed),
			 STATUS_OK);
}

static void checkpoint_watched(struct scene *scene)
{
	const struct model same = scene->model;
	crash_checker_watch(&scene->checker, &same, &same);
	assert_int_equal(volume_checkpoint(scene->fixture.volume), STATUS_OK);
	crash_checker_rest(&scene->checker);
}

/* Every subset of a one-block record: first one, later ones, overwrite, discard. */
static void test_small_commits_exhaustively(void **state)
{
	struct scene scene;
	const struct crash_budget budget = small_budget();
	(void)state;
	scene_init(&scene, &budget);
	commit_watched(&scene, 7, 1, 3); /* Short content: one block. */
	commit_watched(&scene, 7, 1, 6);
	commit_watched(&scene, 20000, 1, 9);
	commit_watched(&scene, 7, 1, 0);
	scene_fini(&scene, "small commits");
}

static void test_commits_of_several_blocks(void **state)
{
	struct scene scene;
	const struct crash_budget budget = small_budget();
	(void)state;
	scene_init(&scene, &budget);
	commit_watched(&scene, 100, 2, 1);
	commit_watched(&scene, 99, 4, 11);
	commit_watched(&scene, 99, 3, 0);
	scene_fini(&scene, "larger commits");
}

static void test_checkpoints(void **state)
{
	struct scene scene;
	struct crash_budget budget = small_budget();
	budget.exhaustive_sectors = 0;
	budget.verify_every = 3;
	(void)state;
	scene_init(&scene, &budget);
	for (uint32_t i = 0; i < 4; i++) {
		commit_quietly(&scene, i * 9000, i + 1);
	}
	checkpoint_watched(&scene);
	commit_quietly(&scene, 9000, 0);
	commit_quietly(&scene, 1, 77);
	checkpoint_watched(&scene);
	commit_quietly(&scene, 0, 0);
	checkpoint_watched(&scene);
	scene_fini(&scene, "checkpoints");
}

/* Commits that go round the ring several times, with the checkpoints that they cause: few states at
 * each flush, many flushes. */
static void test_round_the_ring(void **state)
{
	struct scene scene;
	const struct crash_budget busy = small_budget();
	struct crash_budget budget = small_budget();
	budget.exhaustive_sectors = 0;
	budget.patterned_subsets = 3 * crash_budget_factor();
	budget.random_subsets = crash_budget_factor();
	(void)state;
	scene_init(&scene, &budget);
	for (uint32_t i = 0; i < 48; i++) {
		/* 20 blocks each: the skipped end of the ring differs each time. */
		const uint32_t count = 17 + i % 3;
		if (i % 12 == 5) {
			commit_watched(&scene, 0, count, 3 * (1000 + i * 100) + 1);
			continue;
		}
		assert_int_equal(volume_txn_begin(scene.fixture.volume), STATUS_OK);
		for (uint32_t b = 0; b < count; b++) {
			assert_int_equal(model_put(&scene.model, scene.fixture.volume, b,
						   5000 + i * 100 + b),
					 STATUS_OK);
		}
		assert_int_equal(volume_txn_commit(scene.fixture.volume), STATUS_OK);
	}
	scene.checker.budget = busy;
	commit_watched(&scene, 3, 1, 3);
	scene_fini(&scene, "round the ring");
}

static void test_key_changes(void **state)
{
	struct scene scene;
	struct crash_budget budget = small_budget();
	const uint8_t bytes[VOLUME_KEY_BYTES] = {5};
	const struct volume_key other = {VOLUME_KEY_RECOVERY, bytes, VOLUME_KEY_BYTES};
	budget.exhaustive_sectors = 0;
	(void)state;
	scene_init(&scene, &budget);
	commit_quietly(&scene, 5, 5);
	const struct model same = scene.model;
	crash_checker_watch(&scene.checker, &same, &same);
	assert_int_equal(volume_key_add(scene.fixture.volume, &other), STATUS_OK);
	assert_int_equal(volume_key_remove(scene.fixture.volume, &other), STATUS_OK);
	crash_checker_rest(&scene.checker);
	scene_fini(&scene, "key changes");
}

static bool creation_may_fail(enum status status)
{
	/* Nothing that would be taken for an empty disk once there is something of ours on it. */
	return status == STATUS_NOT_A_VOLUME || status == STATUS_AUTH_META;
}

static void test_creation(void **state)
{
	struct scene scene;
	struct crash_budget budget = small_budget();
	const struct model empty = {0};
	budget.exhaustive_sectors = 0;
	(void)state;
	memset(&scene, 0, sizeof(scene));
	fixture_init(&scene.fixture, FIXTURE_BLOCKS);
	crash_checker_init(&scene.checker, &scene.fixture, &budget);
	scene.checker.may_fail = creation_may_fail;
	crash_checker_watch(&scene.checker, &empty, &empty);
	assert_int_equal(fixture_create(&scene.fixture), STATUS_OK);
	crash_checker_rest(&scene.checker);
	assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
	scene_fini(&scene, "creation");
}

/* All of it in any order, also across remounts. */
static void test_random_walk(void **state)
{
	struct scene scene;
	struct crash_budget budget = small_budget();
	budget.exhaustive_sectors = 0;
	budget.patterned_subsets = 4 * crash_budget_factor();
	budget.random_subsets = 2 * crash_budget_factor();
	budget.nested_every = 40;
	budget.verify_every = 30;
	(void)state;
	fixture_random_seed(7);
	scene_init(&scene, &budget);
	for (size_t step = 0; step < 24 * crash_budget_factor(); step++) {
		switch (fixture_random() % 6) {
		case 0: checkpoint_watched(&scene); break;
		case 1:
			fixture_unmount(&scene.fixture);
			assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
			break;
		case 2: commit_watched(&scene, fixture_random() % 8, 1, 0); break;
		default:
			commit_watched(&scene, fixture_random() % 8, 1 + fixture_random() % 2,
				       (uint64_t)fixture_random() + 1);
			break;
		}
	}
	scene_fini(&scene, "random walk");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_commits_exhaustively),
		cmocka_unit_test(test_commits_of_several_blocks),
		cmocka_unit_test(test_checkpoints),
		cmocka_unit_test(test_round_the_ring),
		cmocka_unit_test(test_key_changes),
		cmocka_unit_test(test_creation),
		cmocka_unit_test(test_random_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
