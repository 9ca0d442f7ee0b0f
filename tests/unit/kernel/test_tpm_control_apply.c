// SPDX-License-Identifier: MIT
/* What the platform may ask of a TPM and when, and what it is told if the TPM will not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/kernel/fake_program.h"

static uint8_t body[TPM_CONTROL_BODY_BYTES_MAX];
static size_t body_bytes;

static enum tpm_control_result ask(struct vtpm_service *service,
				   const struct tpm_control_request *request)
{
	body_bytes = sizeof(body);
	return tpm_control_apply(service, request, body, &body_bytes);
}

static enum tpm_control_result ask_plain(struct vtpm_service *service,
					 enum tpm_control_command command)
{
	return ask(service, &(struct tpm_control_request){.command = command});
}

static struct vtpm_service *switched_off(void)
{
	struct vtpm_service *service = fake_service_up();
	fake_then_answer(0, 0, 0);
	assert_int_equal(ask_plain(service, TPM_CONTROL_POWER_OFF), TPM_CONTROL_OK);
	return service;
}

static const enum tpm_control_command to_tpm[] = {
	TPM_CONTROL_GET_ESTABLISHED, TPM_CONTROL_RESET_ESTABLISHED, TPM_CONTROL_HASH_START,
	TPM_CONTROL_HASH_DATA,       TPM_CONTROL_HASH_END,
};

static void test_a_tpm_without_power_is_off(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = switched_off();
	for (size_t i = 0; i < ARRAY_COUNT(to_tpm); i++) {
		assert_int_equal(ask_plain(service, to_tpm[i]), TPM_CONTROL_IS_OFF);
		assert_int_equal(body_bytes, 0);
	}
	assert_int_equal(ask_plain(service, TPM_CONTROL_POWER_OFF), TPM_CONTROL_OK);
}

static void test_no_tpm_is_not_one_without_power(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	vtpm_service_end(service, STATUS_IO);
	for (size_t i = 0; i < ARRAY_COUNT(to_tpm); i++) {
		assert_int_equal(ask_plain(service, to_tpm[i]), TPM_CONTROL_UNAVAILABLE);
	}
	assert_int_equal(ask_plain(service, TPM_CONTROL_POWER_ON), TPM_CONTROL_UNAVAILABLE);
	assert_int_equal(ask_plain(service, TPM_CONTROL_POWER_OFF), TPM_CONTROL_UNAVAILABLE);
	struct tpm_control_status status;
	assert_int_equal(ask_plain(service, TPM_CONTROL_STATUS), TPM_CONTROL_OK);
	assert_true(tpm_control_decode_status(body, body_bytes, &status));
	assert_int_equal(status.power, TPM_CONTROL_POWER_IS_UNAVAILABLE);
	assert_int_equal(status.cause, -STATUS_IO);
}

/* Who says hello has just connected: what somebody else said about commands is not its. */
static void test_hello_is_a_beginning(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	const struct tpm_control_request locality = {.command = TPM_CONTROL_SET_LOCALITY,
						     .locality = 3};
	assert_int_equal(ask(service, &locality), TPM_CONTROL_OK);
	assert_int_equal(service->locality, 3);
	assert_int_equal(ask_plain(service, TPM_CONTROL_STATUS), TPM_CONTROL_OK);
	assert_int_equal(service->locality, 3);
	assert_int_equal(ask_plain(service, TPM_CONTROL_HELLO), TPM_CONTROL_OK);
	assert_int_equal(service->locality, 0);
}

/* A program that only wants power must not take the PCRs of those who have it. */
static void test_power_only_if_it_is_off(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	const struct tpm_control_request if_off = {.command = TPM_CONTROL_POWER_ON,
						   .flags = TPM_CONTROL_POWER_IF_OFF};
	struct tpm_control_status before;
	struct tpm_control_status after;
	assert_int_equal(ask_plain(service, TPM_CONTROL_STATUS), TPM_CONTROL_OK);
	assert_true(tpm_control_decode_status(body, body_bytes, &before));
	assert_int_equal(ask(service, &if_off), TPM_CONTROL_OK);
	assert_true(tpm_control_decode_status(body, body_bytes, &after));
	assert_int_equal(fake.loads, 1);
	assert_int_equal(after.power_id, before.power_id);
	fake_then_answer(0, 0, 0);
	assert_int_equal(ask_plain(service, TPM_CONTROL_POWER_OFF), TPM_CONTROL_OK);
	fake_then(FAKE_WAITS);
	assert_int_equal(ask(service, &if_off), TPM_CONTROL_OK);
	assert_int_equal(fake.loads, 2);
	assert_true(fake_has_argument("--no-startup"));
}

static void test_power_with_startup(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = switched_off();
	fake_then(FAKE_WAITS);
	assert_int_equal(
		ask(service, &(struct tpm_control_request){.command = TPM_CONTROL_POWER_ON,
							   .flags = TPM_CONTROL_POWER_STARTUP}),
		TPM_CONTROL_OK);
	assert_false(fake_has_argument("--no-startup"));
}

/* Ring 3 says what it likes: an answer without the flag is none. */
static void test_the_flag_is_in_the_answer_or_it_failed(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then_answer(0, 1, 1);
	assert_int_equal(ask_plain(service, TPM_CONTROL_GET_ESTABLISHED), TPM_CONTROL_OK);
	assert_int_equal(body_bytes, 1);
	assert_int_equal(body[0], 1);
	for (size_t count = 0; count <= 2; count += 2) {
		fake_then_answer(0, count, 1);
		assert_int_equal(ask_plain(service, TPM_CONTROL_GET_ESTABLISHED),
				 TPM_CONTROL_FAILED);
		assert_int_equal(body_bytes, 0);
	}
}

