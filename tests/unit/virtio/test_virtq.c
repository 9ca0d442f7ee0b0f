// SPDX-License-Identifier: MIT
/* The queue in both layouts: an honest device, and one that rewrites, flips, stalls or disappears.
 * Numbers in comments are items of docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/sharedmem/shared_access_host.h"
#include "tests/unit/virtio/virtq_fixture.h"

static void test_virtq_size_is_clamped_to_a_power_of_two(void **state)
{
	(void)state;
	const struct {
		uint32_t device;
		uint16_t wanted;
		uint16_t size;
	} cases[] = {
		{0, 8, 0},
		{1, 8, 1},
		{2, 8, 2},
		{3, 8, 2},
		{7, 8, 4},
		{8, 8, 8},
		{9, 8, 8},
		{128, 64, 64},
		{UINT32_MAX, 256, 256},
		{1024, 1024, 1024},
		{65536, 65535, 1024},
		{0x10000, 100, 64},
		{8, 0, 0},
		{255, 256, 128},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(virtq_size_choose(cases[i].device, cases[i].wanted),
				 cases[i].size); /* 6 */
	}
}

static void test_virtq_pages_hold_ring_and_tables(void **state)
{
	(void)state;
	const struct {
		uint64_t features;
		uint16_t size;
		uint16_t tables;
		size_t pages;
	} cases[] = {
		{0, 1, 0, 1},
		{0, 64, 0, 1},
		{0, 256, 0, 2},
		{0, 1024, 0, 7},
		{0, 1024, 1024, 7}, /* The tables need their feature. */
		{VIRTIO_F_INDIRECT_DESC, 64, 64, 9},
		{VIRTIO_F_RING_PACKED, 1, 0, 1},
		{VIRTIO_F_RING_PACKED, 128, 0, 1},
		{VIRTIO_F_RING_PACKED, 256, 0, 2}, /* The suppression structures. */
		{VIRTIO_F_RING_PACKED, 1024, 0, 5},
		{VIRTIO_F_RING_PACKED | VIRTIO_F_INDIRECT_DESC, 64, 64, 9},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct virtq_config config = {
			.features = cases[i].features,
			.size = cases[i].size,
			.table_count = cases[i].tables,
			.table_segments = 32,
		};
		assert_int_equal(virtq_ring_pages(&config), cases[i].pages);
	}
}

static void test_virtq_carries_a_chain_and_back(void **state)
{
	(void)state;
	struct virtq_token token;
	struct virtq_token done;
	uint32_t written = 0;
	uint8_t out[16];
	shared_copy_out(&buffer, 0, (const uint8_t *)"sixteen bytes...", 16);
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
	virtq_kick(&queue);
	assert_int_equal(fake.queues[0].notify_count, 1);
	assert_int_equal(virtq_used_poll(&queue, &done, &written), STATUS_AGAIN);
	assert_int_equal(virtq_test_poll(&done, &written), STATUS_OK);
	assert_int_equal(done.head, token.head);
	assert_int_equal(done.serial, token.serial);
	assert_int_equal(written, 16);
	shared_copy_in(out, &buffer, 16, 16);
	assert_memory_equal(out, "sixteen bytes...", 16);
	assert_int_equal(virtq_test_poll(&done, &written), STATUS_AGAIN);
	/* The same head again: another serial. */
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
	assert_int_not_equal(token.serial, done.serial);
}

/* How many chains of so many segments find room in an empty queue. */
static uint16_t chains_max(uint16_t segments)
{
	const uint16_t tables =
		segments > 1 && virtq_test_has(VIRTIO_F_INDIRECT_DESC) ? (uint16_t)TABLES : 0;
	return (uint16_t)(tables + (QUEUE_SIZE - tables) / segments);
}

