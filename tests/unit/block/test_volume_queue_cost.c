// SPDX-License-Identifier: MIT
/* What requests cost the device: counted, not timed. The numbers are part of the contract:
 * docs/volume-format.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "queue_fixture.h"

#define SMALL VOLUME_BLOCK_BLOCKS_MIN
#define GIB   262144u

static void jobs_init(struct queue_job *jobs, size_t count, enum volume_request_kind kind,
		      uint64_t blocks)
{
	for (size_t i = 0; i < count; i++) {
		queue_job_init(&jobs[i], kind, 0, blocks, 0);
		fixture_noise(jobs[i].bytes, blocks * BLOCK_BYTES, i + 1);
	}
}

static void jobs_fini(struct queue_job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		queue_job_fini(&jobs[i]);
	}
}

static void jobs_wait(struct queue_fixture *fixture, struct queue_job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(queue_job_wait(fixture, &jobs[i]), STATUS_OK);
	}
}

static void report(const char *what, const struct queue_fixture *fixture, uint64_t blocks)
{
	const struct block_device_counters *counters = &fixture->base.disk.counters;
	print_message("%s: %llu reads, %llu writes, %llu flushes, %llu kicks, %llu.%03llux\n", what,
		      (unsigned long long)counters->reads, (unsigned long long)counters->writes,
		      (unsigned long long)counters->flushes, (unsigned long long)fixture->sim.kicks,
		      (unsigned long long)(counters->blocks_written / blocks),
		      (unsigned long long)(counters->blocks_written * 1000 / blocks % 1000));
}

static void counters_reset(struct queue_fixture *fixture)
{
	sim_disk_counters_reset(&fixture->base.disk);
	fixture->sim.kicks = 0;
	fixture->sim.reads_in_flight_most = 0;
	fixture->sim.writes_in_flight_most = 0;
}

/* 4 KiB at random places, 32 at once, a flush behind each 32, with its checkpoint. */
static void test_random_writes(void **state)
{
	static struct queue_job jobs[33];
	struct queue_fixture fixture;
	struct volume_counters counters;
	uint64_t batches = 0;
	(void)state;
	fixture_random_seed(3);
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, GIB, 64, false);
	const uint32_t end = (uint32_t)volume_logical_size(fixture.base.volume).n;
	jobs_init(jobs, 32, VOLUME_REQUEST_WRITE, 1);
	queue_job_init(&jobs[32], VOLUME_REQUEST_FLUSH, 0, 0, 0);
	counters_reset(&fixture);
	do { /* Ends: the log fills up. */
		for (size_t i = 0; i < 32; i++) {
			jobs[i].request.first.n = fixture_random() % end;
			queue_job_submit(&fixture, &jobs[i]);
		}
		queue_job_submit(&fixture, &jobs[32]);
		jobs_wait(&fixture, jobs, 33);
		batches++;
		if (batches == 100) { /* Before the checkpoint: data, record, flush. */
			assert_int_equal(fixture.base.disk.counters.writes, 200);
			assert_int_equal(fixture.base.disk.counters.flushes, 100);
			assert_true(fixture.sim.kicks <= 200 + fixture.base.disk.counters.reads);
		}
		volume_counters_get(fixture.base.volume, &counters);
	} while (counters.checkpoints == 0);
	report("4 KiB random, depth 32, flush each 32, 1 GiB, with its checkpoint", &fixture,
	       batches * 32);
	assert_true(batches > 1000);
	assert_true(fixture.base.disk.counters.blocks_written * 100 <= batches * 32 * 110);
	jobs_fini(jobs, 33);
	queue_fixture_fini(&fixture);
}

/* 128 KiB in sequence, 16 at once: a device write each, in flight together. */
static void test_sequential_writes(void **state)
{
	static struct queue_job jobs[16];
	struct queue_fixture fixture;
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, GIB, 64, false);
	jobs_init(jobs, ARRAY_COUNT(jobs), VOLUME_REQUEST_WRITE, 32);
	counters_reset(&fixture);
	for (uint64_t round = 0; round < 16; round++) {
		for (size_t i = 0; i < ARRAY_COUNT(jobs); i++) {
			jobs[i].request.first.n = (round * 16 + i) * 32;
			queue_job_submit(&fixture, &jobs[i]);
		}
		jobs_wait(&fixture, jobs, ARRAY_COUNT(jobs));
		assert_int_equal(queue_flush(&fixture), STATUS_OK);
	}
	assert_true(fixture.sim.writes_in_flight_most >= 12);
	assert_int_equal(volume_checkpoint(fixture.base.volume), STATUS_OK);
	report("128 KiB sequential, depth 16, with its checkpoint", &fixture, 8192);
	assert_true(fixture.base.disk.counters.blocks_written * 100 <= 8192 * 103);
	/* One for each 128 KiB, one for each record, the checkpoint's. */
	assert_true(fixture.base.disk.counters.writes <= 256 + 16 * 2 + 12);
	jobs_fini(jobs, ARRAY_COUNT(jobs));
	queue_fixture_fini(&fixture);
}

