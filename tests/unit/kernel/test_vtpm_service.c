// SPDX-License-Identifier: MIT
/* What a TPM's service does with a program that answers, lies, crashes or loses its disk: whose
 * word counts, and what is started again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "tests/unit/kernel/fake_program.h"
#include "vtpm/service_exit.h"

#define TPM_CC_GET_RANDOM 0x17bu

static uint32_t execute(struct vtpm_service *service, uint32_t code)
{
	uint8_t command[TPM_HEADER_BYTES];
	size_t size_bytes;
	bytes_store_be16(command, TPM_ST_NO_SESSIONS);
	bytes_store_be32(command + 2, sizeof(command));
	bytes_store_be32(command + 6, code);
	const struct service_message message = {
		.kind = SERVICE_COMMAND, .bytes = command, .size_bytes = sizeof(command)};
	const uint8_t *response = vtpm_service_execute(service, &message, &size_bytes);
	assert_int_equal(size_bytes, TPM_HEADER_BYTES);
	return response_code(response);
}

/* An answer is handed on, and the program is one that can reach its own object alone. */
static void test_a_command_is_answered(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	assert_string_equal(fake.environment.store_object, service->names.object);
	assert_ptr_equal(fake.environment.store, &fake_svsm.state.store);
	assert_false(fake_has_argument("--restarted"));
	assert_false(fake_has_argument("--no-startup"));
	fake_then_answer(0x100, 0, 0);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), 0x100);
	assert_int_equal(service->commands, 1);
	assert_int_equal(fake.loads, 1);
}

static void test_an_ephemeral_tpm_has_no_store(void **state)
{
	(void)state;
	fake_reset();
	fake_svsm.options.state = STATE_EPHEMERAL;
	(void)fake_service_up();
	assert_null(fake.environment.store);
	assert_true(fake_has_argument("--ephemeral"));
}

/* A response that is none ends its program: who knows what else it does. */
static void test_a_malformed_response_is_not_handed_on(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then(FAKE_LIES);
	fake_then(FAKE_WAITS);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	assert_int_equal(fake.kills, 1);
	assert_int_equal(fake.loads, 2);
	assert_int_equal(service->restarts, 1);
}

/* A program that crashed does not go on as if nothing had happened: it is told, and caps its PCRs.
 */
static void test_a_crash_starts_a_program_that_knows(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then(FAKE_CRASHES);
	fake_then(FAKE_WAITS);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	assert_true(fake_has_argument("--restarted"));
	assert_int_equal(fake.unloads, 1);
	fake_then_answer(0, 0, 0);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), 0);
}

static void test_restarts_are_used_up(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	for (size_t i = 0; i < RESTART_MAX + 1; i++) {
		fake_then(FAKE_CRASHES);
	}
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	assert_int_equal(service->status, STATUS_FAULTED);
	assert_int_equal(service->restarts, RESTART_MAX);
	/* Nothing runs any more. */
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	assert_int_equal(fake.step_index, fake.step_count);
}

/* A state that does not authenticate is a finding: it is not tried again until it passes. */
static void test_a_finding_is_not_started_again(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then_exit(SERVICE_EXIT_STATE_AUTH);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	assert_int_equal(service->status, service_exit_status(SERVICE_EXIT_STATE_AUTH));
	assert_int_equal(fake.loads, 1);
}

static void test_no_memory_for_the_restart(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then(FAKE_CRASHES);
	fake_then(FAKE_NOT_LOADED);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	assert_int_equal(service->status, STATUS_NO_MEMORY);
}

/* What is acknowledged has to be durable: an answer counts for nothing once the disk is lost. */
static void test_an_answer_after_the_disk_died_is_a_failure(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then(FAKE_LOSES_DISK);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	assert_true(service->suspended);
	assert_int_equal(service->status, STATUS_TIMEOUT);
	assert_int_equal(fake.unloads, 1);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
}

