// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "script_tpm.h"
#include "vtpm/tpm_client.h"

static struct script_tpm script;
static struct tpm_client client;

static int set_up(void **state)
{
	(void)state;
	script_tpm_init(&script, &client);
	return 0;
}

static void test_writes_a_command_without_sessions(void **state)
{
	static const uint8_t expected[] = {0x80, 0x01, 0, 0, 0, 14, 0, 0, 1, 0x65, 0x80, 0, 0, 1};
	struct tpm_command command;
	struct reader reader;
	(void)state;
	tpm_command_begin(&command, 0x165);
	writer_be32(&command.writer, 0x80000001u);
	assert_int_equal(tpm_client_run(&client, "step", &command, &reader), STATUS_OK);
	assert_int_equal(script.commands[0].size, sizeof(expected));
	assert_memory_equal(script.commands[0].bytes, expected, sizeof(expected));
}

static void test_writes_a_command_with_an_empty_password(void **state)
{
	static const uint8_t expected[] = {0x80, 0x02, 0,    0, 0, 35, 0, 0,    1, 0x20, 0x40, 0,
					   0,    1,    0x80, 0, 0, 0,  0, 0,    0, 9,    0x40, 0,
					   0,    9,    0,    0, 0, 0,  0, 0x81, 0, 0,    1};
	static const uint32_t handles[] = {TPM_RH_OWNER, 0x80000000u};
	struct tpm_command command;
	struct reader reader;
	(void)state;
	tpm_command_begin_authorised(&command, 0x120, handles, ARRAY_COUNT(handles));
	writer_be32(&command.writer, 0x81000001u);
	assert_int_equal(tpm_client_run(&client, "step", &command, &reader), STATUS_OK);
	assert_int_equal(script.commands[0].size, sizeof(expected));
	assert_memory_equal(script.commands[0].bytes, expected, sizeof(expected));
}

static void test_gives_what_follows_the_header(void **state)
{
	struct tpm_command command;
	struct reader reader;
	(void)state;
	bytes_store_be32(script.body, 0xA1B2C3D4u);
	script.body_size = 4;
	tpm_command_begin(&command, 0x165);
	assert_int_equal(tpm_client_run(&client, "step", &command, &reader), STATUS_OK);
	assert_int_equal(reader_be32(&reader), 0xA1B2C3D4u);
	assert_int_equal(reader_left(&reader), 0);
	assert_true(reader_ok(&reader));
	assert_string_equal(client.step, "step");
	assert_int_equal(client.response_code, 0);
}

static void test_names_how_a_command_failed(void **state)
{
	static const struct {
		int failure;
		enum status status;
		uint32_t code;
	} cases[] = {
		{SCRIPT_CODE, STATUS_FAULTED, SCRIPT_FAILURE_CODE},
		{SCRIPT_SILENT, STATUS_BAD_USER, 0},
		{SCRIPT_GARBAGE, STATUS_BAD_USER, 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct tpm_command command;
		struct reader reader;
		script_tpm_init(&script, &client);
		memcpy(&script.failure, &cases[i].failure, sizeof(script.failure));
		tpm_command_begin(&command, 0x165);
		assert_int_equal(tpm_client_run(&client, "flush", &command, &reader),
				 cases[i].status);
		assert_string_equal(client.step, "flush");
		assert_int_equal(client.response_code, cases[i].code);
	}
}

static void test_sends_nothing_that_was_cut_off(void **state)
{
	struct tpm_command command;
	struct reader reader;
	(void)state;
	tpm_command_begin(&command, 0x137);
	writer_zero(&command.writer, TPM_CLIENT_COMMAND_BYTES);
	assert_int_equal(tpm_client_run(&client, "step", &command, &reader), STATUS_INVALID);
	assert_int_equal(script.command_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_writes_a_command_without_sessions, set_up),
		cmocka_unit_test_setup(test_writes_a_command_with_an_empty_password, set_up),
		cmocka_unit_test_setup(test_gives_what_follows_the_header, set_up),
		cmocka_unit_test_setup(test_names_how_a_command_failed, set_up),
		cmocka_unit_test_setup(test_sends_nothing_that_was_cut_off, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
