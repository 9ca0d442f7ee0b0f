// SPDX-License-Identifier: MIT
/* An object as a block device, over the real volume on the simulated disk: against a model, through
 * power failures, on a full volume, and over damaged blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/block/volume_fixture.h"
#include "tools/nbdkit/object_device.h"

#define BLOCKS      160u
#define SIZE        (BLOCKS * BLOCK_BYTES - 1000u) /* The last block is a short one. */
#define PIECES_MAX  600u
#define REQUEST_MAX (3u * BLOCK_BYTES)

struct scene {
	struct fixture fixture;
	struct store store;
	struct object_device device;
	uint8_t model[BLOCKS * BLOCK_BYTES];
	uint8_t out[BLOCKS * BLOCK_BYTES];
};

static void attach(struct scene *scene, uint64_t size_bytes)
{
	assert_int_equal(store_open(&scene->store, scene->fixture.volume), STATUS_OK);
	assert_int_equal(object_device_open(&scene->device, &scene->store, "disk", size_bytes),
			 STATUS_OK);
}

static struct scene *scene_make(uint64_t blocks)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	assert_non_null(scene);
	fixture_init_mounted(&scene->fixture, blocks);
	attach(scene, SIZE);
	return scene;
}

static void scene_free(struct scene *scene)
{
	object_device_close(&scene->device);
	fixture_fini(&scene->fixture);
	free(scene);
}

static bool none_survives(void *context, size_t sector)
{
	(void)context;
	(void)sector;
	return false;
}

static bool some_survive(void *context, size_t sector)
{
	(void)context;
	(void)sector;
	return fixture_random() % 3 != 0;
}

/* Power off and on: what the plugin had in memory is gone. */
static void power_cycle(struct scene *scene, sim_survives survives)
{
	sim_disk_fail_at(&scene->fixture.disk, 0, SIM_FAIL_ONCE, STATUS_OK);
	sim_disk_crash(&scene->fixture.disk, survives, NULL);
	object_device_close(&scene->device);
	fixture_unmount(&scene->fixture);
	assert_int_equal(fixture_mount(&scene->fixture), STATUS_OK);
	attach(scene, 0);
	assert_int_equal(scene->device.size_bytes, SIZE);
}

static bool equals_model(struct scene *scene)
{
	assert_int_equal(object_device_read(&scene->device, 0, scene->out, SIZE), STATUS_OK);
	return memcmp(scene->out, scene->model, SIZE) == 0;
}

/* A request of up to 3 blocks, anywhere, write or zero; also in the model. */
static enum status random_request(struct scene *scene)
{
	static uint8_t bytes[REQUEST_MAX];
	uint64_t offset = fixture_random() % SIZE;
	size_t size = 1 + fixture_random() % REQUEST_MAX;
	if (fixture_random() % 2 == 0) {
		offset -= offset % BLOCK_BYTES;
	}
	size = size < SIZE - offset ? size : (size_t)(SIZE - offset);
	if (fixture_random() % 5 == 0) {
		memset(scene->model + offset, 0, size);
		return object_device_zero(&scene->device, offset, size);
	}
	fixture_random_bytes(bytes, size);
	memcpy(scene->model + offset, bytes, size);
	return object_device_write(&scene->device, offset, bytes, size);
}

static void test_random_walk_matches_model(void **state)
{
	struct scene *scene = scene_make(2 * FIXTURE_BLOCKS);
	(void)state;
	fixture_random_seed(1);
	for (uint32_t step = 0; step < 600; step++) {
		assert_int_equal(random_request(scene), STATUS_OK);
		uint64_t offset = fixture_random() % SIZE;
		size_t size = fixture_random() % 20000;
		size = size < SIZE - offset ? size : (size_t)(SIZE - offset);
		assert_int_equal(object_device_read(&scene->device, offset, scene->out, size),
				 STATUS_OK);
		assert_memory_equal(scene->out, scene->model + offset, size);
		if (step % 50 == 0) {
			assert_true(equals_model(scene));
			assert_int_equal(object_device_flush(&scene->device), STATUS_OK);
			power_cycle(scene, none_survives);
			assert_true(equals_model(scene));
		}
	}
	scene_free(scene);
}

