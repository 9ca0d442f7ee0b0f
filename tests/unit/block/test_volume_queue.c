// SPDX-License-Identifier: MIT
/* What the request queue promises, one promise at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"
#include "queue_fixture.h"

#define SMALL VOLUME_BLOCK_BLOCKS_MIN

/* The three ways to run one: a device with a queue, without, and the state profile. */
static const struct {
	enum volume_profile profile;
	uint64_t blocks;
	bool is_synchronous;
} ways[] = {
	{VOLUME_PROFILE_BLOCK, SMALL, false},
	{VOLUME_PROFILE_BLOCK, SMALL, true},
	{VOLUME_PROFILE_STATE, FIXTURE_BLOCKS, false},
};

static void test_round_trip(void **state)
{
	struct queue_fixture fixture;
	(void)state;
	for (size_t way = 0; way < ARRAY_COUNT(ways); way++) {
		queue_fixture_init(&fixture, ways[way].profile, ways[way].blocks, 32,
				   ways[way].is_synchronous);
		assert_int_equal(queue_write(&fixture, 10, 3, 1), STATUS_OK);    /* Inline. */
		assert_int_equal(queue_write(&fixture, 100, 60, 50), STATUS_OK); /* Out of line. */
		assert_int_equal(queue_write(&fixture, 11, 1, 99), STATUS_OK);
		for (int round = 0; round < 3; round++) { /* Staged, committed, mounted again. */
			assert_int_equal(queue_check(&fixture, 10, 1, 1), STATUS_OK);
			assert_int_equal(queue_check(&fixture, 11, 1, 99), STATUS_OK);
			assert_int_equal(queue_check(&fixture, 100, 60, 50), STATUS_OK);
			assert_int_equal(queue_check(&fixture, 200, 20, 0), STATUS_OK);
			assert_int_equal(queue_flush(&fixture), STATUS_OK);
			if (round == 1) {
				queue_fixture_unmount(&fixture);
				assert_int_equal(queue_fixture_mount(&fixture), STATUS_OK);
			}
		}
		queue_fixture_fini(&fixture);
	}
}

static void test_holes(void **state)
{
	struct queue_fixture fixture;
	struct queue_job job;
	(void)state;
	for (size_t way = 0; way < ARRAY_COUNT(ways); way++) {
		queue_fixture_init(&fixture, ways[way].profile, ways[way].blocks, 32,
				   ways[way].is_synchronous);
		assert_int_equal(queue_write(&fixture, 100, 40, 50), STATUS_OK);
		assert_int_equal(queue_flush(&fixture), STATUS_OK);
		queue_job_init(&job, VOLUME_REQUEST_DISCARD, 110, 5, 0);
		assert_int_equal(queue_job_run(&fixture, &job), STATUS_OK);
		queue_job_fini(&job);
		queue_job_init(&job, VOLUME_REQUEST_WRITE_ZEROES, 0, 105, 0);
		job.request.fua = true;
		assert_int_equal(queue_job_run(&fixture, &job), STATUS_OK);
		queue_job_fini(&job);
		queue_fixture_unmount(&fixture); /* FUA: no flush is needed. */
		assert_int_equal(queue_fixture_mount(&fixture), STATUS_OK);
		assert_int_equal(queue_check(&fixture, 0, 105, 0), STATUS_OK);
		assert_int_equal(queue_check(&fixture, 105, 5, 55), STATUS_OK);
		assert_int_equal(queue_check(&fixture, 110, 5, 0), STATUS_OK);
		assert_int_equal(queue_check(&fixture, 115, 25, 65), STATUS_OK);
		queue_fixture_fini(&fixture);
	}
}

/* What was not flushed is gone, what was is not. */
static void test_volatile_cache(void **state)
{
	struct queue_fixture fixture;
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, SMALL, 32, false);
	assert_int_equal(queue_write(&fixture, 5, 40, 1), STATUS_OK);
	assert_int_equal(queue_flush(&fixture), STATUS_OK);
	assert_int_equal(queue_write(&fixture, 5, 40, 100), STATUS_OK);
	queue_fixture_unmount(&fixture);
	assert_int_equal(queue_fixture_mount(&fixture), STATUS_OK);
	assert_int_equal(queue_check(&fixture, 5, 40, 1), STATUS_OK);
	queue_fixture_fini(&fixture);
}

