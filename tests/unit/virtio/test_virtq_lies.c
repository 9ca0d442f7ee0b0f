// SPDX-License-Identifier: MIT
/* The split queue against false completions: each is rejected and poisons the queue. Numbers in
 * comments are items of docs/virtio-threats.md. */
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
	shared_store_u16(&queue.ring, queue.used_offset + 2, 2);
	assert_int_equal(virtq_used_poll(&queue, &token, &written), STATUS_BAD_HOST);
	assert_int_equal(virtq_used_pending(&queue), 0);
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
	shared_store_u16(&queue.ring, queue.used_offset + 2, 3);
	virtq_test_assert_poisoned(VIRTQ_LIE_USED_INDEX);
}

static void test_virtq_rejects_used_ids_out_of_range(void **state) /* 19 */
{
	const uint32_t ids[] = {QUEUE_SIZE, 0xffff, 0x10000, 0x10003, 0x80000000, UINT32_MAX};
	for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
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
	assert_int_equal(virtq_test_submit(1, 1, &token), STATUS_OK);
	fake.lies.used_id_set = true;
	fake.lies.used_id = queue.chain_next[token.head];
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, virtq_setup, virtq_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_virtq_rejects_used_index_ahead),
		TEST(test_virtq_rejects_used_index_far_ahead),
		TEST(test_virtq_stays_poisoned),
		TEST(test_virtq_rejects_used_index_backwards),
		TEST(test_virtq_rejects_used_index_without_work),
		TEST(test_virtq_rejects_used_ids_out_of_range),
		TEST(test_virtq_rejects_used_ids_that_are_not_chain_heads),
		TEST(test_virtq_rejects_used_ids_never_submitted),
		TEST(test_virtq_rejects_double_completion),
		TEST(test_virtq_rejects_length_above_the_room),
		TEST(test_virtq_rejects_length_for_a_chain_without_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