static void test_the_flag_outlives_the_power(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then_answer(0, 0, 0);
	assert_int_equal(ask_plain(service, TPM_CONTROL_HASH_END), TPM_CONTROL_OK);
	assert_int_equal(fake.message.kind, SERVICE_HASH_END);
	assert_true(service->established);
	fake_then_answer(0, 0, 0);
	fake_then(FAKE_WAITS);
	assert_int_equal(ask_plain(service, TPM_CONTROL_POWER_ON), TPM_CONTROL_OK);
	/* The new process does not know of it. */
	fake_then_answer(0, 1, 0);
	assert_int_equal(ask_plain(service, TPM_CONTROL_GET_ESTABLISHED), TPM_CONTROL_OK);
	assert_int_equal(body[0], 1);
}

static void test_the_flag_is_reset_from_where_the_tpm_allows_it(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	const struct tpm_control_request request = {.command = TPM_CONTROL_RESET_ESTABLISHED,
						    .locality = 3};
	service->established = true;
	fake_then_answer(SERVICE_RC_LOCALITY, 0, 0);
	assert_int_equal(ask(service, &request), TPM_CONTROL_BAD_LOCALITY);
	assert_true(service->established);
	fake_then_answer(0, 0, 0);
	assert_int_equal(ask(service, &request), TPM_CONTROL_OK);
	assert_int_equal(fake.message.locality, 3);
	assert_false(service->established);
}

static void test_a_hash_that_failed_is_no_launch(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then_answer(SERVICE_RC_SEQUENCE, 0, 0);
	assert_int_equal(ask_plain(service, TPM_CONTROL_HASH_END), TPM_CONTROL_BAD_SEQUENCE);
	fake_then_answer(TPM_RC_FAILURE, 0, 0);
	assert_int_equal(ask_plain(service, TPM_CONTROL_HASH_END), TPM_CONTROL_FAILED);
	assert_false(service->established);
	assert_int_equal(service->control.hashes, 0);
}

static uint32_t size_of_buffer(struct vtpm_service *service, uint32_t wanted)
{
	uint32_t size;
	assert_int_equal(
		ask(service, &(struct tpm_control_request){.command = TPM_CONTROL_BUFFER_SIZE,
							   .size_bytes = wanted}),
		TPM_CONTROL_OK);
	assert_int_equal(body_bytes, 12);
	size = (uint32_t)body[0] << 24 | (uint32_t)body[1] << 16 | (uint32_t)body[2] << 8 | body[3];
	assert_int_equal(size, service->buffer_bytes);
	return size;
}

static void test_a_buffer_size_within_limits(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = switched_off();
	assert_int_equal(size_of_buffer(service, 1), SERVICE_BUFFER_BYTES_MIN);
	assert_int_equal(size_of_buffer(service, UINT32_MAX), SERVICE_BUFFER_BYTES_MAX);
	assert_int_equal(size_of_buffer(service, SERVICE_BUFFER_BYTES_MIN + 1),
			 SERVICE_BUFFER_BYTES_MIN + 1);
	assert_int_equal(size_of_buffer(service, 0), SERVICE_BUFFER_BYTES_MIN + 1);
}

/* The program has the buffers that it was started with. */
static void test_no_other_buffer_size_while_it_runs(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	assert_int_equal(
		ask(service, &(struct tpm_control_request){.command = TPM_CONTROL_BUFFER_SIZE,
							   .size_bytes = 2000}),
		TPM_CONTROL_IS_ON);
	assert_int_equal(size_of_buffer(service, 0), SERVICE_BUFFER_BYTES_MAX);
}

static void test_a_cancel_without_a_command_does_nothing(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	assert_int_equal(ask_plain(service, TPM_CONTROL_CANCEL), TPM_CONTROL_OK);
	assert_false(service->process.cancelled);
	assert_int_equal(service->control.cancels, 0);
	service->running = true;
	assert_int_equal(ask_plain(service, TPM_CONTROL_CANCEL), TPM_CONTROL_OK);
	assert_true(service->process.cancelled);
	/* Said twice, it is one. */
	assert_int_equal(ask_plain(service, TPM_CONTROL_CANCEL), TPM_CONTROL_OK);
	assert_int_equal(service->control.cancels, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_tpm_without_power_is_off),
		cmocka_unit_test(test_no_tpm_is_not_one_without_power),
		cmocka_unit_test(test_hello_is_a_beginning),
		cmocka_unit_test(test_power_only_if_it_is_off),
		cmocka_unit_test(test_power_with_startup),
		cmocka_unit_test(test_the_flag_is_in_the_answer_or_it_failed),
		cmocka_unit_test(test_the_flag_outlives_the_power),
		cmocka_unit_test(test_the_flag_is_reset_from_where_the_tpm_allows_it),
		cmocka_unit_test(test_a_hash_that_failed_is_no_launch),
		cmocka_unit_test(test_a_buffer_size_within_limits),
		cmocka_unit_test(test_no_other_buffer_size_while_it_runs),
		cmocka_unit_test(test_a_cancel_without_a_command_does_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