static void test_scattered(void **state)
{
	struct queue_fixture fixture;
	struct queue_job job;
	uint8_t expected[BLOCK_BYTES];
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, SMALL, 32, false);
	for (size_t scatter = 1; scatter <= 4; scatter++) {
		queue_job_init(&job, VOLUME_REQUEST_WRITE, 100, 64, scatter);
		for (uint64_t i = 0; i < 64; i++) {
			model_content(1000 * scatter + i, queue_job_block(&job, i));
		}
		assert_int_equal(queue_job_run(&fixture, &job), STATUS_OK);
		queue_job_fini(&job);
		assert_int_equal(queue_flush(&fixture), STATUS_OK);
		sim_disk_counters_reset(&fixture.base.disk);
		queue_job_init(&job, VOLUME_REQUEST_READ, 100, 64, scatter);
		assert_int_equal(queue_job_run(&fixture, &job), STATUS_OK);
		for (uint64_t i = 0; i < 64; i++) {
			model_content(1000 * scatter + i, expected);
			assert_memory_equal(expected, queue_job_block(&job, i), BLOCK_BYTES);
		}
		queue_job_fini(&job);
		/* Scattered memory does not scatter the device's reads. */
		assert_int_equal(fixture.base.disk.counters.reads, 2);
	}
	queue_fixture_fini(&fixture);
}

static void test_refusals(void **state)
{
	struct queue_fixture fixture;
	struct queue_job job;
	struct volume_queue *second = NULL;
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, SMALL, 32, false);
	const uint64_t end = volume_logical_size(fixture.base.volume).n;
	const struct {
		uint64_t first;
		uint64_t count;
		size_t piece_bytes;
	} bad[] = {
		{0, 0, 0},
		{end, 1, BLOCK_BYTES},
		{end - 1, 2, 2 * BLOCK_BYTES},
		{UINT64_MAX, 2, 2 * BLOCK_BYTES},
		{0, 2, BLOCK_BYTES},
		{0, 1, 2 * BLOCK_BYTES},
		{0, 1, 512},
		{0, 1, 0},
		{0, UINT64_MAX / BLOCK_BYTES + 2, BLOCK_BYTES},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		queue_job_init(&job, i % 2 == 0 ? VOLUME_REQUEST_READ : VOLUME_REQUEST_WRITE, 0, 2,
			       0);
		memset(job.bytes, 0x77, 2 * BLOCK_BYTES);
		job.request.first.n = bad[i].first;
		job.request.count.n = bad[i].count;
		job.pieces[0].size_bytes = bad[i].piece_bytes;
		assert_int_equal(queue_job_run(&fixture, &job), STATUS_INVALID);
		assert_int_equal(job.bytes[0], 0x77);
		queue_job_fini(&job);
	}
	assert_int_equal(volume_queue_open(fixture.base.volume, 32, fixture.memory,
					   volume_queue_bytes(32), &second),
			 STATUS_BUSY);
	assert_int_equal(volume_queue_open(fixture.base.volume, 0, fixture.memory,
					   volume_queue_bytes(32), &second),
			 STATUS_INVALID);
	assert_int_equal(volume_queue_open(fixture.base.volume, 32, fixture.memory,
					   volume_queue_bytes(32) - 1, &second),
			 STATUS_NO_MEMORY);
	queue_fixture_fini(&fixture);
}

static uint64_t physical_of(struct volume *volume, uint32_t logical)
{
	struct volume_entry entry;
	const struct volume_map_entry *pending = volume_pending_find(volume, logical);
	if (pending != NULL) {
		return pending->entry.physical;
	}
	assert_int_equal(volume_tree_find(volume, logical, &entry), STATUS_OK);
	return entry.physical;
}

