// SPDX-License-Identifier: MIT
/* The block profile: geometry of all sizes, everyday use, damage, and what it does when it is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "block/volume_internal.h"
#include "volume_fixture.h"

#define SMALL VOLUME_BLOCK_BLOCKS_MIN

static struct volume_geometry geometry_of(uint64_t size)
{
	struct volume_geometry geometry;
	assert_int_equal(volume_geometry_make(VOLUME_PROFILE_BLOCK, size, &geometry), STATUS_OK);
	return geometry;
}

static void test_geometry(void **state)
{
	const struct {
		uint64_t size;
		uint32_t tree_levels;
		uint32_t group_levels;
		uint64_t ring;
	} rows[] = {
		{SMALL, 2, 1, 256},
		{16384, 2, 1, 1024},              /* 64 MiB. */
		{1u << 21, 3, 1, 16384},          /* 8 GiB. */
		{1u << 28, 4, 2, 16384},          /* 1 TiB. */
		{UINT64_C(1) << 32, 5, 3, 16384}, /* 16 TiB. */
	};
	struct volume_geometry geometry;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		geometry = geometry_of(rows[i].size);
		assert_int_equal(geometry.tree_levels, rows[i].tree_levels);
		assert_int_equal(geometry.group_levels, rows[i].group_levels);
		assert_int_equal(geometry.ring_blocks, rows[i].ring);
		assert_true(geometry.logical_blocks <= UINT32_MAX);
		assert_true(geometry.logical_blocks < volume_allocatable_count(&geometry));
	}
	assert_int_equal(volume_geometry_make(VOLUME_PROFILE_BLOCK, SMALL - 1, &geometry),
			 STATUS_INVALID);
	assert_int_equal(
		volume_geometry_make(VOLUME_PROFILE_BLOCK, (UINT64_C(1) << 32) + 1, &geometry),
		STATUS_INVALID);
	assert_int_equal(volume_geometry_make(3, SMALL, &geometry), STATUS_INVALID);
	for (uint64_t size = SMALL; size < 300000; size += 7) {
		geometry = geometry_of(size);
		assert_int_equal(geometry.ring_blocks % VOLUME_BATCH_BLOCKS, 0);
		assert_true(geometry.group_end <= size - 4);
		uint64_t last = volume_bitmap_place(&geometry, geometry.group_count - 1, 0);
		assert_true(last + VOLUME_GROUP_RESERVED_BLOCK < geometry.group_end);
	}
}

static void test_memory_does_not_grow_with_the_volume(void **state)
{
	(void)state;
	size_t gib = volume_arena_bytes_for(VOLUME_PROFILE_BLOCK, (struct block_count){1u << 18});
	size_t tib16 = volume_arena_bytes_for(VOLUME_PROFILE_BLOCK,
					      (struct block_count){UINT64_C(1) << 32});
	print_message("arena: 1 GiB %zu KiB, 16 TiB %zu KiB\n", gib / 1024, tib16 / 1024);
	assert_true(tib16 <= gib + 8 * VOLUME_GROUP_CACHE * BLOCK_BYTES);
	assert_true(tib16 <= 20u << 20);
	assert_int_equal(volume_arena_bytes_for(VOLUME_PROFILE_BLOCK, (struct block_count){5}), 0);
}