/* 23, and the wrap of all indices: more chains than 2^16. */
static void test_virtq_completes_out_of_order_and_wraps(void **state)
{
	(void)state;
	uint32_t turns = 0;
	for (uint32_t total = 0; total < 70000; turns++) {
		bool in_flight[QUEUE_SIZE] = {false};
		struct virtq_token token;
		uint32_t written;
		uint16_t count = 0;
		while (virtq_test_submit(1, (uint16_t)(turns % 2), &token) == STATUS_OK) {
			assert_false(in_flight[token.head]);
			in_flight[token.head] = true;
			count++;
		}
		assert_int_equal(count, chains_max((uint16_t)(1 + turns % 2)));
		for (uint16_t i = 0; i < count; i++) {
			assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
			assert_true(in_flight[token.head]);
			in_flight[token.head] = false;
		}
		assert_int_equal(virtq_test_poll(&token, &written), STATUS_AGAIN);
		assert_int_equal(queue.free_count, QUEUE_SIZE);
		total += count;
	}
}

static void test_virtq_refuses_malformed_chains(void **state)
{
	(void)state;
	struct virtq_token token;
	const struct shared_addr at = shared_region_addr(&buffer, 0, 16);
	const struct virtq_segment wrong_order[] = {
		{.at = at, .len_bytes = 16, .device_writes = true},
		{.at = at, .len_bytes = 16},
	};
	const struct virtq_segment empty = {.at = at};
	const struct virtq_segment huge[] = {
		{.at = at, .len_bytes = UINT32_MAX, .device_writes = true},
		{.at = at, .len_bytes = 1, .device_writes = true},
	};
	assert_int_equal(virtq_chain_submit(&queue, wrong_order, 2, &token), STATUS_INVALID);
	assert_int_equal(virtq_chain_submit(&queue, &empty, 1, &token), STATUS_INVALID);
	assert_int_equal(virtq_chain_submit(&queue, huge, 2, &token), STATUS_INVALID);
	assert_int_equal(virtq_chain_submit(&queue, huge, 0, &token), STATUS_INVALID);
	assert_int_equal(virtq_test_submit(5, 4, &token),
			 STATUS_INVALID); /* More than the queue has. */
	assert_int_equal(virtq_test_submit(5, 3, &token), STATUS_OK);
	assert_int_equal(virtq_test_submit(1, 0, &token), STATUS_NO_MEMORY);
	assert_int_equal(queue.free_count, 0);
}

/* 25, 26: rewriting everything that we wrote changes nothing of what we do. */
static void test_virtq_never_reads_back_what_it_wrote(void **state)
{
	(void)state;
	for (int turn = 0; turn < 20; turn++) {
		struct virtq_token token;
		struct virtq_token done;
		uint32_t written;
		assert_int_equal(virtq_test_submit(3, 2, &token), STATUS_OK);
		fake.lies.scribble_ring = true;
		assert_int_equal(virtq_test_poll(&done, &written), STATUS_OK);
		assert_int_equal(done.head, token.head);
		assert_int_equal(queue.free_count, QUEUE_SIZE);
		/* What the device keeps to itself is intact, so it can go on. */
		fake.lies.scribble_ring = false;
	}
}

/* 29: no value in the ring is a host pointer. fake_device_at() fails for any address outside the
 * pool; here the other half: the table holds shared addresses only. */
static void test_virtq_puts_only_shared_addresses_into_the_ring(void **state)
{
	(void)state;
	struct virtq_token token;
	const uint64_t pool_pointer = (uint64_t)(uintptr_t)platform.pages;
	assert_int_equal(virtq_test_submit(2, 2, &token), STATUS_OK);
	for (size_t offset = 0; offset + 8 <= queue.ring.size_bytes; offset += 8) {
		const uint64_t value = shared_load_u64(&queue.ring, offset);
		assert_false(value >= pool_pointer &&
			     value < pool_pointer + FAKE_POOL_PAGES * PAGE_BYTES);
		assert_false(value == (uint64_t)(uintptr_t)&queue);
	}
}

