// SPDX-License-Identifier: MIT
/* virtio-blk with many requests in flight. Numbers in comments are items of docs/virtio-threats.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/block/blk_fixture.h"

#define REQUESTS VIRTIO_BLK_DEPTH_DEFAULT

static struct block_request requests[VIRTIO_BLK_DEPTH_MAX];

static const struct block_device *device(void)
{
	return virtio_blk_device(&blk);
}

static enum status submit(size_t which, enum block_request_kind kind, uint64_t first,
			  uint64_t count, uint8_t *memory)
{
	requests[which] = (struct block_request){
		.kind = kind,
		.status = STATUS_AGAIN,
		.first = {first},
		.count = {count},
		.bytes = memory,
	};
	return block_submit(device(), &requests[which]);
}

/* Reap `count` requests, each once. */
static void reap(size_t count)
{
	bool seen[VIRTIO_BLK_DEPTH_MAX] = {false};
	struct block_request *done = NULL;
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(block_reap(device(), true, &done), STATUS_OK);
		const size_t which = (size_t)(done - requests);
		assert_false(seen[which]);
		seen[which] = true;
	}
	assert_int_equal(block_reap(device(), true, &done), STATUS_AGAIN);
}

static void assert_statuses(size_t count, enum status status)
{
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(requests[i].status, status);
	}
}

/* A full queue, one notification, and no change of visibility. */
static void test_blk_has_many_requests_in_flight(void **state)
{
	(void)state;
	fake.device.queues[0].size_max = 256; /* For chains without tables. */
	virtio_blk_close(&blk);
	assert_int_equal(blk_test_open(), STATUS_OK);
	assert_int_equal(device()->queue_depth, REQUESTS);
	const struct sharedmem_counters before = blk_test_pool();
	for (unsigned int turn = 0; turn < 5; turn++) {
		const unsigned int notified = fake.device.queues[0].notify_count;
		fake_device_step(&fake.device); /* It sleeps. */
		for (size_t i = 0; i < REQUESTS; i++) {
			assert_int_equal(submit(i, BLOCK_REQUEST_WRITE, i, 1,
						bytes + ((i + turn) % REQUESTS) * BLOCK_BYTES),
					 STATUS_OK);
		}
		struct block_request *done = NULL;
		assert_int_equal(submit(REQUESTS, BLOCK_REQUEST_READ, 0, 1, back), STATUS_BUSY);
		assert_int_equal(block_reap(device(), false, &done), STATUS_AGAIN);
		block_kick(device());
		block_kick(device());
		assert_int_equal(fake.device.queues[0].notify_count - notified, 1);
		reap(REQUESTS);
		assert_statuses(REQUESTS, STATUS_OK);
		for (size_t i = 0; i < REQUESTS; i++) {
			assert_memory_equal(fake.disk + i * BLOCK_BYTES,
					    bytes + ((i + turn) % REQUESTS) * BLOCK_BYTES,
					    BLOCK_BYTES);
		}
	}
	assert_int_equal(fake.pending_max, REQUESTS);
	assert_int_equal(blk_test_pool().transitions, before.transitions);
	assert_int_equal(blk_test_pool().pages_lent, before.pages_lent);
	for (size_t i = 0; i < REQUESTS; i++) {
		assert_int_equal(submit(i, BLOCK_REQUEST_READ, i, 1, back + i * BLOCK_BYTES),
				 STATUS_OK);
	}
	block_kick(device());
	reap(REQUESTS);
	assert_memory_equal(back, fake.disk, REQUESTS * BLOCK_BYTES);
}

/* More than the pages can hold at once: it waits in line, and all of it is done. */
static void test_blk_queues_what_has_no_room(void **state)
{
	(void)state;
	memcpy(fake.disk, bytes, sizeof(bytes));
	for (size_t i = 0; i < 8; i++) { /* 40 blocks each: two pieces. */
		assert_int_equal(
			submit(i, BLOCK_REQUEST_READ, 3 * i, 40, back + i * 40 % 200 * BLOCK_BYTES),
			STATUS_OK);
	}
	assert_true(blk.backlog_first != UINT16_MAX);
	block_kick(device());
	reap(8);
	assert_statuses(8, STATUS_OK);
	assert_memory_equal(back + 80 * BLOCK_BYTES, fake.disk + 21 * BLOCK_BYTES,
			    40 * BLOCK_BYTES);
	assert_int_equal(fake.request_count, 16);
	assert_int_equal(blk.free_pages, blk.data_pages);
}

