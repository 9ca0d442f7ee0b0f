// SPDX-License-Identifier: MIT
/* Which disks may be looked at again, and when a TPM may go on as if nothing had happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/recovery_policy.h"

static void test_a_dead_device_is_opened_again_three_times(void **state)
{
	(void)state;
	const enum status causes[] = {STATUS_BAD_HOST, STATUS_TIMEOUT};
	for (size_t i = 0; i < ARRAY_COUNT(causes); i++) {
		struct virtio_blk_condition disk = {.failure = causes[i]};
		for (disk.failures = 1; disk.failures <= 3; disk.failures++) {
			assert_int_equal(recovery_permit(causes[i], &disk), STATUS_OK);
		}
		assert_int_equal(recovery_permit(causes[i], &disk), STATUS_LIMIT);
	}
}

static void test_an_unconfirmed_reset_is_the_end(void **state)
{
	(void)state;
	struct virtio_blk_condition disk = {
		.failure = STATUS_TIMEOUT,
		.reset = STATUS_TIMEOUT,
		.failures = 1,
	};
	assert_int_equal(recovery_permit(STATUS_BAD_HOST, &disk), STATUS_TIMEOUT);
	disk.reset = STATUS_NO_DEVICE;
	assert_int_equal(recovery_permit(STATUS_BAD_HOST, &disk), STATUS_NO_DEVICE);
}

/* Every other status: what was found on the disk, or what it said itself, is no reset's business.
 */
static void test_no_other_cause_is_mended_by_a_reset(void **state)
{
	(void)state;
	const struct virtio_blk_condition disk = {.failure = STATUS_BAD_HOST, .failures = 1};
	unsigned int refused = 0;
	for (int number = 1; number < STATUS_COUNT; number++) {
		const enum status cause = (enum status) - number;
		if (cause == STATUS_BAD_HOST || cause == STATUS_TIMEOUT) {
			continue;
		}
		assert_int_equal(recovery_permit(cause, &disk), cause);
		refused++;
	}
	assert_int_equal(refused, STATUS_COUNT - 3);
}

static void test_the_tpm_goes_on_only_if_its_memory_is_on_the_disk(void **state)
{
	(void)state;
	assert_int_equal(recovery_tpm_decide(false, false), RECOVERY_TPM_CONTINUES);
	assert_int_equal(recovery_tpm_decide(true, false), RECOVERY_TPM_RESTARTS);
	assert_int_equal(recovery_tpm_decide(false, true), RECOVERY_TPM_RESTARTS);
	assert_int_equal(recovery_tpm_decide(true, true), RECOVERY_TPM_RESTARTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_dead_device_is_opened_again_three_times),
		cmocka_unit_test(test_an_unconfirmed_reset_is_the_end),
		cmocka_unit_test(test_no_other_cause_is_mended_by_a_reset),
		cmocka_unit_test(test_the_tpm_goes_on_only_if_its_memory_is_on_the_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
