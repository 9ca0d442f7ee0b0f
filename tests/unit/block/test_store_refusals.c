// SPDX-License-Identifier: MIT
/* The store over a volume in memory: limits, misuse and damage. */
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

static void test_store_names(void **state)
{
	struct fixture *f = *state;
	struct store_object_info info;
	static const char *const bad[] = {
		"",     ".a",  "a/b",
		"../x", "a b", "0123456789012345678901234567890123456789012345678"};
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_int_equal(store_stat(&f->store, bad[i], &info), STATUS_INVALID);
		assert_int_equal(store_read(&f->store, bad[i], 0, f->out, 1), STATUS_INVALID);
		assert_int_equal(store_txn_write(&f->store, bad[i], 0, f->bytes, 1),
				 STATUS_INVALID);
		assert_int_equal(store_txn_resize(&f->store, bad[i], 1), STATUS_INVALID);
		assert_int_equal(store_txn_remove(&f->store, bad[i]), STATUS_INVALID);
	}
	/* Refusals that staged nothing do not doom the transaction. */
	assert_int_equal(store_txn_write(&f->store, "a", 0, f->bytes, 1), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
}

static void test_store_holds_64_objects(void **state)
{
	struct fixture *f = *state;
	char name[16];
	for (uint32_t i = 0; i < STORE_OBJECTS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "object%u", i);
		commit_write(f, name, 0, f->bytes + i, 100);
	}
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "more", 0, f->bytes, 1), STATUS_LIMIT);
	assert_int_equal(store_txn_remove(&f->store, "object17"), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "more", 0, f->bytes, 1), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
	reopen(f);
	for (uint32_t i = 0; i < STORE_OBJECTS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "object%u", i);
		if (i != 17) {
			assert_int_equal(store_read(&f->store, name, 0, f->out, 100), STATUS_OK);
			assert_memory_equal(f->out, f->bytes + i, 100);
		}
	}
	assert_int_equal(stat_of(f, "more").size_bytes, 1);
}

static void test_store_small_volume_has_fewer_slots(void **state)
{
	(void)state;
	static struct store store;
	const uint8_t byte = 1;
	struct volume *volume = fake_volume_new(3, FAKE_SLICE_BLOCKS);
	assert_int_equal(store_open(&store, volume), STATUS_OK);
	assert_int_equal(store_txn_begin(&store), STATUS_OK);
	assert_int_equal(store_txn_write(&store, "a", 0, &byte, 1), STATUS_OK);
	assert_int_equal(store_txn_write(&store, "b", 0, &byte, 1), STATUS_OK);
	assert_int_equal(store_txn_write(&store, "c", 0, &byte, 1), STATUS_LIMIT);
	store_close(&store);
	fake_volume_free(volume);
	static const uint64_t too_small[][2] = {{1, 128}, {4, 1}, {4, 0}};
	for (size_t i = 0; i < ARRAY_COUNT(too_small); i++) {
		volume = fake_volume_new(too_small[i][0], too_small[i][1]);
		assert_int_equal(store_open(&store, volume), STATUS_INVALID);
		fake_volume_free(volume);
	}
}

static void test_store_size_limits(void **state)
{
	struct fixture *f = *state;
	uint64_t max = store_object_bytes_max(&f->store);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "a", max, f->bytes, 1), STATUS_TOO_LARGE);
	assert_int_equal(store_txn_write(&f->store, "a", UINT64_MAX, f->bytes, 2),
			 STATUS_TOO_LARGE);
	assert_int_equal(store_txn_resize(&f->store, "a", max + 1), STATUS_TOO_LARGE);
	assert_int_equal(store_txn_write(&f->store, "a", max - 1, f->bytes, 1), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
	assert_int_equal(stat_of(f, "a").size_bytes, max);
}

/* More blocks than a transaction takes: it is doomed, and nothing of it becomes durable even if the
 * caller goes on. */