/* Counts loads of each address between two resets. */
struct load_log {
	const void *at[64];
	size_t count;
	size_t repeats;
};

static uint64_t log_load(void *context, const void *at, unsigned int width, uint64_t actual)
{
	struct load_log *log = context;
	(void)width;
	for (size_t i = 0; i < log->count; i++) {
		log->repeats += log->at[i] == at ? 1 : 0;
	}
	assert_true(log->count < ARRAY_COUNT(log->at));
	log->at[log->count] = at;
	log->count++;
	return actual;
}

static void test_virtq_loads_each_location_once_a_poll(void **state) /* 18 */
{
	(void)state;
	struct load_log log = {0};
	const struct shared_access_hook hook = {log_load, &log};
	struct virtq_token token;
	uint32_t written;
	virtq_test_submit_two();
	fake_device_step(&fake);
	shared_access_hook_set(&hook);
	assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_OK);
	assert_int_equal(log.repeats, 0);
	/* Packed: the descriptor. Split: the index, and the element. */
	assert_int_equal(log.count, virtq_test_has(VIRTIO_F_RING_PACKED) ? 1 : 2);
	log = (struct load_log){0};
	assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_OK);
	/* The index announced this one, too; and in order one report tells of both. */
	assert_int_equal(log.count, virtq_test_has(VIRTIO_F_IN_ORDER) ? 0 : 1);
	log = (struct load_log){0};
	assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_AGAIN);
	assert_int_equal(log.count, 1);
}

/* 18: what the device reports changes after it was loaded; what was there at the load counts. */
static uint64_t flip_report(void *context, const void *at, unsigned int width, uint64_t actual)
{
	(void)context;
	uint64_t worse = actual + 100;
	if (width == 8) { /* Split: the id and the length. Packed: the length and the id. */
		worse = actual ^ 0x0000007f0000007fu;
	}
	memcpy(platform.pages + ((const uint8_t *)at - platform.pages), &worse, width);
	return actual;
}

static void test_virtq_uses_the_report_that_it_loaded(void **state)
{
	(void)state;
	const struct shared_access_hook hook = {flip_report, NULL};
	struct virtq_token token;
	uint32_t written;
	virtq_test_submit_two();
	fake_device_step(&fake);
	shared_access_hook_set(&hook);
	assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_OK);
	assert_int_equal(written, 16);
	assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_OK);
	assert_int_equal(written, 16);
	shared_access_hook_set(NULL);
	if (!virtq_test_has(VIRTIO_F_RING_PACKED)) { /* The next load of the index sees it. */
		assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_BAD_HOST);
		assert_int_equal(queue.lie, VIRTQ_LIE_USED_INDEX);
	}
}

static void test_virtq_kick_honours_suppression_but_not_for_ever(void **state) /* 27 */
{
	(void)state;
	struct virtq_token token;
	uint32_t written;
	fake.lies.no_notify_stuck = true;
	fake.lies.notify_needed = 1;
	fake_device_step(&fake);
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
	virtq_kick(&queue);
	assert_int_equal(fake.queues[0].notify_count, 0);
	const struct deadline deadline = clock_deadline_after(&fake.clock, 1000000);
	assert_int_equal(virtio_device_used_wait(&device, &queue, deadline, &token, &written),
			 STATUS_OK);
	assert_int_equal(fake.queues[0].notify_count, 1);
	assert_true(fake.now_us < 2 * VIRTIO_REKICK_US);
}

static void test_virtq_wait_ends_at_the_deadline(void **state) /* 28, 38 */
{
	(void)state;
	struct virtq_token token;
	uint32_t written;
	fake.lies.silent = true;
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
	const uint64_t before_us = fake.now_us;
	const struct deadline deadline = clock_deadline_after(&fake.clock, 500000);
	assert_int_equal(virtio_device_used_wait(&device, &queue, deadline, &token, &written),
			 STATUS_TIMEOUT);
	assert_in_range(fake.now_us - before_us, 500000, 510000);
}

