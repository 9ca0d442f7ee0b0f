// SPDX-License-Identifier: MIT
/* The store over a volume in memory: what it does and what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "block/store.h"
#include "fake_volume.h"
#include "store_fixture.h"

static void test_store_empty(void **state)
{
	struct fixture *f = *state;
	struct store_object_info info;
	uint32_t count = 0;
	assert_int_equal(store_stat(&f->store, "a", &info), STATUS_NOT_FOUND);
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 1), STATUS_NOT_FOUND);
	assert_int_equal(store_list(&f->store, store_fixture_count, &count), STATUS_OK);
	assert_int_equal(count, 0);
	assert_int_equal(store_object_bytes_max(&f->store), 127 * BLOCK_BYTES);
}

static void test_store_write_read_back(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 0, f->bytes, 10000);
	reopen(f);
	assert_int_equal(stat_of(f, "a").size_bytes, 10000);
	assert_int_equal(stat_of(f, "a").version, 1);
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 10000), STATUS_OK);
	assert_memory_equal(f->out, f->bytes, 10000);
	assert_int_equal(store_read(&f->store, "a", 4000, f->out, 5000), STATUS_OK);
	assert_memory_equal(f->out, f->bytes + 4000, 5000);
	assert_int_equal(store_read(&f->store, "a", 10000, f->out, 0), STATUS_OK);
	assert_int_equal(fake_volume_blocks_in_use(f->volume), 5);
}

static void test_store_version_counts_commits_that_change(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 0, f->bytes, 100);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "a", 0, f->bytes + 1, 100), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "a", 0, f->bytes + 2, 100), STATUS_OK);
	assert_int_equal(store_txn_resize(&f->store, "a", 50), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
	assert_int_equal(stat_of(f, "a").version, 2);
	/* The same content again: nothing changes, and nothing is written. */
	commit_write(f, "a", 0, f->bytes + 2, 50);
	assert_int_equal(fake_volume_last_commit(f->volume)->block_count, 0);
	commit_resize(f, "a", 50);
	assert_int_equal(fake_volume_last_commit(f->volume)->block_count, 0);
	assert_int_equal(stat_of(f, "a").version, 2);
}

/* The cost goal of an NV commit: the data block and 16 bytes of metadata, nothing else. */
static void test_store_small_commit_changes_two_blocks(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "other", 0, f->bytes, 9000);
	commit_write(f, "nv", 0, f->bytes, 9000);
	commit_write(f, "nv", BLOCK_BYTES + 10, f->bytes, 3900);
	const struct fake_commit *commit = fake_volume_last_commit(f->volume);
	assert_int_equal(commit->block_count, 2);
	for (uint32_t i = 0; i < 2; i++) {
		if (commit->blocks[i] % FAKE_SLICE_BLOCKS == 0) {
			assert_in_range(commit->first_byte[i], STORE_OBJECT_SIZE_AT,
					STORE_OBJECT_SIZE_AT + 15);
			assert_in_range(commit->end_byte[i], STORE_OBJECT_SIZE_AT,
					STORE_OBJECT_SIZE_AT + 16);
		} else {
			assert_true(commit->first_byte[i] >= 10);
			assert_true(commit->end_byte[i] <= 3910);
		}
	}
}

static void test_store_gap_and_growth_read_as_zeroes(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 9000, f->bytes, 10);
	assert_int_equal(stat_of(f, "a").size_bytes, 9010);
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 9010), STATUS_OK);
	assert_true(bytes_are_zero(f->out, 9000));
	assert_memory_equal(f->out + 9000, f->bytes, 10);
	/* The gap costs nothing: index, metadata, one data block. */
	assert_int_equal(fake_volume_blocks_in_use(f->volume), 3);
	commit_resize(f, "a", 127 * BLOCK_BYTES);
	assert_int_equal(fake_volume_blocks_in_use(f->volume), 3);
	assert_int_equal(store_read(&f->store, "a", 9010, f->out, 100000), STATUS_OK);
	assert_true(bytes_are_zero(f->out, 100000));
}

static void test_store_shrunk_bytes_do_not_come_back(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 0, f->bytes, 20000);
	commit_resize(f, "a", 5000);
	assert_int_equal(fake_volume_blocks_in_use(f->volume), 4);
	commit_resize(f, "a", 20000);
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 20000), STATUS_OK);
	assert_memory_equal(f->out, f->bytes, 5000);
	assert_true(bytes_are_zero(f->out + 5000, 15000));
	commit_resize(f, "a", 0);
	assert_int_equal(fake_volume_blocks_in_use(f->volume), 2);
}

static void test_store_zeroes_cost_no_space(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 0, f->bytes, 20000);
	memset(f->out, 0, 20000);
	commit_write(f, "a", 0, f->out, 20000);
	assert_int_equal(fake_volume_blocks_in_use(f->volume), 2);
	assert_int_equal(stat_of(f, "a").size_bytes, 20000);
}

static void test_store_empty_object(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 0, NULL, 0);
	commit_resize(f, "b", 0);
	assert_int_equal(stat_of(f, "a").size_bytes, 0);
	assert_int_equal(stat_of(f, "b").version, 1);
	assert_int_equal(store_read(&f->store, "a", 0, NULL, 0), STATUS_OK);
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 1), STATUS_INVALID);
}

