// SPDX-License-Identifier: MIT
/* What the block profile costs the device. The numbers are part of the contract:
 * docs/volume-format.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "volume_fixture.h"

#define SMALL VOLUME_BLOCK_BLOCKS_MIN
#define GIB   262144u

static void put(struct volume *volume, uint64_t logical, uint64_t seed)
{
	uint8_t content[BLOCK_BYTES];
	fixture_noise(content, BLOCK_BYTES, seed);
	assert_int_equal(volume_txn_put(volume, (struct logical_block){logical}, content),
			 STATUS_OK);
}

static void write_run(struct volume *volume, uint64_t first, uint32_t count, uint64_t seed)
{
	assert_int_equal(volume_txn_begin(volume), STATUS_OK);
	for (uint32_t i = 0; i < count; i++) {
		put(volume, first + i, seed + i);
	}
	assert_int_equal(volume_txn_commit(volume), STATUS_OK);
}

static void report(const char *what, const struct fixture *fixture, uint64_t blocks)
{
	const struct block_device_counters *counters = &fixture->disk.counters;
	print_message("%s: %llu writes, %llu flushes, %llu blocks: %llu.%03llux\n", what,
		      (unsigned long long)counters->writes, (unsigned long long)counters->flushes,
		      (unsigned long long)counters->blocks_written,
		      (unsigned long long)(counters->blocks_written / blocks),
		      (unsigned long long)(counters->blocks_written * 1000 / blocks % 1000));
}

static void test_small_write_and_flush(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, GIB, true);
	for (uint32_t i = 0; i < 40; i++) {
		sim_disk_counters_reset(&fixture.disk);
		write_run(fixture.volume, 37 * i, 1, i + 1);
		assert_int_equal(fixture.disk.counters.writes, 1);
		assert_int_equal(fixture.disk.counters.flushes, 1);
		assert_int_equal(fixture.disk.counters.blocks_written, 2); /* 8 KiB. */
	}
	fixture_fini(&fixture);
}

/* 128 KiB with a flush each: the data, its record. */
static void test_sequential_write_depth_1(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, GIB, true);
	sim_disk_counters_reset(&fixture.disk);
	for (uint32_t i = 0; i < 200; i++) {
		write_run(fixture.volume, 32 * i, 32, i + 1);
	}
	assert_int_equal(fixture.disk.counters.writes, 400);
	assert_int_equal(fixture.disk.counters.flushes, 200);
	assert_int_equal(fixture.disk.counters.blocks_written, 200 * 33);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	report("128 KiB sequential, flush each, checkpoint", &fixture, 200 * 32);
	assert_true(fixture.disk.counters.blocks_written * 100 <= 200 * 32 * 105);
	fixture_fini(&fixture);
}

/* 32 of them between flushes: one data write each, and the record is shared. */
static void test_sequential_write_depth_32(void **state)
{
	struct fixture fixture;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, GIB, true);
	sim_disk_counters_reset(&fixture.disk);
	for (uint32_t i = 0; i < 8; i++) {
		write_run(fixture.volume, 1024 * i, 1024, 1024 * i + 1);
	}
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	report("128 KiB sequential, depth 32, checkpoint", &fixture, 8192);
	const struct block_device_counters *counters = &fixture.disk.counters;
	assert_true(counters->blocks_written * 100 <= 8192 * 103);
	assert_true(counters->writes <= 256 + 8 * 3 + 12); /* One for each 128 KiB. */
	fixture_fini(&fixture);
}

/* 4 KiB at random places, 32 between flushes, over several checkpoints' worth. */
static void test_random_write_depth_32(void **state)
{
	struct fixture fixture;
	struct volume_counters counters;
	uint64_t written = 0;
	(void)state;
	fixture_random_seed(3);
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, GIB, true);
	const uint32_t end = (uint32_t)volume_logical_size(fixture.volume).n;
	sim_disk_counters_reset(&fixture.disk);
	do { /* Ends: the overlay fills up. */
		assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
		for (uint32_t i = 0; i < 32; i++) {
			put(fixture.volume, fixture_random() % end, ++written);
		}
		assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
		volume_counters_get(fixture.volume, &counters);
	} while (counters.checkpoints == 0);
	report("4 KiB random, depth 32, 1 GiB, with its checkpoint", &fixture, written);
	assert_true(written > 30000);
	assert_true(fixture.disk.counters.blocks_written * 100 <= written * 110);
	assert_true(fixture.disk.counters.writes * 10 < written); /* Coalesced. */
	fixture_fini(&fixture);
}

static void test_reads(void **state)
{
	struct fixture fixture;
	uint8_t block[BLOCK_BYTES];
	static uint8_t many[32 * BLOCK_BYTES];
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	write_run(fixture.volume, 64, 64, 1);
	for (int round = 0; round < 2; round++) { /* From the overlay, from the tree. */
		assert_int_equal(volume_read(fixture.volume, (struct logical_block){100}, block),
				 STATUS_OK);
		sim_disk_counters_reset(&fixture.disk);
		assert_int_equal(volume_read(fixture.volume, (struct logical_block){77}, block),
				 STATUS_OK);
		assert_int_equal(fixture.disk.counters.reads, 1);
		assert_int_equal(fixture.disk.counters.blocks_read, 1);
		sim_disk_counters_reset(&fixture.disk);
		assert_int_equal(volume_read_blocks(fixture.volume, (struct logical_block){64},
						    (struct block_count){32}, many),
				 STATUS_OK);
		assert_int_equal(fixture.disk.counters.reads, 1);
		assert_int_equal(fixture.disk.counters.blocks_read, 32);
		fixture_noise(block, BLOCK_BYTES, 5);
		assert_memory_equal(block, many + 4 * BLOCK_BYTES, BLOCK_BYTES);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	}
	fixture_fini(&fixture);
}

/* Reads of a mount: the ring, and a path; the same for 8 GiB and 16 TiB. */
static void test_mount(void **state)
{
	const uint64_t sizes[] = {1u << 21, UINT64_C(1) << 28, VOLUME_BLOCK_BLOCKS_MAX};
	uint64_t reads[ARRAY_COUNT(sizes)];
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		struct fixture fixture;
		fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, sizes[i], true);
		const uint64_t end = volume_logical_size(fixture.volume).n;
		write_run(fixture.volume, end - 40, 40, 1);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		fixture_unmount(&fixture);
		sim_disk_counters_reset(&fixture.disk);
		assert_int_equal(fixture_mount(&fixture), STATUS_OK);
		assert_int_equal(fixture.disk.counters.writes, 0);
		reads[i] = fixture.disk.counters.reads;
		print_message("mount of 2^%d blocks: %llu reads, %llu blocks\n",
			      i == 0 ? 21 : (i == 1 ? 28 : 32), (unsigned long long)reads[i],
			      (unsigned long long)fixture.disk.counters.blocks_read);
		fixture_fini(&fixture);
	}
	assert_int_equal(reads[0], reads[1]);
	assert_int_equal(reads[0], reads[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_write_and_flush),
		cmocka_unit_test(test_sequential_write_depth_1),
		cmocka_unit_test(test_sequential_write_depth_32),
		cmocka_unit_test(test_random_write_depth_32),
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_mount),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