static void test_store_half_a_change_is_never_committed(void **state)
{
	struct fixture *f = *state;
	struct store_object_info info;
	commit_write(f, "keep", 0, f->bytes, 100);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "keep", 0, f->bytes + 9, 100), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "a", 0, f->bytes, 300 * KIB), STATUS_TOO_LARGE);
	assert_int_equal(store_txn_write(&f->store, "b", 0, f->bytes, 1), STATUS_TOO_LARGE);
	assert_int_equal(store_stat(&f->store, "a", &info), STATUS_TOO_LARGE);
	assert_int_equal(store_txn_commit(&f->store), STATUS_TOO_LARGE);
	assert_false(fake_volume_in_transaction(f->volume));
	assert_int_equal(store_stat(&f->store, "a", &info), STATUS_NOT_FOUND);
	assert_int_equal(store_read(&f->store, "keep", 0, f->out, 100), STATUS_OK);
	assert_memory_equal(f->out, f->bytes, 100);
}

static void test_store_transactions_do_not_nest(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(store_txn_write(&f->store, "a", 0, f->bytes, 1), STATUS_INVALID);
	assert_int_equal(store_txn_resize(&f->store, "a", 1), STATUS_INVALID);
	assert_int_equal(store_txn_remove(&f->store, "a"), STATUS_INVALID);
	assert_int_equal(store_txn_commit(&f->store), STATUS_INVALID);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_begin(&f->store), STATUS_BUSY);
	assert_int_equal(store_txn_write(&f->store, "a", 0, f->bytes, 1), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_INVALID);
}

static void test_store_read_errors_zero_the_output(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 0, f->bytes, 9000);
	static const struct {
		uint64_t offset;
		size_t size;
	} beyond[] = {{9000, 1}, {0, 9001}, {UINT64_MAX, 1}, {UINT64_MAX - 1, 9000}};
	for (size_t i = 0; i < ARRAY_COUNT(beyond); i++) {
		memset(f->out, 0xaa, sizeof(f->out));
		assert_int_equal(
			store_read(&f->store, "a", beyond[i].offset, f->out, beyond[i].size),
			STATUS_INVALID);
		assert_true(bytes_are_zero(f->out, beyond[i].size));
	}
	/* The second data block fails: the first one's bytes are not released either. */
	fake_volume_fail_block(f->volume, FAKE_SLICE_BLOCKS + 2, STATUS_AUTH_DATA);
	memset(f->out, 0xaa, sizeof(f->out));
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 9000), STATUS_AUTH_DATA);
	assert_true(bytes_are_zero(f->out, 9000));
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 4096), STATUS_OK);
}

/* Whole blocks replace one that is lost, zeroes as well; a part of a block cannot. */
static void test_store_overwrites_a_lost_block(void **state)
{
	struct fixture *f = *state;
	static const uint8_t zeroes[BLOCK_BYTES];
	static uint8_t ones[BLOCK_BYTES];
	memset(ones, 1, sizeof(ones));
	const uint8_t *const contents[] = {ones, zeroes};
	for (size_t i = 0; i < ARRAY_COUNT(contents); i++) {
		commit_write(f, "a", 0, ones, sizeof(ones));
		memset(fake_volume_block(f->volume, FAKE_SLICE_BLOCKS + 1), 9, BLOCK_BYTES);
		fake_volume_fail_block(f->volume, FAKE_SLICE_BLOCKS + 1, STATUS_AUTH_DATA);
		assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
		assert_int_equal(store_txn_write(&f->store, "a", 0, ones, BLOCK_BYTES - 1),
				 STATUS_AUTH_DATA);
		store_txn_abort(&f->store);
		assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
		assert_int_equal(store_txn_write(&f->store, "a", 0, contents[i], BLOCK_BYTES),
				 STATUS_OK);
		assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
		fake_volume_fail_block(f->volume, UINT64_MAX, STATUS_OK);
		assert_int_equal(store_read(&f->store, "a", 0, f->out, BLOCK_BYTES), STATUS_OK);
		assert_memory_equal(f->out, contents[i], BLOCK_BYTES);
	}
}

