// SPDX-License-Identifier: MIT
/* A block-profile volume as one disk in bytes: against a model, through power failures, on a full
 * volume, over damaged blocks, and with every device operation failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/block/volume_fixture.h"
#include "tools/holdfast/device.h"

#define BLOCKS      160u /* What the model knows; the rest of the device stays a hole. */
#define SIZE        (BLOCKS * BLOCK_BYTES)
#define REQUEST_MAX (70u * BLOCK_BYTES)

/* The volume's answer, unless a test wants it to have no room to promise. */
static bool room_is_scarce;
bool __real_volume_txn_has_room(const struct volume *volume, struct block_count count);
bool __wrap_volume_txn_has_room(const struct volume *volume, struct block_count count);
bool __wrap_volume_txn_has_room(const struct volume *volume, struct block_count count)
{
	return !room_is_scarce && __real_volume_txn_has_room(volume, count);
}

struct scene {
	struct fixture fixture;
	struct device device;
	uint8_t model[SIZE];
	uint8_t flushed[SIZE];
	uint8_t out[SIZE];
};

static struct scene *scene_make(void)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	assert_non_null(scene);
	fixture_init_profile(&scene->fixture, VOLUME_PROFILE_BLOCK, VOLUME_BLOCK_BLOCKS_MIN, true);
	device_init(&scene->device, scene->fixture.volume);
	return scene;
}

static void scene_free(struct scene *scene)
{
	device_close(&scene->device);
	fixture_fini(&scene->fixture);
	free(scene);
}

static bool none_survives(void *context, size_t sector)
{
	(void)context;
	(void)sector;
	return false;
}

static void power_cycle(struct scene *scene)
{
	sim_disk_fail_at(&scene->fixture.disk, 0, SIM_FAIL_ONCE, STATUS_OK);
	sim_disk_crash(&scene->fixture.disk, none_survives, NULL);
	device_close(&scene->device);
	fixture_unmount(&scene->fixture);
	assert_int_equal(fixture_mount(&scene->fixture), STATUS_OK);
	device_init(&scene->device, scene->fixture.volume);
}

static bool equals(struct scene *scene, const uint8_t *model)
{
	assert_int_equal(device_read(&scene->device, 0, scene->out, SIZE), STATUS_OK);
	return memcmp(scene->out, model, SIZE) == 0;
}

/* Write or zero, anywhere, of any size; also in the model. */
static enum status random_request(struct scene *scene)
{
	static uint8_t bytes[REQUEST_MAX];
	uint64_t offset = fixture_random() % SIZE;
	size_t size = 1 + fixture_random() % (fixture_random() % 4 == 0 ? REQUEST_MAX : 10000);
	if (fixture_random() % 2 == 0) {
		offset -= offset % BLOCK_BYTES;
	}
	size = size < SIZE - offset ? size : (size_t)(SIZE - offset);
	if (fixture_random() % 3 == 0) {
		memset(scene->model + offset, 0, size);
		return device_zero(&scene->device, offset, size);
	}
	fixture_random_bytes(bytes, size);
	memcpy(scene->model + offset, bytes, size);
	return device_write(&scene->device, offset, bytes, size);
}

static void read_somewhere(struct scene *scene)
{
	static struct volume_reading reading;
	uint64_t offset = fixture_random() % SIZE;
	size_t size = fixture_random() % 20000;
	if (fixture_random() % 2 == 0) {
		offset -= offset % BLOCK_BYTES;
		size -= size % BLOCK_BYTES;
	}
	size = size < SIZE - offset ? size : (size_t)(SIZE - offset);
	assert_int_equal(device_read(&scene->device, offset, scene->out, size), STATUS_OK);
	assert_memory_equal(scene->out, scene->model + offset, size);
	enum status status = device_read_begin(&scene->device, offset, scene->out, size, &reading);
	if (offset % BLOCK_BYTES != 0 || size % BLOCK_BYTES != 0) {
		assert_int_equal(status, STATUS_AGAIN);
		return;
	}
	assert_int_equal(status, STATUS_OK);
	assert_int_equal(volume_read_end(&reading), STATUS_OK);
	assert_memory_equal(scene->out, scene->model + offset, size);
}

static void test_random_walk_matches_model(void **state)
{
	struct scene *scene = scene_make();
	(void)state;
	fixture_random_seed(1);
	for (uint32_t step = 0; step < 500; step++) {
		assert_int_equal(random_request(scene), STATUS_OK);
		read_somewhere(scene);
		if (step % 50 == 49) {
			assert_int_equal(device_flush(&scene->device), STATUS_OK);
			memcpy(scene->flushed, scene->model, SIZE);
		}
		if (step % 100 == 49) {
			power_cycle(scene);
			assert_true(equals(scene, scene->flushed));
		}
	}
	assert_int_equal(device_flush(&scene->device), STATUS_OK);
	assert_int_equal(volume_verify(scene->fixture.volume, NULL, NULL), STATUS_OK);
	scene_free(scene);
}