static void test_durable_after_flush_and_not_before(void **state)
{
	struct scene *scene = scene_make(2 * FIXTURE_BLOCKS);
	const struct block_device_counters *counters = &scene->fixture.disk.counters;
	const uint8_t bytes[] = "text";
	(void)state;
	uint64_t writes = counters->writes;
	assert_int_equal(object_device_write(&scene->device, 5000, bytes, 5), STATUS_OK);
	assert_int_equal(counters->writes, writes);
	power_cycle(scene, none_survives);
	assert_true(equals_model(scene)); /* Still zero. */
	assert_int_equal(object_device_write(&scene->device, 5000, bytes, 5), STATUS_OK);
	writes = counters->writes;
	uint64_t flushes = counters->flushes;
	assert_int_equal(object_device_flush(&scene->device), STATUS_OK);
	assert_int_equal(counters->writes, writes + 1);
	assert_int_equal(counters->flushes, flushes + 1);
	assert_int_equal(object_device_flush(&scene->device), STATUS_OK);
	assert_int_equal(counters->flushes, flushes + 1); /* Nothing to do. */
	power_cycle(scene, none_survives);
	memcpy(scene->model + 5000, bytes, 5);
	assert_true(equals_model(scene));
	scene_free(scene);
}

/* ---- Power failures -------------------------------------------------------------------------- */

/* What was written, in order, in the pieces that can be committed apart. */
struct history {
	size_t count;
	size_t flushed; /* Pieces before the last flush that returned OK. */
	uint64_t block[PIECES_MAX];
	uint8_t value[PIECES_MAX];
};

static enum status write_blocks(struct scene *scene, struct history *history)
{
	static uint8_t bytes[4 * BLOCK_BYTES];
	uint64_t first = fixture_random() % (BLOCKS - 4);
	size_t count = 1 + fixture_random() % 4;
	uint8_t value = (uint8_t)(1 + fixture_random() % 255);
	memset(bytes, value, sizeof(bytes));
	for (size_t i = 0; i < count; i++) {
		assert_true(history->count < PIECES_MAX);
		history->block[history->count] = first + i;
		history->value[history->count] = value;
		history->count++;
	}
	return object_device_write(&scene->device, first * BLOCK_BYTES, bytes, count * BLOCK_BYTES);
}

static enum status run_script(struct scene *scene, struct history *history)
{
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < 120 && status == STATUS_OK; i++) {
		status = write_blocks(scene, history);
		if (status == STATUS_OK && fixture_random() % 12 == 0) {
			status = object_device_flush(&scene->device);
			history->flushed = status == STATUS_OK ? history->count : history->flushed;
		}
	}
	return status;
}

/* Is the object what some prefix of the history makes, no shorter than what was flushed? */
static bool is_a_prefix(struct scene *scene, const struct history *history)
{
	uint8_t expected[BLOCKS] = {0};
	uint8_t found[BLOCKS];
	assert_int_equal(object_device_read(&scene->device, 0, scene->out, SIZE), STATUS_OK);
	for (size_t block = 0; block < BLOCKS; block++) {
		const uint8_t *at = scene->out + block * BLOCK_BYTES;
		size_t size = block + 1 < BLOCKS ? BLOCK_BYTES : SIZE % BLOCK_BYTES;
		found[block] = at[0];
		assert_true(size == 1 || memcmp(at, at + 1, size - 1) == 0); /* No torn block. */
	}
	for (size_t length = 0; length <= history->count; length++) {
		if (length >= history->flushed && memcmp(expected, found, BLOCKS) == 0) {
			return true;
		}
		if (length < history->count) {
			expected[history->block[length]] = history->value[length];
		}
	}
	return false;
}

