// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "tests/unit/vtpm/fake_store.h"
#include "vtpm/store_file.h"

static const struct store_file_flags reading = {0};
static const struct store_file_flags writing = {.writable = true};
static const struct store_file_flags creating = {.writable = true, .create = true};

static struct store store;
static struct store_file file;
static uint8_t stage[STORE_FILE_BYTES_MAX];
static uint8_t bytes[STORE_FILE_BYTES_MAX];

static int setup(void **state)
{
	(void)state;
	fake_store_reset();
	store_file_close(&file);
	memset(stage, 0x5A, sizeof(stage));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)(i * 7 + i / 251 + 1);
	}
	return 0;
}

static enum status open_file(struct store_file_flags flags)
{
	return store_file_open(&file, &store, "vtpm0.permall", flags, stage, sizeof(stage));
}

static void assert_content(const uint8_t *expected, uint64_t size)
{
	uint64_t actual_size = 0;
	const uint8_t *actual = fake_store_content("vtpm0.permall", &actual_size);

	assert_non_null(actual);
	assert_int_equal(actual_size, size);
	if (size > 0) {
		assert_memory_equal(actual, expected, size);
	}
}

static void test_absent_is_not_found_only_without_create(void **state)
{
	(void)state;
	assert_int_equal(open_file(reading), STATUS_NOT_FOUND);
	assert_int_equal(open_file(writing), STATUS_NOT_FOUND);
	assert_int_equal(file.state, STORE_FILE_CLOSED);
	assert_true(bytes_are_zero(stage, sizeof(stage)));
	assert_int_equal(open_file(creating), STATUS_OK);
	/* Opening alone creates nothing. */
	store_file_close(&file);
	assert_int_equal(open_file(reading), STATUS_NOT_FOUND);
}

static void test_a_failing_store_is_never_absent(void **state)
{
	static const enum status causes[] = {STATUS_IO, STATUS_AUTH_DATA, STATUS_TAMPER,
					     STATUS_WRONG_KEY, STATUS_TIMEOUT};

	(void)state;
	fake_store_put("vtpm0.permall", bytes, 5000);
	for (size_t i = 0; i < ARRAY_COUNT(causes); i++) {
		for (uint64_t call = 1; call <= 2; call++) {
			fake_store_fail_at(call, causes[i]);
			assert_int_equal(open_file(creating), causes[i]);
			assert_int_equal(file.state, STORE_FILE_CLOSED);
			assert_true(bytes_are_zero(stage, sizeof(stage)));
		}
	}
	/* Nor is an absent object that cannot be asked for. */
	fake_store_reset();
	fake_store_fail_at(1, STATUS_IO);
	assert_int_equal(open_file(creating), STATUS_IO);
}

static void test_sync_makes_it_durable_and_close_discards(void **state)
{
	uint8_t back[16];
	size_t got = 0;

	(void)state;
	assert_int_equal(open_file(creating), STATUS_OK);
	assert_int_equal(store_file_write(&file, 0, bytes, 1300), STATUS_OK);
	assert_null(fake_store_content("vtpm0.permall", &(uint64_t){0}));
	assert_int_equal(store_file_sync(&file), STATUS_OK);
	assert_content(bytes, 1300);
	assert_int_equal(fake_store_counts().commits, 1);

	assert_int_equal(store_file_write(&file, 2, (const uint8_t *)"lost", 4), STATUS_OK);
	assert_int_equal(store_file_read(&file, 2, back, 4, &got), STATUS_OK);
	assert_int_equal(got, 4);
	assert_memory_equal(back, "lost", 4);
	store_file_close(&file);
	assert_true(bytes_are_zero(stage, sizeof(stage)));
	assert_content(bytes, 1300);
	assert_int_equal(fake_store_counts().commits, 1);
}

static void test_an_empty_new_object_can_be_synced(void **state)
{
	(void)state;
	assert_int_equal(open_file(creating), STATUS_OK);
	assert_int_equal(store_file_sync(&file), STATUS_OK);
	assert_content(NULL, 0);
}

