// SPDX-License-Identifier: MIT
/* The platform around the TPM, as libtpms sees it: the locality of a command, the hash of a dynamic
 * launch, the TPM established flag, and whether the running command has been cancelled. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "vtpm/response.h"
#include "vtpm/service_message.h"

#define PLATFORM_RESPONSE_BYTES_MAX (TPM_HEADER_BYTES + 1u)

/* Of everything that libtpms does from now on. */
void platform_set_locality(uint8_t locality);
uint8_t platform_locality(void);

/* Carry out a signal, which is any message but a command. Returns the size of the response. */
size_t platform_signal(const struct service_message *message,
		       uint8_t response[PLATFORM_RESPONSE_BYTES_MAX]);