static void test_store_abort_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_object_info info;
	commit_write(f, "a", 0, f->bytes, 100);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "a", 50, f->bytes, 100), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "b", 0, f->bytes, 100), STATUS_OK);
	assert_int_equal(stat_of(f, "a").size_bytes, 150);
	assert_int_equal(stat_of(f, "b").size_bytes, 100);
	store_txn_abort(&f->store);
	assert_int_equal(stat_of(f, "a").size_bytes, 100);
	assert_int_equal(stat_of(f, "a").version, 1);
	assert_int_equal(store_stat(&f->store, "b", &info), STATUS_NOT_FOUND);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_remove(&f->store, "a"), STATUS_OK);
	assert_int_equal(store_stat(&f->store, "a", &info), STATUS_NOT_FOUND);
	store_txn_abort(&f->store);
	assert_int_equal(stat_of(f, "a").size_bytes, 100);
	store_txn_abort(&f->store); /* Nothing runs: nothing happens. */
}

static void test_store_remove_frees_a_full_object_in_one_transaction(void **state)
{
	struct fixture *f = *state;
	struct store_object_info info;
	commit_write(f, "a", 0, f->bytes, 256 * KIB);
	assert_int_equal(fake_volume_blocks_in_use(f->volume), 66);
	commit_remove(f, "a");
	assert_int_equal(store_stat(&f->store, "a", &info), STATUS_NOT_FOUND);
	assert_int_equal(fake_volume_blocks_in_use(f->volume), 1);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_remove(&f->store, "a"), STATUS_NOT_FOUND);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
}

/* Larger than a transaction, but mostly holes; one of the other blocks is damaged. */
static void test_store_remove_of_a_sparse_object(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 127 * BLOCK_BYTES - 1, f->bytes, 1);
	commit_write(f, "a", 50 * BLOCK_BYTES, f->bytes, 10);
	fake_volume_fail_block(f->volume, FAKE_SLICE_BLOCKS + 51, STATUS_AUTH_DATA);
	commit_remove(f, "a");
	assert_int_equal(fake_volume_blocks_in_use(f->volume), 1);
	commit_write(f, "a", 127 * BLOCK_BYTES - 1, f->bytes, 1);
	fake_volume_fail_block(f->volume, FAKE_SLICE_BLOCKS + 3, STATUS_IO);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_remove(&f->store, "a"), STATUS_IO);
	assert_int_equal(store_txn_commit(&f->store), STATUS_IO);
	assert_int_equal(stat_of(f, "a").version, 1);
}

static void test_store_replaced_object_starts_anew(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 0, f->bytes, 20000);
	commit_write(f, "a", 0, f->bytes + 1, 10);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "a", 0, f->bytes + 2, 10), STATUS_OK);
	assert_int_equal(store_txn_remove(&f->store, "a"), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "c", 5, f->bytes, 10), STATUS_OK);
	assert_int_equal(store_txn_resize(&f->store, "c", 20000), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
	reopen(f);
	assert_int_equal(stat_of(f, "c").version, 1);
	assert_int_equal(store_read(&f->store, "c", 0, f->out, 20000), STATUS_OK);
	assert_true(bytes_are_zero(f->out, 5));
	assert_memory_equal(f->out + 5, f->bytes, 10);
	assert_true(bytes_are_zero(f->out + 15, 19985));
}

struct listing {
	char text[256];
	uint32_t stop_after;
};

static enum status listing_visit(void *context, const struct store_object_info *info)
{
	struct listing *listing = context;
	size_t at = strlen(listing->text);
	(void)snprintf(listing->text + at, sizeof(listing->text) - at, "%s ", info->name);
	return --listing->stop_after == 0 ? STATUS_LIMIT : STATUS_OK;
}

static void test_store_list_in_name_order(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"m", "z", "Z", "a", "ab", "_", "0"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		commit_write(f, names[i], 0, f->bytes, i);
	}
	commit_remove(f, "m");
	struct listing all = {.stop_after = 100};
	assert_int_equal(store_list(&f->store, listing_visit, &all), STATUS_OK);
	assert_string_equal(all.text, "0 Z _ a ab z ");
	struct listing some = {.stop_after = 2};
	assert_int_equal(store_list(&f->store, listing_visit, &some), STATUS_LIMIT);
	assert_string_equal(some.text, "0 Z ");
}

/* A damaged data block does not keep its object from being removed. */
static void test_store_remove_reads_no_data(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 0, f->bytes, 9000);
	fake_volume_fail_block(f->volume, FAKE_SLICE_BLOCKS + 2, STATUS_IO);
	commit_remove(f, "a");
	assert_int_equal(fake_volume_blocks_in_use(f->volume), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_store_empty),
		STORE_TEST(test_store_write_read_back),
		STORE_TEST(test_store_version_counts_commits_that_change),
		STORE_TEST(test_store_small_commit_changes_two_blocks),
		STORE_TEST(test_store_gap_and_growth_read_as_zeroes),
		STORE_TEST(test_store_shrunk_bytes_do_not_come_back),
		STORE_TEST(test_store_zeroes_cost_no_space),
		STORE_TEST(test_store_empty_object),
		STORE_TEST(test_store_abort_leaves_nothing),
		STORE_TEST(test_store_remove_frees_a_full_object_in_one_transaction),
		STORE_TEST(test_store_remove_of_a_sparse_object),
		STORE_TEST(test_store_replaced_object_starts_anew),
		STORE_TEST(test_store_list_in_name_order),
		STORE_TEST(test_store_remove_reads_no_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
