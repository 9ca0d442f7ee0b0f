// SPDX-License-Identifier: MIT
/* virtio-blk against completions that lie, silence and death. Numbers in comments are items
 * of docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/block/blk_fixture.h"
#include "tests/unit/sharedmem/shared_access_host.h"

static void test_blk_status_decides(void **state) /* 32, 37 */
{
	const struct {
		uint8_t status;
		enum status expected;
	} cases[] = {
		{0, STATUS_OK},       {1, STATUS_IO},          {2, STATUS_IO},
		{3, STATUS_BAD_HOST}, {0x80, STATUS_BAD_HOST}, {0xff, STATUS_BAD_HOST},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		for (int kind = 0; kind < 3; kind++) {
			assert_int_equal(blk_test_setup(state), 0);
			fake.status_set = true;
			fake.status = cases[i].status;
			const enum status status = kind == 0   ? blk_test_read(0, 1, back)
						   : kind == 1 ? blk_test_write(0, 1, bytes)
							       : blk_test_flush();
			assert_int_equal(status, cases[i].expected);
			fake.status_set = false;
			if (cases[i].expected == STATUS_BAD_HOST) {
				blk_test_assert_dead();
			} else { /* An honest error is not the end. */
				assert_int_equal(blk_test_flush(), STATUS_OK);
			}
			assert_int_equal(blk_test_teardown(state), 0);
		}
	}
}

static void test_blk_an_unwritten_status_is_no_success(void **state) /* 32 */
{
	(void)state;
	assert_int_equal(blk_test_read(0, 1, back), STATUS_OK);
	fake.status_omitted = true;
	assert_int_equal(blk_test_read(0, 1, back), STATUS_BAD_HOST);
	blk_test_assert_dead();
}

/* 33: a device that claims success and writes nothing shows the poison, never the transfer before.
 */
static void test_blk_stale_data_is_never_returned(void **state)
{
	(void)state;
	memset(back, 0, BLOCK_BYTES);
	assert_int_equal(blk_test_write(0, 1, bytes), STATUS_OK);
	assert_int_equal(blk_test_read(0, 1, back), STATUS_OK);
	fake.read_writes_nothing = true;
	assert_int_equal(blk_test_read(0, 1, back), STATUS_OK);
	for (size_t i = 0; i < BLOCK_BYTES; i++) {
		assert_int_equal(back[i], 0xa5);
	}
}

static void test_blk_short_transfers_are_io_errors(void **state) /* 24 */
{
	(void)state;
	memset(back, 0x77, BLOCK_BYTES);
	fake.short_by = 1;
	assert_int_equal(blk_test_read(0, 1, back), STATUS_IO);
	assert_int_equal(blk_test_write(0, 1, bytes), STATUS_IO);
	assert_int_equal(blk_test_flush(), STATUS_IO);
	fake.short_by = 4097;
	assert_int_equal(blk_test_read(0, 1, back), STATUS_IO);
	assert_int_equal(back[0], 0); /* Zeroes, never half of the truth. */
	fake.short_by = 0;
	assert_int_equal(blk_test_read(0, 1, back), STATUS_OK);
}

static void test_blk_a_length_above_the_room_ends_the_device(void **state) /* 24 */
{
	(void)state;
	fake.device.lies.length_set = true;
	fake.device.lies.length = BLOCK_BYTES + 2;
	assert_int_equal(blk_test_read(0, 1, back), STATUS_BAD_HOST);
	assert_int_equal(blk.queues[0].lie, VIRTQ_LIE_LENGTH);
	blk_test_assert_dead();
}

static void test_blk_every_ring_lie_ends_the_device(void **state) /* 16, 17, 19, 20, 21 */
{
	const struct fake_lies lies[] = {
		{.used_index_offset = 1},
		{.used_index_offset = -2},
		{.used_id_set = true, .used_id = 64},
		{.used_id_set = true, .used_id = 0x10000},
		{.used_id_set = true, .used_id = 1},
		{.complete_twice = true},
	};
	for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
		assert_int_equal(blk_test_setup(state), 0);
		if (!fake_lies_fit(&fake.device, &lies[i])) {
			assert_int_equal(blk_test_teardown(state), 0);
			continue;
		}
		fake.device.lies = lies[i];
		fake.device.lies.report_each = true;
		enum status expected = STATUS_BAD_HOST;
		if (lies[i].complete_twice && fake_device_has(&fake.device, VIRTIO_F_RING_PACKED)) {
			/* No index announces the second report, and the next chain overwrites it:
			 * from then on the device reports where nobody looks. */
			assert_int_equal(blk_test_read(0, 1, back), STATUS_OK);
			expected = STATUS_TIMEOUT;
		}
		assert_int_equal(blk_test_read(0, 1, back), expected);
		fake.device.lies = (struct fake_lies){0};
		blk_test_assert_dead();
		assert_int_equal(blk.device.state, VIRTIO_DEVICE_STOPPED);
		assert_int_equal(blk_test_teardown(state), 0);
	}
}