static void test_nothing_is_durable_before_the_flush(void **state)
{
	struct scene *scene = scene_make();
	(void)state;
	uint64_t flushes = scene->fixture.disk.counters.flushes;
	memset(scene->out, 7, SIZE);
	assert_int_equal(device_write(&scene->device, 0, scene->out, SIZE), STATUS_OK);
	assert_int_equal(scene->fixture.disk.counters.flushes, flushes); /* One commit, later. */
	power_cycle(scene);
	assert_true(equals(scene, scene->model));
	scene_free(scene);
}

static void test_outside(void **state)
{
	struct scene *scene = scene_make();
	uint64_t size = scene->device.size_bytes;
	uint64_t extent = 0;
	bool is_hole = false;
	(void)state;
	assert_int_equal(device_read(&scene->device, size - 1, scene->out, 2), STATUS_INVALID);
	assert_int_equal(device_write(&scene->device, size, scene->out, 1), STATUS_INVALID);
	assert_int_equal(device_zero(&scene->device, UINT64_MAX, 2), STATUS_INVALID);
	assert_int_equal(device_extent(&scene->device, 0, 0, &extent, &is_hole), STATUS_INVALID);
	assert_int_equal(device_extent(&scene->device, 5, size, &extent, &is_hole), STATUS_INVALID);
	assert_int_equal(device_read(&scene->device, size, scene->out, 0), STATUS_OK);
	scene_free(scene);
}

static void test_extents_and_zeroes(void **state)
{
	struct scene *scene = scene_make();
	struct device *device = &scene->device;
	uint64_t extent = 0;
	bool is_hole = false;
	(void)state;
	memset(scene->out, 1, SIZE);
	assert_int_equal(device_write(device, 3 * BLOCK_BYTES + 5, scene->out, 3 * BLOCK_BYTES),
			 STATUS_OK);
	assert_int_equal(device_extent(device, 5, SIZE - 5, &extent, &is_hole), STATUS_OK);
	assert_true(is_hole && extent == 3 * BLOCK_BYTES - 5);
	assert_int_equal(device_extent(device, 4 * BLOCK_BYTES, SIZE / 2, &extent, &is_hole),
			 STATUS_OK);
	assert_true(!is_hole && extent == 3 * BLOCK_BYTES);
	/* Whole blocks go, parts are cleared, holes stay. */
	assert_int_equal(device_zero(device, 4 * BLOCK_BYTES - 1, 2 * BLOCK_BYTES + 2), STATUS_OK);
	assert_int_equal(device_extent(device, 4 * BLOCK_BYTES, BLOCK_BYTES * 3, &extent, &is_hole),
			 STATUS_OK);
	assert_true(is_hole && extent == 2 * BLOCK_BYTES);
	assert_int_equal(device_read(device, 3 * BLOCK_BYTES, scene->out, 4 * BLOCK_BYTES),
			 STATUS_OK);
	assert_int_equal(scene->out[BLOCK_BYTES - 2], 1);
	assert_int_equal(scene->out[BLOCK_BYTES - 1], 0);
	assert_int_equal(scene->out[3 * BLOCK_BYTES], 0);
	assert_int_equal(scene->out[3 * BLOCK_BYTES + 1], 1);
	/* The whole device, at the cost of what it holds. */
	assert_int_equal(device_zero(device, 0, device->size_bytes), STATUS_OK);
	assert_int_equal(device_extent(device, 0, device->size_bytes, &extent, &is_hole),
			 STATUS_OK);
	assert_true(is_hole && extent == device->size_bytes);
	scene_free(scene);
}

/* From end to end and over again: what the device offers, it has. */
static void test_full_device(void **state)
{
	struct scene *scene = scene_make();
	struct device *device = &scene->device;
	(void)state;
	fixture_random_seed(4);
	for (uint32_t pass = 0; pass < 2; pass++) {
		fixture_random_bytes(scene->out, SIZE);
		for (uint64_t at = 0; at < device->size_bytes; at += SIZE) {
			uint64_t left = device->size_bytes - at;
			assert_int_equal(device_write(device, at, scene->out,
						      left < SIZE ? (size_t)left : SIZE),
					 STATUS_OK);
		}
	}
	assert_int_equal(device_flush(device), STATUS_OK);
	assert_int_equal(device_zero(device, 0, device->size_bytes), STATUS_OK);
	assert_int_equal(device_flush(device), STATUS_OK);
	assert_int_equal(volume_verify(scene->fixture.volume, NULL, NULL), STATUS_OK);
	scene_free(scene);
}

/* Where there is no promise of room, what is accepted is durable at once, and what fails takes
 * nothing else along. */