/* Single blocks at random places: one device read each, all at the device at once, announced
 * once. */
static void test_reads_in_flight(void **state)
{
	static struct queue_job jobs[QUEUE_REQUESTS_MAX];
	struct queue_fixture fixture;
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, SMALL, QUEUE_REQUESTS_MAX, false);
	assert_int_equal(queue_write(&fixture, 0, 1280, 1), STATUS_OK);
	assert_int_equal(queue_flush(&fixture), STATUS_OK);
	jobs_init(jobs, ARRAY_COUNT(jobs), VOLUME_REQUEST_READ, 1);
	for (int round = 0; round < 2; round++) { /* From the log, from the tree. */
		assert_int_equal(queue_check(&fixture, 0, 1280, 1), STATUS_OK);
		counters_reset(&fixture);
		for (size_t i = 0; i < ARRAY_COUNT(jobs); i++) {
			jobs[i].request.first.n = i * 617 % 1280;
			queue_job_submit(&fixture, &jobs[i]);
		}
		jobs_wait(&fixture, jobs, ARRAY_COUNT(jobs));
		report("128 reads of 4 KiB at once", &fixture, 1);
		assert_int_equal(fixture.base.disk.counters.reads, ARRAY_COUNT(jobs));
		assert_int_equal(fixture.base.disk.counters.blocks_read, ARRAY_COUNT(jobs));
		assert_int_equal(fixture.sim.reads_in_flight_most, ARRAY_COUNT(jobs));
		assert_int_equal(fixture.sim.kicks, 1);
		assert_int_equal(volume_checkpoint(fixture.base.volume), STATUS_OK);
	}
	jobs_fini(jobs, ARRAY_COUNT(jobs));
	queue_fixture_fini(&fixture);
}

/* A stream of 4 KiB reads, one after the other, costs one device read for each 128 KiB; two
 * streams in turns as well; reads all over the place fetch nothing that is not asked for. */
static void test_read_ahead(void **state)
{
	struct queue_fixture fixture;
	struct volume_queue_counters counters;
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, SMALL, 64, false);
	assert_int_equal(queue_write(&fixture, 0, 2048, 1), STATUS_OK);
	assert_int_equal(queue_flush(&fixture), STATUS_OK);
	assert_int_equal(queue_check(&fixture, 0, 2048, 1), STATUS_OK);
	counters_reset(&fixture);
	for (uint64_t i = 0; i < 1024; i++) {
		assert_int_equal(queue_check(&fixture, i, 1, i + 1), STATUS_OK);
	}
	report("4 MiB in sequence, 4 KiB at a time", &fixture, 1024);
	assert_true(fixture.base.disk.counters.reads <= 1024 / 32 + 5);
	assert_true(fixture.base.disk.counters.blocks_read <= 1024 + 64 + 5);
	counters_reset(&fixture);
	for (uint64_t i = 0; i < 512; i++) {
		assert_int_equal(queue_check(&fixture, i, 1, i + 1), STATUS_OK);
		assert_int_equal(queue_check(&fixture, 1024 + i, 1, i + 1025), STATUS_OK);
	}
	report("two streams", &fixture, 1024);
	assert_true(fixture.base.disk.counters.reads <= 1024 / 32 + 10);
	volume_queue_counters_get(fixture.queue, &counters);
	const uint64_t ahead = counters.reads_ahead;
	counters_reset(&fixture);
	for (uint64_t i = 0; i < 512; i++) {
		uint64_t at = i * 1237 % 2048;
		assert_int_equal(queue_check(&fixture, at, 1, at + 1), STATUS_OK);
	}
	volume_queue_counters_get(fixture.queue, &counters);
	assert_int_equal(counters.reads_ahead, ahead);
	assert_true(fixture.base.disk.counters.blocks_read <= 512);
	queue_fixture_fini(&fixture);
}

