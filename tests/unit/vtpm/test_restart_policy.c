// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vtpm/restart_policy.h"
#include "vtpm/service_exit.h"

static struct restart_policy policy;

static int setup(void **state)
{
	(void)state;
	restart_policy_init(&policy);
	return 0;
}

static void test_three_restarts_then_unavailable(void **state)
{
	(void)state;
	for (uint32_t restart = 0; restart < RESTART_MAX; restart++) {
		assert_int_equal(restart_policy_is_restart(&policy), restart > 0);
		assert_int_equal(restart_policy_ready(&policy), STATUS_OK);
		assert_int_equal(policy.state, SERVICE_SERVING);
		assert_int_equal(restart_policy_died(&policy, STATUS_FAULTED, true), STATUS_OK);
		assert_int_equal(policy.state, SERVICE_STARTING);
	}
	assert_int_equal(policy.restarts, 3);
	assert_int_equal(restart_policy_ready(&policy), STATUS_OK);
	assert_int_equal(restart_policy_died(&policy, STATUS_TIMEOUT, true), STATUS_LIMIT);
	assert_int_equal(policy.state, SERVICE_UNAVAILABLE);
	assert_int_equal(policy.cause, STATUS_TIMEOUT);
}

/* A service that never gets as far as serving uses up its restarts as well. */
static void test_deaths_while_starting_count(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(restart_policy_died(&policy, STATUS_FAULTED, true), STATUS_OK);
	}
	assert_int_equal(restart_policy_died(&policy, STATUS_FAULTED, true), STATUS_LIMIT);
}

/* The disk went away, and came back: the service is not to blame. */
static void test_a_suspension_does_not_count(void **state)
{
	(void)state;
	for (uint32_t i = 0; i <= RESTART_MAX; i++) {
		assert_int_equal(restart_policy_suspended(&policy), STATUS_OK);
		assert_int_equal(policy.state, SERVICE_STARTING);
		assert_int_equal(restart_policy_ready(&policy), STATUS_OK);
	}
	assert_int_equal(policy.restarts, 0);
	assert_int_equal(restart_policy_died(&policy, STATUS_FAULTED, false), STATUS_FAULTED);
	assert_int_equal(restart_policy_suspended(&policy), STATUS_INVALID);
	assert_int_equal(policy.state, SERVICE_UNAVAILABLE);
}

static void test_some_deaths_are_final(void **state)
{
	(void)state;
	assert_int_equal(restart_policy_died(&policy, STATUS_AUTH_DATA, false), STATUS_AUTH_DATA);
	assert_int_equal(policy.state, SERVICE_UNAVAILABLE);
	assert_int_equal(policy.restarts, 0);
	assert_int_equal(policy.cause, STATUS_AUTH_DATA);
}

static void test_illegal_transitions(void **state)
{
	(void)state;
	assert_int_equal(restart_policy_died(&policy, STATUS_OK, true), STATUS_INVALID);
	assert_int_equal(policy.state, SERVICE_STARTING);
	assert_int_equal(restart_policy_ready(&policy), STATUS_OK);
	assert_int_equal(restart_policy_ready(&policy), STATUS_INVALID);
	assert_int_equal(restart_policy_died(&policy, STATUS_IO, false), STATUS_IO);
	assert_int_equal(restart_policy_ready(&policy), STATUS_INVALID);
	assert_int_equal(restart_policy_died(&policy, STATUS_FAULTED, true), STATUS_INVALID);
	assert_int_equal(policy.state, SERVICE_UNAVAILABLE);
	assert_int_equal(policy.cause, STATUS_IO);
}

static void test_state_names(void **state)
{
	(void)state;
	assert_string_equal(service_state_name(SERVICE_STARTING), "starting");
	assert_string_equal(service_state_name(SERVICE_SERVING), "serving");
	assert_string_equal(service_state_name(SERVICE_UNAVAILABLE), "unavailable");
	assert_string_equal(service_state_name((enum service_state)99), "unknown");
}

static void test_exit_codes(void **state)
{
	(void)state;
	for (int code = -5; code < 300; code++) {
		/* Whatever it says, an end is never a success, and never "absent". */
		assert_int_not_equal(service_exit_status(code), STATUS_OK);
		assert_int_not_equal(service_exit_status(code), STATUS_NOT_FOUND);
	}
	assert_int_equal(service_exit_status(SERVICE_EXIT_STATE_AUTH), STATUS_AUTH_DATA);
	assert_false(service_exit_may_restart(SERVICE_EXIT_STATE_AUTH));
	assert_false(service_exit_may_restart(SERVICE_EXIT_STATE_REJECTED));
	assert_false(service_exit_may_restart(SERVICE_EXIT_NO_ENTROPY));
	assert_false(service_exit_may_restart(SERVICE_EXIT_MANUFACTURE));
	assert_false(service_exit_may_restart(SERVICE_EXIT_USAGE));
	assert_true(service_exit_may_restart(SERVICE_EXIT_STORE));
	/* glibc: 127 start-up error, 134 abort. */
	assert_int_equal(service_exit_status(134), STATUS_FAULTED);
	assert_true(service_exit_may_restart(134));
	assert_true(service_exit_may_restart(127));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_three_restarts_then_unavailable, setup),
		cmocka_unit_test_setup(test_deaths_while_starting_count, setup),
		cmocka_unit_test_setup(test_a_suspension_does_not_count, setup),
		cmocka_unit_test_setup(test_some_deaths_are_final, setup),
		cmocka_unit_test_setup(test_illegal_transitions, setup),
		cmocka_unit_test(test_state_names),
		cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