/* Pages come back in any order: requests are then made of many segments, up to what the device
 * takes, and still carry the right bytes. */
static void scatter(uint32_t seg_max)
{
	struct block_request *done = NULL;
	uint16_t most_segments = 0;
	size_t lengths[REQUESTS] = {0};
	fake.device.offered |= FAKE_BLK_F_SEG_MAX;
	fake.device.config[3] = seg_max;
	fake.drips = true;
	assert_int_equal(blk_test_open(), STATUS_OK);
	unsigned int completed = 0;
	unsigned int submitted = 0;
	for (size_t next = 0; completed < 600;) {
		while (submitted < 600 && blk.jobs_out < 24) {
			while (lengths[next] != 0) {
				next = (next + 1) % REQUESTS;
			}
			lengths[next] = 1 + submitted * 7 % 16;
			const uint64_t first = submitted * 13 % 200;
			assert_int_equal(submit(next, BLOCK_REQUEST_WRITE, first, lengths[next],
						bytes + first * BLOCK_BYTES),
					 STATUS_OK);
			submitted++;
		}
		block_kick(device());
		assert_int_equal(block_reap(device(), true, &done), STATUS_OK);
		assert_int_equal(done->status, STATUS_OK);
		most_segments =
			fake.segment_count > most_segments ? fake.segment_count : most_segments;
		lengths[done - requests] = 0;
		completed++;
	}
	assert_memory_equal(fake.disk, bytes, 200 * BLOCK_BYTES);
	assert_true(most_segments <= seg_max + 2); /* Header, data, status. */
	assert_true(most_segments > 4 || fake_device_has(&fake.device, VIRTIO_F_IN_ORDER));
	assert_int_equal(blk.free_pages, blk.data_pages);
}

static void test_blk_makes_do_with_scattered_pages(void **state) /* 11 */
{
	const uint32_t seg_max[] = {126, 4, 3};
	for (size_t i = 0; i < ARRAY_COUNT(seg_max); i++) {
		assert_int_equal(blk_test_setup_closed(state), 0);
		scatter(seg_max[i]);
		assert_int_equal(blk_test_teardown(state), 0);
	}
}

/* An I/O error of one request is that request's alone; what a failed read gives is zeroes. */
static void test_blk_errors_stay_with_their_request(void **state)
{
	(void)state;
	memset(back, 0x77, 20 * BLOCK_BYTES);
	memset(fake.disk, 0x11, sizeof(fake.disk));
	fake.fail_one_in = 5;
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(submit(i, BLOCK_REQUEST_READ, i, 1, back + i * BLOCK_BYTES),
				 STATUS_OK);
	}
	block_kick(device());
	reap(20);
	unsigned int failed = 0;
	for (size_t i = 0; i < 20; i++) {
		const bool is_bad = requests[i].status == STATUS_IO;
		assert_true(is_bad || requests[i].status == STATUS_OK);
		assert_int_equal(back[i * BLOCK_BYTES], is_bad ? 0 : 0x11);
		failed += is_bad ? 1 : 0;
	}
	assert_int_equal(failed, 4);
	/* A piece of a longer request fails: all of it does. */
	fake.fail_one_in = 3;
	fake.request_count = 0;
	assert_int_equal(blk_test_read(0, 100, back), STATUS_IO);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(back[i * BLOCK_BYTES], 0);
	}
}

