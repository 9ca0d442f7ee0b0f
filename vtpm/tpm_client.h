// SPDX-License-Identifier: MIT
/* Commands that we send to a TPM ourselves: building them, running them, reading what comes back.
 * Only what manufacture needs: no handle, one or two handles, and one password session with an
 * empty password (TPM 2.0 Library, Part 1, section 18).
 *
 * The TPM is a port: libtpms in ring 3, libtpms in a process of the host tool, a script in tests.
 * Its responses are checked before they are believed. PURE. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/reader.h"
#include "base/status.h"

/* Room for the longest: an NV_Write of 1,024 bytes. */
#define TPM_CLIENT_COMMAND_BYTES 1280u

/* TPM_RH, TPM_RS (Part 2, section 7.4). */
#define TPM_RH_OWNER       0x40000001u
#define TPM_RS_PW          0x40000009u
#define TPM_RH_LOCKOUT     0x4000000Au
#define TPM_RH_ENDORSEMENT 0x4000000Bu
#define TPM_RH_PLATFORM    0x4000000Cu

struct tpm_client {
	/* The response is borrowed until the next call. False: there is none. */
	bool (*execute)(void *context, const uint8_t *command, size_t command_bytes,
			const uint8_t **response, size_t *response_bytes);
	void *context;
	/* For messages: what was tried last, and the TPM's answer if it was not success. */
	const char *step;
	uint32_t response_code;
};

struct tpm_command {
	uint8_t bytes[TPM_CLIENT_COMMAND_BYTES];
	struct writer writer; /* The caller adds parameters. */
	bool has_session;
};

/* Begin a command without handles and sessions; the caller may add handles as parameters. */
void tpm_command_begin(struct tpm_command *command, uint32_t code);

/* Begin a command of one or two handles; the first is authorised with an empty password. */
void tpm_command_begin_authorised(struct tpm_command *command, uint32_t code,
				  const uint32_t *handles, size_t handle_count);

/* Run it. `*parameters` then stands behind the response's header; it is borrowed until the next
 * call. STATUS_FAULTED: the TPM answered with another code than success (client->response_code).
 * STATUS_BAD_USER: no response, or none that is one. STATUS_INVALID: the command did not fit. */
MUST_CHECK
enum status tpm_client_run(struct tpm_client *client, const char *step, struct tpm_command *command,
			   struct reader *parameters);