/* Everything, in the overlay, after a replay, after a checkpoint. */
static void test_everyday_use(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	const uint32_t end = (uint32_t)volume_logical_size(fixture.volume).n;
	for (uint32_t round = 0; round < 3; round++) {
		uint64_t seed = 1 + 1000 * round;
		assert_int_equal(fixture_put_many(&fixture, &model, 5, 2, 1, seed), STATUS_OK);
		assert_int_equal(fixture_put_many(&fixture, &model, 100, 60, 1, seed + 100),
				 STATUS_OK);
		assert_int_equal(fixture_put_many(&fixture, &model, 130, 20, 1, seed + 200),
				 STATUS_OK);
		assert_int_equal(fixture_put_many(&fixture, &model, 110, 5, 1, 0), STATUS_OK);
		assert_int_equal(fixture_put_many(&fixture, &model, end - 40, 40, 1, seed + 300),
				 STATUS_OK);
		assert_int_equal(fixture_put_many(&fixture, &model, 131, 1, 1, seed + 400),
				 STATUS_OK);
		assert_true(model_equals(&model, fixture.volume));
		fixture_remount(&fixture);
		assert_true(model_equals(&model, fixture.volume));
		if (round != 1) {
			assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
			assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
			fixture_remount(&fixture);
			assert_true(model_equals(&model, fixture.volume));
		}
	}
	uint8_t block[BLOCK_BYTES];
	assert_int_equal(volume_read(fixture.volume, (struct logical_block){end}, block),
			 STATUS_INVALID);
	assert_false(fixture_disk_contains(&fixture, FIXTURE_CANARY));
	assert_int_equal(ledger_repeats(), 0);
	fixture_fini(&fixture);
}

/* More than one record, and its own changes are seen before the commit. */
static void test_large_transaction(void **state)
{
	struct fixture fixture;
	static struct model model;
	uint8_t expected[BLOCK_BYTES];
	uint8_t content[BLOCK_BYTES];
	(void)state;
	memset(&model, 0, sizeof(model));
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, 16384, true);
	uint64_t sequence = fixture.volume->log.sequence;
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	for (uint32_t i = 0; i < 600; i++) {
		assert_int_equal(model_put(&model, fixture.volume, i * 3, i + 1), STATUS_OK);
	}
	assert_int_equal(model_put(&model, fixture.volume, 0, 5000), STATUS_OK);
	assert_int_equal(model_put(&model, fixture.volume, 3, 0), STATUS_OK);
	for (uint32_t i = 0; i < 600; i += 7) {
		model_content(model_get(&model, i * 3), expected);
		assert_int_equal(
			volume_txn_read(fixture.volume, (struct logical_block){i * 3}, content),
			STATUS_OK);
		assert_memory_equal(expected, content, BLOCK_BYTES);
	}
	assert_int_equal(volume_txn_commit(fixture.volume), STATUS_OK);
	assert_int_equal(fixture.volume->log.sequence, sequence + 2);
	fixture_remount(&fixture);
	assert_true(model_equals(&model, fixture.volume));
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	fixture_fini(&fixture);
}

static void test_abort_gives_everything_back(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	struct volume_info before;
	struct volume_info after;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	assert_int_equal(fixture_put_many(&fixture, &model, 0, 40, 1, 1), STATUS_OK);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	volume_info_get(fixture.volume, &before);
	struct model scrap = model;
	for (int round = 0; round < 100; round++) { /* More than the volume holds. */
		assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
		for (uint32_t i = 0; i < 100; i++) {
			assert_int_equal(model_put(&scrap, fixture.volume, i, 900 + i), STATUS_OK);
		}
		volume_txn_abort(fixture.volume);
		assert_int_equal(
			fixture_put_many(&fixture, &model, 1, 1, 1, 3000 + (uint64_t)round),
			STATUS_OK);
	}
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	volume_info_get(fixture.volume, &after);
	assert_int_equal(before.blocks_free.n, after.blocks_free.n);
	assert_true(model_equals(&model, fixture.volume));
	const uint64_t most = volume_txn_size_max(fixture.volume).n;
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	for (uint32_t i = 0; i < most; i++) {
		assert_int_equal(volume_txn_discard(fixture.volume, (struct logical_block){i}),
				 STATUS_OK);
	}
	assert_int_equal(volume_txn_discard(fixture.volume, (struct logical_block){most}),
			 STATUS_TOO_LARGE);
	volume_txn_abort(fixture.volume);
	fixture_fini(&fixture);
}

