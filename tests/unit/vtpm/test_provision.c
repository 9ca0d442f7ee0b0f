// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "script_tpm.h"
#include "vtpm/provision.h"

static struct script_tpm script;
static struct tpm_client client;

static int set_up(void **state)
{
	(void)state;
	script_tpm_init(&script, &client);
	return 0;
}

/* The bytes of a command behind its header. */
static void assert_tail(size_t number, const uint8_t *tail, size_t size)
{
	const size_t all = script.commands[number].size;
	assert_true(size <= all);
	assert_memory_equal(script.commands[number].bytes + all - size, tail, size);
}

static void test_settings_choose_banks_and_limits(void **state)
{
	static const uint8_t banks[] = {0,    0,    0, 4,    0x00, 0x04, 3, 0,    0, 0,
					0x00, 0x0B, 3, 0xFF, 0xFF, 0xFF, 0, 0x0C, 3, 0xFF,
					0xFF, 0xFF, 0, 0x0D, 3,    0,    0, 0};
	static const uint8_t limits[] = {0, 0, 0, 32, 0, 0, 2, 0x58, 0, 1, 0x51, 0x80};
	(void)state;
	assert_int_equal(provision_settings(&client), STATUS_OK);
	assert_int_equal(script.command_count, 2);
	assert_int_equal(script_tpm_code(&script, 0), 0x12B);
	assert_tail(0, banks, sizeof(banks));
	assert_int_equal(script_tpm_code(&script, 1), 0x13A);
	assert_tail(1, limits, sizeof(limits));
}

static void test_key_is_made_kept_and_flushed(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROVISION_KEYS; i++) {
		uint8_t handles[8];
		script_tpm_init(&script, &client);
		bytes_store_be32(script.body, 0x80000001u);
		script.body_size = 4;
		assert_int_equal(provision_key_make(&client, (enum provision_key)i), STATUS_OK);
		assert_int_equal(script.command_count, 3);
		assert_int_equal(script_tpm_code(&script, 0), 0x131);
		assert_int_equal(bytes_load_be32(script.commands[0].bytes + 10),
				 provision_keys[i].hierarchy);
		assert_int_equal(script_tpm_code(&script, 1), 0x120);
		bytes_store_be32(handles, TPM_RH_OWNER);
		bytes_store_be32(handles + 4, 0x80000001u);
		assert_memory_equal(script.commands[1].bytes + 10, handles, sizeof(handles));
		bytes_store_be32(handles, provision_keys[i].handle);
		assert_tail(1, handles, 4);
		assert_int_equal(script_tpm_code(&script, 2), 0x165);
		bytes_store_be32(handles, 0x80000001u);
		assert_tail(2, handles, 4);
	}
}

static void test_key_needs_a_handle(void **state)
{
	(void)state;
	script.body_size = 3;
	assert_int_equal(provision_key_make(&client, PROVISION_SRK), STATUS_BAD_USER);
	assert_int_equal(script.command_count, 1);
}

static void test_reads_a_public_area(void **state)
{
	uint8_t out[PROVISION_PUBLIC_BYTES_MAX];
	size_t size = 0;
	(void)state;
	bytes_store_be16(script.body, 5);
	memcpy(script.body + 2, "hello", 5);
	script.body_size = 2 + 5 + 9; /* The names that follow are not looked at. */
	assert_int_equal(provision_public_read(&client, PROVISION_EK_P384, out, &size), STATUS_OK);
	assert_int_equal(size, 5);
	assert_memory_equal(out, "hello", 5);
	assert_int_equal(bytes_load_be32(script.commands[0].bytes + 10), 0x81010016u);
}

static void test_refuses_a_public_area_that_does_not_fit(void **state)
{
	uint8_t out[PROVISION_PUBLIC_BYTES_MAX];
	size_t size = 77;
	(void)state;
	bytes_store_be16(script.body, 6);
	script.body_size = 2 + 5;
	assert_int_equal(provision_public_read(&client, PROVISION_EK_P384, out, &size),
			 STATUS_BAD_USER);
	bytes_store_be16(script.body, PROVISION_PUBLIC_BYTES_MAX + 1);
	script.body_size = 2 + PROVISION_PUBLIC_BYTES_MAX + 1;
	assert_int_equal(provision_public_read(&client, PROVISION_EK_P384, out, &size),
			 STATUS_TOO_LARGE);
	assert_int_equal(size, 77);
}