/* A crash that the disk's death caused is no crash of the program: it costs no restart. */
static void test_a_crash_with_a_dead_disk_is_no_restart(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then(FAKE_CRASHES);
	fake_then(FAKE_DIES_WITH_DISK); /* The one that is started instead. */
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	assert_true(service->suspended);
	assert_int_equal(service->status, STATUS_TIMEOUT);
	assert_int_equal(service->restarts, 1);
	assert_int_equal(fake.loads, 2);
}

/* The loop is entered with a start of its own; `prepared` is what it then finds. */
static struct vtpm_service prepared;
static size_t yields;

static bool take_two_turns(struct vtpm_service *service)
{
	if (++yields == 1) {
		*service = prepared;
		return true;
	}
	return false;
}

/* The turn in which a service sees that its disk is back. */
static void disk_is_back(struct vtpm_service *service)
{
	vtpm_service_start_again(service);
	assert_true(service->again);
	prepared = *service;
	service->again = false;
	yields = 0;
	fake.is_lost = false;
	fake_svsm.state_status = STATUS_NOT_FOUND; /* So that the loop's own start does nothing. */
	fake_service_run(service, take_two_turns);
	assert_false(service->again);
}

static void test_a_suspended_program_starts_again_and_knows(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then(FAKE_LOSES_DISK);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	fake_then(FAKE_WAITS);
	disk_is_back(service);
	assert_int_equal(service->status, STATUS_OK);
	assert_false(service->suspended);
	assert_int_equal(fake.loads, 2);
	assert_true(fake_has_argument("--restarted"));
	assert_int_equal(service->restarts, 1);
}

/* With doubt about what is on the disk, a program that was idle has to read it again. */
static void test_an_idle_program_starts_again_too(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then(FAKE_WAITS);
	disk_is_back(service);
	assert_int_equal(fake.loads, 2);
	assert_int_equal(fake.unloads, 1);
	assert_true(fake_has_argument("--restarted"));
	assert_int_equal(service->status, STATUS_OK);
}

static void test_a_tpm_without_power_stays_so(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then_answer(0, 0, 0);
	vtpm_service_power_off(service);
	disk_is_back(service);
	assert_int_equal(fake.loads, 1);
	assert_false(service->powered);
	assert_int_equal(service->restarts, 0);
}

static void test_the_end_is_the_end(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then(FAKE_LOSES_DISK);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	vtpm_service_end(service, STATUS_LIMIT);
	assert_int_equal(service->status, STATUS_LIMIT);
	disk_is_back(service);
	assert_int_equal(service->status, STATUS_LIMIT);
	assert_int_equal(fake.loads, 1);
	/* The first cause stays. */
	vtpm_service_end(service, STATUS_IO);
	assert_int_equal(service->status, STATUS_LIMIT);
}

/* A machine that is reset without a shutdown must not cost its TPM a try. */
static void test_power_off_shuts_down(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then_answer(0, 0, 0);
	vtpm_service_power_off(service);
	assert_int_equal(fake.command, TPM_CC_SHUTDOWN);
	assert_false(service->powered);
	assert_int_equal(fake.unloads, 1);
	const size_t runs = fake.runs;
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	vtpm_service_shutdown(service);
	vtpm_service_power_off(service);
	assert_int_equal(fake.runs, runs);
}

static void test_a_user_that_shut_down_is_not_shut_down_again(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then_answer(0, 0, 0);
	assert_int_equal(execute(service, TPM_CC_SHUTDOWN), 0);
	vtpm_service_power_off(service);
	assert_int_equal(fake.runs, 2);
	assert_int_equal(service->commands, 1);
}

static void test_a_shutdown_that_failed_is_none(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then_answer(TPM_RC_FAILURE, 0, 0);
	assert_int_equal(execute(service, TPM_CC_SHUTDOWN), TPM_RC_FAILURE);
	fake_then_answer(0, 0, 0);
	vtpm_service_power_off(service);
	assert_int_equal(fake.runs, 3);
}

