// SPDX-License-Identifier: MIT
/* The full self-test at power-on, ahead of the TPM's user.
 *
 * A machine's firmware asks for TPM2_SelfTest(YES) first thing and may give it two seconds
 * (SeaBIOS, by the PC client platform's durations, and Linux). Under emulation it takes one of
 * them, and a busy host takes the other. Nobody counts the time that a TPM needs to be powered on,
 * so the tests run then, and the firmware's question is answered by what they found: nothing lies
 * between the two but TPM2_Startup. Whoever asks a second time gets all tests run again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define SELF_TEST_COMMAND_BYTES 11u

/* After TPMLIB_MainInit(), before any command. A test that fails ends the process: a TPM that
 * computes wrong results must not be served. False: libtpms did not run them. */
MUST_CHECK
bool self_test_at_power_on(void);

/* The command to execute for `command`: itself, or what asks for the result of the tests that have
 * run. */
MUST_CHECK
const uint8_t *self_test_replace(const uint8_t *command, size_t command_bytes);