static void test_blk_a_silent_device_times_out_and_is_dead(void **state) /* 28, 38 */
{
	(void)state;
	fake.device.lies.silent = true;
	const uint64_t before_us = fake.device.now_us;
	assert_int_equal(blk_test_write(0, 1, bytes), STATUS_TIMEOUT);
	assert_in_range(fake.device.now_us - before_us, VIRTIO_BLK_TIMEOUT_US_DEFAULT,
			VIRTIO_BLK_TIMEOUT_US_DEFAULT + 100000);
	blk_test_assert_dead();
	assert_int_equal(blk_test_pool().pages_leaked, 0); /* The reset was confirmed. */
}

static void test_blk_a_dead_device_leaks_its_pages(void **state) /* 31, 42 */
{
	(void)state;
	const uint64_t lent = blk_test_pool().pages_lent;
	fake.device.lies.silent = true;
	fake.device.lies.reset_unconfirmed = true;
	assert_int_equal(blk_test_read(0, 1, back), STATUS_TIMEOUT);
	blk_test_assert_dead();
	assert_int_equal(blk_test_pool().pages_leaked, lent);
}

static void test_blk_close_leaks_if_the_reset_is_not_confirmed(void **state) /* 31, 42 */
{
	(void)state;
	const uint64_t lent = blk_test_pool().pages_lent;
	fake.device.lies.reset_unconfirmed = true;
	virtio_blk_close(&blk);
	assert_int_equal(blk_test_pool().pages_leaked, lent);
	assert_int_equal(blk_test_read(0, 1, back), STATUS_BAD_HOST);
}

static void test_blk_rekicks_a_device_that_missed_it(void **state) /* 27 */
{
	(void)state;
	fake.device.lies.no_notify_stuck = true;
	fake.device.lies.notify_needed = 1;
	fake_device_step(&fake.device);
	const uint64_t before_us = fake.device.now_us;
	assert_int_equal(blk_test_read(0, 1, back), STATUS_OK);
	assert_true(fake.device.now_us - before_us < 5 * VIRTIO_REKICK_US);
	assert_int_equal(fake.device.queues[0].notify_count, 1);
}

static void test_blk_a_device_that_wants_a_reset_is_dead_soon(void **state) /* 13, 41 */
{
	const struct fake_lies lies[] = {{.needs_reset = true, .silent = true},
					 {.reset_behind_our_back = true, .silent = true},
					 {.all_ones = true, .silent = true}};
	for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
		assert_int_equal(blk_test_setup(state), 0);
		fake.device.lies = lies[i];
		assert_int_equal(blk_test_read(0, 1, back), STATUS_BAD_HOST);
		/* Well below the request's deadline; a reset may take its own time. */
		assert_true(fake.device.now_us < 2 * VIRTIO_RESET_TIMEOUT_US);
		blk_test_assert_dead();
		assert_int_equal(blk_test_teardown(state), 0);
	}
}

