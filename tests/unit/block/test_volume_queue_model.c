// SPDX-License-Identifier: MIT
/* Random requests in flight together, against an array; and the same with failing devices.
 *
 * The array knows for each block which contents a read may return: what it was when the last write
 * that completed before the read was submitted took effect, and everything written to it since. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "queue_fixture.h"

#define SMALL  VOLUME_BLOCK_BLOCKS_MIN
#define BLOCKS 600u /* Of the volume, in use. */
#define JOBS   48u
#define RUN    70u /* Longest request. */
#define PAST   64u /* Versions that are remembered of each block. */

/* Versions of a block, oldest first: the first is settled, the others were submitted later. */
struct history {
	uint64_t seeds[PAST];
	uint32_t count;
};

struct scene {
	struct queue_fixture fixture;
	struct history blocks[BLOCKS];
	struct queue_job jobs[JOBS];
	bool is_busy[JOBS];
	uint32_t pins[BLOCKS]; /* Reads of each block in flight. */
	bool forgets_nothing;  /* Once the device fails, what was not flushed may be lost. */
	uint64_t seed;
	enum status expected; /* What failing requests may say. */
	uint64_t failures;
	uint64_t completed;
};

static void job_begin(struct scene *scene, size_t at)
{
	struct queue_job *job = &scene->jobs[at];
	uint32_t kind = fixture_random() % 16;
	uint64_t count =
		1 + (fixture_random() % 4 == 0 ? fixture_random() % RUN : fixture_random() % 4);
	uint64_t first = fixture_random() % (BLOCKS - count);
	bool is_read = kind < 7;
	bool is_write = kind >= 7 && kind < 13;
	queue_job_init(job,
		       is_read    ? VOLUME_REQUEST_READ
		       : is_write ? VOLUME_REQUEST_WRITE
		       : kind < 15
			       ? (kind == 13 ? VOLUME_REQUEST_DISCARD : VOLUME_REQUEST_WRITE_ZEROES)
			       : VOLUME_REQUEST_FLUSH,
		       first, count, fixture_random() % 2 == 0 ? 0 : 1 + count / 8);
	job->request.fua = fixture_random() % 16 == 0;
	scene->is_busy[at] = true;
	for (uint64_t i = 0; i < count && kind < 15; i++) {
		struct history *block = &scene->blocks[first + i];
		if (is_read) {
			scene->pins[first + i]++;
			continue;
		}
		uint64_t seed = is_write ? ++scene->seed : 0;
		if (is_write) {
			model_content(seed, queue_job_block(job, i));
		}
		assert_true(block->count < PAST);
		block->seeds[block->count++] = seed;
	}
	queue_job_submit(&scene->fixture, job);
}

