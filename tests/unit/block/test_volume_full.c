// SPDX-License-Identifier: MIT
/* A full volume refuses what makes it larger and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "volume_fixture.h"

static enum status put_seed(struct volume *volume, uint32_t first, uint32_t count, uint64_t seed)
{
	uint8_t content[BLOCK_BYTES];
	enum status status = volume_txn_begin(volume);
	for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
		struct logical_block block = {first + i};
		model_content(seed == 0 ? 0 : seed + first + i, content);
		status = seed == 0 ? volume_txn_discard(volume, block)
				   : volume_txn_put(volume, block, content);
	}
	return status == STATUS_OK ? volume_txn_commit(volume) : status;
}

static void assert_content(struct volume *volume, uint32_t first, uint32_t count, uint64_t seed)
{
	uint8_t expected[BLOCK_BYTES];
	uint8_t content[BLOCK_BYTES];
	for (uint32_t i = 0; i < count; i++) {
		model_content(seed == 0 ? 0 : seed + first + i, expected);
		assert_int_equal(volume_read(volume, (struct logical_block){first + i}, content),
				 STATUS_OK);
		assert_memory_equal(content, expected, BLOCK_BYTES);
	}
}

/* Fill with transactions of `count` blocks; returns the number of blocks that went in. */
static uint32_t fill(struct volume *volume, uint32_t first, uint32_t count)
{
	for (uint32_t at = first;; at += count) {
		enum status status = put_seed(volume, at, count, 1);
		if (status == STATUS_NO_SPACE) {
			return at;
		}
		assert_int_equal(status, STATUS_OK);
		assert_true(at < 3000);
	}
}

static void test_full_volume(void **state)
{
	struct fixture fixture;
	struct volume_info info;
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	uint32_t end = fill(fixture.volume, 0, 64);
	end = fill(fixture.volume, end, 1);
	assert_true(volume_is_writable(fixture.volume));
	volume_info_get(fixture.volume, &info);
	print_message("8 MiB: %u blocks of data, %llu left\n", end,
		      (unsigned long long)info.blocks_free.n);
	assert_true(end > 1620); /* Of 1,782 allocatable: 128 are kept back. */
	assert_content(fixture.volume, 0, end, 1);

	/* Overwriting and shrinking go on, in small and in large transactions. */
	assert_int_equal(put_seed(fixture.volume, 5, 1, 700), STATUS_OK);
	assert_int_equal(put_seed(fixture.volume, 64, 40, 800), STATUS_OK);
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_int_equal(put_seed(fixture.volume, 1000, 50, 0), STATUS_OK);
	assert_int_equal(put_seed(fixture.volume, end, 1, 900), STATUS_OK);
	for (uint32_t i = 0; i < 500; i++) { /* For a long time. */
		assert_int_equal(put_seed(fixture.volume, 200 + i % 20, 3, 5000 + i), STATUS_OK);
	}
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	fixture_unmount(&fixture);
	assert_int_equal(fixture_mount(&fixture), STATUS_OK);
	assert_content(fixture.volume, 6, 58, 1);
	assert_content(fixture.volume, 64, 40, 800);
	assert_content(fixture.volume, 1000, 50, 0);
	assert_content(fixture.volume, 1050, end - 1050, 1);
	assert_content(fixture.volume, end, 1, 900);

	/* Everything can be given back. */
	for (uint32_t at = 0; at <= end; at += 64) {
		assert_int_equal(put_seed(fixture.volume, at, 64, 0), STATUS_OK);
	}
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	volume_info_get(fixture.volume, &info);
	assert_int_equal(info.blocks_used.n, 1);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	fixture_fini(&fixture);
}

/* Each block in a slice of its own: nodes are what fills the volume. */
static void test_full_of_nodes(void **state)
{
	struct fixture fixture;
	uint32_t count = 0;
	(void)state;
	fixture_init_mounted(&fixture, FIXTURE_BLOCKS);
	enum status status = STATUS_OK;
	while (status == STATUS_OK) {
		status = put_seed(fixture.volume, count % 128 * 16384 + count / 128 * 128, 1, 5);
		count++;
	}
	assert_int_equal(status, STATUS_NO_SPACE);
	assert_int_equal(volume_verify(fixture.volume, NULL, NULL), STATUS_OK);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(put_seed(fixture.volume, i % 128 * 16384 + i / 128 * 128, 1, 0),
				 STATUS_OK);
	}
	assert_int_equal(volume_checkpoint(fixture.volume), STATUS_OK);
	struct volume_info info;
	volume_info_get(fixture.volume, &info);
	assert_int_equal(info.blocks_used.n, 1);
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_volume),
		cmocka_unit_test(test_full_of_nodes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
