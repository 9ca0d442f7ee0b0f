// SPDX-License-Identifier: MIT
/* The control port's stream: messages in any pieces, streams out of step, clients that left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vtpm/tpm_control_stream.h"

#define BODY_BYTES 5u

static struct tpm_control_stream stream;
static uint8_t message[TPM_CONTROL_MESSAGE_BYTES_MAX];
static size_t message_bytes;

static int set_up(void **state)
{
	(void)state;
	const struct tpm_control_header header = {
		.magic = TPM_CONTROL_MAGIC_REQUEST,
		.version = TPM_CONTROL_VERSION,
		.command = TPM_CONTROL_HASH_DATA,
	};
	message_bytes = tpm_control_encode(message, &header, (const uint8_t *)"12345", BODY_BYTES);
	tpm_control_stream_init(&stream, TPM_CONTROL_MAGIC_REQUEST);
	return 0;
}

/* As the kernel reads: never more than is wanted. Returns the event of the last piece. */
static enum tpm_control_event feed(const uint8_t *bytes, size_t size_bytes)
{
	enum tpm_control_event event = TPM_CONTROL_NEED_MORE;
	for (size_t at = 0; at < size_bytes;) {
		size_t part = tpm_control_stream_wanted(&stream);
		assert_true(part > 0);
		part = part > size_bytes - at ? size_bytes - at : part;
		event = tpm_control_stream_feed(&stream, bytes + at, part, false);
		at += part;
	}
	return event;
}

static void assert_takes_a_message(void)
{
	assert_int_equal(feed(message, message_bytes), TPM_CONTROL_MESSAGE);
	assert_int_equal(tpm_control_stream_message(&stream), message_bytes);
	assert_memory_equal(stream.bytes, message, message_bytes);
	assert_int_equal(tpm_control_stream_wanted(&stream), 0);
	tpm_control_stream_release(&stream);
	assert_int_equal(tpm_control_stream_message(&stream), 0);
}

static void test_tpm_control_stream_wants_no_more_than_the_message(void **state)
{
	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(tpm_control_stream_wanted(&stream), 1);
		assert_int_equal(feed(message, 1), TPM_CONTROL_NEED_MORE);
		assert_int_equal(tpm_control_stream_wanted(&stream), TPM_CONTROL_HEADER_BYTES - 1);
		assert_int_equal(feed(message + 1, TPM_CONTROL_HEADER_BYTES - 1),
				 TPM_CONTROL_NEED_MORE);
		assert_int_equal(tpm_control_stream_wanted(&stream), BODY_BYTES);
		tpm_control_stream_reset(&stream);
		assert_takes_a_message();
	}
}

static void test_tpm_control_stream_takes_messages_byte_by_byte(void **state)
{
	(void)state;
	for (size_t at = 0; at < message_bytes; at++) {
		assert_int_equal(feed(message + at, 1), at + 1 < message_bytes
								? TPM_CONTROL_NEED_MORE
								: TPM_CONTROL_MESSAGE);
	}
	tpm_control_stream_release(&stream);
	assert_takes_a_message();
}

static void test_tpm_control_stream_without_a_header_is_out_of_step(void **state)
{
	(void)state;
	assert_int_equal(feed((const uint8_t *)"s", 1), TPM_CONTROL_OUT_OF_STEP);
	assert_int_equal(tpm_control_stream_wanted(&stream), 0);
	assert_int_equal(tpm_control_stream_feed(&stream, message, 1, false),
			 TPM_CONTROL_OUT_OF_STEP);
	tpm_control_stream_reset(&stream);
	assert_takes_a_message();
	/* A body that is too large is none either. */
	message[12] = 0x04;
	assert_int_equal(feed(message, TPM_CONTROL_HEADER_BYTES), TPM_CONTROL_OUT_OF_STEP);
}

/* The byte that was asked for between two messages was its predecessor's: any byte of a message. */
static void test_tpm_control_stream_drops_what_a_client_left(void **state)
{
	(void)state;
	for (size_t at = 0; at < message_bytes; at++) {
		tpm_control_stream_reset(&stream);
		assert_int_equal(tpm_control_stream_feed(&stream, message + at, 1, true),
				 TPM_CONTROL_NEED_MORE);
		assert_takes_a_message();
	}
	/* So was half a message. */
	for (size_t size = 1; size < message_bytes; size++) {
		tpm_control_stream_reset(&stream);
		assert_int_equal(tpm_control_stream_feed(&stream, message, size, true),
				 TPM_CONTROL_NEED_MORE);
		assert_int_equal(tpm_control_stream_feed(&stream, message, 1, false),
				 TPM_CONTROL_NEED_MORE);
		assert_int_equal(feed(message + 1, message_bytes - 1), TPM_CONTROL_MESSAGE);
	}
}

/* The doubtful beginning was the client's own: it goes on where it ended. */
static void test_tpm_control_stream_keeps_what_is_the_clients(void **state)
{
	(void)state;
	for (size_t size = 1; size < message_bytes; size++) {
		tpm_control_stream_reset(&stream);
		assert_int_equal(tpm_control_stream_feed(&stream, message, size, true),
				 TPM_CONTROL_NEED_MORE);
		assert_int_equal(feed(message + size, message_bytes - size), TPM_CONTROL_MESSAGE);
		assert_memory_equal(stream.bytes, message, message_bytes);
	}
	tpm_control_stream_reset(&stream);
	assert_int_equal(tpm_control_stream_feed(&stream, message, message_bytes, true),
			 TPM_CONTROL_MESSAGE);
}

static void test_tpm_control_stream_drops_too_much_doubt(void **state)
{
	(void)state;
	static uint8_t twice[2 * TPM_CONTROL_MESSAGE_BYTES_MAX];
	memcpy(twice, message, message_bytes);
	assert_int_equal(tpm_control_stream_feed(&stream, twice, message_bytes + 1, true),
			 TPM_CONTROL_NEED_MORE);
	assert_int_equal(stream.used_bytes, 0);
	assert_int_equal(tpm_control_stream_feed(&stream, twice, sizeof(twice), true),
			 TPM_CONTROL_NEED_MORE);
	assert_int_equal(stream.used_bytes, 0);
	assert_takes_a_message();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_tpm_control_stream_wants_no_more_than_the_message,
				       set_up),
		cmocka_unit_test_setup(test_tpm_control_stream_takes_messages_byte_by_byte, set_up),
		cmocka_unit_test_setup(test_tpm_control_stream_without_a_header_is_out_of_step,
				       set_up),
		cmocka_unit_test_setup(test_tpm_control_stream_drops_what_a_client_left, set_up),
		cmocka_unit_test_setup(test_tpm_control_stream_keeps_what_is_the_clients, set_up),
		cmocka_unit_test_setup(test_tpm_control_stream_drops_too_much_doubt, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