static void test_virtq_wait_notices_a_device_that_is_gone(void **state) /* 13, 41 */
{
	struct fake_lies lies[3] = {
		{.needs_reset = true}, {.reset_behind_our_back = true}, {.all_ones = true}};
	for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
		struct virtq_token token;
		uint32_t written;
		if (i > 0) {
			assert_int_equal(virtq_teardown(state), 0);
			assert_int_equal(virtq_setup(state), 0);
		}
		fake.lies = lies[i];
		fake.lies.silent = true;
		assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
		const struct deadline deadline = clock_deadline_after(&fake.clock, 10000000);
		assert_int_equal(
			virtio_device_used_wait(&device, &queue, deadline, &token, &written),
			STATUS_BAD_HOST);
		assert_true(fake.now_us < 100000); /* Long before the deadline. */
	}
}

/* One chain there and back; how many interrupts the device would have sent. */
static unsigned int interrupts_of_one(void)
{
	struct virtq_token token;
	uint32_t written;
	const unsigned int before = fake.queues[0].interrupt_count;
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
	assert_false(virtq_used_pending(&queue));
	fake_device_step(&fake);
	assert_true(virtq_used_pending(&queue));
	assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_OK);
	return fake.queues[0].interrupt_count - before;
}

static void test_virtq_interrupts_come_when_wanted(void **state)
{
	(void)state;
	for (unsigned int turn = 0; turn < 40; turn++) { /* Several laps of the ring. */
		const bool wanted = turn % 4 >= 2;
		virtq_interrupts_want(&queue, wanted);
		assert_int_equal(interrupts_of_one(), wanted ? 1 : 0);
		assert_int_equal(interrupts_of_one(), wanted ? 1 : 0); /* The wish stays. */
	}
}

/* One notification tells of a whole batch; with event indices a device that is awake is not told
 * again, even if we ask for each chain. */
static void test_virtq_one_notification_for_a_batch(void **state)
{
	(void)state;
	struct virtq_token token;
	uint32_t written;
	for (unsigned int turn = 0; turn < 50; turn++) {
		const unsigned int before = fake.queues[0].notify_count;
		fake_device_step(&fake); /* It goes to sleep, and says how to wake it. */
		for (unsigned int i = 0; i < 4; i++) {
			assert_int_equal(virtq_test_submit(1, 0, &token), STATUS_OK);
			if (turn % 2 != 0) {
				virtq_kick(&queue);
			}
		}
		virtq_kick(&queue);
		virtq_kick(&queue); /* Nothing new. */
		const bool each = turn % 2 != 0 && !virtq_test_has(VIRTIO_F_EVENT_IDX);
		assert_int_equal(fake.queues[0].notify_count - before, each ? 4 : 1);
		for (unsigned int i = 0; i < 4; i++) {
			assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
		}
	}
	assert_int_equal(queue.counters.notifications, fake.queues[0].notify_count);
	assert_int_equal(queue.counters.suppressed, virtq_test_has(VIRTIO_F_EVENT_IDX) ? 75 : 0);
	assert_int_equal(queue.counters.chains, 200);
}

