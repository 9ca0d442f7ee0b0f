// SPDX-License-Identifier: MIT
/* A TPM that says what it is told to, and remembers what it was asked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vtpm/tpm_client.h"

#define SCRIPT_COMMANDS_MAX   16u
#define SCRIPT_RESPONSE_BYTES 2048u

struct script_tpm {
	struct {
		uint8_t bytes[TPM_CLIENT_COMMAND_BYTES];
		size_t size;
	} commands[SCRIPT_COMMANDS_MAX];
	size_t command_count;
	/* The answer to every command: success, and a body that begins with this. */
	uint8_t body[SCRIPT_RESPONSE_BYTES];
	size_t body_size;
	/* The n-th command, from 0, goes wrong in this way. */
	size_t fails_at;
	enum {
		SCRIPT_NEVER,
		SCRIPT_CODE,
		SCRIPT_SILENT,
		SCRIPT_GARBAGE
	} failure;
	uint8_t response[SCRIPT_RESPONSE_BYTES + 10];
};

#define SCRIPT_FAILURE_CODE 0x101u

void script_tpm_init(struct script_tpm *script, struct tpm_client *client);
/* The code of the n-th command. */
uint32_t script_tpm_code(const struct script_tpm *script, size_t number);
