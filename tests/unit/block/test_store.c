// SPDX-License-Identifier: MIT
/* The store over a volume in memory: what it does, what it costs, what it refuses. */
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

#define KIB 1024u

struct fixture {
	struct volume *volume;
	struct store store;
	uint8_t bytes[320 * KIB];
	uint8_t out[320 * KIB];
};

static struct fixture fixture;

static int setup(void **state)
{
	fixture.volume = fake_volume_new(FAKE_SLICES, FAKE_SLICE_BLOCKS);
	for (size_t i = 0; i < sizeof(fixture.bytes); i++) {
		fixture.bytes[i] = (uint8_t)(i / BLOCK_BYTES + i * 7 + 1);
	}
	*state = &fixture;
	return store_open(&fixture.store, fixture.volume) == STATUS_OK ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	store_close(&f->store);
	assert_false(fake_volume_in_transaction(f->volume));
	fake_volume_free(f->volume);
	return 0;
}

static void commit_write(struct fixture *f, const char *name, uint64_t offset, const uint8_t *bytes,
			 size_t size)
{
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, name, offset, bytes, size), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
}

static void commit_resize(struct fixture *f, const char *name, uint64_t size)
{
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_resize(&f->store, name, size), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
}

static void commit_remove(struct fixture *f, const char *name)
{
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_remove(&f->store, name), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
}

static struct store_object_info stat_of(struct fixture *f, const char *name)
{
	struct store_object_info info;
	assert_int_equal(store_stat(&f->store, name, &info), STATUS_OK);
	assert_string_equal(info.name, name);
	return info;
}

/* A second store on the same volume sees what is committed, not what the first one remembers. */
static void reopen(struct fixture *f)
{
	store_close(&f->store);
	assert_int_equal(store_open(&f->store, f->volume), STATUS_OK);
}

static enum status count_visit(void *context, const struct store_object_info *info)
{
	(void)info;
	(*(uint32_t *)context)++;
	return STATUS_OK;
}

static void test_store_empty(void **state)
{
	struct fixture *f = *state;
	struct store_object_info info;
	uint32_t count = 0;
	assert_int_equal(store_stat(&f->store, "a", &info), STATUS_NOT_FOUND);
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 1), STATUS_NOT_FOUND);
	assert_int_equal(store_list(&f->store, count_visit, &count), STATUS_OK);
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

struct listing {
	char text[256];
	uint32_t stop_after;
};

static enum status listing_visit(void *context, const struct store_object_info *info)
{
	struct listing *listing = context;
	(void)strcat(listing->text, info->name);
	(void)strcat(listing->text, " ");
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
	assert_int_equal(store_stat(&f->store, "a", &info), STATUS_AUTH_META);
	assert_int_equal(store_read(&f->store, "a", 0, f->out, 10), STATUS_AUTH_META);
	uint32_t count = 0;
	assert_int_equal(store_list(&f->store, count_visit, &count), STATUS_AUTH_META);
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

/* A damaged data block does not keep its object from being removed. */
static void test_store_remove_reads_no_data(void **state)
{
	struct fixture *f = *state;
	commit_write(f, "a", 0, f->bytes, 9000);
	fake_volume_fail_block(f->volume, FAKE_SLICE_BLOCKS + 2, STATUS_AUTH_DATA);
	commit_remove(f, "a");
	assert_int_equal(fake_volume_blocks_in_use(f->volume), 1);
}

#define STORE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

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
		STORE_TEST(test_store_replaced_object_starts_anew),
		STORE_TEST(test_store_names),
		STORE_TEST(test_store_holds_64_objects),
		cmocka_unit_test(test_store_small_volume_has_fewer_slots),
		STORE_TEST(test_store_size_limits),
		STORE_TEST(test_store_half_a_change_is_never_committed),
		STORE_TEST(test_store_transactions_do_not_nest),
		STORE_TEST(test_store_list_in_name_order),
		STORE_TEST(test_store_read_errors_zero_the_output),
		STORE_TEST(test_store_damaged_index_is_not_absence),
		STORE_TEST(test_store_damaged_metadata),
		STORE_TEST(test_store_counters_do_not_wrap),
		STORE_TEST(test_store_remove_reads_no_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
