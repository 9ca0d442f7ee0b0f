// SPDX-License-Identifier: MIT
#include "script_tpm.h"

#include <string.h>

#include "base/bytes.h"
#include "vtpm/response.h"

static bool execute(void *context, const uint8_t *command, size_t command_bytes,
		    const uint8_t **response, size_t *response_bytes)
{
	struct script_tpm *script = context;
	const size_t number = script->command_count++;
	if (number < SCRIPT_COMMANDS_MAX) {
		memcpy(script->commands[number].bytes, command, command_bytes);
		script->commands[number].size = command_bytes;
	}
	const bool fails = script->failure != SCRIPT_NEVER && number == script->fails_at;
	if (fails && script->failure == SCRIPT_SILENT) {
		return false;
	}
	*response = script->response;
	if (fails && script->failure == SCRIPT_CODE) {
		*response_bytes = response_error(script->response, SCRIPT_FAILURE_CODE);
		return true;
	}
	*response_bytes = TPM_HEADER_BYTES + script->body_size;
	bytes_store_be16(script->response, fails ? 0xFFFF : TPM_ST_NO_SESSIONS);
	bytes_store_be32(script->response + 2, (uint32_t)*response_bytes);
	bytes_store_be32(script->response + 6, TPM_RC_SUCCESS);
	memcpy(script->response + TPM_HEADER_BYTES, script->body, script->body_size);
	return true;
}

void script_tpm_init(struct script_tpm *script, struct tpm_client *client)
{
	memset(script, 0, sizeof(*script));
	*client = (struct tpm_client){.execute = execute, .context = script};
}

uint32_t script_tpm_code(const struct script_tpm *script, size_t number)
{
	return command_code(script->commands[number].bytes);
}
