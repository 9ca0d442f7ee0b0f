// SPDX-License-Identifier: MIT
/* Commands that vtpmd sends to its own TPM. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reader.h"

#define TPM_RH_PLATFORM 0x4000000Cu /* Part 2, section 7.4. */

/* libtpms alone. The response is borrowed until the next call. False: the library gave none. */
bool tpm_process(const uint8_t *command, size_t command_bytes, const uint8_t **response,
		 size_t *response_bytes);

/* Run a command of our own that has to succeed. */
bool tpm_execute_own(const char *what, const uint8_t *command, size_t command_bytes);

/* Header with sessions, one handle, one empty-password session; the caller adds parameters. */
void tpm_begin_authorised(struct writer *writer, uint32_t code, uint32_t handle);
bool tpm_end_authorised(const char *what, struct writer *writer);