static enum status write_all(struct volume *volume, uint64_t seed)
{
	uint8_t content[BLOCK_BYTES];
	uint64_t end = volume_logical_size(volume).n;
	for (uint64_t at = 0; at < end;) {
		enum status status = volume_txn_begin(volume);
		for (uint64_t stop = at + 64; at < stop && at < end && status == STATUS_OK; at++) {
			model_content(seed + at, content);
			status = volume_txn_put(volume, (struct logical_block){at}, content);
		}
		status = status == STATUS_OK ? volume_txn_commit(volume) : status;
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

/* All of the device can be written, and again and again: it is not thinly provisioned. */
static void test_the_whole_device_can_be_overwritten(void **state)
{
	struct fixture fixture;
	uint8_t expected[BLOCK_BYTES];
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	for (uint64_t round = 0; round < 3; round++) {
		assert_int_equal(write_all(fixture.volume, 1 + 100000 * round), STATUS_OK);
	}
	const size_t end = (size_t)volume_logical_size(fixture.volume).n;
	fixture_remount(&fixture);
	uint8_t *all = malloc(end * BLOCK_BYTES);
	assert_non_null(all);
	assert_int_equal(volume_read_blocks(fixture.volume, (struct logical_block){0},
					    (struct block_count){end}, all),
			 STATUS_OK);
	for (size_t i = 0; i < end; i++) {
		model_content(200001 + i, expected);
		assert_memory_equal(expected, all + i * BLOCK_BYTES, BLOCK_BYTES);
	}
	free(all);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	for (uint32_t i = 0; i < 3000; i++) { /* Scattered, small and large. */
		struct model model = {0};
		uint32_t count = i % 50 == 0 ? 60 : 1;
		uint32_t first = fixture_random() % (uint32_t)(end - count);
		assert_int_equal(fixture_put_many(&fixture, &model, first, count, 1, 7 + i),
				 STATUS_OK);
	}
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	assert_int_equal(ledger_repeats(), 0);
	fixture_fini(&fixture);
}

/* A block out of line that was damaged fails alone, before and after a checkpoint. */
static void test_damaged_data_fails_alone(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	uint8_t content[4 * BLOCK_BYTES];
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	assert_int_equal(fixture_put_many(&fixture, &model, 10, 20, 1, 1), STATUS_OK);
	assert_int_equal(fixture_put_many(&fixture, &model, 40, 1, 1, 50), STATUS_OK);
	uint64_t place = volume_map_find(&fixture.volume->overlay, 12)->entry.physical;
	sim_disk_flip(&fixture.disk, place, 77);
	fixture_remount(&fixture); /* Acknowledged: later records say so. */
	for (int round = 0; round < 2; round++) {
		assert_int_equal(volume_read(fixture.volume, (struct logical_block){12}, content),
				 STATUS_AUTH_DATA);
		assert_true(bytes_are_zero(content, BLOCK_BYTES));
		memset(content, 1, sizeof(content));
		assert_int_equal(volume_read_blocks(fixture.volume, (struct logical_block){10},
						    (struct block_count){4}, content),
				 STATUS_AUTH_DATA);
		assert_true(bytes_are_zero(content, sizeof(content)));
		assert_int_equal(volume_read(fixture.volume, (struct logical_block){13}, content),
				 STATUS_OK);
		assert_true(volume_is_writable(fixture.volume));
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	}
	assert_int_equal(fixture_put_many(&fixture, &model, 12, 1, 1, 99), STATUS_OK);
	assert_true(model_equals(&model, fixture.volume));
	fixture_fini(&fixture);
}

/* The last record is gone, but an earlier one of the same epoch proves nothing is missing before
 * it; a record in the middle that is gone is tampering. */
static void test_lost_records(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	uint64_t ring = fixture.volume->geometry.ring_first + fixture.volume->log.offset;
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(fixture_put_many(&fixture, &model, 10, 12, 1, 100 * i + 1),
				 STATUS_OK);
	}
	fixture_unmount(&fixture);
	for (uint64_t i = 0; i < 2; i++) {
		sim_disk_mark(&fixture.disk);
		sim_disk_flip(&fixture.disk, ring + i, 1000);
		assert_int_equal(fixture_mount(&fixture), STATUS_TAMPER);
		sim_disk_revert(&fixture.disk);
		sim_disk_unmark(&fixture.disk);
	}
	sim_disk_flip(&fixture.disk, ring + 2, 1000);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	fixture_fini(&fixture);
}

static void test_bad_bitmap_is_noticed(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	for (int height = 0; height < 2; height++) {
		struct volume_entry entry;
		fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
		assert_int_equal(fixture_put_many(&fixture, &model, 10, 12, 1, 1), STATUS_OK);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		assert_int_equal(volume_group_entry(fixture.volume, (uint32_t)height, 0, &entry),
				 STATUS_OK);
		fixture_unmount(&fixture);
		sim_disk_flip(&fixture.disk, entry.physical, 9);
		assert_int_equal(fixture_mount(&fixture), STATUS_OK); /* Not looked at yet. */
		assert_int_equal(fixture_put_many(&fixture, &model, 10, 12, 1, 50),
				 STATUS_AUTH_META);
		assert_false(volume_is_writable(fixture.volume));
		fixture_fini(&fixture);
	}
}

/* A volume of 16 TiB: made, filled at both ends and in the middle, mounted. */
static void test_largest_volume(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, VOLUME_BLOCK_BLOCKS_MAX, true);
	const uint32_t end = (uint32_t)volume_logical_size(fixture.volume).n;
	assert_int_equal(fixture_put_many(&fixture, &model, end - 20, 20, 1, 1), STATUS_OK);
	assert_int_equal(fixture_put_many(&fixture, &model, 0, 20, 1, 50), STATUS_OK);
	assert_int_equal(fixture_put_many(&fixture, &model, 7, 30, 1u << 26, 90), STATUS_OK);
	fixture_remount(&fixture);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	fixture_remount(&fixture);
	/* As if the device had been filled up to near its end: all groups in between are crossed.
	 */
	fixture.volume->bitmaps.cursor = fixture.volume->geometry.group_end - 25;
	assert_int_equal(fixture_put_many(&fixture, &model, 1000, 60, 1, 500), STATUS_OK);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	fixture_remount(&fixture);
	assert_true(model_equals(&model, fixture.volume));
	fixture_fini(&fixture);
}

