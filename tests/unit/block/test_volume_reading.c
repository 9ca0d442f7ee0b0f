// SPDX-License-Identifier: MIT
/* Reads in two halves: the same as a read in one, whatever happens to the volume in between; and
 * where that cannot be, a status that says so, never other bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "volume_fixture.h"

#define BLOCKS 200u

struct scene {
	struct fixture fixture;
	struct volume_reading reading;
	uint8_t model[BLOCKS * BLOCK_BYTES];
	uint8_t out[VOLUME_READING_BLOCKS * BLOCK_BYTES];
};

static struct scene *scene_make(void)
{
	struct scene *scene = aligned_alloc(64, (sizeof(*scene) + 63) / 64 * 64);
	assert_non_null(scene);
	memset(scene, 0, sizeof(*scene));
	fixture_init_profile(&scene->fixture, VOLUME_PROFILE_BLOCK, VOLUME_BLOCK_BLOCKS_MIN, true);
	return scene;
}

static void scene_free(struct scene *scene)
{
	fixture_fini(&scene->fixture);
	free(scene);
}

static void put(struct scene *scene, uint32_t block, bool is_hole)
{
	uint8_t *content = scene->model + (size_t)block * BLOCK_BYTES;
	memset(content, 0, BLOCK_BYTES);
	if (!is_hole) {
		fixture_random_bytes(content, BLOCK_BYTES);
	}
	assert_int_equal(
		volume_txn_put(scene->fixture.volume, (struct logical_block){block}, content),
		STATUS_OK);
}

/* Runs and single blocks, data and holes. */
static void stage(struct scene *scene, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t first = fixture_random() % (BLOCKS - 20);
		bool is_hole = fixture_random() % 4 == 0;
		for (uint32_t at = first; at < first + 1 + fixture_random() % 20; at++) {
			put(scene, at, is_hole);
		}
	}
}

static void write_some(struct scene *scene, uint32_t count)
{
	assert_int_equal(volume_txn_begin(scene->fixture.volume), STATUS_OK);
	stage(scene, count);
	assert_int_equal(volume_txn_commit(scene->fixture.volume), STATUS_OK);
}

static enum status begin(struct scene *scene, uint32_t first, uint32_t count)
{
	memset(scene->out, 0xaa, sizeof(scene->out));
	return volume_read_begin(scene->fixture.volume, (struct logical_block){first},
				 (struct block_count){count}, scene->out, &scene->reading);
}

static void read_all(struct scene *scene)
{
	for (uint32_t first = 0; first < BLOCKS; first += 25) {
		assert_int_equal(begin(scene, first, 25), STATUS_OK);
		assert_int_equal(volume_read_end(&scene->reading), STATUS_OK);
		assert_memory_equal(scene->out, scene->model + (size_t)first * BLOCK_BYTES,
				    (size_t)25 * BLOCK_BYTES);
		assert_true(bytes_are_zero((const uint8_t *)scene->reading.keys,
					   sizeof(scene->reading.keys)));
	}
}

static void test_two_halves_are_one_read(void **state)
{
	struct scene *scene = scene_make();
	(void)state;
	fixture_random_seed(5);
	for (uint32_t round = 0; round < 20; round++) {
		write_some(scene, 1 + fixture_random() % 10);
		read_all(scene);
		assert_int_equal(volume_txn_begin(scene->fixture.volume), STATUS_OK);
		stage(scene, 1 + fixture_random() % 10);
		read_all(scene);
		assert_int_equal(volume_txn_commit(scene->fixture.volume), STATUS_OK);
		if (round % 5 == 4) {
			assert_int_equal(volume_checkpoint(scene->fixture.volume), STATUS_OK);
			read_all(scene);
		}
	}
	assert_int_equal(begin(scene, BLOCKS, VOLUME_READING_BLOCKS + 1), STATUS_INVALID);
	scene_free(scene);
}

/* Everything moves while a read is on its way, until its blocks' places are others'. */
static void test_what_moved_is_old_or_unknown(void **state)
{
	static uint8_t before[25 * BLOCK_BYTES];
	struct scene *scene = scene_make();
	struct volume *volume = scene->fixture.volume;
	uint32_t unknown = 0;
	(void)state;
	fixture_random_seed(9);
	write_some(scene, 60);
	for (uint32_t round = 0; round < 40; round++) {
		memcpy(before, scene->model, sizeof(before));
		assert_int_equal(begin(scene, 0, 25), STATUS_OK);
		for (uint32_t i = 0; i <= round % 8 * 6; i++) {
			write_some(scene, 20);
			assert_int_equal(volume_checkpoint(volume), STATUS_OK);
		}
		enum status status = volume_read_end(&scene->reading);
		if (status == STATUS_OK) {
			assert_memory_equal(scene->out, before, sizeof(before));
		} else {
			assert_int_equal(status, STATUS_AGAIN);
			assert_true(bytes_are_zero(scene->out, sizeof(before)));
			unknown++;
		}
	}
	assert_true(unknown > 0 && unknown < 40);
	assert_true(volume_is_writable(volume)); /* It was no damage. */
	scene_free(scene);
}

static void test_sessions_beyond_its_room(void **state)
{
	struct scene *scene = scene_make();
	(void)state;
	for (uint32_t session = 0; session <= VOLUME_READING_SESSIONS; session++) {
		assert_int_equal(volume_txn_begin(scene->fixture.volume), STATUS_OK);
		for (uint32_t i = 0; i < 20; i++) {
			put(scene, session + 4 * i, false);
		}
		assert_int_equal(volume_txn_commit(scene->fixture.volume), STATUS_OK);
		assert_int_equal(volume_checkpoint(scene->fixture.volume), STATUS_OK);
		fixture_unmount(&scene->fixture);
		assert_int_equal(fixture_mount(&scene->fixture), STATUS_OK);
	}
	assert_int_equal(begin(scene, 0, 2), STATUS_OK);
	assert_int_equal(volume_read_end(&scene->reading), STATUS_OK);
	assert_memory_equal(scene->out, scene->model, (size_t)2 * BLOCK_BYTES);
	assert_int_equal(begin(scene, 0, 3), STATUS_AGAIN);
	assert_true(bytes_are_zero(scene->out, (size_t)3 * BLOCK_BYTES));
	assert_int_equal(volume_txn_read_blocks(scene->fixture.volume, (struct logical_block){0},
						(struct block_count){3}, scene->out),
			 STATUS_OK);
	assert_memory_equal(scene->out, scene->model, (size_t)3 * BLOCK_BYTES);
	scene_free(scene);
}

/* The second half fails without naming a cause: the other read does that. */
static void test_device_errors(void **state)
{
	struct scene *scene = scene_make();
	(void)state;
	fixture_random_seed(2);
	write_some(scene, 60);
	assert_int_equal(begin(scene, 0, 25), STATUS_OK);
	sim_disk_fail_at(&scene->fixture.disk, 1, SIM_FAIL_ONCE, STATUS_IO);
	assert_int_equal(volume_read_end(&scene->reading), STATUS_AGAIN);
	assert_true(bytes_are_zero(scene->out, (size_t)25 * BLOCK_BYTES));
	assert_true(
		bytes_are_zero((const uint8_t *)scene->reading.keys, sizeof(scene->reading.keys)));
	read_all(scene);
	scene_free(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_halves_are_one_read),
		cmocka_unit_test(test_what_moved_is_old_or_unknown),
		cmocka_unit_test(test_sessions_beyond_its_room),
		cmocka_unit_test(test_device_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