static void test_only_the_difference_is_written(void **state)
{
	struct fake_store_counts before;

	(void)state;
	fake_store_put("vtpm0.permall", bytes, 150000);
	assert_int_equal(open_file(writing), STATUS_OK);

	/* The same bytes again: no transaction at all. */
	assert_int_equal(store_file_write(&file, 0, bytes, 150000), STATUS_OK);
	assert_int_equal(store_file_resize(&file, 150000), STATUS_OK);
	assert_int_equal(store_file_sync(&file), STATUS_OK);
	assert_int_equal(fake_store_counts().commits, 0);

	/* One byte in each of two neighbouring blocks and one in the last, short one. */
	bytes[4096 * 3 + 9] ^= 1;
	bytes[4096 * 4] ^= 1;
	bytes[149999] ^= 1;
	assert_int_equal(store_file_write(&file, 0, bytes, 150000), STATUS_OK);
	before = fake_store_counts();
	assert_int_equal(store_file_sync(&file), STATUS_OK);
	assert_int_equal(fake_store_counts().commits - before.commits, 1);
	assert_int_equal(fake_store_counts().writes - before.writes, 2);
	assert_int_equal(fake_store_counts().bytes_written - before.bytes_written,
			 2 * 4096 + 150000 % 4096);
	assert_content(bytes, 150000);

	/* And that is what the next comparison is against. */
	assert_int_equal(store_file_sync(&file), STATUS_OK);
	assert_int_equal(fake_store_counts().commits - before.commits, 1);
}

static void test_shrinking_and_growing_reads_zeroes(void **state)
{
	static uint8_t expected[12000];
	uint8_t back[8];
	size_t got = 0;

	(void)state;
	fake_store_put("vtpm0.permall", bytes, 9000);
	assert_int_equal(open_file(writing), STATUS_OK);
	assert_int_equal(store_file_resize(&file, 100), STATUS_OK);
	assert_int_equal(store_file_read(&file, 98, back, 8, &got), STATUS_OK);
	assert_int_equal(got, 2);
	/* The same size as before, by a write behind a gap. */
	assert_int_equal(store_file_write(&file, 8999, bytes + 8999, 1), STATUS_OK);
	assert_int_equal(store_file_sync(&file), STATUS_OK);
	memcpy(expected, bytes, 100);
	expected[8999] = bytes[8999];
	assert_content(expected, 9000);

	assert_int_equal(store_file_resize(&file, 12000), STATUS_OK);
	assert_int_equal(store_file_sync(&file), STATUS_OK);
	assert_content(expected, 12000);

	assert_int_equal(store_file_resize(&file, 50), STATUS_OK);
	assert_int_equal(store_file_sync(&file), STATUS_OK);
	assert_content(expected, 50);
}

static void test_truncate_is_staged(void **state)
{
	struct store_file_flags flags = {.writable = true, .truncate = true};

	(void)state;
	fake_store_put("vtpm0.permall", bytes, 9000);
	assert_int_equal(open_file(flags), STATUS_OK);
	assert_int_equal(file.size_bytes, 0);
	store_file_close(&file);
	assert_content(bytes, 9000);
	assert_int_equal(open_file(flags), STATUS_OK);
	assert_int_equal(store_file_sync(&file), STATUS_OK);
	assert_content(bytes, 0);
}

