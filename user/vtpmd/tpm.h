// SPDX-License-Identifier: MIT
/* libtpms from power-on to its last response. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "vtpm/service_exit.h"

struct tpm_start_options {
	bool restarted;        /* Cap the PCRs; needs TPM2_Startup. */
	bool without_startup;  /* The TPM's user runs TPM2_Startup, as a machine's firmware does. */
	uint32_t buffer_bytes; /* The largest command and response. */
};

/* Power the TPM on (making one if there is authentically none) and run TPM2_Startup(CLEAR) or,
 * if that is its user's, all self-tests. SERVICE_EXIT_ORDERLY: the TPM is ready. Anything else: end
 * with it. */
MUST_CHECK
enum service_exit tpm_start(const struct tpm_start_options *options);

/* Run one command. The response is borrowed until the next call. False: the library gave none. */
MUST_CHECK
bool tpm_execute(const uint8_t *command, size_t command_bytes, const uint8_t **response,
		 size_t *response_bytes);
