// SPDX-License-Identifier: MIT
/* The queue in both layouts against false completions: each is rejected and poisons the queue.
 * Numbers in comments are items of docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/virtio/virtq_fixture.h"

static void test_virtq_rejects_used_index_ahead(void **state) /* 16 */
{
	(void)state;
	virtq_test_submit_two();
	fake.lies.used_index_offset = 1;
	virtq_test_assert_poisoned(VIRTQ_LIE_USED_INDEX);
}

static void test_virtq_rejects_used_index_far_ahead(void **state) /* 16 */
{
	(void)state;
	virtq_test_submit_two();
	fake.lies.used_index_offset = 0x7fff;
	virtq_test_assert_poisoned(VIRTQ_LIE_USED_INDEX);
}

/* A device that was caught once is not believed again, even if it then tells the truth. */
static void test_virtq_stays_poisoned(void **state)
{
	(void)state;
	struct virtq_token token;
	uint32_t written;
	virtq_test_submit_two();
	fake.lies.used_index_offset = 1;
	assert_int_equal(virtq_test_poll(&token, &written), STATUS_BAD_HOST);
	shared_store_u16(&queue.ring, queue.device_offset + 2, 2);
	assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_BAD_HOST);
	assert_false(virtq_used_pending(&queue));
}

static void test_virtq_rejects_used_index_backwards(void **state) /* 17 */
{
	(void)state;
	struct virtq_token token;
	uint32_t written;
	virtq_test_submit_two();
	assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
	assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
	virtq_test_submit_two();
	fake.lies.used_index_offset = -3;
	virtq_test_assert_poisoned(VIRTQ_LIE_USED_INDEX);
}

static void test_virtq_rejects_used_index_without_work(void **state) /* 16, 21 */
{
	(void)state;
	struct virtq_token token;
	uint32_t written;
	virtq_test_submit_two();
	assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
	assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
	/* The device counts on although nothing is in flight. */
	shared_store_u16(&queue.ring, queue.device_offset + 2, 3);
	virtq_test_assert_poisoned(VIRTQ_LIE_USED_INDEX);
}

static void test_virtq_rejects_used_ids_out_of_range(void **state) /* 19 */
{
	/* The last three need 32 bits; a packed ring has no more than 16. */
	const uint32_t ids[] = {QUEUE_SIZE, 0xffff, 0x8000, 0x10000, 0x10001, 0x80000000};
	const size_t count = virtq_test_has(VIRTIO_F_RING_PACKED) ? 3 : ARRAY_COUNT(ids);
	for (size_t i = 0; i < count; i++) {
		if (i > 0) {
			assert_int_equal(virtq_teardown(state), 0);
			assert_int_equal(virtq_setup(state), 0);
		}
		virtq_test_submit_two();
		fake.lies.used_id_set = true;
		fake.lies.used_id = ids[i];
		virtq_test_assert_poisoned(VIRTQ_LIE_ID_RANGE);
	}
}

static void test_virtq_rejects_used_ids_that_are_not_chain_heads(void **state) /* 20 */
{
	(void)state;
	struct virtq_token token;
	assert_int_equal(virtq_test_submit(3, 2, &token), STATUS_OK);
	fake.lies.used_id_set = true;
	/* Packed: no other id is in flight. */
	fake.lies.used_id = virtq_test_has(VIRTIO_F_RING_PACKED) ? token.head + 1u
								 : queue.slots[token.head].next;
	assert_int_not_equal(fake.lies.used_id, token.head);
	virtq_test_assert_poisoned(VIRTQ_LIE_NOT_IN_FLIGHT);
}

static void test_virtq_rejects_used_ids_never_submitted(void **state) /* 21 */
{
	(void)state;
	struct virtq_token token;
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
	fake.lies.used_id_set = true;
	fake.lies.used_id = QUEUE_SIZE - 1;
	virtq_test_assert_poisoned(VIRTQ_LIE_NOT_IN_FLIGHT);
}

static void test_virtq_rejects_double_completion(void **state) /* 21 */
{
	(void)state;
	struct virtq_token token;
	uint32_t written;
	virtq_test_submit_two();
	fake.lies.complete_twice = true;
	fake.lies.report_each = true;
	fake.lies.used_index_offset = -2; /* Publish just two of the four entries. */
	assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
	virtq_test_assert_poisoned(VIRTQ_LIE_NOT_IN_FLIGHT);
}

static void test_virtq_rejects_length_above_the_room(void **state) /* 24 */
{
	const uint32_t lengths[] = {17, 4096, 0x10000010, UINT32_MAX};
	for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
		struct virtq_token token;
		if (i > 0) {
			assert_int_equal(virtq_teardown(state), 0);
			assert_int_equal(virtq_setup(state), 0);
		}
		assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
		fake.lies.length_set = true;
		fake.lies.length = lengths[i];
		virtq_test_assert_poisoned(VIRTQ_LIE_LENGTH);
	}
}

static void test_virtq_rejects_length_for_a_chain_without_room(void **state) /* 24 */
{
	(void)state;
	struct virtq_token token;
	assert_int_equal(virtq_test_submit(2, 0, &token), STATUS_OK);
	fake.lies.length_set = true;
	fake.lies.length = 1;
	virtq_test_assert_poisoned(VIRTQ_LIE_LENGTH);
}

/* A packed ring has no index: more completions than chains is a report of something that is not in
 * flight. */
