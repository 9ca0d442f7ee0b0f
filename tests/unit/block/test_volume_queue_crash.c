// SPDX-License-Identifier: MIT
/* Power cuts under the request queue: a flush that completed survives, and what was between two
 * flushes is there whole or not at all (it fits one group commit here). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "crash_checker.h"
#include "queue_fixture.h"

#define SMALL  VOLUME_BLOCK_BLOCKS_MIN
#define WRITES 24u
#define SPAN   400u

struct scene {
	struct queue_fixture fixture;
	struct model model;
	struct queue_job jobs[WRITES + 1];
	uint64_t seed;
};

/* Submit random changes and a flush behind them; `after` is what they make of the model. Their
 * order is the order in which they are submitted. */
static void group_submit(struct scene *scene, struct model *after)
{
	*after = scene->model;
	for (size_t i = 0; i < WRITES; i++) {
		struct queue_job *job = &scene->jobs[i];
		uint64_t count = 1 + fixture_random() % 8;
		uint32_t first = fixture_random() % (SPAN - 8);
		bool discards = fixture_random() % 8 == 0;
		queue_job_init(job, discards ? VOLUME_REQUEST_DISCARD : VOLUME_REQUEST_WRITE, first,
			       count, i % 3);
		job->request.fua = false;
		for (uint32_t b = 0; b < count; b++) {
			uint64_t seed = discards ? 0 : ++scene->seed;
			model_content(seed, queue_job_block(job, b));
			model_set(after, first + b, seed);
			model_set(&scene->model, first + b, model_get(&scene->model, first + b));
		}
		queue_job_submit(&scene->fixture, job);
	}
	queue_job_init(&scene->jobs[WRITES], VOLUME_REQUEST_FLUSH, 0, 0, 0);
	queue_job_submit(&scene->fixture, &scene->jobs[WRITES]);
}

static void jobs_fini(struct scene *scene)
{
	for (size_t i = 0; i <= WRITES; i++) {
		queue_job_fini(&scene->jobs[i]);
	}
}

/* Every flush of a story, with any of the unflushed sectors lost, as a crash checker tries them. */
static void test_crash_at_each_flush(void **state)
{
	const struct crash_budget budget = {
		.patterned_subsets = 6 * crash_budget_factor(),
		.random_subsets = 6 * crash_budget_factor(),
		.nested_every = 16,
		.warm_every = 3,
		.nested_subsets = 2,
		.verify_every = 16,
	};
	static struct scene scene;
	static struct crash_checker checker;
	static struct model after;
	(void)state;
	memset(&scene, 0, sizeof(scene));
	fixture_random_seed(5);
	queue_fixture_init(&scene.fixture, VOLUME_PROFILE_BLOCK, SMALL, 32, false);
	crash_checker_init(&checker, &scene.fixture.base, &budget);
	for (size_t group = 0; group < 6 * crash_budget_factor(); group++) {
		group_submit(&scene, &after);
		crash_checker_watch(&checker, &scene.model, &after);
		for (size_t i = 0; i <= WRITES; i++) {
			assert_int_equal(queue_job_wait(&scene.fixture, &scene.jobs[i]), STATUS_OK);
		}
		crash_checker_rest(&checker);
		jobs_fini(&scene);
		scene.model = after;
		if (group % 3 == 2) {
			crash_checker_watch(&checker, &scene.model, &scene.model);
			assert_int_equal(volume_checkpoint(scene.fixture.base.volume), STATUS_OK);
			crash_checker_rest(&checker);
		}
		assert_true(model_equals(&scene.model, scene.fixture.base.volume));
	}
	if (checker.failures != 0) {
		print_error("%s\n", checker.first_failure);
	}
	assert_int_equal(checker.failures, 0);
	assert_int_equal(ledger_repeats(), 0);
	assert_true(checker.recovered_before != 0 && checker.recovered_after != 0);
	print_message("%llu states, %llu before, %llu after\n", (unsigned long long)checker.states,
		      (unsigned long long)checker.recovered_before,
		      (unsigned long long)checker.recovered_after);
	crash_checker_fini(&checker);
	queue_fixture_fini(&scene.fixture);
}

static bool half_survives(void *context, size_t sector)
{
	(void)context;
	(void)sector;
	return fixture_random() % 2 == 0;
}

/* At any moment, with requests at the device: some of them are done, some sectors are lost. */
static void test_cut_at_any_moment(void **state)
{
	static struct scene scene;
	static struct model after;
	uint64_t survived = 0;
	uint64_t lost = 0;
	(void)state;
	memset(&scene, 0, sizeof(scene));
	fixture_random_seed(9);
	queue_fixture_init(&scene.fixture, VOLUME_PROFILE_BLOCK, SMALL, 32, false);
	for (size_t round = 0; round < 120 * crash_budget_factor(); round++) {
		group_submit(&scene, &after);
		for (uint32_t polls = fixture_random() % 24; polls > 0; polls--) {
			(void)queue_fixture_poll(&scene.fixture, false);
		}
		bool was_flushed = scene.jobs[WRITES].is_done;
		assert_true(!was_flushed || scene.jobs[WRITES].request.status == STATUS_OK);
		sim_queue_cut(&scene.fixture.sim);
		sim_disk_crash(&scene.fixture.base.disk, half_survives, NULL);
		scene.fixture.queue = NULL; /* Nobody is left to close it. */
		queue_fixture_unmount(&scene.fixture);
		assert_int_equal(queue_fixture_mount(&scene.fixture), STATUS_OK);
		bool is_after = model_equals(&after, scene.fixture.base.volume);
		assert_true(is_after || model_equals(&scene.model, scene.fixture.base.volume));
		assert_true(is_after || !was_flushed);
		survived += is_after ? 1u : 0u;
		lost += is_after ? 0u : 1u;
		scene.model = is_after ? after : scene.model;
		jobs_fini(&scene);
	}
	assert_true(survived != 0 && lost != 0);
	print_message("%llu survived, %llu lost\n", (unsigned long long)survived,
		      (unsigned long long)lost);
	assert_int_equal(volume_verify(scene.fixture.base.volume, NULL, NULL), STATUS_OK);
	assert_int_equal(ledger_repeats(), 0);
	queue_fixture_fini(&scene.fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crash_at_each_flush),
		cmocka_unit_test(test_cut_at_any_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
