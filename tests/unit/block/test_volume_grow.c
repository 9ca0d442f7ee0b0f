// SPDX-License-Identifier: MIT
/* Growing: what was there stays, what is new can be used, and wherever it is interrupted the volume
 * is of its old size or of the new one, and the same call goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "block/volume_internal.h"
#include "crash_checker.h"

#define STATE_SMALL  VOLUME_STATE_BLOCKS_MIN
#define BLOCK_SMALL  VOLUME_BLOCK_BLOCKS_MIN
#define GROUP_BLOCKS VOLUME_GROUP_BLOCKS

static void create(struct fixture *fixture, enum volume_profile profile, uint64_t size,
		   uint64_t device_size)
{
	fixture_init_profile(fixture, profile, device_size, false);
	assert_int_equal(volume_create_profile(&fixture->environment, profile,
					       (struct block_count){size}, &fixture_key, NULL,
					       NULL),
			 STATUS_OK);
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
}

static enum status grow(struct fixture *fixture, uint64_t size)
{
	return volume_grow(fixture->volume, (struct block_count){size});
}

static uint64_t size_of(const struct fixture *fixture)
{
	struct volume_info info;
	volume_info_get(fixture->volume, &info);
	assert_int_equal(info.open.size.n, fixture->volume->geometry.size);
	return info.open.size.n;
}

static void put_some(struct fixture *fixture, struct model *model, uint32_t first, uint32_t count,
		     uint64_t seed)
{
	assert_int_equal(volume_txn_begin(fixture->volume), STATUS_OK);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(model_put(model, fixture->volume, first + i, seed + i), STATUS_OK);
	}
	assert_int_equal(volume_txn_commit(fixture->volume), STATUS_OK);
}

/* Everything is there, for this mount and for the next. */
static void check(struct fixture *fixture, const struct model *model)
{
	for (int i = 0; i < 2; i++) {
		assert_true(model_equals(model, fixture->volume));
		assert_int_equal(volume_verify(fixture->volume, NULL, NULL), STATUS_OK);
		fixture_unmount(fixture);
		assert_int_equal(fixture_mount(fixture), STATUS_OK);
	}
	assert_int_equal(ledger_repeats(), 0);
}

/* ---- What is new can be used ---------------------------------------------------------------- */

static void test_state_profile(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	struct volume_info before;
	struct volume_info after;
	(void)state;
	create(&fixture, VOLUME_PROFILE_STATE, STATE_SMALL, 2 * GROUP_BLOCKS);
	put_some(&fixture, &model, 7, 20, 1);
	volume_info_get(fixture.volume, &before);
	assert_int_equal(grow(&fixture, GROUP_BLOCKS / 2), STATUS_OK);
	/* Neither a superblock nor a key that may be removed later is left at the old end. */
	for (uint64_t at = STATE_SMALL - 4; at < STATE_SMALL; at++) {
		assert_true(bytes_are_zero(sim_disk_look(&fixture.disk, at), BLOCK_BYTES));
	}
	volume_info_get(fixture.volume, &after);
	assert_int_equal(after.open.size.n, GROUP_BLOCKS / 2);
	/* Nodes and data went home, and everything behind the old end is free. */
	assert_true(after.blocks_free.n >
		    GROUP_BLOCKS / 2 - STATE_SMALL + before.blocks_free.n - 100);
	check(&fixture, &model);
	put_some(&fixture, &model, 60000, 40, 100);
	assert_int_equal(grow(&fixture, 2 * GROUP_BLOCKS), STATUS_OK);
	put_some(&fixture, &model, 7, 3, 500);
	check(&fixture, &model);
	assert_int_equal(size_of(&fixture), 2 * GROUP_BLOCKS);
	fixture_fini(&fixture);
}

/* A volume that is full takes more once it has grown, also where its old copies were. */
static void test_full_volume_grows(void **state)
{
	struct fixture fixture;
	static struct model model;
	uint32_t written = 0;
	(void)state;
	memset(&model, 0, sizeof(model));
	create(&fixture, VOLUME_PROFILE_STATE, STATE_SMALL, STATE_SMALL + 300);
	enum status status = STATUS_OK;
	while (status == STATUS_OK) {
		uint8_t content[BLOCK_BYTES];
		model_content(7 + 3 * (uint64_t)written, content);
		status = volume_txn_begin(fixture.volume);
		for (uint32_t i = 0; i < 50 && status == STATUS_OK; i++) {
			status = volume_txn_put(fixture.volume,
						(struct logical_block){1000 + written * 50 + i},
						content);
		}
		status = status == STATUS_OK ? volume_txn_commit(fixture.volume) : status;
		written++;
	}
	assert_int_equal(status, STATUS_NO_SPACE);
	assert_int_equal(grow(&fixture, STATE_SMALL + 300), STATUS_OK);
	put_some(&fixture, &model, 7, 60, 1000);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	put_some(&fixture, &model, 107, 60, 2000);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	check(&fixture, &model);
	fixture_fini(&fixture);
}