/* Tables are for chains of several segments that fit, while there is one. */
static void test_virtq_uses_tables_while_there_are_any(void **state)
{
	(void)state;
	struct virtq_token tokens[6];
	uint32_t written;
	const bool has_tables = virtq_test_has(VIRTIO_F_INDIRECT_DESC);
	fake.lies.silent = true;
	const struct {
		uint16_t segments;
		bool in_table;
	} cases[] = {{1, false}, {4, true}, {2, true}};
	for (int turn = 0; turn < 20; turn++) {
		for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
			assert_int_equal(virtq_test_submit(cases[i].segments, 0, &tokens[i]),
					 STATUS_OK);
		}
		fake_device_step(&fake);
		assert_int_equal(fake.pending_count, ARRAY_COUNT(cases));
		for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
			assert_int_equal(fake.pending[i].segment_count, cases[i].segments);
			assert_int_equal(fake.pending[i].is_indirect,
					 cases[i].in_table && has_tables);
			const uint8_t *at = fake.pending[i].segments[0].bytes;
			assert_ptr_equal(at, fake_device_at(&fake, buffer.at.raw, 1) +
						     tokens[i].serial % QUEUE_SIZE * BUFFER_BYTES);
		}
		assert_int_equal(queue.free_count, has_tables ? QUEUE_SIZE - 3 : QUEUE_SIZE - 7);
		fake.lies.silent = false;
		for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
			assert_int_equal(virtq_test_poll(&tokens[i], &written), STATUS_OK);
		}
		fake.lies.silent = true;
		assert_int_equal(queue.free_count, QUEUE_SIZE);
		assert_int_equal(queue.free_tables, has_tables ? TABLES : 0);
	}
	if (!has_tables) {
		return;
	}
	/* A fourth table would be another chain's: it does without. */
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(virtq_test_submit(1, 1, &tokens[i]), STATUS_OK);
	}
	fake_device_step(&fake);
	assert_true(fake.pending[2].is_indirect);
	assert_false(fake.pending[3].is_indirect);
	/* Five segments are more than a table has. */
	assert_true(virtq_has_room(&queue, 3));
	assert_false(virtq_has_room(&queue, 5));
	assert_int_equal(virtq_test_submit(2, 2, &tokens[4]), STATUS_NO_MEMORY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, virtq_setup, virtq_teardown)

/* Short chains go into the ring itself while half of it is free, and then into tables. */
static void test_virtq_fills_half_of_the_ring_before_tables(void **state)
{
	(void)state;
	const bool has_tables = virtq_test_has(VIRTIO_F_INDIRECT_DESC);
	const uint16_t free_after[] = {6, 4, has_tables ? 3 : 2};
	struct virtq_token token;
	uint32_t written = 0;
	queue.direct_segments = 2;
	for (unsigned int turn = 0; turn < 3 * QUEUE_SIZE; turn++) {
		for (size_t i = 0; i < ARRAY_COUNT(free_after); i++) {
			assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
			assert_int_equal(queue.free_count, free_after[i]);
		}
		virtq_kick(&queue);
		for (size_t i = 0; i < ARRAY_COUNT(free_after); i++) {
			assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
			assert_int_equal(written, 16);
		}
		/* Longer ones are not short. */
		assert_int_equal(queue.free_count, QUEUE_SIZE);
		assert_int_equal(virtq_test_submit(1, 2, &token), STATUS_OK);
		assert_int_equal(queue.free_count, has_tables ? 7 : 5);
		virtq_kick(&queue);
		assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_virtq_size_is_clamped_to_a_power_of_two),
		cmocka_unit_test(test_virtq_pages_hold_ring_and_tables),
		TEST(test_virtq_carries_a_chain_and_back),
		TEST(test_virtq_completes_out_of_order_and_wraps),
		TEST(test_virtq_refuses_malformed_chains),
		TEST(test_virtq_never_reads_back_what_it_wrote),
		TEST(test_virtq_puts_only_shared_addresses_into_the_ring),
		TEST(test_virtq_loads_each_location_once_a_poll),
		TEST(test_virtq_uses_the_report_that_it_loaded),
		TEST(test_virtq_kick_honours_suppression_but_not_for_ever),
		TEST(test_virtq_wait_ends_at_the_deadline),
		TEST(test_virtq_wait_notices_a_device_that_is_gone),
		TEST(test_virtq_interrupts_come_when_wanted),
		TEST(test_virtq_one_notification_for_a_batch),
		TEST(test_virtq_uses_tables_while_there_are_any),
		TEST(test_virtq_fills_half_of_the_ring_before_tables),
	};
	return fake_run_variants(tests, ARRAY_COUNT(tests));
}