/* An unreadable or malformed index is never "no such object". */
static void test_store_damaged_index_is_not_absence(void **state)
{
	struct fixture *f = *state;
	static const enum status causes[] = {STATUS_IO, STATUS_AUTH_META, STATUS_AUTH_DATA,
					     STATUS_BAD_HOST, STATUS_TIMEOUT};
	struct store_object_info info;
	commit_write(f, "a", 0, f->bytes, 9000);
	for (size_t i = 0; i < ARRAY_COUNT(causes); i++) {
		store_close(&f->store);
		fake_volume_fail_block(f->volume, 0, causes[i]);
		assert_int_equal(store_open(&f->store, f->volume), causes[i]);
		assert_int_equal(store_stat(&f->store, "nothing", &info), causes[i]);
		assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
		assert_int_equal(store_txn_write(&f->store, "nothing", 0, f->bytes, 1), causes[i]);
		assert_int_equal(store_txn_remove(&f->store, "nothing"), causes[i]);
		store_txn_abort(&f->store);
		fake_volume_fail_block(f->volume, UINT64_MAX, STATUS_OK);
		assert_int_equal(store_stat(&f->store, "nothing", &info), STATUS_NOT_FOUND);
		assert_int_equal(stat_of(f, "a").version, 1);
	}
	store_close(&f->store);
	fake_volume_block(f->volume, 0)[12] ^= 1;
	assert_int_equal(store_open(&f->store, f->volume), STATUS_AUTH_META);
	assert_int_equal(store_stat(&f->store, "nothing", &info), STATUS_AUTH_META);
	fake_volume_block(f->volume, 0)[8] = 9;
	assert_int_equal(store_stat(&f->store, "nothing", &info), STATUS_NEWER_FORMAT);
}

static void test_store_damaged_metadata(void **state)
{
	struct fixture *f = *state;
	struct store_object_info info;
	commit_write(f, "a", 0, f->bytes, 100);
	commit_write(f, "b", 0, f->bytes, 200);
	uint8_t *a = fake_volume_block(f->volume, FAKE_SLICE_BLOCKS);
	uint8_t *b = fake_volume_block(f->volume, 2 * FAKE_SLICE_BLOCKS);
	memcpy(a, b, BLOCK_BYTES); /* The metadata of another object. */
	reopen(f);
	assert_int_equal(store_stat(&f->store, "a", &info), STATUS_AUTH_META);
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 10), STATUS_AUTH_META);
	uint32_t count = 0;
	assert_int_equal(store_list(&f->store, store_fixture_count, &count), STATUS_AUTH_META);
	memset(b, 0, BLOCK_BYTES); /* A hole. */
	assert_int_equal(store_stat(&f->store, "b", &info), STATUS_AUTH_META);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "b", 0, f->bytes, 1), STATUS_AUTH_META);
	assert_int_equal(store_txn_resize(&f->store, "b", 0), STATUS_AUTH_META);
	assert_int_equal(store_txn_remove(&f->store, "b"), STATUS_AUTH_META);
}

static void test_store_counters_do_not_wrap(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 0, f->bytes, 100);
	memset(fake_volume_block(f->volume, FAKE_SLICE_BLOCKS) + 72, 0xff, 8);
	reopen(f);
	assert_int_equal(stat_of(f, "a").version, UINT64_MAX);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "a", 0, f->bytes + 1, 1), STATUS_LIMIT);
	assert_int_equal(store_txn_commit(&f->store), STATUS_LIMIT);
	memset(fake_volume_block(f->volume, 0) + 16, 0xff, 8);
	reopen(f);
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, "b", 0, f->bytes, 1), STATUS_LIMIT);
	store_txn_abort(&f->store);
}