static void test_blk_refuses_what_it_cannot_take(void **state) /* 35 */
{
	(void)state;
	struct block_request *done = NULL;
	assert_int_equal(submit(0, BLOCK_REQUEST_READ, FAKE_BLK_BLOCKS, 1, back), STATUS_INVALID);
	assert_int_equal(submit(0, BLOCK_REQUEST_WRITE, 0, 0, bytes), STATUS_INVALID);
	assert_int_equal(submit(0, BLOCK_REQUEST_DISCARD, 0, 1, NULL), STATUS_UNSUPPORTED);
	assert_null(device()->ops->discard);
	assert_int_equal(
		virtio_blk_zeroes_write(&blk, (struct physical_block){0}, (struct block_count){1}),
		STATUS_UNSUPPORTED);
	/* A call that waits has to have the device for itself. */
	assert_int_equal(submit(0, BLOCK_REQUEST_FLUSH, 0, 0, NULL), STATUS_OK);
	assert_int_equal(blk_test_read(0, 1, back), STATUS_BUSY);
	assert_int_equal(blk_test_flush(), STATUS_BUSY);
	fake_device_step(&fake.device);
	assert_int_equal(block_reap(device(), false, &done), STATUS_OK);
	assert_ptr_equal(done, &requests[0]);
	assert_int_equal(done->status, STATUS_OK);
	assert_int_equal(blk_test_read(0, 1, back), STATUS_OK);
}

/* 16-24, and the recovery: whatever is in flight completes, with the cause, exactly once. */
static void test_blk_all_requests_end_with_the_device(void **state)
{
	const struct {
		struct fake_lies lies;
		enum status status;
	} cases[] = {
		{{.used_id_set = true, .used_id = 255}, STATUS_BAD_HOST},
		{{.length_set = true, .length = UINT32_MAX}, STATUS_BAD_HOST},
		{{.used_index_offset = 300}, STATUS_BAD_HOST},
		{{.silent = true}, STATUS_TIMEOUT},
		{{.silent = true, .needs_reset = true}, STATUS_BAD_HOST},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(blk_test_setup(state), 0);
		if (fake_lies_fit(&fake.device, &cases[i].lies)) {
			fake.device.lies = cases[i].lies;
			memset(back, 0x77, 40 * BLOCK_BYTES);
			for (size_t k = 0; k < 6; k++) { /* The last ones are still in line. */
				assert_int_equal(submit(k, BLOCK_REQUEST_READ, k, 32, back),
						 STATUS_OK);
			}
			block_kick(device());
			reap(6);
			assert_statuses(6, cases[i].status);
			assert_int_equal(back[0], 0);
			fake.device.lies = (struct fake_lies){0};
			blk_test_assert_dead();
			assert_int_equal(submit(0, BLOCK_REQUEST_READ, 0, 1, back),
					 STATUS_BAD_HOST);
			block_kick(device());
		}
		assert_int_equal(blk_test_teardown(state), 0);
	}
}

static void test_blk_close_ends_what_is_in_flight(void **state)
{
	(void)state;
	struct block_request *done = NULL;
	assert_int_equal(submit(0, BLOCK_REQUEST_WRITE, 0, 1, bytes), STATUS_OK);
	virtio_blk_close(&blk);
	assert_int_equal(block_reap(device(), true, &done), STATUS_OK);
	assert_int_equal(done->status, STATUS_BAD_HOST);
	assert_int_equal(block_reap(device(), true, &done), STATUS_AGAIN);
}

/* 39: a device that serves others cannot hold one request back for ever. */
static void test_blk_each_request_has_its_deadline(void **state)
{
	(void)state;
	struct block_request *done = NULL;
	if (fake_device_has(&fake.device, VIRTIO_F_IN_ORDER)) {
		return; /* Nothing can overtake. */
	}
	fake.hold_oldest = true;
	assert_int_equal(submit(0, BLOCK_REQUEST_READ, 0, 1, back), STATUS_OK);
	const uint64_t before_us = fake.device.now_us;
	unsigned int others = 0;
	for (;;) {
		assert_int_equal(submit(1, BLOCK_REQUEST_READ, 1, 1, back + BLOCK_BYTES),
				 STATUS_OK);
		block_kick(device());
		assert_int_equal(block_reap(device(), true, &done), STATUS_OK);
		if (done->status != STATUS_OK) {
			break;
		}
		assert_ptr_equal(done, &requests[1]);
		others++;
	}
	assert_true(others > 100);
	assert_in_range(fake.device.now_us - before_us, VIRTIO_BLK_TIMEOUT_US_DEFAULT,
			VIRTIO_BLK_TIMEOUT_US_DEFAULT + 100000);
	assert_int_equal(requests[0].status, STATUS_TIMEOUT);
}

/* 27: without a waiting call, too: who only looks now and then still knocks and gives up in time.
 */
