// SPDX-License-Identifier: MIT
/* swtpm's control channel: requests as its clients send them, replies as they want them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "tools/bridge/swtpm_wire.h"

static enum swtpm_event decode(const char *bytes, size_t size, struct swtpm_request *request)
{
	return swtpm_decode((const uint8_t *)bytes, size, request);
}

static void test_swtpm_decodes_both_lengths_of_a_locality(void **state)
{
	(void)state;
	struct swtpm_request request;
	/* tpm2-tss sends five bytes, QEMU eight. */
	for (size_t size = 5; size <= 8; size++) {
		assert_int_equal(decode("\0\0\0\5\3\0\0\0", size, &request), SWTPM_REQUEST);
		assert_int_equal(request.command, SWTPM_SET_LOCALITY);
		assert_int_equal(request.locality, 3);
	}
	for (size_t size = 0; size < 5; size++) {
		assert_int_equal(decode("\0\0\0\5\3", size, &request), SWTPM_NEED_MORE);
	}
}

static void test_swtpm_waits_for_all_fields(void **state)
{
	(void)state;
	static const struct {
		uint8_t command;
		size_t field_bytes;
	} rows[] = {{1, 0},  {2, 4},  {3, 0},  {4, 0},  {5, 1},   {6, 0},
		    {8, 0},  {9, 0},  {10, 0}, {11, 1}, {12, 0},  {13, 0},
		    {14, 0}, {15, 0}, {16, 0}, {17, 4}, {18, 16}, {19, 4}};
	struct swtpm_request request;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const char bytes[32] = {[3] = (char)rows[i].command};
		for (size_t size = 0; size <= sizeof(bytes); size++) {
			assert_int_equal(decode(bytes, size, &request),
					 size >= 4 + rows[i].field_bytes ? SWTPM_REQUEST
									 : SWTPM_NEED_MORE);
		}
	}
	/* A number that is none is a request, to be refused. */
	assert_int_equal(decode("\0\0\0\x99", 4, &request), SWTPM_REQUEST);
	assert_int_equal(decode("\xff\xff\xff\xff", 4, &request), SWTPM_REQUEST);
	assert_string_equal(swtpm_command_name(0xffffffff), "unknown");
	assert_string_equal(swtpm_command_name(SWTPM_STOP), "STOP");
}

static void test_swtpm_bounds_what_is_hashed(void **state)
{
	(void)state;
	static uint8_t bytes[SWTPM_REQUEST_BYTES_MAX];
	struct swtpm_request request;
	bytes_store_be32(bytes, SWTPM_HASH_DATA);
	bytes_store_be32(bytes + 4, SWTPM_HASH_BYTES_MAX);
	assert_int_equal(swtpm_decode(bytes, sizeof(bytes), &request), SWTPM_REQUEST);
	assert_int_equal(request.size_bytes, SWTPM_HASH_BYTES_MAX);
	assert_ptr_equal(request.bytes, bytes + 8);
	assert_int_equal(swtpm_decode(bytes, sizeof(bytes) - 1, &request), SWTPM_NEED_MORE);
	bytes_store_be32(bytes + 4, SWTPM_HASH_BYTES_MAX + 1);
	assert_int_equal(swtpm_decode(bytes, sizeof(bytes), &request), SWTPM_MALFORMED);
	bytes_store_be32(bytes + 4, UINT32_MAX);
	assert_int_equal(swtpm_decode(bytes, sizeof(bytes), &request), SWTPM_MALFORMED);
}

static void test_swtpm_translates(void **state)
{
	(void)state;
	static const struct {
		uint32_t command;
		bool for_the_tpm;
		enum tpm_control_command control;
	} rows[] = {
		{SWTPM_INIT, true, TPM_CONTROL_POWER_ON},
		{SWTPM_SHUTDOWN, true, TPM_CONTROL_POWER_OFF},
		{SWTPM_STOP, true, TPM_CONTROL_POWER_OFF},
		{SWTPM_GET_ESTABLISHED, true, TPM_CONTROL_GET_ESTABLISHED},
		{SWTPM_RESET_ESTABLISHED, true, TPM_CONTROL_RESET_ESTABLISHED},
		{SWTPM_HASH_START, true, TPM_CONTROL_HASH_START},
		{SWTPM_HASH_END, true, TPM_CONTROL_HASH_END},
		{SWTPM_SET_BUFFERSIZE, true, TPM_CONTROL_BUFFER_SIZE},
		{SWTPM_GET_CAPABILITY, false, 0},
		{SWTPM_SET_LOCALITY, false, 0},
		{SWTPM_CANCEL, false, 0},
		{SWTPM_STORE_VOLATILE, false, 0},
		{SWTPM_GET_STATEBLOB, false, 0},
		{SWTPM_SET_STATEBLOB, false, 0},
		{SWTPM_SET_DATAFD, false, 0},
		{SWTPM_GET_INFO, false, 0},
		{0x99, false, 0},
	};
	struct tpm_control_request control;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const struct swtpm_request request = {.command = rows[i].command};
		assert_int_equal(swtpm_translate(&request, &control), rows[i].for_the_tpm);
		if (rows[i].for_the_tpm) {
			assert_int_equal(control.command, rows[i].control);
		}
	}
	assert_true(swtpm_translate(
		&(struct swtpm_request){.command = SWTPM_INIT, .value = 0xffffffff}, &control));
	assert_int_equal(control.flags, TPM_CONTROL_POWER_DELETE_VOLATILE);
	assert_false(swtpm_translate(
		&(struct swtpm_request){.command = SWTPM_RESET_ESTABLISHED, .locality = 5},
		&control));
	assert_false(
		swtpm_translate(&(struct swtpm_request){.command = SWTPM_HASH_DATA}, &control));
}