static void test_a_shutdown_that_was_not_the_last_is_none(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake_then_answer(0, 0, 0);
	fake_then_answer(0, 0, 0);
	assert_int_equal(execute(service, TPM_CC_SHUTDOWN), 0);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), 0);
	fake_then_answer(0, 0, 0);
	vtpm_service_power_off(service);
	assert_int_equal(fake.command, TPM_CC_SHUTDOWN);
}

/* Nothing of what ran before is left in memory, and whoever measured into it can tell. */
static void test_power_on_is_a_new_process(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	const uint64_t before = service->power_id;
	fake_then_answer(0, 0, 0);
	fake_then(FAKE_WAITS);
	vtpm_service_power_on(service, false);
	assert_int_equal(fake.unloads, 1);
	assert_int_equal(fake.loads, 2);
	assert_true(fake_has_argument("--no-startup"));
	assert_int_not_equal(service->power_id, before);
	assert_int_equal(service->power_ons, 2);
}

/* Without entropy two power-ons could not be told apart. */
static void test_no_power_without_entropy(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	fake.entropy = STATUS_NO_ENTROPY;
	fake_then_answer(0, 0, 0);
	vtpm_service_power_on(service, false);
	assert_int_equal(service->status, STATUS_NO_ENTROPY);
	assert_int_equal(fake.loads, 1);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
}

/* Nobody wanted the command before; that says nothing of this one. */
static void test_a_cancel_ends_with_its_command(void **state)
{
	(void)state;
	fake_reset();
	struct vtpm_service *service = fake_service_up();
	service->process.cancelled = true;
	fake_then_answer(0, 0, 0);
	assert_int_equal(execute(service, TPM_CC_GET_RANDOM), 0);
	assert_false(fake.was_cancelled);
	assert_false(service->running);
}

static void test_a_state_that_failed_refuses_everything(void **state)
{
	(void)state;
	static struct vtpm_service service;
	fake_reset();
	fake_svsm.state_status = STATUS_TAMPER;
	vtpm_service_init(&service, &fake_svsm, 0);
	fake_service_run(&service, NULL);
	assert_int_equal(service.status, STATUS_TAMPER);
	assert_int_equal(execute(&service, TPM_CC_GET_RANDOM), TPM_RC_FAILURE);
	vtpm_service_power_on(&service, true);
	assert_int_equal(fake.loads, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_command_is_answered),
		cmocka_unit_test(test_an_ephemeral_tpm_has_no_store),
		cmocka_unit_test(test_a_malformed_response_is_not_handed_on),
		cmocka_unit_test(test_a_crash_starts_a_program_that_knows),
		cmocka_unit_test(test_restarts_are_used_up),
		cmocka_unit_test(test_a_finding_is_not_started_again),
		cmocka_unit_test(test_no_memory_for_the_restart),
		cmocka_unit_test(test_an_answer_after_the_disk_died_is_a_failure),
		cmocka_unit_test(test_a_crash_with_a_dead_disk_is_no_restart),
		cmocka_unit_test(test_a_suspended_program_starts_again_and_knows),
		cmocka_unit_test(test_an_idle_program_starts_again_too),
		cmocka_unit_test(test_a_tpm_without_power_stays_so),
		cmocka_unit_test(test_the_end_is_the_end),
		cmocka_unit_test(test_power_off_shuts_down),
		cmocka_unit_test(test_a_user_that_shut_down_is_not_shut_down_again),
		cmocka_unit_test(test_a_shutdown_that_failed_is_none),
		cmocka_unit_test(test_a_shutdown_that_was_not_the_last_is_none),
		cmocka_unit_test(test_power_on_is_a_new_process),
		cmocka_unit_test(test_no_power_without_entropy),
		cmocka_unit_test(test_a_cancel_ends_with_its_command),
		cmocka_unit_test(test_a_state_that_failed_refuses_everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