static void test_limits(void **state)
{
	struct store_file_flags bad = {.create = true};
	size_t got = 1;
	uint8_t byte;

	(void)state;
	assert_int_equal(store_file_open(&file, &store, "a", creating, stage, 0), STATUS_INVALID);
	assert_int_equal(
		store_file_open(&file, &store, "a", creating, stage, STORE_FILE_BYTES_MAX + 1),
		STATUS_INVALID);
	assert_int_equal(open_file(bad), STATUS_INVALID);
	assert_int_equal(store_file_open(&file, &store, "", creating, stage, 4096), STATUS_INVALID);
	assert_int_equal(store_file_open(&file, &store,
					 "0123456789012345678901234567890123456789012345678",
					 creating, stage, 4096),
			 STATUS_INVALID);
	assert_int_equal(store_file_open(&file, &store, "a/b", creating, stage, 4096),
			 STATUS_INVALID);

	fake_store_put("vtpm0.permall", bytes, 4097);
	assert_int_equal(store_file_open(&file, &store, "vtpm0.permall", writing, stage, 4096),
			 STATUS_TOO_LARGE);

	assert_int_equal(open_file(writing), STATUS_OK);
	assert_int_equal(open_file(writing), STATUS_BUSY);
	assert_int_equal(store_file_write(&file, STORE_FILE_BYTES_MAX, bytes, 1), STATUS_TOO_LARGE);
	assert_int_equal(store_file_write(&file, STORE_FILE_BYTES_MAX - 1, bytes, 2),
			 STATUS_TOO_LARGE);
	assert_int_equal(store_file_write(&file, UINT64_MAX, bytes, 2), STATUS_TOO_LARGE);
	assert_int_equal(store_file_resize(&file, STORE_FILE_BYTES_MAX + 1), STATUS_TOO_LARGE);
	assert_int_equal(store_file_write(&file, STORE_FILE_BYTES_MAX - 1, bytes, 1), STATUS_OK);
	assert_int_equal(store_file_sync(&file), STATUS_OK);

	/* Beyond the end there is nothing, wherever that is. */
	assert_int_equal(store_file_read(&file, STORE_FILE_BYTES_MAX, &byte, 1, &got), STATUS_OK);
	assert_int_equal(got, 0);
	assert_int_equal(store_file_read(&file, UINT64_MAX, &byte, 1, &got), STATUS_OK);
	assert_int_equal(got, 0);
	/* Writing nothing does not grow. */
	assert_int_equal(store_file_resize(&file, 10), STATUS_OK);
	assert_int_equal(store_file_write(&file, 100, bytes, 0), STATUS_OK);
	assert_int_equal(file.size_bytes, 10);
}

static void test_modes_and_closed_files(void **state)
{
	size_t got = 0;
	uint8_t byte = 0;

	(void)state;
	fake_store_put("vtpm0.permall", bytes, 10);
	assert_int_equal(open_file(reading), STATUS_OK);
	assert_int_equal(store_file_write(&file, 0, bytes, 1), STATUS_READ_ONLY);
	assert_int_equal(store_file_resize(&file, 0), STATUS_READ_ONLY);
	assert_int_equal(store_file_sync(&file), STATUS_OK);
	assert_int_equal(fake_store_counts().commits, 0);
	store_file_close(&file);
	store_file_close(&file);
	assert_int_equal(store_file_read(&file, 0, &byte, 1, &got), STATUS_INVALID);
	assert_int_equal(store_file_write(&file, 0, bytes, 1), STATUS_INVALID);
	assert_int_equal(store_file_resize(&file, 0), STATUS_INVALID);
	assert_int_equal(store_file_sync(&file), STATUS_INVALID);
}

static void test_a_failed_sync_fails_the_handle_for_good(void **state)
{
	uint64_t call;
	enum status status = STATUS_IO;

	(void)state;
	/* The n-th call of the sync fails, until none is left. */
	for (call = 1; status != STATUS_OK; call++) {
		size_t got = 0;
		uint8_t byte = 0;

		assert_true(call < 10);
		(void)setup(NULL);
		fake_store_put("vtpm0.permall", bytes, 9000);
		assert_int_equal(open_file(writing), STATUS_OK);
		assert_int_equal(store_file_write(&file, 100, bytes, 9500), STATUS_OK);
		fake_store_fail_at(call, STATUS_NO_SPACE);
		status = store_file_sync(&file);
		if (status == STATUS_OK) {
			break;
		}
		assert_int_equal(status, STATUS_NO_SPACE);
		assert_content(bytes, 9000);
		/* The store works again, this handle does not. */
		assert_int_equal(store_file_sync(&file), STATUS_NO_SPACE);
		assert_int_equal(store_file_write(&file, 0, bytes, 1), STATUS_NO_SPACE);
		assert_int_equal(store_file_resize(&file, 1), STATUS_NO_SPACE);
		assert_int_equal(store_file_read(&file, 0, &byte, 1, &got), STATUS_NO_SPACE);
		assert_content(bytes, 9000);
		store_file_close(&file);
		assert_int_equal(open_file(writing), STATUS_OK);
		assert_int_equal(file.size_bytes, 9000);
		assert_int_equal(store_file_sync(&file), STATUS_OK);
	}
	/* begin, resize, write, commit. */
	assert_int_equal(call, 5);
}