static void test_swtpm_replies_have_their_sizes(void **state)
{
	(void)state;
	uint8_t out[SWTPM_REPLY_BYTES_MAX];
	struct swtpm_request request = {.command = SWTPM_GET_CAPABILITY};
	assert_int_equal(swtpm_encode_own(&request, 0, out), 8);
	const uint32_t offered = bytes_load_be32(out + 4);
	/* What QEMU insists on for a TPM 2, and what would let it migrate a guest. */
	assert_int_equal(offered & 0x348f, 0x348f);
	assert_int_equal(offered & 0x340, 0);
	request.command = SWTPM_GET_CONFIG;
	assert_int_equal(swtpm_encode_own(&request, 0, out), 8);
	request.command = SWTPM_GET_STATEBLOB;
	assert_int_equal(swtpm_encode_own(&request, 0, out), 16);
	assert_int_equal(bytes_load_be32(out), SWTPM_BAD_ORDINAL);
	request.command = SWTPM_SET_STATEBLOB;
	assert_int_equal(swtpm_encode_own(&request, SWTPM_BAD_ORDINAL, out), 4);
	request.command = SWTPM_GET_INFO;
	assert_int_equal(swtpm_encode_own(&request, 0, out), 15);
	assert_int_equal(bytes_load_be32(out + 8), 3);
}

static void test_swtpm_replies_carry_the_result(void **state)
{
	(void)state;
	uint8_t out[SWTPM_REPLY_BYTES_MAX];
	const uint8_t sizes[] = {0, 0, 0x0f, 0x80, 0, 0, 0x0a, 0xf8, 0, 0, 0x10, 0};
	struct swtpm_request request = {.command = SWTPM_SET_BUFFERSIZE};
	assert_int_equal(swtpm_encode_translated(&request, TPM_CONTROL_OK, sizes, 12, out), 16);
	assert_memory_equal(out + 4, sizes, sizeof(sizes));
	assert_int_equal(swtpm_encode_translated(&request, TPM_CONTROL_IS_ON, NULL, 0, out), 16);
	assert_int_equal(bytes_load_be32(out), SWTPM_BAD_ORDINAL);
	/* A service VM that makes no sense is a failure, not a size of 0. */
	assert_int_equal(swtpm_encode_translated(&request, TPM_CONTROL_OK, sizes, 11, out), 16);
	assert_int_equal(bytes_load_be32(out), SWTPM_FAIL);
	request.command = SWTPM_GET_ESTABLISHED;
	assert_int_equal(
		swtpm_encode_translated(&request, TPM_CONTROL_OK, (const uint8_t *)"\1", 1, out),
		8);
	assert_int_equal(out[3], 0);
	assert_int_equal(out[4], 1);
	assert_int_equal(swtpm_encode_translated(&request, TPM_CONTROL_OK, NULL, 0, out), 8);
	assert_int_equal(bytes_load_be32(out), SWTPM_FAIL);
	request.command = SWTPM_RESET_ESTABLISHED;
	assert_int_equal(swtpm_encode_translated(&request, TPM_CONTROL_BAD_LOCALITY, NULL, 0, out),
			 4);
	assert_int_equal(bytes_load_be32(out), SWTPM_BAD_LOCALITY);
	assert_int_equal(swtpm_encode_translated(&request, 999, NULL, 0, out), 4);
	assert_int_equal(bytes_load_be32(out), SWTPM_FAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_swtpm_decodes_both_lengths_of_a_locality),
		cmocka_unit_test(test_swtpm_waits_for_all_fields),
		cmocka_unit_test(test_swtpm_bounds_what_is_hashed),
		cmocka_unit_test(test_swtpm_translates),
		cmocka_unit_test(test_swtpm_replies_have_their_sizes),
		cmocka_unit_test(test_swtpm_replies_carry_the_result),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