static bool is_version(const struct history *block, const uint8_t *content)
{
	uint8_t expected[BLOCK_BYTES];
	for (uint32_t i = 0; i < block->count; i++) {
		model_content(block->seeds[i], expected);
		if (memcmp(expected, content, BLOCK_BYTES) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_all_zero(const struct queue_job *job)
{
	for (size_t i = 0; i < job->request.count.n * BLOCK_BYTES; i++) {
		if (job->bytes[i] != 0) {
			return false;
		}
	}
	return true;
}

static void job_end(struct scene *scene, size_t at)
{
	struct queue_job *job = &scene->jobs[at];
	const struct volume_request *request = &job->request;
	scene->is_busy[at] = false;
	scene->completed++;
	if (request->status != STATUS_OK) {
		if (request->status != scene->expected) {
			print_error("a request of kind %d says %s\n", (int)request->kind,
				    status_name(request->status));
		}
		assert_int_equal(request->status, scene->expected);
		scene->failures++;
	}
	for (uint64_t i = 0; i < request->count.n; i++) {
		struct history *block = &scene->blocks[request->first.n + i];
		if (request->kind == VOLUME_REQUEST_READ) {
			scene->pins[request->first.n + i]--;
			assert_true(request->status != STATUS_OK ||
				    is_version(block, queue_job_block(job, i)));
		}
	}
	if (request->kind == VOLUME_REQUEST_READ && request->status != STATUS_OK) {
		assert_true(is_all_zero(job));
	}
	queue_job_fini(job);
}

/* With no change and no read of a block in flight, its last version is the only one. */
static void histories_settle(struct scene *scene)
{
	bool is_changing[BLOCKS] = {false};
	for (size_t i = 0; i < JOBS; i++) {
		const struct volume_request *request = &scene->jobs[i].request;
		if (scene->is_busy[i] && request->kind != VOLUME_REQUEST_READ &&
		    request->kind != VOLUME_REQUEST_FLUSH) {
			memset(is_changing + request->first.n, 1, request->count.n);
		}
	}
	for (size_t b = 0; b < BLOCKS; b++) {
		struct history *block = &scene->blocks[b];
		if (!is_changing[b] && scene->pins[b] == 0) {
			block->seeds[0] = block->seeds[block->count - 1];
			block->count = 1;
		}
	}
}

static bool has_room(const struct scene *scene)
{
	for (size_t b = 0; b < BLOCKS; b++) {
		if (scene->blocks[b].count + 2 > PAST) {
			return false;
		}
	}
	return true;
}

static void scene_poll(struct scene *scene, bool wait)
{
	(void)queue_fixture_poll(&scene->fixture, wait);
	for (size_t i = 0; i < JOBS; i++) {
		if (scene->is_busy[i] && scene->jobs[i].is_done) {
			job_end(scene, i);
		}
	}
	if (!scene->forgets_nothing) {
		histories_settle(scene);
	}
}

static void scene_drain(struct scene *scene)
{
	for (size_t i = 0; i < JOBS; i++) {
		while (scene->is_busy[i]) {
			uint64_t before = scene->completed;
			scene_poll(scene, true);
			assert_true(scene->completed != before);
		}
	}
}

static void scene_walk(struct scene *scene, uint32_t steps)
{
	for (uint32_t step = 0; step < steps; step++) {
		for (size_t i = 0; i < JOBS; i++) {
			if (!scene->is_busy[i] && fixture_random() % 4 != 0 && has_room(scene)) {
				job_begin(scene, i);
			}
		}
		scene_poll(scene, fixture_random() % 4 == 0);
		if (scene->failures != 0) {
			return;
		}
	}
}

static void scene_init(struct scene *scene, uint64_t seed, bool is_synchronous)
{
	memset(scene, 0, sizeof(*scene));
	fixture_random_seed(seed);
	queue_fixture_init(&scene->fixture, VOLUME_PROFILE_BLOCK, SMALL, 16, is_synchronous);
	for (size_t b = 0; b < BLOCKS; b++) {
		scene->blocks[b].count = 1;
	}
}

static void check_all(struct scene *scene)
{
	uint8_t content[BLOCK_BYTES];
	for (uint32_t b = 0; b < BLOCKS; b++) {
		assert_int_equal(
			volume_read(scene->fixture.base.volume, (struct logical_block){b}, content),
			STATUS_OK);
		assert_true(is_version(&scene->blocks[b], content));
	}
}

static void test_random_walk(void **state)
{
	static struct scene scene;
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		scene_init(&scene, seed, seed == 4);
		for (int round = 0; round < 3; round++) {
			scene_walk(&scene, 500);
			scene_drain(&scene);
			assert_int_equal(scene.failures, 0);
			assert_int_equal(queue_flush(&scene.fixture), STATUS_OK);
			queue_fixture_unmount(&scene.fixture);
			assert_int_equal(queue_fixture_mount(&scene.fixture), STATUS_OK);
			check_all(&scene);
		}
		assert_int_equal(volume_verify(scene.fixture.base.volume, NULL, NULL), STATUS_OK);
		print_message("seed %d: %llu requests\n", (int)seed,
			      (unsigned long long)scene.completed);
		queue_fixture_fini(&scene.fixture);
	}
	assert_int_equal(ledger_repeats(), 0);
}

/* ---- Failing devices ------------------------------------------------------------------------ */

/* From the k-th operation on, or only there, the device fails. Everything completes; what was
 * flushed before is there at the next mount. */
static void fail_at(uint64_t k, enum sim_failure failure, enum status status)
{
	static struct scene scene;
	scene_init(&scene, k, false);
	scene.expected = status;
	scene_walk(&scene, 10);
	scene_drain(&scene);
	assert_int_equal(queue_flush(&scene.fixture), STATUS_OK);
	histories_settle(&scene);
	scene.forgets_nothing = true;
	sim_disk_fail_at(&scene.fixture.base.disk, k, failure, status);
	scene_walk(&scene, 40);
	scene_drain(&scene);
	const bool is_writable = volume_is_writable(scene.fixture.base.volume);
	if (scene.fixture.base.disk.write_path_failed) {
		assert_false(is_writable);
		assert_int_equal(queue_flush(&scene.fixture), status);
		assert_true(queue_write(&scene.fixture, 0, 1, 1) == status);
	}
	sim_disk_fail_at(&scene.fixture.base.disk, 0, SIM_FAIL_ONCE, STATUS_IO);
	queue_fixture_unmount(&scene.fixture);
	assert_int_equal(queue_fixture_mount(&scene.fixture), STATUS_OK);
	check_all(&scene);
	assert_int_equal(volume_verify(scene.fixture.base.volume, NULL, NULL), STATUS_OK);
	queue_fixture_fini(&scene.fixture);
}

static void test_kth_operation_fails(void **state)
{
	(void)state;
	for (uint64_t k = 1; k < 60; k += 2) {
		fail_at(k, SIM_FAIL_ONCE, STATUS_IO);
	}
	assert_int_equal(ledger_repeats(), 0);
}

static void test_device_dies(void **state)
{
	(void)state;
	for (uint64_t k = 1; k < 60; k += 4) {
		fail_at(k, SIM_FAIL_FOR_GOOD, STATUS_BAD_HOST);
	}
	assert_int_equal(ledger_repeats(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_walk),
		cmocka_unit_test(test_kth_operation_fails),
		cmocka_unit_test(test_device_dies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
