// SPDX-License-Identifier: MIT
/* The TPM simulator's two connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "tools/bridge/mssim_wire.h"

/* TPM2_GetRandom(8) from locality 3, and the beginning of whatever is next. */
static const uint8_t send_command[] = {0, 0, 0, 8,  3, 0, 0, 0,    12, 0x80, 1,
				       0, 0, 0, 12, 0, 0, 1, 0x7b, 0,  8,    0xee};

static void test_mssim_takes_a_command_whole(void **state)
{
	(void)state;
	struct mssim_request request;
	size_t taken = 0;
	for (size_t size = 0; size < 21; size++) {
		assert_int_equal(mssim_decode(false, send_command, size, &request, &taken),
				 MSSIM_NEED_MORE);
		assert_int_equal(taken, 0);
	}
	assert_int_equal(mssim_decode(false, send_command, 22, &request, &taken), MSSIM_REQUEST);
	assert_int_equal(taken, 21);
	assert_int_equal(request.locality, 3);
	assert_int_equal(request.size_bytes, 12);
	assert_ptr_equal(request.bytes, send_command + 9);
}

static void test_mssim_refuses_what_is_out_of_range(void **state)
{
	(void)state;
	struct mssim_request request;
	size_t taken;
	static const struct {
		size_t at;
		uint8_t value;
	} rows[] = {{0, 1}, {3, 0}, {3, 26}, {4, 5}, {5, 1}, {7, 0x11}, {8, 9}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		uint8_t bytes[sizeof(send_command)];
		memcpy(bytes, send_command, sizeof(bytes));
		bytes[rows[i].at] = rows[i].value;
		assert_int_equal(mssim_decode(false, bytes, sizeof(bytes), &request, &taken),
				 MSSIM_MALFORMED);
	}
}

/* Each connection has its own requests; the end of a session is both's. */
static void test_mssim_connections_do_not_mix(void **state)
{
	(void)state;
	struct mssim_request request;
	size_t taken;
	for (uint8_t command = 0; command < 40; command++) {
		uint8_t bytes[32] = {[3] = command};
		const bool commands = command == 5 || command == 6 || command == 7 ||
				      command == 8 || command == 15;
		const bool platform = (command >= 1 && command <= 4) ||
				      (command >= 9 && command <= 11) || command == 17 ||
				      command == 18;
		const bool both = command == 20 || command == 21;
		bytes[8] = command == 8 ? 10 : 0;
		assert_int_equal(mssim_decode(false, bytes, sizeof(bytes), &request, &taken),
				 commands || both ? MSSIM_REQUEST : MSSIM_MALFORMED);
		assert_int_equal(mssim_decode(true, bytes, sizeof(bytes), &request, &taken),
				 platform || both ? MSSIM_REQUEST : MSSIM_MALFORMED);
	}
}

static void test_mssim_translates(void **state)
{
	(void)state;
	struct tpm_control_request control;
	const struct mssim_request on = {.command = MSSIM_POWER_ON};
	assert_true(mssim_translate(&on, &control));
	assert_int_equal(control.command, TPM_CONTROL_POWER_ON);
	/* A client that only makes sure must not reset what others use. */
	assert_int_equal(control.flags, TPM_CONTROL_POWER_IF_OFF);
	const struct mssim_request reset = {.command = MSSIM_RESET};
	assert_true(mssim_translate(&reset, &control));
	assert_int_equal(control.flags, 0);
	const struct mssim_request data = {
		.command = MSSIM_HASH_DATA, .bytes = send_command, .size_bytes = 3};
	assert_true(mssim_translate(&data, &control));
	assert_int_equal(control.byte_count, 3);
	assert_false(mssim_translate(&(struct mssim_request){.command = MSSIM_NV_ON}, &control));
	assert_false(
		mssim_translate(&(struct mssim_request){.command = MSSIM_HASH_DATA}, &control));
}

static void test_mssim_replies(void **state)
{
	(void)state;
	uint8_t out[MSSIM_OWN_BYTES_MAX];
	const struct mssim_request on = {.command = MSSIM_POWER_ON};
	assert_int_equal(mssim_encode_own(&on, true, out), 4);
	assert_int_equal(bytes_load_be32(out), 0);
	assert_int_equal(mssim_encode_own(&on, false, out), 4);
	assert_int_equal(bytes_load_be32(out), 1);
	const struct mssim_request handshake = {.command = MSSIM_HANDSHAKE};
	assert_int_equal(mssim_encode_own(&handshake, true, out), 12);
	assert_int_equal(bytes_load_be32(out), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mssim_takes_a_command_whole),
		cmocka_unit_test(test_mssim_refuses_what_is_out_of_range),
		cmocka_unit_test(test_mssim_connections_do_not_mix),
		cmocka_unit_test(test_mssim_translates),
		cmocka_unit_test(test_mssim_replies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