/* Defined as large as it is, written in pieces that a TPM takes, locked. */
static void test_certificate_is_written_in_pieces(void **state)
{
	static uint8_t der[PROVISION_CERTIFICATE_BYTES_MAX];
	static const uint8_t public[] = {0x00, 0x0E, 0x01, 0xC0, 0x00, 0x02, 0x00, 0x0B,
					 0x42, 0x07, 0x20, 0x01, 0x00, 0x00, 0x05, 0x00};
	static const uint8_t last[] = {0x04, 0x00};
	(void)state;
	for (size_t i = 0; i < sizeof(der); i++) {
		der[i] = (uint8_t)(i / 3);
	}
	assert_int_equal(provision_certificate_write(&client, PROVISION_EK_RSA2048, der, 1280),
			 STATUS_OK);
	assert_int_equal(script.command_count, 4);
	assert_int_equal(script_tpm_code(&script, 0), 0x12A);
	assert_tail(0, public, sizeof(public));
	assert_int_equal(script_tpm_code(&script, 1), 0x137);
	assert_int_equal(script_tpm_code(&script, 2), 0x137);
	assert_tail(2, last, sizeof(last));
	assert_memory_equal(script.commands[2].bytes + script.commands[2].size - 258, der + 1024,
			    256);
	assert_int_equal(script_tpm_code(&script, 3), 0x138);
	script_tpm_init(&script, &client);
	assert_int_equal(provision_certificate_write(&client, PROVISION_EK_P384, der, sizeof(der)),
			 STATUS_OK);
	assert_int_equal(script.command_count, 4);
}

static void test_refuses_certificates_that_do_not_fit(void **state)
{
	static uint8_t der[PROVISION_CERTIFICATE_BYTES_MAX + 1];
	(void)state;
	assert_int_equal(
		provision_certificate_write(&client, PROVISION_EK_RSA2048, der, sizeof(der)),
		STATUS_TOO_LARGE);
	assert_int_equal(provision_certificate_write(&client, PROVISION_EK_RSA2048, der, 0),
			 STATUS_INVALID);
	assert_int_equal(provision_certificate_write(&client, PROVISION_SRK, der, 10),
			 STATUS_INVALID);
	assert_int_equal(script.command_count, 0);
}

/* Whatever fails, and where: nothing is sent after it, and the cause is passed up. */
static void test_each_step_may_fail(void **state)
{
	static const uint8_t der[1030] = {1};
	(void)state;
	for (size_t step = 0; step < 9; step++) {
		enum status status;
		script_tpm_init(&script, &client);
		bytes_store_be32(script.body, 0x80000001u);
		script.body_size = 4;
		script.failure = SCRIPT_CODE;
		script.fails_at = step;
		status = provision_settings(&client);
		if (status == STATUS_OK) {
			status = provision_key_make(&client, PROVISION_EK_P384);
		}
		if (status == STATUS_OK) {
			status = provision_certificate_write(&client, PROVISION_EK_P384, der,
							     sizeof(der));
		}
		assert_int_equal(status, STATUS_FAULTED);
		assert_int_equal(script.command_count, step + 1);
		assert_int_equal(client.response_code, SCRIPT_FAILURE_CODE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_settings_choose_banks_and_limits, set_up),
		cmocka_unit_test_setup(test_key_is_made_kept_and_flushed, set_up),
		cmocka_unit_test_setup(test_key_needs_a_handle, set_up),
		cmocka_unit_test_setup(test_reads_a_public_area, set_up),
		cmocka_unit_test_setup(test_refuses_a_public_area_that_does_not_fit, set_up),
		cmocka_unit_test_setup(test_certificate_is_written_in_pieces, set_up),
		cmocka_unit_test_setup(test_refuses_certificates_that_do_not_fit, set_up),
		cmocka_unit_test_setup(test_each_step_may_fail, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
