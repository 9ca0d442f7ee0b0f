// SPDX-License-Identifier: MIT
/* Requests whose data stays in the pages that virtio-blk lends: what a benchmark does, and nobody
 * else. The limits of those pages are ours to keep; their content is anybody's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/block/blk_fixture.h"

#define LENT_PAGES 34u

static int setup(void **state)
{
	if (blk_test_setup_closed(state) != 0) {
		return -1;
	}
	blk_test_environment.lent_pages = LENT_PAGES;
	return blk_test_open() == STATUS_OK ? 0 : -1;
}

static struct block_request request_of(enum block_request_kind kind, uint64_t first, uint64_t count)
{
	return (struct block_request){
		.kind = kind, .status = STATUS_AGAIN, .first = {first}, .count = {count}};
}

static enum status submit(struct block_request *request, size_t page)
{
	return virtio_blk_submit_in_place(&blk, request, page * BLOCK_BYTES);
}

static enum status finish(void)
{
	struct block_request *done = NULL;
	block_kick(virtio_blk_device(&blk));
	const enum status status = block_reap(virtio_blk_device(&blk), true, &done);
	return status == STATUS_OK ? done->status : status;
}

/* What a read leaves there, a write from there puts elsewhere, and nothing is copied by us. */
static void test_in_place_from_one_place_to_another(void **state)
{
	(void)state;
	struct block_request read = request_of(BLOCK_REQUEST_READ, 3, 33);
	struct block_request write = request_of(BLOCK_REQUEST_WRITE, 40, 33);
	memcpy(fake.disk, bytes, ALL_BLOCKS);
	const struct sharedmem_counters before = blk_test_pool();
	assert_int_equal(virtio_blk_lent_bytes(&blk), LENT_PAGES * BLOCK_BYTES);
	assert_int_equal(submit(&read, 1), STATUS_OK);
	assert_int_equal(finish(), STATUS_OK);
	virtio_blk_lent_store(&blk, 2 * BLOCK_BYTES + 8, 0x1122334455667788);
	assert_int_equal(submit(&write, 1), STATUS_OK);
	assert_int_equal(finish(), STATUS_OK);
	memcpy(bytes + 4 * BLOCK_BYTES + 8, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
	assert_memory_equal(fake.disk + 40 * BLOCK_BYTES, bytes + 3 * BLOCK_BYTES,
			    33 * BLOCK_BYTES);
	const struct sharedmem_counters after = blk_test_pool();
	assert_int_equal(after.bytes_copied_in, before.bytes_copied_in);
	assert_true(after.bytes_copied_out - before.bytes_copied_out < BLOCK_BYTES);
	assert_int_equal(after.transitions, before.transitions);
	/* Copied requests work as before, beside it. */
	assert_int_equal(blk_test_read(40, 1, back), STATUS_OK);
	assert_memory_equal(back, bytes + 3 * BLOCK_BYTES, BLOCK_BYTES);
}

static void test_in_place_refuses_what_is_not_lent(void **state)
{
	const struct {
		enum block_request_kind kind;
		uint64_t first;
		uint64_t count;
		size_t offset;
	} cases[] = {
		{BLOCK_REQUEST_READ, 0, LENT_PAGES + 1, 0},
		{BLOCK_REQUEST_READ, 0, 1, LENT_PAGES * BLOCK_BYTES},
		{BLOCK_REQUEST_WRITE, 0, 2, (LENT_PAGES - 1) * BLOCK_BYTES},
		{BLOCK_REQUEST_WRITE, 0, 1, 512},
		{BLOCK_REQUEST_READ, 0, 1, SIZE_MAX / BLOCK_BYTES * BLOCK_BYTES},
		{BLOCK_REQUEST_READ, 0, 0, 0},
		{BLOCK_REQUEST_READ, FAKE_BLK_BLOCKS, 1, 0},
		{BLOCK_REQUEST_READ, UINT64_MAX, 2, 0},
		{BLOCK_REQUEST_FLUSH, 0, 1, 0},
		{BLOCK_REQUEST_DISCARD, 0, 1, 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct block_request request =
			request_of(cases[i].kind, cases[i].first, cases[i].count);
		assert_int_equal(virtio_blk_submit_in_place(&blk, &request, cases[i].offset),
				 STATUS_INVALID);
	}
	assert_int_equal(blk_test_counters().reads + blk_test_counters().writes, 0);
}

/* Nothing is lent unless it was asked for, and only so much. */
static void test_in_place_is_a_wish(void **state)
{
	(void)state;
	struct block_request read = request_of(BLOCK_REQUEST_READ, 0, 1);
	assert_int_equal(blk_test_open(), STATUS_OK);
	assert_int_equal(virtio_blk_lent_bytes(&blk), 0);
	assert_int_equal(submit(&read, 0), STATUS_INVALID);
	virtio_blk_close(&blk);
	blk_test_environment.lent_pages = VIRTIO_BLK_LENT_PAGES_MAX + 1;
	assert_int_equal(blk_test_open(), STATUS_INVALID);
}

/* Whatever is in flight ends with the device; its pages are given back, or leaked (the teardown
 * counts them). */
static void test_in_place_ends_with_the_device(void **state)
{
	for (unsigned int confirmed = 0; confirmed < 2; confirmed++) {
		struct block_request read = request_of(BLOCK_REQUEST_READ, 0, 8);
		assert_int_equal(setup(state), 0);
		fake.device.lies.silent = true;
		fake.device.lies.reset_unconfirmed = confirmed == 0;
		assert_int_equal(submit(&read, 0), STATUS_OK);
		assert_int_equal(finish(), STATUS_TIMEOUT);
		assert_int_equal(virtio_blk_lent_bytes(&blk), 0);
		assert_int_equal(submit(&read, 0), STATUS_INVALID);
		assert_int_equal(blk_test_pool().pages_leaked > LENT_PAGES, confirmed == 0);
		fake.device.lies = (struct fake_lies){0};
		assert_int_equal(blk_test_teardown(state), 0);
	}
}

#define IN_PLACE(name) cmocka_unit_test_setup_teardown(name, setup, blk_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PLACE(test_in_place_from_one_place_to_another),
		IN_PLACE(test_in_place_refuses_what_is_not_lent),
		CLOSED(test_in_place_is_a_wish),
		OWN(test_in_place_ends_with_the_device),
	};
	return fake_run_variants(tests, ARRAY_COUNT(tests));
}