static void test_a_crash_leaves_a_prefix(void **state)
{
	struct scene *scene = scene_make(2 * FIXTURE_BLOCKS);
	enum status status = STATUS_IO;
	(void)state;
	sim_disk_mark(&scene->fixture.disk);
	for (uint64_t k = 1; status != STATUS_OK; k += 1 + k / 12) {
		struct history history = {.count = 0};
		assert_true(k < 5000);
		fixture_random_seed(k);
		sim_disk_fail_at(&scene->fixture.disk, k, SIM_FAIL_FOR_GOOD, STATUS_IO);
		status = run_script(scene, &history);
		power_cycle(scene, some_survive);
		assert_true(is_a_prefix(scene, &history));
		object_device_close(&scene->device);
		fixture_unmount(&scene->fixture);
		sim_disk_revert(&scene->fixture.disk);
		assert_int_equal(fixture_mount(&scene->fixture), STATUS_OK);
		attach(scene, 0);
	}
	sim_disk_unmark(&scene->fixture.disk);
	scene_free(scene);
}

/* An error that passes: nothing that was accepted is lost, and the next flush brings it home if the
 * volume still takes writes. */
static void test_a_failed_flush_keeps_what_was_accepted(void **state)
{
	struct scene *scene = scene_make(2 * FIXTURE_BLOCKS);
	(void)state;
	fixture_random_seed(3);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(random_request(scene), STATUS_OK);
	}
	sim_disk_fail_at(&scene->fixture.disk, 1, SIM_FAIL_ONCE, STATUS_IO);
	assert_int_equal(object_device_flush(&scene->device), STATUS_IO);
	assert_true(equals_model(scene));
	assert_int_equal(object_device_flush(&scene->device),
			 volume_is_writable(scene->fixture.volume) ? STATUS_OK : STATUS_READ_ONLY);
	scene_free(scene);
}

/* A request of more than one transaction that fails on the way: what was accepted before it is
 * there, each block old or new. */
static void test_a_failed_request_keeps_what_was_accepted(void **state)
{
	struct scene *scene = scene_make(2 * FIXTURE_BLOCKS);
	struct object_device *device = &scene->device;
	enum status status = STATUS_IO;
	const size_t accepted = 30;
	(void)state;
	sim_disk_mark(&scene->fixture.disk);
	for (uint64_t k = 1; status != STATUS_OK; k++) {
		assert_true(k < 100);
		memset(scene->model, 1, sizeof(scene->model));
		assert_int_equal(
			object_device_write(device, 0, scene->model, accepted * BLOCK_BYTES),
			STATUS_OK);
		memset(scene->model, 2, sizeof(scene->model));
		sim_disk_fail_at(&scene->fixture.disk, k, SIM_FAIL_ONCE, STATUS_IO);
		status = object_device_write(device, 0, scene->model, SIZE);
		sim_disk_fail_at(&scene->fixture.disk, 0, SIM_FAIL_ONCE, STATUS_OK);
		assert_true(device->staged_count <= OBJECT_DEVICE_BLOCKS_MAX);
		assert_int_equal(object_device_read(device, 0, scene->out, SIZE), STATUS_OK);
		for (size_t at = 0; at < SIZE; at += BLOCK_BYTES) {
			uint8_t old = at < accepted * BLOCK_BYTES ? 1 : 0;
			assert_true(scene->out[at] == 2 || scene->out[at] == old);
			assert_true(status != STATUS_OK || scene->out[at] == 2);
		}
		object_device_close(device);
		fixture_unmount(&scene->fixture);
		sim_disk_revert(&scene->fixture.disk);
		assert_int_equal(fixture_mount(&scene->fixture), STATUS_OK);
		attach(scene, SIZE);
	}
	sim_disk_unmark(&scene->fixture.disk);
	scene_free(scene);
}

/* ---- Full volumes ---------------------------------------------------------------------------- */

