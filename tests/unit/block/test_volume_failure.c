// SPDX-License-Identifier: MIT
/* The k-th device operation fails, for every k: the failure is reported, nothing that was
 * acknowledged is lost, and after a failed write the volume writes no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "volume_fixture.h"

/* A story that touches every path. Goes on until an operation fails; `model` is what has been
 * acknowledged, `maybe` what the failed operation would have made of it. */
struct story {
	struct model model;
	struct model maybe;
};

static enum status put_many(struct fixture *fixture, struct story *story, uint32_t first,
			    uint32_t count, uint64_t seed)
{
	story->maybe = story->model;
	enum status status = volume_txn_begin(fixture->volume);
	for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
		status = model_put(&story->maybe, fixture->volume, first + i,
				   seed == 0 ? 0 : seed + i);
	}
	if (status == STATUS_OK) {
		status = volume_txn_commit(fixture->volume);
	}
	if (status == STATUS_OK) {
		story->model = story->maybe;
	}
	return status;
}

static enum status story_tell(struct fixture *fixture, struct story *story)
{
	static const uint8_t bytes[VOLUME_KEY_BYTES] = {9};
	const struct volume_key other = {VOLUME_KEY_RAW, bytes, VOLUME_KEY_BYTES};
	enum status status = fixture_mount(fixture);
	if (status == STATUS_OK) {
		status = put_many(fixture, story, 10, 3, 100);
	}
	if (status == STATUS_OK) {
		status = volume_checkpoint(fixture->volume);
	}
	if (status == STATUS_OK) {
		status = put_many(fixture, story, 11, 1, 0);
	}
	if (status == STATUS_OK) {
		status = put_many(fixture, story, 50000, 2, 200);
	}
	if (status == STATUS_OK) {
		status = volume_key_add(fixture->volume, &other);
	}
	if (status == STATUS_OK) {
		status = put_many(fixture, story, 10, 1, 300);
	}
	if (status == STATUS_OK) {
		status = volume_verify(fixture->volume, NULL, NULL);
	}
	return status;
}

static bool disk_was_written(const struct fixture *fixture)
{
	return fixture->disk.counters.writes != 0;
}

/* Returns false once the story ends before the k-th operation. */
static bool fail_kth(struct fixture *fixture, uint64_t k, enum sim_failure failure,
		     enum status kind)
{
	struct story story = {.model = {0}};
	struct sim_disk *disk = &fixture->disk;
	sim_disk_mark(disk);
	sim_disk_counters_reset(disk);
	sim_disk_fail_at(disk, k, failure, kind);
	enum status status = story_tell(fixture, &story);
	bool reached = disk->operations >= k;
	uint64_t writes = disk->counters.writes;
	/* A failed read of one copy is survivable; any other failure is told as what it was. */
	if (status != STATUS_OK) {
		assert_int_equal(status, kind);
	}
	if (fixture->volume != NULL && status != STATUS_OK) {
		assert_true(model_equals(&story.model, fixture->volume) ||
			    failure == SIM_FAIL_FOR_GOOD);
		if (disk->write_path_failed) {
			assert_false(volume_is_writable(fixture->volume));
		}
		if (!volume_is_writable(fixture->volume)) {
			assert_int_equal(volume_txn_begin(fixture->volume), STATUS_READ_ONLY);
			assert_int_equal(volume_checkpoint(fixture->volume), STATUS_READ_ONLY);
			assert_int_equal(disk->counters.writes, writes);
			struct volume_failure where;
			volume_failure_get(fixture->volume, &where);
			assert_int_equal(where.status, kind);
		}
	}
	fixture_unmount(fixture);
	/* Power off; what was not flushed is lost or not. */
	sim_disk_fail_at(disk, 0, failure, kind);
	if (k % 2 == 0) {
		disk->pending_count = 0;
	}
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	assert_true(model_equals(&story.model, fixture->volume) ||
		    (status != STATUS_OK && model_equals(&story.maybe, fixture->volume)));
	assert_int_equal(volume_verify(fixture->volume, NULL, NULL), STATUS_OK);
	struct model after = story.model;
	assert_int_equal(model_commit(&after, fixture->volume, 77, 7), STATUS_OK);
	fixture_unmount(fixture);
	sim_disk_revert(disk);
	sim_disk_unmark(disk);
	return reached;
}