/* Nothing is in flight that could find out. */
static void test_blk_looks_after_an_idle_device(void **state) /* 13, 31, 41, 42 */
{
	const struct {
		struct fake_lies lies;
		enum status reset;
	} cases[] = {
		{{.needs_reset = true}, STATUS_OK},
		{{.reset_behind_our_back = true}, STATUS_OK},
		{{.needs_reset = true, .reset_unconfirmed = true}, STATUS_TIMEOUT},
		{{.all_ones = true}, STATUS_NO_DEVICE},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct virtio_blk_condition condition;
		assert_int_equal(blk_test_setup(state), 0);
		virtio_blk_look(&blk);
		virtio_blk_condition_get(&blk, &condition);
		assert_int_equal(condition.failure, STATUS_OK);
		assert_int_equal(condition.failures, 0);
		const uint64_t lent = blk_test_pool().pages_lent;
		fake.device.lies = cases[i].lies;
		virtio_blk_look(&blk);
		virtio_blk_look(&blk);
		virtio_blk_condition_get(&blk, &condition);
		assert_int_equal(condition.failure, STATUS_BAD_HOST);
		assert_int_equal(condition.reset, cases[i].reset);
		assert_int_equal(condition.failures, 1);
		const bool leaks = cases[i].reset != STATUS_OK;
		assert_int_equal(blk_test_pool().pages_leaked, leaks ? lent : 0);
		blk_test_assert_dead();
		assert_int_equal(blk_test_teardown(state), 0);
	}
}

static void test_blk_reopens_a_few_times_and_then_no_more(void **state) /* 41 */
{
	(void)state;
	for (unsigned int i = 0; i <= VIRTIO_FAILURES_MAX; i++) {
		assert_int_equal(blk_test_open(), STATUS_OK);
		assert_int_equal(blk_test_read(0, 1, back), STATUS_OK);
		fake.status_set = true;
		fake.status = 0xff;
		assert_int_equal(blk_test_read(0, 1, back), STATUS_BAD_HOST);
		fake.status_set = false;
		virtio_blk_close(&blk);
	}
	assert_int_equal(blk_test_open(), STATUS_LIMIT);
}

static void test_blk_overruns_reach_nothing_of_ours(void **state) /* 30 */
{
	(void)state;
	fake.overrun_page = true;
	assert_int_equal(blk_test_write(1, 1, bytes), STATUS_OK);
	assert_int_equal(blk_test_read(1, 1, back), STATUS_OK);
	assert_memory_equal(back, bytes, BLOCK_BYTES);
	assert_int_equal(blk_test_flush(), STATUS_OK);
}

/* 36, 40: what the device writes after it reported completion is not seen. */
static void test_blk_late_writes_do_not_reach_the_caller(void **state)
{
	(void)state;
	assert_int_equal(blk_test_write(1, 1, bytes), STATUS_OK);
	assert_int_equal(blk_test_read(1, 1, back), STATUS_OK);
	memset(platform.pages, 0xbb, FAKE_POOL_PAGES * PAGE_BYTES); /* All that it can reach. */
	assert_memory_equal(back, bytes, BLOCK_BYTES);
}

/* 37: the status byte reads 0 once and 1 ever after, or the other way round; one load decides. */
struct status_flip {
	unsigned int loads;
};

static uint64_t flip_status(void *context, const void *at, unsigned int width, uint64_t actual)
{
	struct status_flip *flip = context;
	(void)at;
	if (width != 1) {
		return actual;
	}
	flip->loads++;
	return flip->loads == 1 ? 0 : 1;
}

static void test_blk_loads_the_status_once(void **state)
{
	(void)state;
	struct status_flip flip = {0};
	const struct shared_access_hook hook = {flip_status, &flip};
	shared_access_hook_set(&hook);
	assert_int_equal(blk_test_read(0, 1, back), STATUS_OK);
	assert_int_equal(flip.loads, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OWN(test_blk_status_decides),
		TEST(test_blk_an_unwritten_status_is_no_success),
		TEST(test_blk_stale_data_is_never_returned),
		TEST(test_blk_short_transfers_are_io_errors),
		TEST(test_blk_a_length_above_the_room_ends_the_device),
		OWN(test_blk_every_ring_lie_ends_the_device),
		TEST(test_blk_a_silent_device_times_out_and_is_dead),
		TEST(test_blk_a_dead_device_leaks_its_pages),
		TEST(test_blk_close_leaks_if_the_reset_is_not_confirmed),
		TEST(test_blk_rekicks_a_device_that_missed_it),
		OWN(test_blk_a_device_that_wants_a_reset_is_dead_soon),
		CLOSED(test_blk_reopens_a_few_times_and_then_no_more),
		CLOSED(test_blk_looks_after_an_idle_device),
		TEST(test_blk_overruns_reach_nothing_of_ours),
		TEST(test_blk_late_writes_do_not_reach_the_caller),
		TEST(test_blk_loads_the_status_once),
	};
	return fake_run_variants(tests, ARRAY_COUNT(tests));
}
