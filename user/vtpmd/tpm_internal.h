// SPDX-License-Identifier: MIT
/* Commands that vtpmd sends to its own TPM. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vtpm/tpm_client.h"

/* libtpms alone. The response is borrowed until the next call. False: the library gave none. */
bool tpm_process(const uint8_t *command, size_t command_bytes, const uint8_t **response,
		 size_t *response_bytes);

/* Run a command of our own that has to succeed. */
bool tpm_execute_own(const char *what, const uint8_t *command, size_t command_bytes);

/* The TPM, for the steps of vtpm/provision.h and for commands built with vtpm/tpm_client.h. */
struct tpm_client tpm_own_client(void);

/* Log what went wrong, if something did. */
bool tpm_succeeded(enum status status, const struct tpm_client *client);