static void fail_each(enum sim_failure failure, enum status kind, bool lands)
{
	struct fixture fixture;
	uint64_t k = 1;
	fixture_init(&fixture, FIXTURE_BLOCKS);
	assert_int_equal(fixture_create(&fixture), STATUS_OK);
	fixture.disk.failed_writes_land = lands;
	while (fail_kth(&fixture, k, failure, kind)) {
		k++;
		assert_true(k < 1000);
	}
	assert_true(k > 60);
	assert_true(disk_was_written(&fixture));
	print_message("%llu operations failed in turn\n", (unsigned long long)k - 1);
	assert_int_equal(ledger_repeats(), 0);
	fixture_fini(&fixture);
}

static void test_each_operation_fails_once(void **state)
{
	(void)state;
	fail_each(SIM_FAIL_ONCE, STATUS_IO, false);
}

static void test_each_operation_fails_but_lands(void **state)
{
	(void)state;
	fail_each(SIM_FAIL_ONCE, STATUS_IO, true);
}

static void test_device_dies_at_each_operation(void **state)
{
	(void)state;
	fail_each(SIM_FAIL_FOR_GOOD, STATUS_TIMEOUT, false);
	fail_each(SIM_FAIL_FOR_GOOD, STATUS_BAD_HOST, false);
}

static void test_creation_fails_at_each_operation(void **state)
{
	struct fixture fixture;
	uint64_t k = 1;
	(void)state;
	fixture_init(&fixture, FIXTURE_BLOCKS);
	for (;; k++) {
		sim_disk_mark(&fixture.disk);
		sim_disk_fail_at(&fixture.disk, k, SIM_FAIL_ONCE, STATUS_IO);
		enum status status = fixture_create(&fixture);
		bool reached = fixture.disk.operations >= k;
		sim_disk_fail_at(&fixture.disk, 0, SIM_FAIL_ONCE, STATUS_IO);
		assert_int_equal(status, reached ? STATUS_IO : STATUS_OK);
		sim_disk_revert(&fixture.disk);
		sim_disk_unmark(&fixture.disk);
		if (!reached) {
			break;
		}
	}
	assert_true(k > 20);
	fixture_fini(&fixture);
}

/* Entropy that fails in the middle stops what needs it, and only that. */
static void test_entropy_fails_at_checkpoint(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	assert_int_equal(model_commit(&model, fixture.volume, 1, 1), STATUS_OK);
	fixture.entropy_is_empty = true;
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_NO_ENTROPY);
	assert_int_equal(model_commit(&model, fixture.volume, 2, 2), STATUS_OK);
	fixture.entropy_is_empty = false;
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_true(model_equals(&model, fixture.volume));
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	fixture_fini(&fixture);
}

/* One unreadable block: which are survivable. */
static void test_each_bad_block(void **state)
{
	struct fixture fixture;
	struct model model = {0};
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	assert_int_equal(model_commit(&model, fixture.volume, 1, 1), STATUS_OK);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_int_equal(model_commit(&model, fixture.volume, 2, 2), STATUS_OK);
	fixture_unmount(&fixture);
	for (uint64_t block = 0; block < FIXTURE_BLOCKS; block++) {
		/* Superblocks and keyslots have copies; the ring and the tables have none. */
		bool has_copy = block < 4 || block >= FIXTURE_BLOCKS - 4;
		bool in_ring = block >= 4 && block < 4 + 256;
		if (!has_copy && !in_ring && block > 4 + 256 + 40) {
			continue;
		}
		fixture.disk.bad_block = block;
		enum status status = fixture_mount(&fixture);
		if (status == STATUS_OK) {
			struct model copy = model;
			uint8_t content[BLOCK_BYTES];
			assert_false(in_ring);
			status = volume_read(fixture.volume, (struct logical_block){1}, content);
			assert_true(status == STATUS_OK || status == STATUS_IO);
			if (has_copy) {
				assert_true(model_equals(&model, fixture.volume));
				sim_disk_mark(&fixture.disk);
				/* Writing repairs it. */
				fixture.disk.bad_block = UINT64_MAX;
				assert_int_equal(model_commit(&copy, fixture.volume, 3, 3),
						 STATUS_OK);
				assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
				sim_disk_revert(&fixture.disk);
				sim_disk_unmark(&fixture.disk);
			}
		} else {
			assert_int_equal(status, STATUS_IO);
			assert_false(has_copy);
		}
		fixture_unmount(&fixture);
	}
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_operation_fails_once),
		cmocka_unit_test(test_each_operation_fails_but_lands),
		cmocka_unit_test(test_device_dies_at_each_operation),
		cmocka_unit_test(test_creation_fails_at_each_operation),
		cmocka_unit_test(test_entropy_fails_at_checkpoint),
		cmocka_unit_test(test_each_bad_block),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
