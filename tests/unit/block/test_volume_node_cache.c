// SPDX-License-Identifier: MIT
/* The node cache: how much memory it may have, and that with enough of it a random read is one
 * device read, before and after checkpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "volume_fixture.h"

/* A tree of more leaves than the smallest cache has room for. */
#define BLOCKS      131072u /* 512 MiB. */
#define LEAF_BLOCKS VOLUME_NODE_ENTRIES
#define LEAVES      ((uint32_t)(BLOCKS * 13ull / 16 / LEAF_BLOCKS))
#define READS       2000u

/* As the smallest arena and one with `cache_bytes` more. */
static void remount_with(struct fixture *fixture, size_t cache_bytes)
{
	fixture_unmount(fixture);
	const size_t bytes = volume_arena_bytes_with(VOLUME_PROFILE_BLOCK,
						     (struct block_count){BLOCKS}, cache_bytes);
	free(fixture->arena);
	fixture->arena = aligned_alloc(64, (bytes + 63) / 64 * 64);
	assert_non_null(fixture->arena);
	fixture->environment.arena = fixture->arena;
	fixture->environment.arena_size_bytes = bytes;
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
}

static uint64_t content_seed(uint32_t logical)
{
	return logical + 1;
}

/* One block in each leaf. */
static void write_each_leaf(struct fixture *fixture, uint32_t slot)
{
	uint8_t content[BLOCK_BYTES];
	for (uint32_t leaf = 0; leaf < LEAVES;) {
		assert_int_equal(volume_txn_begin(fixture->volume), STATUS_OK);
		for (uint32_t i = 0; i < 64 && leaf < LEAVES; i++, leaf++) {
			const uint32_t logical = leaf * LEAF_BLOCKS + slot;
			fixture_noise(content, BLOCK_BYTES, content_seed(logical));
			assert_int_equal(volume_txn_put(fixture->volume,
							(struct logical_block){logical}, content),
					 STATUS_OK);
		}
		assert_int_equal(volume_txn_commit(fixture->volume), STATUS_OK);
	}
	assert_int_equal(volume_checkpoint(fixture->volume), STATUS_OK);
}

static void read_one(struct fixture *fixture, uint32_t leaf, uint32_t slot)
{
	uint8_t expected[BLOCK_BYTES];
	uint8_t content[BLOCK_BYTES];
	const uint32_t logical = leaf * LEAF_BLOCKS + slot;
	assert_int_equal(volume_read(fixture->volume, (struct logical_block){logical}, content),
			 STATUS_OK);
	fixture_noise(expected, BLOCK_BYTES, content_seed(logical));
	assert_memory_equal(content, expected, BLOCK_BYTES);
}

/* Device reads of READS random ones. */
static uint64_t random_reads(struct fixture *fixture, uint32_t slot)
{
	fixture_random_seed(slot + 1);
	sim_disk_counters_reset(&fixture->disk);
	for (uint32_t i = 0; i < READS; i++) {
		read_one(fixture, fixture_random() % LEAVES, slot);
	}
	return fixture->disk.counters.reads;
}

static void test_memory(void **state)
{
	const struct block_count size = {BLOCKS};
	const struct block_count tib = {UINT64_C(1) << 28};
	const enum volume_profile block = VOLUME_PROFILE_BLOCK;
	const size_t least = volume_arena_bytes_for(block, size);
	const size_t most = volume_arena_bytes_with(block, size, SIZE_MAX / 2);
	(void)state;
	assert_int_equal(volume_arena_bytes_with(block, size, 0), least);
	assert_true(volume_arena_bytes_with(block, size, 1u << 20) > least);
	assert_true(volume_arena_bytes_with(block, size, 1u << 20) <= least + (1u << 20));
	/* No more than the tree fills, whatever is offered; a large volume takes what it gets. */
	assert_int_equal(volume_arena_bytes_with(block, size, VOLUME_NODE_CACHE_BYTES_DEFAULT),
			 most);
	assert_true(most >= least + (LEAVES - VOLUME_NODE_CACHE_BLOCK) * (size_t)BLOCK_BYTES);
	assert_true(most <= least + 2 * LEAVES * (size_t)BLOCK_BYTES);
	const size_t large = volume_arena_bytes_with(block, tib, VOLUME_NODE_CACHE_BYTES_DEFAULT);
	const size_t more = large - volume_arena_bytes_for(block, tib);
	assert_true(more <= VOLUME_NODE_CACHE_BYTES_DEFAULT);
	assert_true(more > VOLUME_NODE_CACHE_BYTES_DEFAULT - 4 * BLOCK_BYTES);
	/* The state profile takes none, and what is no size of a profile has no arena. */
	assert_int_equal(volume_arena_bytes_with(VOLUME_PROFILE_STATE, (struct block_count){16384},
						 VOLUME_NODE_CACHE_BYTES_DEFAULT),
			 volume_arena_bytes((struct block_count){16384}));
	assert_int_equal(volume_arena_bytes_with(block, (struct block_count){5}, 0), 0);
}

static void test_default_holds_the_tree(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, BLOCKS, true);
	write_each_leaf(&fixture, 5);
	remount_with(&fixture, VOLUME_NODE_CACHE_BYTES_DEFAULT);
	for (uint32_t leaf = 0; leaf < LEAVES; leaf++) {
		read_one(&fixture, leaf, 5);
	}
	assert_int_equal(random_reads(&fixture, 5), READS);
	/* A checkpoint replaces every leaf; the new ones are there at once. */
	for (uint32_t round = 0; round < 3; round++) {
		write_each_leaf(&fixture, 6 + round);
		assert_int_equal(random_reads(&fixture, 6 + round), READS);
	}
	fixture_fini(&fixture);
}

/* It works with the least as well: each second leaf is read again. */
static void test_smallest_is_enough_to_work(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, BLOCKS, true);
	remount_with(&fixture, 0);
	write_each_leaf(&fixture, 5);
	const uint64_t reads = random_reads(&fixture, 5);
	print_message("smallest cache: %.2f device reads a read\n", (double)reads / READS);
	assert_true(reads > READS + READS / 4);
	assert_true(reads <= 3 * READS);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_default_holds_the_tree),
		cmocka_unit_test(test_smallest_is_enough_to_work),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
