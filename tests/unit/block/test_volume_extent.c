// SPDX-License-Identifier: MIT
/* Which blocks hold something, against a plain list: from the tree, the log and the transaction, in
 * both profiles; and reads and room within a transaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "volume_fixture.h"

#define SPAN 3000u /* Blocks that the list speaks of: more than one leaf, less than the volume. */

struct scene {
	struct fixture fixture;
	bool held[SPAN];
	bool before[SPAN]; /* What is committed. */
};

static struct scene *scene_make(enum volume_profile profile)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	assert_non_null(scene);
	fixture_init_profile(&scene->fixture, profile, VOLUME_BLOCK_BLOCKS_MIN, true);
	return scene;
}

static void scene_free(struct scene *scene)
{
	fixture_fini(&scene->fixture);
	free(scene);
}

static void expect(struct scene *scene, uint64_t first, uint64_t most)
{
	struct block_count count = {0};
	bool is_hole = false;
	uint64_t end = first + 1;
	while (end < first + most && scene->held[end] == scene->held[first]) {
		end++;
	}
	assert_int_equal(volume_extent(scene->fixture.volume, (struct logical_block){first},
				       (struct block_count){most}, &count, &is_hole),
			 STATUS_OK);
	assert_int_equal(is_hole, !scene->held[first]);
	assert_int_equal(count.n, end - first);
}

static void expect_all(struct scene *scene)
{
	for (uint64_t first = 0; first < SPAN; first += 1 + fixture_random() % 40) {
		expect(scene, first, 1 + fixture_random() % (SPAN - first));
		expect(scene, first, SPAN - first);
	}
}

/* Stage a few runs of data and of holes. */
static void stage(struct scene *scene)
{
	static uint8_t content[BLOCK_BYTES];
	struct volume *volume = scene->fixture.volume;
	fixture_random_bytes(content, sizeof(content));
	for (uint32_t run = 0; run < 5; run++) {
		bool is_data = fixture_random() % 3 != 0;
		uint32_t first = fixture_random() % (SPAN - 10);
		for (uint32_t at = first; at < first + 1 + fixture_random() % 10; at++) {
			struct logical_block block = {at};
			assert_int_equal(is_data ? volume_txn_put(volume, block, content)
						 : volume_txn_discard(volume, block),
					 STATUS_OK);
			scene->held[at] = is_data;
		}
	}
}

static void extents_of(enum volume_profile profile)
{
	struct scene *scene = scene_make(profile);
	struct volume *volume = scene->fixture.volume;
	fixture_random_seed(7);
	expect_all(scene);
	for (uint32_t step = 0; step < 60; step++) {
		assert_int_equal(volume_txn_begin(volume), STATUS_OK);
		stage(scene);
		expect_all(scene);
		if (step % 5 == 4) {
			volume_txn_abort(volume);
			memcpy(scene->held, scene->before, sizeof(scene->held));
		} else {
			assert_int_equal(volume_txn_commit(volume), STATUS_OK);
			memcpy(scene->before, scene->held, sizeof(scene->held));
		}
		expect_all(scene);
		if (step % 20 == 19) {
			assert_int_equal(volume_checkpoint(volume), STATUS_OK);
			expect_all(scene);
		}
	}
	scene_free(scene);
}

static void test_extents_are_what_was_written(void **state)
{
	(void)state;
	extents_of(VOLUME_PROFILE_STATE);
	extents_of(VOLUME_PROFILE_BLOCK);
}

static void test_whole_device_at_once(void **state)
{
	struct scene *scene = scene_make(VOLUME_PROFILE_BLOCK);
	struct volume *volume = scene->fixture.volume;
	struct block_count all = volume_logical_size(volume);
	struct block_count count = {0};
	static uint8_t content[BLOCK_BYTES] = {1};
	bool is_hole = false;
	(void)state;
	assert_int_equal(volume_extent(volume, (struct logical_block){0}, all, &count, &is_hole),
			 STATUS_OK);
	assert_true(is_hole && count.n == all.n);
	assert_int_equal(volume_txn_begin(volume), STATUS_OK);
	assert_int_equal(volume_txn_put(volume, (struct logical_block){all.n - 1}, content),
			 STATUS_OK);
	assert_int_equal(volume_extent(volume, (struct logical_block){0}, all, &count, &is_hole),
			 STATUS_OK);
	assert_true(is_hole && count.n == all.n - 1);
	count.n = 77;
	assert_int_equal(volume_extent(volume, (struct logical_block){1}, all, &count, &is_hole),
			 STATUS_INVALID);
	assert_int_equal(volume_extent(volume, (struct logical_block){0}, (struct block_count){0},
				       &count, &is_hole),
			 STATUS_INVALID);
	assert_int_equal(count.n, 77);
	scene_free(scene);
}