static void test_scarce_room(void **state)
{
	struct scene *scene = scene_make();
	struct device *device = &scene->device;
	(void)state;
	fixture_random_seed(8);
	fixture_random_bytes(scene->model, SIZE);
	assert_int_equal(device_write(device, 0, scene->model, SIZE / 2), STATUS_OK);
	room_is_scarce = true;
	assert_int_equal(device_write(device, SIZE / 2, scene->model + SIZE / 2, SIZE / 2),
			 STATUS_OK);
	assert_int_equal(device_zero(device, 0, 10 * BLOCK_BYTES), STATUS_OK);
	memset(scene->model, 0, (size_t)10 * BLOCK_BYTES);
	power_cycle(scene);
	assert_true(equals(scene, scene->model));
	/* A block that nobody can read: the request fails, the device does not. */
	sim_disk_fail_at(&scene->fixture.disk, 1, SIM_FAIL_ONCE, STATUS_IO);
	assert_int_equal(device_write(device, 20 * BLOCK_BYTES + 1, scene->model, 1), STATUS_IO);
	assert_int_equal(device->lost, STATUS_OK);
	assert_true(equals(scene, scene->model));
	room_is_scarce = false;
	scene_free(scene);
}

/* A block that does not authenticate: nothing of it is shown or kept, nothing else is lost, and a
 * write of the whole of it heals it. */
static void test_damaged_block(void **state)
{
	struct scene *scene = scene_make();
	struct device *device = &scene->device;
	struct fixture *fixture = &scene->fixture;
	uint8_t byte = 9;
	(void)state;
	fixture_random_seed(6);
	fixture_random_bytes(scene->model, SIZE);
	assert_int_equal(device_write(device, 0, scene->model, SIZE), STATUS_OK);
	assert_int_equal(device_flush(device), STATUS_OK);
	assert_int_equal(volume_checkpoint(fixture->volume), STATUS_OK);
	/* The first block behind the ring that is data is the device's first. */
	struct volume_failure failure;
	enum status status = STATUS_OK;
	uint64_t place = 0;
	for (place = 260; place < 700 && status == STATUS_OK; place++) {
		fixture->disk.media[place * BLOCK_BYTES + 5] ^= 1;
		status = device_read(device, 0, scene->out, SIZE);
	}
	assert_int_equal(status, STATUS_AUTH_DATA);
	volume_failure_get(fixture->volume, &failure);
	uint64_t at = failure.logical * BLOCK_BYTES;
	assert_int_equal(device_write(device, at + BLOCK_BYTES, &byte, 1), STATUS_OK);
	scene->model[at + BLOCK_BYTES] = byte;
	assert_int_equal(device_write(device, at + 1, &byte, 1), STATUS_AUTH_DATA);
	assert_int_equal(device_zero(device, at + 1, 1), STATUS_AUTH_DATA);
	assert_int_equal(device_flush(device), STATUS_OK);
	assert_int_equal(device_write(device, at, scene->model + at, BLOCK_BYTES), STATUS_OK);
	assert_true(equals(scene, scene->model));
	scene_free(scene);
}

/* The k-th operation fails: no request after that pretends that nothing was lost, and the next
 * mount has what was flushed, and no torn block. */
static void test_every_operation_fails_in_turn(void **state)
{
	(void)state;
	uint32_t lost = 0;
	for (uint64_t k = 1; k < 40; k++) {
		struct scene *scene = scene_make();
		fixture_random_seed(k);
		fixture_random_bytes(scene->flushed, SIZE);
		assert_int_equal(device_write(&scene->device, 0, scene->flushed, SIZE), STATUS_OK);
		assert_int_equal(device_flush(&scene->device), STATUS_OK);
		memcpy(scene->model, scene->flushed, SIZE);
		sim_disk_fail_at(&scene->fixture.disk, k, SIM_FAIL_ONCE, STATUS_IO);
		enum status status = STATUS_OK;
		for (uint32_t i = 0; i < 30 && status == STATUS_OK; i++) {
			status = random_request(scene);
			if (status == STATUS_OK && i % 10 == 9) {
				status = device_flush(&scene->device);
				if (status == STATUS_OK) {
					memcpy(scene->flushed, scene->model, SIZE);
				}
			}
		}
		if (scene->device.lost != STATUS_OK) {
			lost++;
			assert_int_not_equal(status, STATUS_OK);
			assert_int_not_equal(device_flush(&scene->device), STATUS_OK);
			assert_int_not_equal(device_read(&scene->device, 0, scene->out, 1),
					     STATUS_OK);
			assert_int_not_equal(device_write(&scene->device, 0, scene->model, 1),
					     STATUS_OK);
		}
		power_cycle(scene);
		/* The failed flush may have arrived all the same. */
		assert_true(equals(scene, scene->flushed) || status == STATUS_IO);
		scene_free(scene);
	}
	assert_true(lost > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_walk_matches_model),
		cmocka_unit_test(test_nothing_is_durable_before_the_flush),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_extents_and_zeroes),
		cmocka_unit_test(test_full_device),
		cmocka_unit_test(test_scarce_room),
		cmocka_unit_test(test_damaged_block),
		cmocka_unit_test(test_every_operation_fails_in_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
