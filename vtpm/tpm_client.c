// SPDX-License-Identifier: MIT
#include "vtpm/tpm_client.h"

#include "base/bytes.h"
#include "vtpm/response.h"

/* One session: handle, empty nonce, no attributes, empty password (Part 1, section 18.6). */
#define SESSION_BYTES 9u

static void begin(struct tpm_command *command, uint16_t tag, uint32_t code)
{
	writer_init(&command->writer, command->bytes, sizeof(command->bytes));
	command->has_session = tag == TPM_ST_SESSIONS;
	writer_be16(&command->writer, tag);
	writer_be32(&command->writer, 0); /* Size: tpm_client_run(). */
	writer_be32(&command->writer, code);
}

void tpm_command_begin(struct tpm_command *command, uint32_t code)
{
	begin(command, TPM_ST_NO_SESSIONS, code);
}

void tpm_command_begin_authorised(struct tpm_command *command, uint32_t code,
				  const uint32_t *handles, size_t handle_count)
{
	struct writer *writer = &command->writer;
	begin(command, TPM_ST_SESSIONS, code);
	for (size_t i = 0; i < handle_count; i++) {
		writer_be32(writer, handles[i]);
	}
	writer_be32(writer, SESSION_BYTES);
	writer_be32(writer, TPM_RS_PW);
	writer_be16(writer, 0);
	writer_u8(writer, 0);
	writer_be16(writer, 0);
}

enum status tpm_client_run(struct tpm_client *client, const char *step, struct tpm_command *command,
			   struct reader *parameters)
{
	const uint8_t *response = NULL;
	size_t response_bytes = 0;
	client->step = step;
	client->response_code = TPM_RC_SUCCESS;
	if (!writer_ok(&command->writer)) {
		return STATUS_INVALID;
	}
	bytes_store_be32(command->bytes + 2, (uint32_t)command->writer.at);
	if (!client->execute(client->context, command->bytes, command->writer.at, &response,
			     &response_bytes)) {
		return STATUS_BAD_USER;
	}
	enum status status = response_check(response, response_bytes);
	if (status != STATUS_OK) {
		return status;
	}
	client->response_code = response_code(response);
	if (client->response_code != TPM_RC_SUCCESS) {
		return STATUS_FAULTED;
	}
	reader_init(parameters, response, response_bytes);
	reader_skip(parameters, TPM_HEADER_BYTES);
	return STATUS_OK;
}