/* Levels of both trees are added; the ring stays, and programs that expect another are told so. */
static void test_block_profile_levels(void **state)
{
	static const struct {
		uint64_t from;
		uint64_t to;
		uint32_t tree_levels;
		uint32_t group_levels;
	} rows[] = {
		{BLOCK_SMALL, BLOCK_SMALL + 1000, 2, 1},        {BLOCK_SMALL, 60000, 3, 1},
		{BLOCK_SMALL, 129 * GROUP_BLOCKS, 4, 2},        {40000, 129 * GROUP_BLOCKS, 4, 2},
		{100 * GROUP_BLOCKS, 129 * GROUP_BLOCKS, 4, 2},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct fixture fixture;
		struct model model = {0};
		create(&fixture, VOLUME_PROFILE_BLOCK, rows[i].from, rows[i].to);
		const struct volume_geometry *geometry = &fixture.volume->geometry;
		uint64_t ring = geometry->ring_blocks;
		uint64_t logical = volume_logical_size(fixture.volume).n;
		put_some(&fixture, &model, 5, 40, 1);
		put_some(&fixture, &model, (uint32_t)logical - 20, 20, 100);
		assert_int_equal(grow(&fixture, rows[i].to), STATUS_OK);
		assert_true(volume_logical_size(fixture.volume).n > logical);
		assert_int_equal(geometry->tree_levels, rows[i].tree_levels);
		assert_int_equal(geometry->group_levels, rows[i].group_levels);
		assert_int_equal(geometry->ring_blocks, ring);
		assert_int_equal(
			bytes_load_le32(sim_disk_look(&fixture.disk, 0) + 12),
			VOLUME_FEATURE_CARRIES |
				(volume_geometry_is_plain(geometry) ? 0 : VOLUME_FEATURE_GROWN));
		logical = volume_logical_size(fixture.volume).n;
		put_some(&fixture, &model, (uint32_t)logical - 30, 30, 200);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		put_some(&fixture, &model, 20, 40, 300);
		check(&fixture, &model);
		fixture_fini(&fixture);
	}
}

/* Nothing was ever allocated: there are no roots to put anything above. */
static void test_empty_block_volume(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	create(&fixture, VOLUME_PROFILE_BLOCK, BLOCK_SMALL, 129 * GROUP_BLOCKS);
	assert_int_equal(grow(&fixture, 129 * GROUP_BLOCKS), STATUS_OK);
	check(&fixture, &model);
	put_some(&fixture, &model, 3900000, 30, 200);
	check(&fixture, &model);
	fixture_fini(&fixture);
}

/* The old end in every position to the groups: the rest that is no group, and the copies where a
 * new group's bitmaps come to lie. */
static void test_ends(void **state)
{
	(void)state;
	for (uint64_t rest = 0; rest < 12; rest++) {
		for (uint32_t p = VOLUME_PROFILE_STATE; p <= VOLUME_PROFILE_BLOCK; p++) {
			struct fixture fixture;
			struct model model = {0};
			uint64_t ring = p == VOLUME_PROFILE_STATE ? 256 : 2176;
			uint64_t from = 4 + ring + GROUP_BLOCKS + rest + 4;
			uint64_t to = from + (rest % 3 == 0 ? 4 + rest : 9000);
			create(&fixture, (enum volume_profile)p, from, to);
			assert_int_equal(fixture.volume->geometry.ring_blocks, ring);
			put_some(&fixture, &model, 5, 12, 1);
			assert_int_equal(grow(&fixture, to), STATUS_OK);
			put_some(&fixture, &model, 5, 30, 90);
			check(&fixture, &model);
			assert_int_equal(size_of(&fixture), to);
			fixture_fini(&fixture);
		}
	}
}

/* A volume that has grown in steps is as good as any, and never needs more memory than a new one of
 * its size. */
static void test_grown_volumes_need_no_more_memory(void **state)
{
	(void)state;
	for (uint64_t size = BLOCK_SMALL; size < UINT64_C(1) << 32; size += size / 3 + 77) {
		for (uint64_t ring = 256; ring <= 16384; ring += 32 + ring / 4 / 32 * 32) {
			struct volume_geometry geometry;
			enum status status = volume_geometry_grown(VOLUME_PROFILE_BLOCK, size, size,
								   ring, &geometry);
			if (status != STATUS_OK) {
				assert_true(ring > size / 16);
				continue;
			}
			assert_true(volume_arena_bytes_of(&geometry) <=
				    volume_arena_bytes_for(VOLUME_PROFILE_BLOCK,
							   (struct block_count){size}));
		}
	}
}

