// SPDX-License-Identifier: MIT
/* What operations cost the device. The numbers are part of the contract: docs/volume-format.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "volume_fixture.h"

#define DATA_BLOCK 16385u
#define META_BLOCK 16384u

static void noise_fill(uint8_t *out, size_t size, uint64_t seed)
{
	uint64_t z = seed * 0x9e3779b97f4a7c15u + 1;
	for (size_t i = 0; i < size; i++) {
		z ^= z << 13;
		z ^= z >> 7;
		z ^= z << 17;
		out[i] = (uint8_t)(z >> 32);
	}
}

static void put(struct fixture *fixture, uint32_t logical, const uint8_t *content)
{
	assert_int_equal(volume_txn_put(fixture->volume, (struct logical_block){logical}, content),
			 STATUS_OK);
}

static void begin(struct fixture *fixture)
{
	sim_disk_counters_reset(&fixture->disk);
	assert_int_equal(volume_txn_begin(fixture->volume), STATUS_OK);
}

static void assert_cost(const struct fixture *fixture, uint64_t writes, uint64_t flushes,
			uint64_t blocks)
{
	assert_int_equal(fixture->disk.counters.writes, writes);
	assert_int_equal(fixture->disk.counters.flushes, flushes);
	assert_int_equal(fixture->disk.counters.blocks_written, blocks);
}

static void commit_costs(struct fixture *fixture, uint64_t writes, uint64_t flushes,
			 uint64_t blocks)
{
	assert_int_equal(volume_txn_commit(fixture->volume), STATUS_OK);
	assert_cost(fixture, writes, flushes, blocks);
}

/* A data block and a metadata block with noise in all of it. */
static void fixture_init_with_noise(struct fixture *fixture, uint8_t *data, uint8_t *meta)
{
	fixture_init_mounted(fixture, FIXTURE_BLOCKS);
	noise_fill(data, BLOCK_BYTES, 1);
	noise_fill(meta, BLOCK_BYTES, 2);
	begin(fixture);
	put(fixture, DATA_BLOCK, data);
	put(fixture, META_BLOCK, meta);
	assert_int_equal(volume_txn_commit(fixture->volume), STATUS_OK);
}

static void test_small_commit_is_one_block(void **state)
{
	struct fixture fixture;
	uint8_t data[BLOCK_BYTES];
	uint8_t meta[BLOCK_BYTES];
	(void)state;
	fixture_init_with_noise(&fixture, data, meta);
	for (uint64_t round = 0; round < 40; round++) {
		/* 3,900 bytes anywhere in the block, all of them new, and a size and a version. */
		noise_fill(data + (round * 5) % 197, 3900, 10 + round);
		noise_fill(meta + 64, 16, 50 + round);
		begin(&fixture);
		put(&fixture, DATA_BLOCK, data);
		put(&fixture, META_BLOCK, meta);
		commit_costs(&fixture, 1, 1, 1);
		if (round % 13 == 0) {
			/* The base comes from the tree rather than from memory. */
			assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		}
	}
	fixture_fini(&fixture);
}

static void test_shorter_content_over_a_full_block_is_one_block(void **state)
{
	struct fixture fixture;
	uint8_t data[BLOCK_BYTES];
	uint8_t meta[BLOCK_BYTES];
	(void)state;
	fixture_init_with_noise(&fixture, data, meta);
	memset(data, 0, sizeof(data));
	noise_fill(data, 3900, 77); /* All 4,096 bytes change; 3,900 are worth telling. */
	meta[0] ^= 1;
	begin(&fixture);
	put(&fixture, DATA_BLOCK, data);
	put(&fixture, META_BLOCK, meta);
	commit_costs(&fixture, 1, 1, 1);
	fixture_fini(&fixture);
}

static void test_16_kib_commit(void **state)
{
	struct fixture fixture;
	uint8_t data[BLOCK_BYTES];
	uint8_t meta[BLOCK_BYTES];
	(void)state;
	fixture_init_with_noise(&fixture, data, meta);
	for (uint64_t round = 0; round < 10; round++) {
		begin(&fixture);
		for (uint32_t i = 0; i < 4; i++) {
			noise_fill(data, BLOCK_BYTES, 100 * round + i + 7);
			put(&fixture, DATA_BLOCK + i, data);
		}
		noise_fill(meta + 64, 16, round);
		put(&fixture, META_BLOCK, meta);
		commit_costs(&fixture, 1, 1, 5); /* 20 KiB: 1.25x. */
	}
	fixture_fini(&fixture);
}

static void test_largest_commit_is_one_write(void **state)
{
	struct fixture fixture;
	uint8_t data[BLOCK_BYTES];
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	begin(&fixture);
	for (uint32_t i = 0; i < VOLUME_TXN_BLOCKS_MAX; i++) {
		noise_fill(data, BLOCK_BYTES, i + 1);
		put(&fixture, i, data);
	}
	commit_costs(&fixture, 1, 1, VOLUME_TXN_BLOCKS_MAX + 1);
	fixture_fini(&fixture);
}

