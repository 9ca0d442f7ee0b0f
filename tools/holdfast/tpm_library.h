// SPDX-License-Identifier: MIT
/* libtpms with its state in memory: one TPM, once on and once off, in the process that calls.
 * tpm_process.h puts that process aside; nothing else calls this. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

/* The exit code of a process whose random generator gave nothing. libtpms would go on with
 * rand(3). */
#define TPM_LIBRARY_EXIT_NO_ENTROPY 3

/* With `state_bytes` 0 a new TPM is made. STATUS_INVALID: libtpms does not accept the state. It is
 * copied. */
MUST_CHECK
enum status tpm_library_power_on(const uint8_t *state, size_t state_bytes);

/* For struct tpm_client. */
bool tpm_library_execute(void *context, const uint8_t *command, size_t command_bytes,
			 const uint8_t **response, size_t *response_bytes);

/* What libtpms stored last. STATUS_TOO_LARGE, or STATUS_FAULTED: it stored nothing. */
MUST_CHECK
enum status tpm_library_power_off(uint8_t *out, size_t size_max, size_t *size_bytes);
