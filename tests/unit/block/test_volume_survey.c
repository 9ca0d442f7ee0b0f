// SPDX-License-Identifier: MIT
/* A survey finds every fault, and says of exactly those blocks that they are lost that cannot be
 * read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"
#include "volume_fixture.h"

#define FAULTS_MAX 32u

struct found {
	struct volume_fault faults[FAULTS_MAX];
	size_t count;
};

static void note(void *context, const struct volume_fault *fault)
{
	struct found *found = context;
	assert_true(found->count < FAULTS_MAX);
	found->faults[found->count++] = *fault;
}

static bool is_lost(const struct found *found, uint64_t logical)
{
	for (size_t i = 0; i < found->count; i++) {
		const struct volume_fault *fault = &found->faults[i];
		if (logical - fault->first_logical < fault->logical_count) {
			return true;
		}
	}
	return false;
}

/* Blocks in three leaves of two slices, all of them at home. */
static void scene_make(struct fixture *fixture, struct model *model)
{
	static const uint32_t places[] = {0, 1, 127, 128, VOLUME_SLICE_BLOCKS + 5};
	fixture_init_mounted(fixture, FIXTURE_BLOCKS);
	memset(model, 0, sizeof(*model));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		assert_int_equal(model_commit(model, fixture->volume, places[i], i + 1), STATUS_OK);
	}
	assert_int_equal(volume_checkpoint(fixture->volume), STATUS_OK);
	fixture_unmount(fixture);
}

static void expect_reads_as_surveyed(struct fixture *fixture, const struct model *model,
				     const struct found *found)
{
	uint8_t wanted[BLOCK_BYTES];
	uint8_t block[BLOCK_BYTES];
	for (size_t i = 0; i < model->count; i++) {
		struct logical_block where = {model->logical[i]};
		enum status status = volume_read(fixture->volume, where, block);
		model_content(model->seed[i], wanted);
		assert_int_equal(status != STATUS_OK, is_lost(found, where.n));
		if (status == STATUS_OK) {
			assert_memory_equal(block, wanted, BLOCK_BYTES);
		}
	}
}

static void test_nothing_is_found_where_nothing_is_wrong(void **state)
{
	struct fixture fixture;
	struct model model;
	struct found found = {.count = 0};
	(void)state;
	scene_make(&fixture, &model);
	assert_int_equal(fixture_mount_read_only(&fixture), STATUS_OK);
	assert_int_equal(volume_survey(fixture.volume, note, &found, NULL, NULL), STATUS_OK);
	assert_int_equal(found.count, 0);
	fixture_fini(&fixture);
}

/* One damaged block after the other, over the whole disk. */
static void test_each_damage_is_found(void **state)
{
	struct fixture fixture;
	struct model model;
	size_t seen[VOLUME_FAULT_META + 1] = {0};
	size_t refused = 0;
	(void)state;
	scene_make(&fixture, &model);
	for (uint64_t block = 0; block < FIXTURE_BLOCKS; block++) {
		struct found found = {.count = 0};
		sim_disk_edit(&fixture.disk, block)[200] ^= 4;
		if (fixture_mount_read_only(&fixture) != STATUS_OK) {
			refused++;
		} else {
			enum status status =
				volume_survey(fixture.volume, note, &found, NULL, NULL);
			assert_int_equal(status == STATUS_OK, found.count == 0);
			expect_reads_as_surveyed(&fixture, &model, &found);
			for (size_t i = 0; i < found.count; i++) {
				seen[found.faults[i].kind]++;
			}
			/* What verification refuses, a survey finds; it looks at copies besides. */
			assert_false(volume_verify(fixture.volume, NULL, NULL) != STATUS_OK &&
				     found.count == 0);
		}
		fixture_unmount(&fixture);
		sim_disk_edit(&fixture.disk, block)[200] ^= 4;
	}
	assert_int_equal(seen[VOLUME_FAULT_DATA], model.count);
	/* Three leaves, two slices; the root's loss refuses the mount. */
	assert_true(seen[VOLUME_FAULT_NODE] >= 5);
	assert_true(seen[VOLUME_FAULT_COPY] >= 4);
	assert_true(refused > 0);
	fixture_fini(&fixture);
}

/* Several at once: the survey does not end at the first. */
static void test_faults_behind_a_fault_are_found(void **state)
{
	struct fixture fixture;
	struct model model;
	struct found found = {.count = 0};
	size_t damaged = 0;
	(void)state;
	scene_make(&fixture, &model);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	for (size_t i = 0; i < model.count; i++) {
		struct volume_entry entry;
		assert_int_equal(volume_tree_find(fixture.volume, model.logical[i], &entry),
				 STATUS_OK);
		sim_disk_edit(&fixture.disk, entry.physical)[0] ^= 1;
		damaged++;
	}
	fixture_unmount(&fixture);
	assert_int_equal(fixture_mount_read_only(&fixture), STATUS_OK);
	assert_int_equal(volume_survey(fixture.volume, note, &found, NULL, NULL), STATUS_AUTH_DATA);
	assert_int_equal(found.count, damaged);
	expect_reads_as_surveyed(&fixture, &model, &found);
	fixture_fini(&fixture);
}

static void test_a_transaction_must_not_be_open(void **state)
{
	struct fixture fixture;
	struct found found = {.count = 0};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	assert_int_equal(volume_txn_begin(fixture.volume), STATUS_OK);
	assert_int_equal(volume_survey(fixture.volume, note, &found, NULL, NULL), STATUS_BUSY);
	volume_txn_abort(fixture.volume);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_found_where_nothing_is_wrong),
		cmocka_unit_test(test_each_damage_is_found),
		cmocka_unit_test(test_faults_behind_a_fault_are_found),
		cmocka_unit_test(test_a_transaction_must_not_be_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