static void test_no_change_costs_nothing(void **state)
{
	struct fixture fixture;
	uint8_t data[BLOCK_BYTES];
	uint8_t meta[BLOCK_BYTES];
	(void)state;
	fixture_init_with_noise(&fixture, data, meta);
	begin(&fixture);
	put(&fixture, DATA_BLOCK, data);
	put(&fixture, META_BLOCK, meta);
	assert_int_equal(volume_txn_discard(fixture.volume, (struct logical_block){1}), STATUS_OK);
	const uint8_t zeroes[BLOCK_BYTES] = {0};
	put(&fixture, 2, zeroes); /* A hole reads as zeroes: nothing changes. */
	commit_costs(&fixture, 0, 0, 0);
	begin(&fixture);
	commit_costs(&fixture, 0, 0, 0);
	sim_disk_counters_reset(&fixture.disk);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	sim_disk_counters_reset(&fixture.disk);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_cost(&fixture, 0, 0, 0);
	fixture_fini(&fixture);
}

static void test_mount_writes_nothing(void **state)
{
	struct fixture fixture;
	uint8_t data[BLOCK_BYTES];
	uint8_t meta[BLOCK_BYTES];
	(void)state;
	fixture_init_with_noise(&fixture, data, meta);
	for (int clean = 0; clean < 2; clean++) {
		fixture_unmount(&fixture);
		sim_disk_counters_reset(&fixture.disk);
		assert_int_equal(fixture_mount(&fixture), STATUS_OK);
		assert_cost(&fixture, 0, 1, 0);
		print_message("mount (%s): %llu reads, %llu blocks\n", clean ? "clean" : "log",
			      (unsigned long long)fixture.disk.counters.reads,
			      (unsigned long long)fixture.disk.counters.blocks_read);
		assert_true(fixture.disk.counters.reads <= 40);
		fixture_unmount(&fixture);
		sim_disk_counters_reset(&fixture.disk);
		assert_int_equal(fixture_mount_read_only(&fixture), STATUS_OK);
		assert_cost(&fixture, 0, 0, 0);
		fixture_unmount(&fixture);
		assert_int_equal(fixture_mount(&fixture), STATUS_OK);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	}
	fixture_fini(&fixture);
}

/* 1,000 NV commits on one object: what is written in all, checkpoints included. */
static void test_checkpoints_are_cheap(void **state)
{
	struct fixture fixture;
	uint8_t data[BLOCK_BYTES];
	uint8_t meta[BLOCK_BYTES];
	struct volume_counters counters;
	(void)state;
	fixture_init_with_noise(&fixture, data, meta);
	sim_disk_counters_reset(&fixture.disk);
	for (uint64_t round = 0; round < 1000; round++) {
		noise_fill(data, 3900, round + 3);
		noise_fill(meta, 16, round + 4);
		assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
		put(&fixture, DATA_BLOCK, data);
		put(&fixture, META_BLOCK, meta);
		assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
	}
	const struct block_device_counters *device = &fixture.disk.counters;
	volume_counters_get(fixture.volume, &counters);
	assert_in_range(counters.checkpoints, 7, 8);
	/* At most one re-home of each block per checkpoint. */
	assert_int_equal(counters.rehomed_blocks, 2 * counters.checkpoints);
	print_message("1000 commits of 3,900 bytes: %llu writes, %llu flushes, %llu blocks, "
		      "%llu checkpoints\n",
		      (unsigned long long)device->writes, (unsigned long long)device->flushes,
		      (unsigned long long)device->blocks_written,
		      (unsigned long long)counters.checkpoints);
	assert_true(device->blocks_written <= 1000 + counters.checkpoints * 10);
	begin(&fixture);
	data[0] ^= 1;
	put(&fixture, DATA_BLOCK, data);
	assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
	sim_disk_counters_reset(&fixture.disk);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	print_message("checkpoint of one object: %llu writes, %llu flushes, %llu blocks\n",
		      (unsigned long long)device->writes, (unsigned long long)device->flushes,
		      (unsigned long long)device->blocks_written);
	assert_true(device->writes <= 5 && device->flushes == 3 && device->blocks_written <= 9);
	fixture_fini(&fixture);
}

static void test_arena_is_small(void **state)
{
	(void)state;
	size_t bytes = volume_arena_bytes((struct block_count){16384});
	print_message("arena for 64 MiB: %zu KiB\n", bytes / 1024);
	assert_true(bytes <= 2u << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_commit_is_one_block),
		cmocka_unit_test(test_shorter_content_over_a_full_block_is_one_block),
		cmocka_unit_test(test_16_kib_commit),
		cmocka_unit_test(test_largest_commit_is_one_write),
		cmocka_unit_test(test_no_change_costs_nothing),
		cmocka_unit_test(test_mount_writes_nothing),
		cmocka_unit_test(test_checkpoints_are_cheap),
		cmocka_unit_test(test_arena_is_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
