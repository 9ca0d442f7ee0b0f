// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "vtpm/response.h"

static uint8_t response[TPM_RESPONSE_BYTES_MAX + 1];

static void make(uint16_t tag, uint32_t size)
{
	memset(response, 0, sizeof(response));
	bytes_store_be16(response, tag);
	bytes_store_be32(response + 2, size);
}

static void test_error_is_a_bare_header(void **state)
{
	static const uint8_t expected[] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x42};
	uint8_t out[TPM_HEADER_BYTES];

	(void)state;
	assert_int_equal(response_error(out, TPM_RC_COMMAND_SIZE), sizeof(expected));
	assert_memory_equal(out, expected, sizeof(expected));
	assert_int_equal(response_check(out, sizeof(out)), STATUS_OK);
	assert_int_equal(response_code(out), TPM_RC_COMMAND_SIZE);
}

static void test_accepts_whole_responses(void **state)
{
	static const uint32_t sizes[] = {10, 11, 4095, 4096};
	static const uint16_t tags[] = {0x8001, 0x8002, 0x00C4};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		for (size_t j = 0; j < ARRAY_COUNT(tags); j++) {
			make(tags[j], sizes[i]);
			assert_int_equal(response_check(response, sizes[i]), STATUS_OK);
		}
	}
}

static void test_rejects_bad_framing(void **state)
{
	static const struct {
		uint32_t claimed;
		size_t length;
	} cases[] = {
		{10, 0},      {10, 9},       {9, 9},       {11, 10},           {10, 11},   {0, 10},
		{4097, 4097}, {0x1000A, 10}, {4096, 4095}, {0xFFFFFFFF, 4096}, {10, 4096}, {0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		make(0x8001, cases[i].claimed);
		assert_int_equal(response_check(response, cases[i].length), STATUS_BAD_USER);
	}
}

static void test_rejects_unknown_tags(void **state)
{
	static const uint16_t tags[] = {0, 0x8000, 0x8003, 0x0180, 0x00C1, 0xC400, 0xFFFF};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(tags); i++) {
		make(tags[i], 10);
		assert_int_equal(response_check(response, 10), STATUS_BAD_USER);
	}
}

static void test_own_commands_are_well_formed(void **state)
{
	(void)state;
	assert_int_equal(bytes_load_be16(tpm_startup_clear), TPM_ST_NO_SESSIONS);
	assert_int_equal(bytes_load_be32(tpm_startup_clear + 2), sizeof(tpm_startup_clear));
	assert_int_equal(command_code(tpm_startup_clear), TPM_CC_STARTUP);
	assert_int_equal(bytes_load_be16(tpm_startup_clear + 10), 0);
	assert_int_equal(bytes_load_be16(tpm_shutdown_clear), TPM_ST_NO_SESSIONS);
	assert_int_equal(bytes_load_be32(tpm_shutdown_clear + 2), sizeof(tpm_shutdown_clear));
	assert_int_equal(command_code(tpm_shutdown_clear), TPM_CC_SHUTDOWN);
	assert_int_equal(bytes_load_be16(tpm_shutdown_clear + 10), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_is_a_bare_header),
		cmocka_unit_test(test_accepts_whole_responses),
		cmocka_unit_test(test_rejects_bad_framing),
		cmocka_unit_test(test_rejects_unknown_tags),
		cmocka_unit_test(test_own_commands_are_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