static void test_blk_looks_after_the_device_without_waiting(void **state)
{
	(void)state;
	struct block_request *done = NULL;
	fake.device.lies.no_notify_stuck = true;
	fake.device.lies.notify_needed = 1;
	fake_device_step(&fake.device);
	assert_int_equal(submit(0, BLOCK_REQUEST_READ, 0, 1, back), STATUS_OK);
	block_kick(device());
	assert_int_equal(fake.device.queues[0].notify_count, 0);
	assert_int_equal(block_reap(device(), false, &done), STATUS_AGAIN);
	fake.device.now_us += VIRTIO_REKICK_US;
	assert_int_equal(block_reap(device(), false, &done), STATUS_AGAIN);
	assert_int_equal(fake.device.queues[0].notify_count, 1);
	fake.device.now_us += VIRTIO_BLK_TIMEOUT_US_DEFAULT;
	assert_int_equal(block_reap(device(), false, &done), STATUS_OK);
	assert_int_equal(done->status, STATUS_TIMEOUT);
}

#define RANGE_BLOCKS_LIMIT 0x80000u /* 2 GiB, whatever the device claims. */

static void test_blk_discards_and_writes_zeroes(void **state) /* 12 */
{
	const struct {
		uint32_t sectors_max;
		unsigned int requests;
		enum status status;
	} cases[] = {
		{UINT32_MAX, 1, STATUS_OK}, {100, 9, STATUS_OK}, /* 12 blocks each. */
		{8, 100, STATUS_OK},        {7, 0, STATUS_UNSUPPORTED}, {0, 0, STATUS_UNSUPPORTED},
	};
	const struct physical_block first = {3};
	const struct block_count count = {100};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(blk_test_setup_closed(state), 0);
		fake.device.offered |= FAKE_BLK_F_DISCARD | FAKE_BLK_F_WRITE_ZEROES;
		fake.device.config[9] = cases[i].sectors_max;
		fake.device.config[12] = cases[i].sectors_max;
		memset(fake.disk, 0x11, sizeof(fake.disk));
		assert_int_equal(blk_test_open(), STATUS_OK);
		assert_in_range(blk.discard_blocks_max, 0, RANGE_BLOCKS_LIMIT);
		assert_in_range(blk.zeroes_blocks_max, 0, RANGE_BLOCKS_LIMIT);
		assert_int_equal(submit(0, BLOCK_REQUEST_DISCARD, first.n, count.n, NULL),
				 cases[i].status);
		if (cases[i].status == STATUS_OK) {
			block_kick(device());
			reap(1);
			assert_int_equal(requests[0].status, STATUS_OK);
			assert_int_equal(fake.type, 11);
			assert_int_equal(fake.request_count, cases[i].requests);
			assert_int_equal(device()->ops->discard(device()->context, first, count),
					 STATUS_OK);
		}
		fake.request_count = 0;
		assert_int_equal(virtio_blk_zeroes_write(&blk, first, count), cases[i].status);
		assert_int_equal(fake.request_count, cases[i].requests);
		for (size_t block = 0; block < 110; block++) {
			const bool is_zero = cases[i].status == STATUS_OK && block >= first.n &&
					     block < first.n + count.n;
			assert_int_equal(fake.disk[block * BLOCK_BYTES + 77], is_zero ? 0 : 0x11);
		}
		assert_int_equal(blk_test_teardown(state), 0);
	}
}

