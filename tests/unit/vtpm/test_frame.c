// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "vtpm/frame.h"

static struct frame frame;
static uint8_t input[3 * TPM_COMMAND_BYTES_MAX];

static int setup(void **state)
{
	(void)state;
	frame_init(&frame, 1);
	for (size_t i = 0; i < sizeof(input); i++) {
		input[i] = (uint8_t)(i * 13 + 5);
	}
	return 0;
}

static void put_header(uint8_t *at, uint32_t size)
{
	bytes_store_be16(at, 0x8001);
	bytes_store_be32(at + 2, size);
	bytes_store_be32(at + 6, 0x17B);
}

static void test_every_size_in_every_piece_length(void **state)
{
	static const uint32_t sizes[] = {10, 11, 12, 511, 4095, 4096};
	static const size_t pieces[] = {1, 2, 3, 9, 10, 11, 1000, 4096, 9000};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		for (size_t j = 0; j < ARRAY_COUNT(pieces); j++) {
			size_t at = 0;
			uint32_t size = 0;
			enum frame_event event = FRAME_NEED_MORE;

			put_header(input, sizes[i]);
			while (event == FRAME_NEED_MORE) {
				size_t taken = 0;

				event = frame_feed(&frame, input + at, pieces[j], 0, &taken);
				at += taken;
				assert_true(at <= sizes[i]);
			}
			assert_int_equal(event, FRAME_COMMAND);
			assert_int_equal(at, sizes[i]);
			assert_memory_equal(frame_command(&frame, &size), input, sizes[i]);
			assert_int_equal(size, sizes[i]);
			frame_release(&frame);
			assert_true(bytes_are_zero(frame.bytes, sizeof(frame.bytes)));
		}
	}
}

static void test_holds_one_command_until_it_is_released(void **state)
{
	size_t taken = 99;
	uint32_t size = 0;

	(void)state;
	put_header(input, 12);
	put_header(input + 12, 14);
	assert_null(frame_command(&frame, &size));
	assert_int_equal(frame_feed(&frame, input, 26, 0, &taken), FRAME_COMMAND);
	assert_int_equal(taken, 12);
	assert_int_equal(frame_feed(&frame, input + 12, 14, 0, &taken), FRAME_COMMAND);
	assert_int_equal(taken, 0);
	assert_int_equal(frame_poll(&frame, 1000000), FRAME_COMMAND);
	assert_non_null(frame_command(&frame, &size));
	frame_release(&frame);
	assert_null(frame_command(&frame, &size));
	assert_int_equal(frame_feed(&frame, input + 12, 14, 0, &taken), FRAME_COMMAND);
	assert_int_equal(taken, 14);
	assert_memory_equal(frame_command(&frame, &size), input + 12, 14);
}

static void test_a_bad_size_is_answered_once_when_the_stream_is_quiet(void **state)
{
	static const uint32_t sizes[] = {0, 1, 9, 4097, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		size_t taken = 0;
		uint64_t at_us = 0;

		put_header(input, sizes[i]);
		assert_int_equal(frame_feed(&frame, input, 9, 1000, &taken), FRAME_NEED_MORE);
		assert_int_equal(frame.state, FRAME_HEADER);
		assert_false(frame_deadline(&frame, &at_us));
		assert_int_equal(frame_feed(&frame, input + 9, 500, 2000, &taken), FRAME_NEED_MORE);
		assert_int_equal(taken, 500);
		assert_int_equal(frame.state, FRAME_DISCARD);
		/* No body byte is stored for a bad header. */
		assert_true(bytes_are_zero(frame.bytes, sizeof(frame.bytes)));
		assert_true(frame_deadline(&frame, &at_us));
		assert_int_equal(at_us, 2000 + FRAME_QUIET_US);

		/* Each further byte starts the wait anew, and none is taken for a command. */
		put_header(input + 600, 10);
		assert_int_equal(frame_feed(&frame, input + 600, 10, 3000, &taken),
				 FRAME_NEED_MORE);
		assert_int_equal(taken, 10);
		assert_int_equal(frame_poll(&frame, 3000 + FRAME_QUIET_US - 1), FRAME_NEED_MORE);
		assert_int_equal(frame_poll(&frame, 3000 + FRAME_QUIET_US), FRAME_MALFORMED);
		assert_int_equal(frame_poll(&frame, 9000 + FRAME_QUIET_US), FRAME_NEED_MORE);
		assert_false(frame_deadline(&frame, &at_us));

		/* In step again. */
		assert_int_equal(frame_feed(&frame, input + 600, 10, 99999, &taken), FRAME_COMMAND);
		frame_release(&frame);
	}
}

static void test_nothing_is_no_noise(void **state)
{
	size_t taken = 1;

	(void)state;
	put_header(input, 5);
	(void)frame_feed(&frame, input, 10, 1000, &taken);
	/* An empty read does not count as a byte. */
	(void)frame_feed(&frame, input, 0, 1000 + FRAME_QUIET_US - 1, &taken);
	assert_int_equal(taken, 0);
	assert_int_equal(frame_poll(&frame, 1000 + FRAME_QUIET_US), FRAME_MALFORMED);
}

