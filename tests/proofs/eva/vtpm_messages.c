// SPDX-License-Identifier: MIT
/* Whose bytes reach the vTPM and leave it: responses of the service, which may lie; messages to it;
 * requests of the control port, as the kernel takes them, and replies, as the host's tools do. */
#include "tests/proofs/eva/entry.h"
#include "vtpm/response.h"
#include "vtpm/service_message.h"
#include "vtpm/tpm_control.h"

static uint8_t response[TPM_RESPONSE_BYTES_MAX + 1];
static uint8_t message[SERVICE_MESSAGE_BYTES_MAX + 1];
static uint8_t request[TPM_CONTROL_MESSAGE_BYTES_MAX + 1];
static uint8_t reply[TPM_CONTROL_BODY_BYTES_MAX];

static void judge_response(size_t size)
{
	const uint8_t *bytes = FOREIGN(response, size);
	ANYTHING(response);
	if (response_check(bytes, size) == STATUS_OK) {
		(void)response_code(bytes);
	}
}

static void take_message(size_t size)
{
	struct service_message found;
	ANYTHING(message);
	(void)service_message_decode(FOREIGN(message, size), size, &found);
}

static void take_request(size_t size)
{
	struct tpm_control_request found;
	ANYTHING(request);
	(void)tpm_control_decode_request(FOREIGN(request, size), size,
					 (uint16_t)any_up_to(UINT16_MAX), &found);
}

static void take_reply(size_t size)
{
	struct tpm_control_hello hello;
	struct tpm_control_status status;
	struct tpm_control_counters counters;
	struct tpm_control_buffer_size buffer;
	const uint8_t *body = FOREIGN(reply, size);
	ANYTHING(reply);
	(void)tpm_control_decode_hello(body, size, &hello);
	(void)tpm_control_decode_status(body, size, &status);
	(void)tpm_control_decode_counters(body, size, &counters);
	(void)tpm_control_decode_buffer_size(body, size, &buffer);
}

int main(void)
{
	struct tpm_control_header header;
	EACH_LENGTH(judge_response, 12u, response);
	EACH_LENGTH(take_message, 8u, message);
	EACH_LENGTH(take_request, 20u, request);
	EACH_LENGTH(take_reply, 40u, reply);
	(void)tpm_control_decode_header(reply, TPM_CONTROL_MAGIC_REPLY, &header);
	(void)tpm_control_result_name((uint16_t)any_up_to(UINT16_MAX));
	return 0;
}