static void test_virtq_rejects_reports_without_work(void **state) /* 16, 21 */
{
	(void)state;
	struct virtq_token token;
	uint32_t written;
	virtq_test_submit_two();
	assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
	assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
	shared_store_u64(&queue.ring, 16u * queue.used_index + 8, (uint64_t)0x8080 << 48);
	virtq_test_assert_poisoned(VIRTQ_LIE_NOT_IN_FLIGHT);
}

/* 17: a report of the lap before is none. */
static void test_virtq_ignores_reports_of_another_lap(void **state)
{
	(void)state;
	struct virtq_token token;
	uint32_t written;
	for (unsigned int turn = 0; turn < 3 * QUEUE_SIZE; turn++) {
		assert_int_equal(virtq_test_submit(1, 0, &token), STATUS_OK);
		assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_AGAIN);
		assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
		assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_AGAIN);
		const uint64_t other = queue.used_wrap ? 0 : (uint64_t)0x8080 << 48;
		shared_store_u64(&queue.ring, 16u * queue.used_index + 8, other);
		assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_AGAIN);
	}
}

/* QEMU leaves the WRITE flag away: the length counts where there was room, and is nothing where
 * there was none. */
static void test_virtq_takes_lengths_without_the_write_flag(void **state)
{
	(void)state;
	struct virtq_token token;
	uint32_t written;
	fake.lies.write_flag_omitted = true;
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
	assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
	assert_int_equal(written, 16);
	fake.lies.length_set = true;
	fake.lies.length = 77;
	assert_int_equal(virtq_test_submit(1, 0, &token), STATUS_OK);
	assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
	assert_int_equal(written, 0);
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
	virtq_test_assert_poisoned(VIRTQ_LIE_LENGTH);
}

/* In order, one report tells of all chains up to its own; those before it were used completely. */
static void test_virtq_takes_batches_in_order(void **state)
{
	(void)state;
	if (!virtq_test_has(VIRTIO_F_IN_ORDER)) {
		return;
	}
	for (unsigned int turn = 0; turn < 50; turn++) {
		struct virtq_token tokens[3];
		struct virtq_token token;
		uint32_t written;
		assert_int_equal(virtq_test_submit(1, 2, &tokens[0]), STATUS_OK);
		assert_int_equal(virtq_test_submit(1, 0, &tokens[1]), STATUS_OK);
		assert_int_equal(virtq_test_submit(1, 1, &tokens[2]), STATUS_OK);
		fake.lies.length_set = true;
		fake.lies.length = 5;
		fake_device_step(&fake);
		const uint32_t expected[3] = {32, 0, 5};
		for (size_t i = 0; i < 3; i++) {
			assert_true(virtq_used_pending(&queue));
			assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_OK);
			assert_int_equal(token.head, tokens[i].head);
			assert_int_equal(token.serial, tokens[i].serial);
			assert_int_equal(written, expected[i]);
		}
		assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_AGAIN);
		assert_int_equal(queue.free_count, QUEUE_SIZE);
	}
}

/* The index announces one completion, the report means three. */
static void test_virtq_rejects_batches_beyond_the_index(void **state) /* 16 */
{
	(void)state;
	struct virtq_token token;
	if (!virtq_test_has(VIRTIO_F_IN_ORDER)) {
		return;
	}
	virtq_test_submit_two();
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
	fake.lies.used_index_offset = -2;
	virtq_test_assert_poisoned(VIRTQ_LIE_USED_INDEX);
}

/* A report of the chain before under a reused id cannot be told from one of this chain: each id
 * rests until all others have had their turn. */
static void test_virtq_reuses_an_id_as_late_as_possible(void **state) /* 22 */
{
	(void)state;
	unsigned int last_turn[QUEUE_SIZE] = {0};
	for (unsigned int turn = QUEUE_SIZE; turn < 5 * QUEUE_SIZE; turn++) {
		struct virtq_token token;
		uint32_t written;
		assert_int_equal(virtq_test_submit(0, 1, &token), STATUS_OK);
		assert_true(turn - last_turn[token.head] >= QUEUE_SIZE);
		last_turn[token.head] = turn;
		assert_int_equal(virtq_test_poll(&token, &written), STATUS_OK);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, virtq_setup, virtq_teardown)

int main(void)
{
	const struct CMUnitTest split[] = {
		TEST(test_virtq_rejects_used_index_ahead),
		TEST(test_virtq_rejects_used_index_far_ahead),
		TEST(test_virtq_stays_poisoned),
		TEST(test_virtq_rejects_used_index_backwards),
		TEST(test_virtq_rejects_used_index_without_work),
		TEST(test_virtq_rejects_batches_beyond_the_index),
	};
	const struct CMUnitTest packed[] = {
		TEST(test_virtq_rejects_reports_without_work),
		TEST(test_virtq_ignores_reports_of_another_lap),
		TEST(test_virtq_takes_lengths_without_the_write_flag),
	};
	const struct CMUnitTest both[] = {
		TEST(test_virtq_rejects_used_ids_out_of_range),
		TEST(test_virtq_rejects_used_ids_that_are_not_chain_heads),
		TEST(test_virtq_rejects_used_ids_never_submitted),
		TEST(test_virtq_rejects_double_completion),
		TEST(test_virtq_rejects_length_above_the_room),
		TEST(test_virtq_rejects_length_for_a_chain_without_room),
		TEST(test_virtq_takes_batches_in_order),
		TEST(test_virtq_reuses_an_id_as_late_as_possible),
	};
	return fake_run_layout(split, ARRAY_COUNT(split), false) +
	       fake_run_layout(packed, ARRAY_COUNT(packed), true) +
	       fake_run_variants(both, ARRAY_COUNT(both));
}
