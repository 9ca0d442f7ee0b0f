// SPDX-License-Identifier: MIT
/* block_queue alone: synchronous calls, reads and writes behind at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/block_queue.h"
#include "sim_queue.h"

#define BLOCKS 4096u
#define WRITES 6u

struct scene {
	struct sim_disk disk;
	struct sim_queue sim;
	struct block_queue queue;
	uint8_t *buffers;
};

static void scene_init(struct scene *scene, uint32_t depth, bool is_synchronous)
{
	memset(scene, 0, sizeof(*scene));
	sim_disk_init(&scene->disk, BLOCKS);
	sim_queue_init(&scene->sim, &scene->disk, depth, depth);
	scene->buffers = malloc(WRITES * BLOCK_QUEUE_WRITE_BYTES);
	assert_non_null(scene->buffers);
	block_queue_init(&scene->queue, is_synchronous ? &scene->disk.device : &scene->sim.device,
			 scene->buffers, WRITES);
}

static void scene_fini(struct scene *scene)
{
	while (!block_queue_is_idle(&scene->queue)) {
		block_queue_poll(&scene->queue, true);
		while (block_queue_next(&scene->queue) != NULL) {
		}
	}
	free(scene->buffers);
	sim_disk_fini(&scene->disk);
}

static void fill(uint8_t *out, uint64_t blocks, uint8_t value)
{
	memset(out, value, blocks * BLOCK_BYTES);
}

static enum status write_behind(struct scene *scene, uint64_t first, uint64_t count, uint8_t value)
{
	uint8_t *room = block_queue_room(&scene->queue);
	fill(room, count, value);
	return block_queue_write(&scene->queue, room, (struct physical_block){first},
				 (struct block_count){count});
}

static void test_many_reads_one_kick(void **state)
{
	struct scene scene;
	struct block_request reads[100];
	static uint8_t out[100 * BLOCK_BYTES];
	size_t done = 0;
	(void)state;
	scene_init(&scene, 128, false);
	for (size_t i = 0; i < ARRAY_COUNT(reads); i++) {
		reads[i] = (struct block_request){
			.first = {i * 7}, .count = {1}, .bytes = out + i * BLOCK_BYTES};
		block_queue_read(&scene.queue, &reads[i]);
	}
	while (done < ARRAY_COUNT(reads)) {
		block_queue_poll(&scene.queue, true);
		while (block_queue_next(&scene.queue) != NULL) {
			done++;
		}
	}
	assert_int_equal(scene.sim.kicks, 1);
	assert_int_equal(scene.sim.reads_in_flight_most, 100);
	assert_int_equal(scene.queue.counters.in_flight_most, 100);
	for (size_t i = 0; i < ARRAY_COUNT(reads); i++) {
		assert_int_equal(reads[i].status, STATUS_OK);
		assert_memory_equal(out + i * BLOCK_BYTES, sim_disk_look(&scene.disk, i * 7),
				    BLOCK_BYTES);
	}
	scene_fini(&scene);
}

/* A device with less room than there are requests: the rest waits, in order. */
static void test_full_device(void **state)
{
	struct scene scene;
	struct block_request reads[50];
	static uint8_t out[50 * BLOCK_BYTES];
	size_t done = 0;
	(void)state;
	scene_init(&scene, 3, false);
	for (size_t i = 0; i < ARRAY_COUNT(reads); i++) {
		reads[i] = (struct block_request){
			.first = {i}, .count = {1}, .bytes = out + i * BLOCK_BYTES};
		block_queue_read(&scene.queue, &reads[i]);
	}
	while (done < ARRAY_COUNT(reads)) {
		block_queue_poll(&scene.queue, true);
		while (block_queue_next(&scene.queue) != NULL) {
			done++;
		}
	}
	assert_int_equal(scene.sim.reads_in_flight_most, 3);
	scene_fini(&scene);
}

/* Synchronous reads see what was written behind, while other requests are in flight. */
static void test_sync_sees_writes(void **state)
{
	struct scene scene;
	static uint8_t block[2 * BLOCK_BYTES];
	static uint8_t expected[BLOCK_BYTES];
	(void)state;
	for (int way = 0; way < 2; way++) {
		scene_init(&scene, 64, way == 1);
		for (uint8_t i = 0; i < 200; i++) {
			uint64_t first = (uint64_t)(i % 5) * 16;
			assert_int_equal(write_behind(&scene, first, 16, i), STATUS_OK);
			const uint8_t *going =
				block_queue_find(&scene.queue, (struct physical_block){first + 3});
			assert_true(way == 1 || (going != NULL && going[0] == i));
			if (i % 3 == 0) {
				assert_int_equal(block_read(&scene.queue.face,
							    (struct physical_block){first + 15},
							    (struct block_count){1}, block),
						 STATUS_OK);
				fill(expected, 1, i);
				assert_memory_equal(block, expected, BLOCK_BYTES);
			}
		}
		assert_int_equal(block_flush(&scene.queue.face), STATUS_OK);
		assert_int_equal(scene.disk.pending_count, 0);
		scene_fini(&scene);
	}
}