/* The last object's metadata is remembered: never longer than it is true. */
static void test_store_remembers_what_is_there(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 0, f->bytes, 100);
	commit_write(f, "b", 0, f->bytes, 200);
	struct store_object_info before = stat_of(f, "b");
	fake_volume_fail_at(f->volume, 1, STATUS_IO);
	assert_int_equal(stat_of(f, "b").size_bytes, 200); /* Without a read. */
	struct store_object_info info;
	assert_int_equal(store_stat(&f->store, "a", &info), STATUS_IO); /* With one. */
	for (uint32_t ending = 0; ending < 3; ending++) {
		assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
		if (ending == 2) {
			assert_int_equal(store_txn_remove(&f->store, "b"), STATUS_OK);
			assert_int_equal(store_stat(&f->store, "b", &info), STATUS_NOT_FOUND);
			assert_int_equal(store_txn_resize(&f->store, "b", 7), STATUS_OK);
			assert_int_equal(stat_of(f, "b").version, 1);
		} else {
			assert_int_equal(store_txn_resize(&f->store, "b", 300), STATUS_OK);
			assert_int_equal(stat_of(f, "b").size_bytes, 300);
		}
		if (ending == 1) {
			fake_volume_fail_at(f->volume, 1, STATUS_IO);
			assert_int_equal(store_txn_commit(&f->store), STATUS_IO);
		}
		store_txn_abort(&f->store);
		info = stat_of(f, "b");
		assert_int_equal(info.size_bytes, before.size_bytes);
		assert_int_equal(info.version, before.version);
	}
	commit_resize(f, "b", 300);
	assert_int_equal(stat_of(f, "b").version, before.version + 1);
	reopen(f);
	assert_int_equal(stat_of(f, "b").version, before.version + 1);
}

static void extent_is(struct fixture *f, uint64_t offset, uint64_t size, uint64_t want, bool hole)
{
	uint64_t extent = 0;
	bool is_hole = !hole;
	assert_int_equal(store_extent(&f->store, "a", offset, size, &extent, &is_hole), STATUS_OK);
	assert_int_equal(extent, want);
	assert_int_equal(is_hole, hole);
}

static void test_store_extents(void **state)
{
	struct fixture *f = *state;
	uint64_t extent = 0;
	bool is_hole = false;
	commit_resize(f, "a", 10 * BLOCK_BYTES + 5);
	commit_write(f, "a", 3 * BLOCK_BYTES + 1, f->bytes, BLOCK_BYTES);
	extent_is(f, 0, 10 * BLOCK_BYTES + 5, 3 * BLOCK_BYTES, true);
	extent_is(f, 1, 100, 100, true);
	extent_is(f, 3 * BLOCK_BYTES, 7 * BLOCK_BYTES, 2 * BLOCK_BYTES, false);
	extent_is(f, 5 * BLOCK_BYTES - 1, 2, 1, false);
	extent_is(f, 5 * BLOCK_BYTES, 5 * BLOCK_BYTES + 5, 5 * BLOCK_BYTES + 5, true);
	assert_int_equal(store_extent(&f->store, "a", 0, 0, &extent, &is_hole), STATUS_INVALID);
	assert_int_equal(store_extent(&f->store, "a", 1, 10 * BLOCK_BYTES + 5, &extent, &is_hole),
			 STATUS_INVALID);
	assert_int_equal(store_extent(&f->store, "b", 0, 1, &extent, &is_hole), STATUS_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_store_names),
		STORE_TEST(test_store_holds_64_objects),
		cmocka_unit_test(test_store_small_volume_has_fewer_slots),
		STORE_TEST(test_store_size_limits),
		STORE_TEST(test_store_half_a_change_is_never_committed),
		STORE_TEST(test_store_transactions_do_not_nest),
		STORE_TEST(test_store_read_errors_zero_the_output),
		STORE_TEST(test_store_overwrites_a_lost_block),
		STORE_TEST(test_store_damaged_index_is_not_absence),
		STORE_TEST(test_store_damaged_metadata),
		STORE_TEST(test_store_remembers_what_is_there),
		STORE_TEST(test_store_extents),
		STORE_TEST(test_store_counters_do_not_wrap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
