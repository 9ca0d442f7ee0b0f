// SPDX-License-Identifier: MIT
/* What a TPM answers while it is made: parameters of any length to each command, and the public
 * areas that are certified. That a response is one is vtpm_messages.c's. */
#include "tests/proofs/eva/reader.h"
#include "vtpm/provision.h"

enum status tpm_client_run(struct tpm_client *client, const char *step, struct tpm_command *command,
			   struct reader *parameters)
{
	(void)step;
	if (!writer_ok(&command->writer)) {
		return STATUS_INVALID;
	}
	client->response_code = any_up_to(UINT32_MAX);
	reader_init(parameters, ANY_FILE, any_u64());
	return any_bool() ? STATUS_OK : STATUS_FAULTED;
}

void tpm_command_begin(struct tpm_command *command, uint32_t code)
{
	(void)code;
	writer_init(&command->writer, command->bytes, sizeof(command->bytes));
}

void tpm_command_begin_authorised(struct tpm_command *command, uint32_t code,
				  const uint32_t *handles, size_t handle_count)
{
	//@ assert handles_are_there: \valid_read(handles + (0 .. handle_count - 1));
	tpm_command_begin(command, code);
}

static void take_public(struct tpm_client *client, enum provision_key key)
{
	uint8_t bytes[PROVISION_PUBLIC_BYTES_MAX];
	size_t size = 0;
	struct provision_public public;
	(void)provision_key_make(client, key);
	if (provision_public_read(client, key, bytes, &size) == STATUS_OK) {
		//@ assert fits: size <= PROVISION_PUBLIC_BYTES_MAX;
		(void)provision_public_decode(bytes, size, &public);
	}
	if (provision_public_decode(ANY_FILE, any_u64(), &public) == STATUS_OK) {
		//@ assert a_key: public.key < PROVISION_KEYS;
	}
}

int main(void)
{
	struct tpm_client client = {0};
	struct provision_identity identity;
	(void)provision_settings(&client);
	(void)provision_identity_read(&client, &identity);
	//@ loop unroll PROVISION_KEYS;
	for (uint32_t key = 0; key < PROVISION_KEYS; key++) {
		take_public(&client, (enum provision_key)key);
	}
	return 0;
}