/* A run that is written out of line ends before a blank block, which becomes a hole, and before one
 * that the transaction has in memory already, which keeps its place. */
static void test_runs_are_cut(void **state)
{
	struct queue_fixture fixture;
	struct queue_job job;
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, SMALL, 32, false);
	struct volume *volume = fixture.base.volume;
	assert_int_equal(queue_write(&fixture, 300, 9, 1), STATUS_OK); /* Out of line from now. */
	assert_int_equal(queue_write(&fixture, 110, 1, 7), STATUS_OK);
	const uint32_t taken = volume->txn.spilled;
	queue_job_init(&job, VOLUME_REQUEST_WRITE, 100, 20, 0);
	for (uint64_t i = 0; i < 20; i++) {
		model_content(500 + i, queue_job_block(&job, i));
	}
	memset(queue_job_block(&job, 5), 0, BLOCK_BYTES);
	assert_int_equal(queue_job_run(&fixture, &job), STATUS_OK);
	queue_job_fini(&job);
	assert_int_equal(volume->txn.spilled, taken + 18);
	assert_int_equal(queue_flush(&fixture), STATUS_OK);
	assert_null(volume_pending_find(volume, 105)); /* It was a hole already. */
	const uint64_t first = physical_of(volume, 100);
	assert_int_equal(physical_of(volume, 110), first - 1);
	assert_int_equal(physical_of(volume, 106), first + 5);
	assert_int_equal(physical_of(volume, 119), first + 17);
	queue_fixture_unmount(&fixture);
	assert_int_equal(queue_fixture_mount(&fixture), STATUS_OK);
	assert_int_equal(queue_check(&fixture, 100, 5, 500), STATUS_OK);
	assert_int_equal(queue_check(&fixture, 105, 1, 0), STATUS_OK);
	assert_int_equal(queue_check(&fixture, 106, 14, 506), STATUS_OK);
	assert_int_equal(queue_check(&fixture, 300, 9, 1), STATUS_OK);
	queue_fixture_fini(&fixture);
}

/* ---- Damage -------------------------------------------------------------------------------- */

/* Only the request with the damaged block fails; it says which one, and shows nothing. */
static void test_damaged_block(void **state)
{
	struct queue_fixture fixture;
	struct queue_job jobs[3];
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, SMALL, 32, false);
	assert_int_equal(queue_write(&fixture, 0, 96, 1), STATUS_OK);
	assert_int_equal(queue_flush(&fixture), STATUS_OK);
	uint64_t physical = physical_of(fixture.base.volume, 45);
	sim_disk_flip(&fixture.base.disk, physical, 1234);
	for (size_t i = 0; i < ARRAY_COUNT(jobs); i++) {
		queue_job_init(&jobs[i], VOLUME_REQUEST_READ, 32 * i, 32, i == 1 ? 3 : 0);
		queue_job_submit(&fixture, &jobs[i]);
	}
	for (size_t i = 0; i < ARRAY_COUNT(jobs); i++) {
		enum status status = queue_job_wait(&fixture, &jobs[i]);
		assert_int_equal(status, i == 1 ? STATUS_AUTH_DATA : STATUS_OK);
	}
	const struct volume_failure *failure = &jobs[1].request.failure;
	assert_int_equal(failure->status, STATUS_AUTH_DATA);
	assert_int_equal(failure->logical, 45);
	assert_int_equal(failure->physical, physical);
	assert_int_equal(failure->level, 0);
	for (size_t i = 0; i < 32 * BLOCK_BYTES; i++) {
		assert_int_equal(jobs[1].bytes[i], 0);
	}
	for (size_t i = 0; i < ARRAY_COUNT(jobs); i++) {
		queue_job_fini(&jobs[i]);
	}
	assert_true(volume_is_writable(fixture.base.volume));
	assert_int_equal(queue_write(&fixture, 45, 1, 77), STATUS_OK); /* Heals it. */
	assert_int_equal(queue_check(&fixture, 45, 1, 77), STATUS_OK);
	queue_fixture_fini(&fixture);
}