/* ---- Refusals ------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	create(&fixture, VOLUME_PROFILE_STATE, STATE_SMALL, STATE_SMALL + 1000);
	put_some(&fixture, &model, 3, 5, 1);
	uint64_t epoch = fixture.volume->superblock.epoch;
	assert_int_equal(grow(&fixture, STATE_SMALL - 1), STATUS_INVALID);
	assert_int_equal(grow(&fixture, 0), STATUS_INVALID);
	assert_int_equal(grow(&fixture, STATE_SMALL + 3), STATUS_INVALID);
	assert_int_equal(grow(&fixture, STATE_SMALL + 1001), STATUS_TRUNCATED);
	assert_int_equal(grow(&fixture, VOLUME_STATE_BLOCKS_MAX + 1), STATUS_TOO_LARGE);
	assert_int_equal(grow(&fixture, UINT64_MAX), STATUS_TOO_LARGE);
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	assert_int_equal(grow(&fixture, STATE_SMALL + 1000), STATUS_BUSY);
	volume_txn_abort(fixture.volume);
	assert_int_equal(grow(&fixture, STATE_SMALL), STATUS_OK); /* Nothing to do. */
	assert_int_equal(fixture.volume->superblock.epoch, epoch);
	fixture_unmount(&fixture);
	assert_int_equal(fixture_mount_read_only(&fixture), STATUS_OK);
	assert_int_equal(grow(&fixture, STATE_SMALL + 1000), STATUS_READ_ONLY);
	fixture_unmount(&fixture);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	/* With no room for the larger volume's buffers. */
	fixture.volume->arena_bytes =
		volume_arena_bytes_for(VOLUME_PROFILE_STATE, (struct block_count){STATE_SMALL});
	assert_int_equal(grow(&fixture, STATE_SMALL + 1000), STATUS_NO_MEMORY);
	assert_int_equal(fixture.volume->superblock.epoch, epoch);
	check(&fixture, &model);
	fixture_fini(&fixture);
}

/* ---- Interruptions --------------------------------------------------------------------------- */

struct row {
	enum volume_profile profile;
	uint64_t from;
	uint64_t to;
};

static const struct row rows[] = {
	{VOLUME_PROFILE_STATE, STATE_SMALL, STATE_SMALL + 700},
	/* The old copies lie where the new group's bitmaps do. */
	{VOLUME_PROFILE_STATE, 4 + 256 + GROUP_BLOCKS + 4, 4 + 256 + GROUP_BLOCKS + 400},
	{VOLUME_PROFILE_BLOCK, BLOCK_SMALL, 20000},
	{VOLUME_PROFILE_BLOCK, BLOCK_SMALL, 129 * GROUP_BLOCKS},
};

static uint64_t grow_target;

/* The recovered volume is of either size, and grows on. */
static enum status grow_on(struct volume *volume)
{
	return volume_grow(volume, (struct block_count){grow_target});
}

static void test_crashes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct fixture fixture;
		static struct model model;
		static struct model same;
		static struct crash_checker checker;
		const struct crash_budget budget = {
			.patterned_subsets = 4 * crash_budget_factor(),
			.random_subsets = 3 * crash_budget_factor(),
			.nested_every = 24,
			.warm_every = 6,
			.nested_subsets = 1 * crash_budget_factor(),
			.verify_every = 8,
		};
		memset(&model, 0, sizeof(model));
		create(&fixture, rows[i].profile, rows[i].from, rows[i].to);
		crash_checker_init(&checker, &fixture, &budget);
		put_some(&fixture, &model, 7, 20, 1);
		assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
		put_some(&fixture, &model, 3, 2, 50);
		same = model;
		grow_target = rows[i].to;
		checker.go_on = grow_on;
		crash_checker_watch(&checker, &same, &same);
		assert_int_equal(grow(&fixture, rows[i].to), STATUS_OK);
		crash_checker_rest(&checker);
		if (checker.failures != 0) {
			print_error("row %zu: %llu of %llu states: first: %s\n", i,
				    (unsigned long long)checker.failures,
				    (unsigned long long)checker.states, checker.first_failure);
		}
		assert_int_equal(checker.failures, 0);
		assert_true(checker.states > 100);
		put_some(&fixture, &model, 100, 40, 500);
		check(&fixture, &model);
		crash_checker_fini(&checker);
		fixture_fini(&fixture);
	}
}

/* What a failed grow left in memory is a volume, if it still is writable. */
static void look_in_place(struct fixture *fixture, const struct model *model)
{
	if (volume_is_writable(fixture->volume)) {
		assert_true(model_equals(model, fixture->volume));
		assert_int_equal(volume_verify(fixture->volume, NULL, NULL), STATUS_OK);
	}
}