static void test_a_new_generation_forgets_everything(void **state)
{
	size_t taken = 0;
	uint32_t size = 0;

	(void)state;
	assert_false(frame_set_generation(&frame, 1));

	/* Half a header; half a body; a whole command; out of step. */
	put_header(input, 4096);
	(void)frame_feed(&frame, input, 5, 0, &taken);
	assert_true(frame_set_generation(&frame, 2));
	(void)frame_feed(&frame, input, 100, 0, &taken);
	assert_int_equal(frame.state, FRAME_BODY);
	assert_true(frame_set_generation(&frame, 3));
	assert_true(bytes_are_zero(frame.bytes, sizeof(frame.bytes)));
	assert_int_equal(frame_feed(&frame, input, 4096, 0, &taken), FRAME_COMMAND);
	assert_true(frame_set_generation(&frame, 4));
	assert_null(frame_command(&frame, &size));
	put_header(input, 3);
	(void)frame_feed(&frame, input, 10, 0, &taken);
	assert_int_equal(frame.state, FRAME_DISCARD);
	assert_true(frame_set_generation(&frame, 5));
	/* The answer is forgotten, too. */
	assert_int_equal(frame_poll(&frame, UINT64_MAX), FRAME_NEED_MORE);

	put_header(input, 12);
	assert_int_equal(frame_feed(&frame, input, 12, 0, &taken), FRAME_COMMAND);
}

static void test_an_incomplete_command_waits(void **state)
{
	size_t taken = 0;
	uint64_t at_us = 0;

	(void)state;
	put_header(input, 20);
	(void)frame_feed(&frame, input, 15, 0, &taken);
	assert_false(frame_deadline(&frame, &at_us));
	assert_int_equal(frame_poll(&frame, UINT64_MAX), FRAME_NEED_MORE);
	assert_int_equal(frame_feed(&frame, input + 15, 5, 0, &taken), FRAME_COMMAND);
}

static void test_time_does_not_wrap(void **state)
{
	size_t taken = 0;

	(void)state;
	put_header(input, 5);
	(void)frame_feed(&frame, input, 10, UINT64_MAX - 5, &taken);
	assert_int_equal(frame_poll(&frame, UINT64_MAX - 4), FRAME_NEED_MORE);
	assert_int_equal(frame_poll(&frame, UINT64_MAX), FRAME_MALFORMED);
}

/* Releasing what is not complete changes nothing. */
static void test_release_only_ends_a_complete_command(void **state)
{
	size_t taken = 0;

	(void)state;
	put_header(input, 20);
	(void)frame_feed(&frame, input, 15, 0, &taken);
	frame_release(&frame);
	assert_int_equal(frame.stored_bytes, 15);
	put_header(input, 5);
	frame_init(&frame, 1);
	(void)frame_feed(&frame, input, 10, 0, &taken);
	frame_release(&frame);
	assert_int_equal(frame.state, FRAME_DISCARD);
}

/* Random bytes with random pauses: the invariants hold and every malformed header is answered at
 * most once. */
static void test_noise(void **state)
{
	uint32_t seed = 7;
	uint64_t now_us = 0;

	(void)state;
	for (int turn = 0; turn < 20000; turn++) {
		size_t length;
		size_t taken = 0;
		uint32_t size = 0;

		seed = seed * 1664525u + 1013904223u;
		length = (seed >> 8) % 60;
		now_us += (seed >> 16) % (2 * FRAME_QUIET_US);
		for (size_t i = 0; i < length; i++) {
			seed = seed * 1664525u + 1013904223u;
			input[i] = (uint8_t)((seed >> 24) & (turn % 2 == 0 ? 0x03 : 0xFF));
		}
		(void)frame_poll(&frame, now_us);
		(void)frame_feed(&frame, input, length, now_us, &taken);
		assert_true(taken <= length);
		assert_true(frame.stored_bytes <= TPM_COMMAND_BYTES_MAX);
		if (frame_command(&frame, &size) != NULL) {
			assert_in_range(size, TPM_HEADER_BYTES, TPM_COMMAND_BYTES_MAX);
			frame_release(&frame);
		} else {
			assert_int_equal(taken, length);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_every_size_in_every_piece_length, setup),
		cmocka_unit_test_setup(test_holds_one_command_until_it_is_released, setup),
		cmocka_unit_test_setup(test_a_bad_size_is_answered_once_when_the_stream_is_quiet,
				       setup),
		cmocka_unit_test_setup(test_nothing_is_no_noise, setup),
		cmocka_unit_test_setup(test_a_new_generation_forgets_everything, setup),
		cmocka_unit_test_setup(test_an_incomplete_command_waits, setup),
		cmocka_unit_test_setup(test_time_does_not_wrap, setup),
		cmocka_unit_test_setup(test_release_only_ends_a_complete_command, setup),
		cmocka_unit_test_setup(test_noise, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