static void test_blk_uses_several_queues(void **state)
{
	const struct {
		uint16_t wanted;
		uint16_t offered;
		uint16_t used;
	} cases[] = {{1, 4, 1}, {3, 4, 3}, {4, 2, 2}, {4, UINT16_MAX, 4}};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(blk_test_setup_closed(state), 0);
		fake.device.offered |= FAKE_BLK_F_MQ;
		fake.device.config[8] = (uint32_t)cases[i].offered << 16;
		blk_test_environment.queue_count = cases[i].wanted;
		blk_test_environment.depth = 16;
		assert_int_equal(blk_test_open(), STATUS_OK);
		assert_int_equal(blk.queue_count, cases[i].used);
		for (unsigned int batch = 0; batch < 12; batch++) {
			unsigned int before = 0;
			unsigned int after = 0;
			for (size_t q = 0; q < 4; q++) {
				before += fake.device.queues[q].notify_count;
			}
			for (size_t k = 0; k < 5; k++) {
				assert_int_equal(
					submit(k, BLOCK_REQUEST_READ, k, 1, back + k * BLOCK_BYTES),
					STATUS_OK);
			}
			block_kick(device());
			for (size_t q = 0; q < 4; q++) {
				after += fake.device.queues[q].notify_count;
			}
			assert_int_equal(after - before, 1); /* A batch goes to one of them. */
			reap(5);
			assert_int_equal(fake.queue_index, batch % cases[i].used);
		}
		assert_int_equal(blk_test_teardown(state), 0);
	}
	assert_int_equal(blk_test_setup_closed(state), 0);
	fake.device.offered |= FAKE_BLK_F_MQ; /* And no queue at all. */
	assert_int_equal(blk_test_open(), STATUS_BAD_HOST);
	assert_int_equal(blk_test_teardown(state), 0);
}

static void test_blk_refuses_an_environment_beyond_its_limits(void **state)
{
	(void)state;
	const struct virtio_blk_environment good = blk_test_environment;
	blk_test_environment.depth = VIRTIO_BLK_DEPTH_MAX + 1;
	assert_int_equal(blk_test_open(), STATUS_INVALID);
	blk_test_environment = good;
	blk_test_environment.data_pages = VIRTIO_BLK_DATA_PAGES_MAX + 1;
	assert_int_equal(blk_test_open(), STATUS_INVALID);
	blk_test_environment = good;
	blk_test_environment.queue_count = VIRTIO_BLK_QUEUES_MAX + 1;
	assert_int_equal(blk_test_open(), STATUS_INVALID);
	blk_test_environment = good;
	blk_test_environment.depth = 1;
	blk_test_environment.data_pages = 1;
	assert_int_equal(blk_test_open(), STATUS_OK);
	assert_int_equal(blk_test_write(0, 20, bytes), STATUS_OK);
	assert_memory_equal(fake.disk, bytes, 20 * BLOCK_BYTES);
	virtio_blk_close(&blk);
	blk_test_environment.depth = VIRTIO_BLK_DEPTH_MAX;
	fake.device.queues[0].size_max = 1024;
	assert_int_equal(blk_test_open(), STATUS_OK);
	assert_int_equal(blk.queues[0].size, 1024);
}

static void test_blk_refuses_large_physical_blocks(void **state) /* 10 */
{
	const struct {
		uint32_t block_size;
		uint32_t exponent;
		enum status status;
	} cases[] = {
		{512, 0, STATUS_OK},           {512, 3, STATUS_OK},
		{4096, 0, STATUS_OK},          {512, 4, STATUS_UNSUPPORTED},
		{4096, 1, STATUS_UNSUPPORTED}, {512, 255, STATUS_UNSUPPORTED},
		{512, 32, STATUS_UNSUPPORTED}, {513, 0, STATUS_BAD_HOST},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(blk_test_setup_closed(state), 0);
		fake.device.offered |= FAKE_BLK_F_TOPOLOGY;
		fake.device.config[5] = cases[i].block_size;
		fake.device.config[6] = cases[i].exponent | 0xffffff00u;
		assert_int_equal(blk_test_open(), cases[i].status);
		assert_int_equal(blk_test_teardown(state), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_blk_has_many_requests_in_flight),
		TEST(test_blk_queues_what_has_no_room),
		OWN(test_blk_makes_do_with_scattered_pages),
		TEST(test_blk_errors_stay_with_their_request),
		TEST(test_blk_refuses_what_it_cannot_take),
		OWN(test_blk_all_requests_end_with_the_device),
		TEST(test_blk_close_ends_what_is_in_flight),
		TEST(test_blk_each_request_has_its_deadline),
		TEST(test_blk_looks_after_the_device_without_waiting),
		OWN(test_blk_discards_and_writes_zeroes),
		OWN(test_blk_uses_several_queues),
		CLOSED(test_blk_refuses_an_environment_beyond_its_limits),
		OWN(test_blk_refuses_large_physical_blocks),
	};
	return fake_run_variants(tests, ARRAY_COUNT(tests));
}
