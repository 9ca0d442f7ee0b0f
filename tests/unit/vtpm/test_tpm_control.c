// SPDX-License-Identifier: MIT
/* The TPM control protocol: what a request may look like, and that what one side writes the other
 * reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "vtpm/tpm_control.h"

static uint8_t message[TPM_CONTROL_MESSAGE_BYTES_MAX];

static size_t make(uint8_t command, const void *body, size_t body_bytes)
{
	const struct tpm_control_header header = {
		.magic = TPM_CONTROL_MAGIC_REQUEST,
		.version = TPM_CONTROL_VERSION,
		.command = command,
		.instance = 3,
		.tag = 0x01020304,
	};
	return tpm_control_encode(message, &header, body, body_bytes);
}

static enum tpm_control_result decode(size_t size_bytes, struct tpm_control_request *request)
{
	return tpm_control_decode_request(message, size_bytes, 3, request);
}

static void test_tpm_control_header_is_as_documented(void **state)
{
	(void)state;
	const uint8_t expected[] = {0x48, 0x43, 1, 6, 0, 3, 0, 0, 1, 2, 3, 4, 0, 1, 0, 0, 2};
	struct tpm_control_request request;
	assert_int_equal(make(TPM_CONTROL_SET_LOCALITY, "\2", 1), sizeof(expected));
	assert_memory_equal(message, expected, sizeof(expected));
	assert_int_equal(decode(sizeof(expected), &request), TPM_CONTROL_OK);
	assert_int_equal(request.command, TPM_CONTROL_SET_LOCALITY);
	assert_int_equal(request.locality, 2);
	assert_int_equal(request.header.tag, 0x01020304);
}

/* Sizes of the body of each command: these and no others. */
static void test_tpm_control_wants_each_body_whole(void **state)
{
	(void)state;
	static const struct {
		uint8_t command;
		size_t min_bytes;
		size_t max_bytes;
	} rows[] = {
		{1, 0, 1024}, {2, 0, 0},  {3, 0, 0},  {4, 1, 1}, {5, 0, 0},
		{6, 1, 1},    {7, 0, 0},  {8, 1, 1},  {9, 0, 0}, {10, 1, 1024},
		{11, 0, 0},   {12, 0, 0}, {13, 4, 4},
	};
	static const uint8_t zeroes[TPM_CONTROL_BODY_BYTES_MAX];
	struct tpm_control_request request;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		for (size_t size = 0; size <= TPM_CONTROL_BODY_BYTES_MAX;
		     size += size < 6 ? 1 : 509) {
			const bool fits = size >= rows[i].min_bytes && size <= rows[i].max_bytes;
			assert_int_equal(decode(make(rows[i].command, zeroes, size), &request),
					 fits ? TPM_CONTROL_OK : TPM_CONTROL_BAD_LENGTH);
		}
	}
}

static void test_tpm_control_refuses_by_name(void **state)
{
	(void)state;
	static const struct {
		size_t at; /* Of the byte that is changed. */
		uint8_t value;
		enum tpm_control_result result;
	} rows[] = {
		{0, 'h', TPM_CONTROL_BAD_FRAME},   {1, 'R', TPM_CONTROL_BAD_FRAME},
		{2, 0, TPM_CONTROL_BAD_VERSION},   {2, 2, TPM_CONTROL_BAD_VERSION},
		{3, 0, TPM_CONTROL_BAD_COMMAND},   {3, 14, TPM_CONTROL_BAD_COMMAND},
		{3, 255, TPM_CONTROL_BAD_COMMAND}, {4, 1, TPM_CONTROL_BAD_INSTANCE},
		{5, 0, TPM_CONTROL_BAD_INSTANCE},  {6, 1, TPM_CONTROL_BAD_VALUE},
		{7, 1, TPM_CONTROL_BAD_VALUE},     {12, 4, TPM_CONTROL_BAD_FRAME},
		{13, 2, TPM_CONTROL_BAD_FRAME},    {14, 1, TPM_CONTROL_BAD_VALUE},
		{15, 1, TPM_CONTROL_BAD_VALUE},    {16, 5, TPM_CONTROL_BAD_VALUE},
		{16, 4, TPM_CONTROL_OK},           {11, 9, TPM_CONTROL_OK},
	};
	struct tpm_control_request request;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const size_t size = make(TPM_CONTROL_SET_LOCALITY, "\0", 1);
		message[rows[i].at] = rows[i].value;
		assert_int_equal(decode(size, &request), rows[i].result);
	}
	/* What is not there cannot be read. */
	for (size_t size = 0; size < TPM_CONTROL_HEADER_BYTES; size++) {
		(void)make(TPM_CONTROL_STATUS, NULL, 0);
		assert_int_equal(decode(size, &request), TPM_CONTROL_BAD_FRAME);
	}
	assert_int_equal(decode(make(TPM_CONTROL_POWER_ON, "\10", 1), &request),
			 TPM_CONTROL_BAD_VALUE);
	assert_int_equal(decode(make(TPM_CONTROL_POWER_ON, "\7", 1), &request), TPM_CONTROL_OK);
	assert_int_equal(request.flags, 7);
}