/* The clear header may not turn one profile into the other. */
static void test_profiles_are_kept_apart(void **state)
{
	struct fixture fixture;
	struct volume_public_info info;
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	assert_int_equal(volume_public_info_read(&fixture.disk.device, &info), STATUS_OK);
	assert_int_equal(info.profile, VOLUME_PROFILE_BLOCK);
	fixture_unmount(&fixture);
	for (uint32_t slot = 0; slot < 2; slot++) {
		for (uint32_t copy = 0; copy < VOLUME_COPIES; copy++) {
			struct volume_superblock_header header;
			uint8_t *block = sim_disk_edit(&fixture.disk,
						       volume_superblock_place(SMALL, slot, copy));
			uint8_t forged[BLOCK_BYTES];
			assert_int_equal(volume_superblock_header_decode(block, &header),
					 STATUS_OK);
			header.profile = VOLUME_PROFILE_STATE;
			assert_int_equal(volume_superblock_header_encode(forged, &header),
					 STATUS_OK);
			memcpy(block, forged, VOLUME_SUPERBLOCK_BODY_OFFSET);
		}
	}
	assert_int_not_equal(fixture_mount(&fixture), STATUS_OK);
	fixture_fini(&fixture);
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, SMALL, true);
	fixture_unmount(&fixture);
	fixture.environment.arena_size_bytes--;
	assert_int_equal(fixture_mount(&fixture), STATUS_NO_MEMORY);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_geometry),
		cmocka_unit_test(test_memory_does_not_grow_with_the_volume),
		cmocka_unit_test(test_everyday_use),
		cmocka_unit_test(test_large_transaction),
		cmocka_unit_test(test_abort_gives_everything_back),
		cmocka_unit_test(test_the_whole_device_can_be_overwritten),
		cmocka_unit_test(test_damaged_data_fails_alone),
		cmocka_unit_test(test_lost_records),
		cmocka_unit_test(test_bad_bitmap_is_noticed),
		cmocka_unit_test(test_largest_volume),
		cmocka_unit_test(test_profiles_are_kept_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