/* Staged content in memory, on the device already, as a hole, and what is committed beside it. */
static void test_reading_many_sees_the_transaction(void **state)
{
	enum {
		BLOCKS = 120
	};
	static uint8_t model[BLOCKS * BLOCK_BYTES];
	static uint8_t out[BLOCKS * BLOCK_BYTES];
	struct scene *scene = scene_make(VOLUME_PROFILE_BLOCK);
	struct volume *volume = scene->fixture.volume;
	(void)state;
	fixture_random_seed(3);
	for (uint32_t round = 0; round < 2; round++) {
		assert_int_equal(volume_txn_begin(volume), STATUS_OK);
		for (uint32_t i = round; i < BLOCKS; i += 1 + round) {
			uint8_t *content = model + (size_t)i * BLOCK_BYTES;
			fixture_random_bytes(content, i % 10 == 9 ? 0 : BLOCK_BYTES);
			memset(content, 0, i % 10 == 9 ? BLOCK_BYTES : 0);
			assert_int_equal(volume_txn_put(volume, (struct logical_block){i}, content),
					 STATUS_OK);
		}
		assert_int_equal(volume_txn_read_blocks(volume, (struct logical_block){0},
							(struct block_count){BLOCKS}, out),
				 STATUS_OK);
		assert_memory_equal(out, model, sizeof(model));
		assert_int_equal(volume_read_blocks(volume, (struct logical_block){0},
						    (struct block_count){BLOCKS}, out),
				 STATUS_OK);
		assert_int_not_equal(memcmp(out, model, sizeof(model)), 0);
		assert_int_equal(volume_txn_commit(volume), STATUS_OK);
	}
	assert_int_equal(volume_read_blocks(volume, (struct logical_block){0},
					    (struct block_count){BLOCKS}, out),
			 STATUS_OK);
	assert_memory_equal(out, model, sizeof(model));
	scene_free(scene);
}

/* What has room never fails: the device is filled by transactions that ask first. */
static void test_room_is_a_promise(void **state)
{
	static uint8_t content[BLOCK_BYTES];
	struct scene *scene = scene_make(VOLUME_PROFILE_BLOCK);
	struct volume *volume = scene->fixture.volume;
	const struct block_count step = {32};
	uint64_t blocks = volume_logical_size(volume).n;
	uint64_t asked_twice = 0;
	(void)state;
	assert_false(volume_txn_has_room(volume, step)); /* No transaction. */
	assert_int_equal(volume_txn_begin(volume), STATUS_OK);
	for (uint64_t pass = 0; pass < 3; pass++) {
		for (uint64_t at = 0; at + step.n <= blocks; at += step.n) {
			if (!volume_txn_has_room(volume, step)) {
				assert_int_equal(volume_txn_commit(volume), STATUS_OK);
				assert_int_equal(volume_txn_begin(volume), STATUS_OK);
				asked_twice += volume_txn_has_room(volume, step) ? 0u : 1u;
			}
			for (uint64_t i = at; i < at + step.n; i++) {
				fixture_random_bytes(content, 64);
				assert_int_equal(
					volume_txn_put(volume, (struct logical_block){i}, content),
					STATUS_OK);
			}
		}
	}
	assert_int_equal(volume_txn_commit(volume), STATUS_OK);
	assert_int_equal(asked_twice, 0); /* The spare room is enough for a full device. */
	assert_int_equal(volume_verify(volume, NULL, NULL), STATUS_OK);
	scene_free(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extents_are_what_was_written),
		cmocka_unit_test(test_whole_device_at_once),
		cmocka_unit_test(test_reading_many_sees_the_transaction),
		cmocka_unit_test(test_room_is_a_promise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
