// SPDX-License-Identifier: MIT
#include "user/vtpmd/self_test.h"

#include <string.h>
#include <unistd.h>

#include "user/vtpmd/log.h"
#include "vtpm/response.h"
#include "vtpm/service_exit.h"

/* libtpms' own. Not by a command: before TPM2_Startup there is none that does it. */
uint32_t CryptSelfTest(uint8_t full_test);

/* TPM2_SelfTest without sessions: all tests, and only those that have not run yet. */
static const uint8_t test_all[SELF_TEST_COMMAND_BYTES] = {0x80, 0x01, 0,    0,    0, 11,
							  0,    0,    0x01, 0x43, 1};
static const uint8_t test_rest[SELF_TEST_COMMAND_BYTES] = {0x80, 0x01, 0,    0,    0, 11,
							   0,    0,    0x01, 0x43, 0};

/* Outside of a command libtpms has nowhere to jump to when it fails. */
static bool testing;

/* All tests have run, and the TPM's user has not been told. */
static bool untold;

/* Where libtpms gives up a command and enters failure mode (--wrap). */
void __real__plat__Fail(void);
void __wrap__plat__Fail(void);

void __wrap__plat__Fail(void)
{
	if (testing) {
		log_line("the self-test failed");
		_exit(SERVICE_EXIT_LIBRARY);
	}
	__real__plat__Fail();
}

bool self_test_at_power_on(void)
{
	testing = true;
	untold = CryptSelfTest(1) == TPM_RC_SUCCESS;
	testing = false;
	return untold;
}

const uint8_t *self_test_replace(const uint8_t *command, size_t command_bytes)
{
	if (!untold || command_bytes != sizeof(test_all) ||
	    memcmp(command, test_all, sizeof(test_all)) != 0) {
		return command;
	}
	untold = false;
	return test_rest;
}