/* A sector that cannot be read spoils the read ahead of it, not the requests beside it. */
static void test_bad_sector_ahead(void **state)
{
	struct queue_fixture fixture;
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, SMALL, 32, false);
	assert_int_equal(queue_write(&fixture, 0, 128, 1), STATUS_OK);
	assert_int_equal(queue_flush(&fixture), STATUS_OK);
	fixture.base.disk.bad_block = physical_of(fixture.base.volume, 20);
	for (uint64_t i = 0; i < 128; i++) {
		assert_int_equal(queue_check(&fixture, i, 1, i + 1),
				 i == 20 ? STATUS_IO : STATUS_OK);
	}
	queue_fixture_fini(&fixture);
}

/* ---- Blocks that move while they are read --------------------------------------------------- */

/* The reads are at the device, their blocks are overwritten, checkpoints let go of the old places
 * and allocation comes round to them; only then the device gets to the reads. */
static void test_block_is_reused_under_a_read(void **state)
{
	struct queue_fixture fixture;
	struct queue_job reads[8];
	struct volume_queue_counters counters;
	struct volume *volume = NULL;
	uint8_t expected[BLOCK_BYTES];
	(void)state;
	queue_fixture_init(&fixture, VOLUME_PROFILE_BLOCK, SMALL, 32, false);
	volume = fixture.base.volume;
	assert_int_equal(queue_write(&fixture, 0, 1000, 1), STATUS_OK);
	assert_int_equal(queue_flush(&fixture), STATUS_OK);
	assert_int_equal(volume_checkpoint(volume), STATUS_OK);
	assert_int_equal(queue_check(&fixture, 0, 1000, 1), STATUS_OK); /* Nodes are cached now. */
	for (uint64_t i = 0; i < 250; i++) { /* Buffers are full of what was read ahead. */
		assert_int_equal(queue_check(&fixture, i, 1, i + 1), STATUS_OK);
	}
	for (size_t i = 0; i < ARRAY_COUNT(reads); i++) {
		queue_job_init(&reads[i], VOLUME_REQUEST_READ, i * 100, 4, 0);
		queue_job_submit(&fixture, &reads[i]);
	}
	fixture.sim.holds = true;
	(void)queue_fixture_poll(&fixture, false);
	fixture.sim.holds = false;
	for (uint64_t round = 0; round < 12; round++) {
		assert_int_equal(queue_write(&fixture, 0, 1000, 5000 + 1000 * round), STATUS_OK);
		assert_int_equal(queue_flush(&fixture), STATUS_OK);
		assert_int_equal(volume_checkpoint(volume), STATUS_OK);
		/* Nor do the buffers answer for what is in those places now. */
		assert_int_equal(queue_check(&fixture, 0, 1000, 5000 + 1000 * round), STATUS_OK);
	}
	sim_queue_release(&fixture.sim);
	for (size_t i = 0; i < ARRAY_COUNT(reads); i++) {
		assert_int_equal(queue_job_wait(&fixture, &reads[i]), STATUS_OK);
		for (uint64_t b = 0; b < 4; b++) { /* The old content or the new. */
			uint64_t seed = 0;
			memcpy(&seed, queue_job_block(&reads[i], b), sizeof(seed));
			model_content(seed, expected);
			assert_memory_equal(expected, queue_job_block(&reads[i], b), BLOCK_BYTES);
			assert_int_equal(seed % 1000, (1 + i * 100 + b) % 1000 * (seed < 5000) +
							      (i * 100 + b) * (seed >= 5000));
		}
		queue_job_fini(&reads[i]);
	}
	volume_queue_counters_get(fixture.queue, &counters);
	assert_true(counters.reads_alone != 0);
	assert_true(volume_is_writable(volume));
	queue_fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_volatile_cache),
		cmocka_unit_test(test_scattered),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_runs_are_cut),
		cmocka_unit_test(test_damaged_block),
		cmocka_unit_test(test_bad_sector_ahead),
		cmocka_unit_test(test_block_is_reused_under_a_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