/* What was read ahead is not what is read once it is overwritten or discarded. */
static void test_read_ahead_is_never_stale(void **state)
{
	struct queue_fixture fixture;
	struct queue_job job;
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, SMALL, 64, false);
	assert_int_equal(queue_write(&fixture, 0, 256, 1), STATUS_OK);
	assert_int_equal(queue_flush(&fixture), STATUS_OK);
	for (uint64_t i = 0; i < 8; i++) {
		assert_int_equal(queue_check(&fixture, i, 1, i + 1), STATUS_OK);
	}
	assert_int_equal(queue_write(&fixture, 10, 20, 1000), STATUS_OK);
	queue_job_init(&job, VOLUME_REQUEST_DISCARD, 40, 4, 0);
	assert_int_equal(queue_job_run(&fixture, &job), STATUS_OK);
	queue_job_fini(&job);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(queue_check(&fixture, 8, 2, 9), STATUS_OK);
		for (uint64_t i = 10; i < 30; i++) {
			assert_int_equal(queue_check(&fixture, i, 1, 990 + i), STATUS_OK);
		}
		for (uint64_t i = 30; i < 60; i++) {
			assert_int_equal(queue_check(&fixture, i, 1, i >= 40 && i < 44 ? 0 : i + 1),
					 STATUS_OK);
		}
		assert_int_equal(queue_flush(&fixture), STATUS_OK);
	}
	queue_fixture_fini(&fixture);
}

/* All flushes that wait share one record and one device flush; one that finds nothing new costs
 * nothing. Reads are answered while the flush is at the device. */
static void test_group_commit(void **state)
{
	static struct queue_job writes[8];
	static struct queue_job flushes[8];
	struct queue_job read;
	struct queue_fixture fixture;
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, SMALL, 64, false);
	assert_int_equal(queue_write(&fixture, 100, 40, 7), STATUS_OK);
	assert_int_equal(queue_flush(&fixture), STATUS_OK);
	assert_int_equal(queue_check(&fixture, 100, 40, 7), STATUS_OK);
	jobs_init(writes, ARRAY_COUNT(writes), VOLUME_REQUEST_WRITE, 1);
	counters_reset(&fixture);
	for (size_t i = 0; i < ARRAY_COUNT(writes); i++) {
		writes[i].request.first.n = i * 3;
		writes[i].request.fua = i % 2 == 0;
		queue_job_init(&flushes[i], VOLUME_REQUEST_FLUSH, 0, 0, 0);
		queue_job_submit(&fixture, &writes[i]);
		queue_job_submit(&fixture, &flushes[i]);
	}
	fixture.sim.holds = true; /* Record and flush are not answered yet. */
	(void)queue_fixture_poll(&fixture, false);
	fixture.sim.holds = false;
	queue_job_init(&read, VOLUME_REQUEST_READ, 110, 4, 0);
	assert_int_equal(queue_job_run(&fixture, &read), STATUS_OK);
	for (size_t i = 0; i < ARRAY_COUNT(flushes); i++) {
		assert_false(flushes[i].is_done);
		assert_true(writes[i].is_done == !writes[i].request.fua);
	}
	sim_queue_release(&fixture.sim);
	jobs_wait(&fixture, flushes, ARRAY_COUNT(flushes));
	jobs_wait(&fixture, writes, ARRAY_COUNT(writes));
	assert_int_equal(fixture.base.disk.counters.writes, 1);
	assert_int_equal(fixture.base.disk.counters.flushes, 1);
	counters_reset(&fixture);
	assert_int_equal(queue_flush(&fixture), STATUS_OK);
	assert_int_equal(fixture.base.disk.counters.writes, 0);
	assert_int_equal(fixture.base.disk.counters.flushes, 0);
	jobs_fini(writes, ARRAY_COUNT(writes));
	jobs_fini(flushes, ARRAY_COUNT(flushes));
	queue_job_fini(&read);
	queue_fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_writes),
		cmocka_unit_test(test_sequential_writes),
		cmocka_unit_test(test_reads_in_flight),
		cmocka_unit_test(test_read_ahead),
		cmocka_unit_test(test_read_ahead_is_never_stale),
		cmocka_unit_test(test_group_commit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