static void test_a_full_volume_refuses_the_write_that_is_too_much(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	static uint8_t bytes[16 * BLOCK_BYTES];
	static uint8_t seen[16 * BLOCK_BYTES];
	enum status status = STATUS_OK;
	uint64_t accepted = 0;
	(void)state;
	assert_non_null(scene);
	fixture_init_mounted(&scene->fixture, FIXTURE_BLOCKS);
	attach(scene, (uint64_t)16 << 20);
	for (uint64_t i = 0; i < 1000 && status == STATUS_OK; i++) {
		memset(bytes, (int)(1 + i % 255), sizeof(bytes));
		status = object_device_write(&scene->device, i * sizeof(bytes), bytes,
					     sizeof(bytes));
		accepted += status == STATUS_OK ? 1 : 0;
	}
	assert_int_equal(status, STATUS_NO_SPACE);
	assert_in_range(accepted, 60, 120);
	/* Nothing is left behind that would keep a flush from succeeding; all of it is there. */
	assert_int_equal(object_device_flush(&scene->device), STATUS_OK);
	sim_disk_crash(&scene->fixture.disk, none_survives, NULL);
	fixture_unmount(&scene->fixture);
	assert_int_equal(fixture_mount(&scene->fixture), STATUS_OK);
	attach(scene, 0);
	for (uint64_t i = 0; i < accepted; i++) {
		memset(bytes, (int)(1 + i % 255), sizeof(bytes));
		assert_int_equal(
			object_device_read(&scene->device, i * sizeof(bytes), seen, sizeof(bytes)),
			STATUS_OK);
		assert_memory_equal(seen, bytes, sizeof(bytes));
	}
	/* Overwriting and trimming go on; then there is room again. */
	memset(bytes, 77, sizeof(bytes));
	assert_int_equal(object_device_write(&scene->device, 0, bytes, sizeof(bytes)), STATUS_OK);
	assert_int_equal(object_device_zero(&scene->device, 0, 20 * sizeof(bytes)), STATUS_OK);
	assert_int_equal(
		object_device_write(&scene->device, accepted * sizeof(bytes), bytes, sizeof(bytes)),
		STATUS_OK);
	assert_int_equal(object_device_flush(&scene->device), STATUS_OK);
	assert_int_equal(volume_verify(scene->fixture.volume, NULL, NULL), STATUS_OK);
	scene_free(scene);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static enum status read_block(struct scene *scene, uint64_t block)
{
	return object_device_read(&scene->device, block * BLOCK_BYTES, scene->out, BLOCK_BYTES);
}

/* Damage the disk block that holds the object's block 1, and not the one with its metadata. */
static void damage_block_1(struct scene *scene)
{
	struct sim_disk *disk = &scene->fixture.disk;
	for (uint64_t block = 0; block < disk->device.capacity.n; block++) {
		sim_disk_flip(disk, block, 99);
		if (read_block(scene, 1) == STATUS_AUTH_DATA && read_block(scene, 2) == STATUS_OK) {
			return;
		}
		sim_disk_flip(disk, block, 99);
	}
	fail_msg("no block holds the data");
}

static void test_damage_fails_one_block(void **state)
{
	struct scene *scene = scene_make(2 * FIXTURE_BLOCKS);
	struct object_device *device = &scene->device;
	(void)state;
	memset(scene->model, 5, 4 * BLOCK_BYTES);
	assert_int_equal(object_device_write(device, 0, scene->model, 4 * BLOCK_BYTES), STATUS_OK);
	assert_int_equal(object_device_flush(device), STATUS_OK);
	assert_int_equal(volume_checkpoint(scene->fixture.volume), STATUS_OK);
	damage_block_1(scene);
	memset(scene->out, 0xaa, sizeof(scene->out));
	assert_int_equal(object_device_read(device, 0, scene->out, 3 * BLOCK_BYTES),
			 STATUS_AUTH_DATA);
	assert_int_equal(scene->out[0], 0); /* Of a failed read nothing is released. */
	assert_int_equal(read_block(scene, 2), STATUS_OK);
	/* A part of it cannot be written; what was accepted before is not harmed by that. */
	memset(scene->model + 3 * BLOCK_BYTES, 6, 100);
	assert_int_equal(
		object_device_write(device, 3 * BLOCK_BYTES, scene->model + 3 * BLOCK_BYTES, 100),
		STATUS_OK);
	assert_int_equal(object_device_write(device, BLOCK_BYTES, scene->model, 10),
			 STATUS_AUTH_DATA);
	assert_int_equal(object_device_zero(device, BLOCK_BYTES + 7, 10), STATUS_AUTH_DATA);
	assert_int_equal(object_device_flush(device), STATUS_OK);
	/* The whole of it can. */
	memset(scene->model + BLOCK_BYTES, 0, BLOCK_BYTES);
	assert_int_equal(object_device_zero(device, BLOCK_BYTES, BLOCK_BYTES), STATUS_OK);
	assert_int_equal(object_device_flush(device), STATUS_OK);
	assert_true(equals_model(scene));
	power_cycle(scene, none_survives);
	assert_true(equals_model(scene));
	scene_free(scene);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void test_opening_is_refused_by_name(void **state)
{
	struct scene *scene = scene_make(2 * FIXTURE_BLOCKS);
	struct store *store = &scene->store;
	struct object_device *other = calloc(1, sizeof(*other));
	(void)state;
	assert_non_null(other);
	assert_int_equal(object_device_open(other, store, "absent", 0), STATUS_NOT_FOUND);
	assert_int_equal(object_device_open(other, store, ".bad", 0), STATUS_INVALID);
	assert_int_equal(object_device_open(other, store, ".bad", 4096), STATUS_INVALID);
	assert_int_equal(object_device_open(other, store, "disk", SIZE - 1), STATUS_EXISTS);
	assert_int_equal(object_device_open(other, store, "new", UINT64_MAX), STATUS_TOO_LARGE);
	assert_int_equal(object_device_open(other, store, "new", store_object_bytes_max(store) + 1),
			 STATUS_TOO_LARGE);
	assert_int_equal(object_device_open(other, store, "disk", SIZE + 5000), STATUS_OK);
	assert_int_equal(other->size_bytes, SIZE + 5000);
	free(other);
	scene_free(scene);
}

static void test_requests_outside_the_object(void **state)
{
	struct scene *scene = scene_make(2 * FIXTURE_BLOCKS);
	struct object_device *device = &scene->device;
	(void)state;
	static const struct {
		uint64_t offset;
		size_t size;
	} outside[] = {{SIZE, 1}, {SIZE - 1, 2}, {UINT64_MAX, 1}, {UINT64_MAX - 5, 10}};
	for (size_t i = 0; i < ARRAY_COUNT(outside); i++) {
		uint64_t offset = outside[i].offset;
		size_t size = outside[i].size;
		assert_int_equal(object_device_read(device, offset, scene->out, size),
				 STATUS_INVALID);
		assert_int_equal(object_device_write(device, offset, scene->model, size),
				 STATUS_INVALID);
		assert_int_equal(object_device_zero(device, offset, size), STATUS_INVALID);
	}
	assert_int_equal(object_device_write(device, SIZE, scene->model, 0), STATUS_OK);
	assert_int_equal(device->staged_count, 0);
	assert_int_equal(object_device_zero(device, 0, SIZE), STATUS_OK);
	assert_int_equal(device->staged_count, 0); /* It is all zero already. */
	scene_free(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_walk_matches_model),
		cmocka_unit_test(test_durable_after_flush_and_not_before),
		cmocka_unit_test(test_a_crash_leaves_a_prefix),
		cmocka_unit_test(test_a_failed_flush_keeps_what_was_accepted),
		cmocka_unit_test(test_a_failed_request_keeps_what_was_accepted),
		cmocka_unit_test(test_a_full_volume_refuses_the_write_that_is_too_much),
		cmocka_unit_test(test_damage_fails_one_block),
		cmocka_unit_test(test_opening_is_refused_by_name),
		cmocka_unit_test(test_requests_outside_the_object),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