static void test_kth_operation_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct fixture fixture;
		struct model model = {0};
		bool reached = true;
		create(&fixture, rows[i].profile, rows[i].from, rows[i].to);
		put_some(&fixture, &model, 7, 20, 1);
		fixture_unmount(&fixture);
		for (uint64_t k = 1; reached; k++) {
			sim_disk_mark(&fixture.disk);
			assert_int_equal(fixture_mount(&fixture), STATUS_OK);
			sim_disk_fail_at(&fixture.disk, k, SIM_FAIL_ONCE, STATUS_IO);
			enum status status = grow(&fixture, rows[i].to);
			reached = fixture.disk.operations >= k;
			bool write_failed = fixture.disk.write_path_failed;
			sim_disk_fail_at(&fixture.disk, 0, SIM_FAIL_ONCE, STATUS_IO);
			assert_int_equal(status, reached ? STATUS_IO : STATUS_OK);
			assert_true(!write_failed || !volume_is_writable(fixture.volume));
			look_in_place(&fixture, &model);
			if (volume_is_writable(fixture.volume)) {
				assert_int_equal(grow(&fixture, rows[i].to), STATUS_OK);
			}
			fixture_unmount(&fixture);
			assert_int_equal(fixture_mount(&fixture), STATUS_OK);
			assert_true(size_of(&fixture) == rows[i].from ||
				    size_of(&fixture) == rows[i].to);
			check(&fixture, &model);
			assert_int_equal(grow(&fixture, rows[i].to), STATUS_OK);
			check(&fixture, &model);
			fixture_unmount(&fixture);
			sim_disk_revert(&fixture.disk);
			sim_disk_unmark(&fixture.disk);
		}
		fixture_fini(&fixture);
	}
}

/* Interrupted after each write: commits, checkpoints and key changes go on meanwhile, the first
 * copies may be lost as at any other time, and a device that is cut back is named. */
static void test_life_goes_on_half_way(void **state)
{
	const uint8_t bytes[VOLUME_KEY_BYTES] = {5};
	const struct volume_key other = {VOLUME_KEY_RECOVERY, bytes, VOLUME_KEY_BYTES};
	struct fixture fixture;
	struct model old = {0};
	bool interrupted = true;
	(void)state;
	create(&fixture, VOLUME_PROFILE_STATE, STATE_SMALL, STATE_SMALL + 700);
	put_some(&fixture, &old, 7, 20, 1);
	fixture_unmount(&fixture);
	for (uint64_t k = 1; interrupted; k++) {
		struct model model = old;
		sim_disk_mark(&fixture.disk);
		assert_int_equal(fixture_mount(&fixture), STATUS_OK);
		sim_disk_fail_at(&fixture.disk, k, SIM_FAIL_FOR_GOOD, STATUS_IO);
		interrupted = grow(&fixture, STATE_SMALL + 700) != STATUS_OK;
		sim_disk_fail_at(&fixture.disk, 0, SIM_FAIL_ONCE, STATUS_IO);
		fixture_unmount(&fixture);
		fixture.disk.device.capacity.n = STATE_SMALL;
		enum status status = fixture_mount(&fixture);
		assert_true(status == STATUS_OK || status == STATUS_TRUNCATED);
		assert_true(interrupted || status == STATUS_TRUNCATED);
		fixture_unmount(&fixture);
		fixture.disk.device.capacity.n = STATE_SMALL + 700;
		assert_int_equal(fixture_mount(&fixture), STATUS_OK);
		if (status == STATUS_OK) {
			assert_int_equal(size_of(&fixture), STATE_SMALL);
		}
		put_some(&fixture, &model, 900, 5, 70);
		assert_int_equal(volume_key_add(fixture.volume, &other), STATUS_OK);
		put_some(&fixture, &model, 7, 5, 30);
		assert_int_equal(volume_key_remove(fixture.volume, &other), STATUS_OK);
		check(&fixture, &model);
		fixture_unmount(&fixture);
		/* Of one kind at a time the first copies may be lost. */
		for (uint64_t block = 0; block < 4; block++) {
			sim_disk_flip(&fixture.disk, block, 200);
			assert_int_equal(fixture_mount(&fixture), STATUS_OK);
			assert_true(model_equals(&model, fixture.volume));
			fixture_unmount(&fixture);
			sim_disk_flip(&fixture.disk, block, 200);
		}
		sim_disk_revert(&fixture.disk);
		sim_disk_unmark(&fixture.disk);
	}
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state_profile),
		cmocka_unit_test(test_full_volume_grows),
		cmocka_unit_test(test_block_profile_levels),
		cmocka_unit_test(test_empty_block_volume),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_grown_volumes_need_no_more_memory),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_kth_operation_fails),
		cmocka_unit_test(test_life_goes_on_half_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