/* Writes are in flight together; the flush is asked for when they have completed. */
static void test_flush_waits_for_writes(void **state)
{
	struct scene scene;
	struct block_request flush = {.owner = NULL};
	(void)state;
	scene_init(&scene, 64, false);
	for (uint8_t i = 0; i < WRITES; i++) {
		assert_int_equal(write_behind(&scene, 100 + 32 * (uint64_t)i, 32, i), STATUS_OK);
	}
	assert_int_equal(scene.sim.writes_in_flight_most, WRITES);
	block_queue_flush(&scene.queue, &flush);
	assert_int_equal(scene.sim.submits, WRITES);
	while (block_queue_next(&scene.queue) == NULL) {
		block_queue_poll(&scene.queue, true);
	}
	assert_int_equal(flush.status, STATUS_OK);
	assert_int_equal(scene.disk.pending_count, 0);
	for (uint8_t i = 0; i < WRITES; i++) {
		assert_int_equal(sim_disk_look(&scene.disk, 100 + 32 * (uint64_t)i)[7], i);
	}
	assert_true(scene.sim.kicks <= 2); /* The writes, the flush. */
	scene_fini(&scene);
}

/* Writes to the same place never overtake each other, though the device completes in any order. */
static void test_overlapping_writes(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene, 64, false);
	for (uint8_t i = 0; i < 100; i++) {
		assert_int_equal(write_behind(&scene, 100u + i % 7u, 20, i), STATUS_OK);
	}
	assert_int_equal(block_flush(&scene.queue.face), STATUS_OK);
	assert_int_equal(sim_disk_look(&scene.disk, 110)[0], 99);
	scene_fini(&scene);
}

/* A write that fails is found out by the next flush, and nothing counts after it. */
static void test_failed_write(void **state)
{
	struct scene scene;
	struct block_request flush = {.owner = NULL};
	uint8_t block[BLOCK_BYTES];
	(void)state;
	for (int way = 0; way < 2; way++) {
		scene_init(&scene, 64, way == 1);
		memset(block, 1, sizeof(block));
		sim_disk_fail_at(&scene.disk, 2, SIM_FAIL_ONCE, STATUS_IO);
		enum status status = write_behind(&scene, 0, 4, 1);
		assert_int_equal(status, STATUS_OK);
		status = write_behind(&scene, 50, 4, 2);
		assert_int_equal(status, way == 1 ? STATUS_IO : STATUS_OK);
		block_queue_flush(&scene.queue, &flush);
		while (block_queue_next(&scene.queue) == NULL) {
			block_queue_poll(&scene.queue, true);
		}
		assert_int_equal(flush.status, STATUS_IO);
		assert_int_equal(scene.disk.counters.flushes, 0);
		assert_int_equal(block_write(&scene.queue.face, (struct physical_block){9},
					     (struct block_count){1}, block),
				 STATUS_IO);
		assert_int_equal(block_flush(&scene.queue.face), STATUS_IO);
		assert_int_equal(block_read(&scene.queue.face, (struct physical_block){9},
					    (struct block_count){1}, block),
				 STATUS_OK);
		scene_fini(&scene);
	}
}

/* The device dies with requests in flight and more in the queue: all complete, and say why. */
static void test_dead_device(void **state)
{
	struct scene scene;
	struct block_request reads[20];
	static uint8_t out[20 * BLOCK_BYTES];
	size_t done = 0;
	size_t failed = 0;
	(void)state;
	scene_init(&scene, 8, false);
	sim_disk_fail_at(&scene.disk, 5, SIM_FAIL_FOR_GOOD, STATUS_BAD_HOST);
	for (size_t i = 0; i < ARRAY_COUNT(reads); i++) {
		reads[i] = (struct block_request){
			.first = {i}, .count = {1}, .bytes = out + i * BLOCK_BYTES};
		block_queue_read(&scene.queue, &reads[i]);
	}
	while (done < ARRAY_COUNT(reads)) {
		struct block_request *request = NULL;
		block_queue_poll(&scene.queue, true);
		while ((request = block_queue_next(&scene.queue)) != NULL) {
			done++;
			failed += request->status == STATUS_BAD_HOST ? 1u : 0u;
		}
	}
	assert_int_equal(failed, 16);
	scene_fini(&scene);
}

/* What does not fit the device completes with its refusal. */
static void test_refusal(void **state)
{
	struct scene scene;
	uint8_t block[BLOCK_BYTES];
	(void)state;
	for (int way = 0; way < 2; way++) {
		struct block_request read = {.first = {BLOCKS}, .count = {1}, .bytes = block};
		scene_init(&scene, 8, way == 1);
		block_queue_read(&scene.queue, &read);
		assert_ptr_equal(block_queue_next(&scene.queue), &read);
		assert_int_equal(read.status, STATUS_INVALID);
		scene_fini(&scene);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_reads_one_kick),
		cmocka_unit_test(test_full_device),
		cmocka_unit_test(test_sync_sees_writes),
		cmocka_unit_test(test_flush_waits_for_writes),
		cmocka_unit_test(test_overlapping_writes),
		cmocka_unit_test(test_failed_write),
		cmocka_unit_test(test_dead_device),
		cmocka_unit_test(test_refusal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