/* A later version's HELLO has to be answered, or nobody could find out. */
static void test_tpm_control_hears_hello_of_any_version(void **state)
{
	(void)state;
	struct tpm_control_request request;
	const size_t size = make(TPM_CONTROL_HELLO, "more", 4);
	message[2] = 200;
	assert_int_equal(decode(size, &request), TPM_CONTROL_OK);
	assert_int_equal(request.command, TPM_CONTROL_HELLO);
}

static void test_tpm_control_gives_the_fields(void **state)
{
	(void)state;
	struct tpm_control_request request;
	assert_int_equal(decode(make(TPM_CONTROL_HASH_DATA, "abc", 3), &request), TPM_CONTROL_OK);
	assert_int_equal(request.byte_count, 3);
	assert_memory_equal(request.bytes, "abc", 3);
	assert_int_equal(decode(make(TPM_CONTROL_BUFFER_SIZE, "\0\0\x0f\x80", 4), &request),
			 TPM_CONTROL_OK);
	assert_int_equal(request.size_bytes, 3968);
}

static void test_tpm_control_header_bounds_the_body(void **state)
{
	(void)state;
	struct tpm_control_header header = {.tag = 7};
	(void)make(TPM_CONTROL_STATUS, NULL, 0);
	bytes_store_be16(message + 12, TPM_CONTROL_BODY_BYTES_MAX);
	assert_int_equal(tpm_control_decode_header(message, TPM_CONTROL_MAGIC_REQUEST, &header),
			 STATUS_OK);
	header.tag = 7;
	bytes_store_be16(message + 12, TPM_CONTROL_BODY_BYTES_MAX + 1);
	assert_int_equal(tpm_control_decode_header(message, TPM_CONTROL_MAGIC_REQUEST, &header),
			 STATUS_BAD_HOST);
	assert_int_equal(header.tag, 7);
}

static void test_tpm_control_bodies_come_back(void **state)
{
	(void)state;
	uint8_t body[64];
	const struct tpm_control_hello hello = {1, 4, 9, 1024};
	struct tpm_control_hello hello_back;
	size_t size = tpm_control_encode_hello(body, &hello);
	assert_true(tpm_control_decode_hello(body, size, &hello_back));
	assert_memory_equal(&hello_back, &hello, sizeof(hello));
	assert_true(tpm_control_decode_hello(body, size + 1, &hello_back));
	assert_false(tpm_control_decode_hello(body, size - 1, &hello_back));

	const struct tpm_control_status status = {.power = 1,
						  .locality = 4,
						  .established = true,
						  .cause = 9,
						  .power_id = 0x0102030405060708};
	struct tpm_control_status status_back;
	size = tpm_control_encode_status(body, &status);
	assert_true(tpm_control_decode_status(body, size, &status_back));
	assert_int_equal(status_back.power_id, status.power_id);
	assert_int_equal(status_back.locality, 4);
	assert_true(status_back.established && !status_back.running && status_back.cause == 9);
	assert_false(tpm_control_decode_status(body, size + 1, &status_back));
	for (size_t at = 0; at < 4; at++) { /* Power, locality and two truths. */
		tpm_control_encode_status(body, &status);
		body[at] = 5;
		assert_false(tpm_control_decode_status(body, size, &status_back));
	}

	const struct tpm_control_counters counters = {1, 2, 3, UINT64_MAX, 5};
	struct tpm_control_counters counters_back;
	size = tpm_control_encode_counters(body, &counters);
	assert_true(tpm_control_decode_counters(body, size, &counters_back));
	assert_memory_equal(&counters_back, &counters, sizeof(counters));
	assert_false(tpm_control_decode_counters(body, size - 1, &counters_back));

	const struct tpm_control_buffer_size sizes = {3968, 2808, 4096};
	struct tpm_control_buffer_size sizes_back;
	size = tpm_control_encode_buffer_size(body, &sizes);
	assert_true(tpm_control_decode_buffer_size(body, size, &sizes_back));
	assert_memory_equal(&sizes_back, &sizes, sizeof(sizes));
	bytes_store_be32(body, 4097);
	assert_false(tpm_control_decode_buffer_size(body, size, &sizes_back));
}

static void test_tpm_control_results_have_names(void **state)
{
	(void)state;
	assert_string_equal(tpm_control_result_name(TPM_CONTROL_OK), "OK");
	assert_string_equal(tpm_control_result_name(TPM_CONTROL_BAD_LOCALITY), "BAD_LOCALITY");
	assert_string_equal(tpm_control_result_name(TPM_CONTROL_FAILED), "FAILED");
	assert_string_equal(tpm_control_result_name(TPM_CONTROL_FAILED + 1), "UNKNOWN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tpm_control_header_is_as_documented),
		cmocka_unit_test(test_tpm_control_wants_each_body_whole),
		cmocka_unit_test(test_tpm_control_refuses_by_name),
		cmocka_unit_test(test_tpm_control_hears_hello_of_any_version),
		cmocka_unit_test(test_tpm_control_gives_the_fields),
		cmocka_unit_test(test_tpm_control_header_bounds_the_body),
		cmocka_unit_test(test_tpm_control_bodies_come_back),
		cmocka_unit_test(test_tpm_control_results_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