static void test_remove(void **state)
{
	(void)state;
	fake_store_put("vtpm0.permall", bytes, 10);
	assert_int_equal(store_file_remove(&store, "other"), STATUS_NOT_FOUND);
	assert_int_equal(fake_store_counts().aborts, 1);
	for (uint64_t call = 1; call <= 3; call++) {
		fake_store_fail_at(call, STATUS_IO);
		assert_int_equal(store_file_remove(&store, "vtpm0.permall"), STATUS_IO);
		assert_content(bytes, 10);
	}
	assert_int_equal(store_file_remove(&store, "vtpm0.permall"), STATUS_OK);
	assert_null(fake_store_content("vtpm0.permall", &(uint64_t){0}));
	assert_int_equal(store_file_remove(&store, "vtpm0.permall"), STATUS_NOT_FOUND);
}

/* Random operations against the simplest model there is. */
static void test_behaves_as_a_model(void **state)
{
	static uint8_t model[20000];
	static uint8_t saved[20000];
	uint64_t size = 0;
	uint64_t saved_size = 0;
	uint32_t seed = 1;

	(void)state;
	assert_int_equal(open_file(creating), STATUS_OK);
	assert_int_equal(store_file_sync(&file), STATUS_OK);
	for (int turn = 0; turn < 3000; turn++) {
		uint32_t offset;
		uint32_t length;

		seed = seed * 1664525u + 1013904223u;
		offset = (seed >> 8) % 12000;
		length = (seed >> 16) % 5000 + 1;
		switch (seed >> 29) {
		case 0: /* Resize. */
			if (offset < size) {
				memset(model + offset, 0, sizeof(model) - offset);
			}
			size = offset;
			assert_int_equal(store_file_resize(&file, offset), STATUS_OK);
			break;
		case 1: /* Sync. */
			assert_int_equal(store_file_sync(&file), STATUS_OK);
			memcpy(saved, model, sizeof(saved));
			saved_size = size;
			break;
		case 2: /* Close and open. */
			store_file_close(&file);
			assert_int_equal(open_file(writing), STATUS_OK);
			memcpy(model, saved, sizeof(model));
			size = saved_size;
			break;
		default:
			memcpy(model + offset, bytes + (seed & 0xFFFF), length);
			size = offset + length > size ? offset + length : size;
			assert_int_equal(
				store_file_write(&file, offset, bytes + (seed & 0xFFFF), length),
				STATUS_OK);
			break;
		}
		assert_int_equal(file.size_bytes, size);
		assert_memory_equal(stage, model, sizeof(model));
		assert_content(saved, saved_size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_absent_is_not_found_only_without_create, setup),
		cmocka_unit_test_setup(test_a_failing_store_is_never_absent, setup),
		cmocka_unit_test_setup(test_sync_makes_it_durable_and_close_discards, setup),
		cmocka_unit_test_setup(test_an_empty_new_object_can_be_synced, setup),
		cmocka_unit_test_setup(test_only_the_difference_is_written, setup),
		cmocka_unit_test_setup(test_shrinking_and_growing_reads_zeroes, setup),
		cmocka_unit_test_setup(test_truncate_is_staged, setup),
		cmocka_unit_test_setup(test_limits, setup),
		cmocka_unit_test_setup(test_modes_and_closed_files, setup),
		cmocka_unit_test_setup(test_a_failed_sync_fails_the_handle_for_good, setup),
		cmocka_unit_test_setup(test_remove, setup),
		cmocka_unit_test_setup(test_behaves_as_a_model, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
