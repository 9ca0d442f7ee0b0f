// SPDX-License-Identifier: MIT
#include "tools/bridge/mssim_wire.h"

#include "base/reader.h"

#define SERVER_VERSION 1u

/* Which connection takes which request. */
static bool is_known(bool is_platform, uint32_t command)
{
	switch (command) {
	case MSSIM_SESSION_END:
	case MSSIM_STOP: return true;
	case MSSIM_POWER_ON:
	case MSSIM_POWER_OFF:
	case MSSIM_PRESENCE_ON:
	case MSSIM_PRESENCE_OFF:
	case MSSIM_CANCEL_ON:
	case MSSIM_CANCEL_OFF:
	case MSSIM_NV_ON:
	case MSSIM_RESET:
	case MSSIM_RESTART: return is_platform;
	case MSSIM_HASH_START:
	case MSSIM_HASH_DATA:
	case MSSIM_HASH_END:
	case MSSIM_SEND_COMMAND:
	case MSSIM_HANDSHAKE: return !is_platform;
	default: return false; /* A number of somebody else's. */
	}
}

/* size:u32 and as many bytes. */
static enum mssim_event decode_bytes(struct reader *reader, struct mssim_request *request)
{
	request->size_bytes = reader_be32(reader);
	if (!reader_ok(reader)) {
		return MSSIM_NEED_MORE;
	}
	if (request->size_bytes > TPM_COMMAND_BYTES_MAX) {
		return MSSIM_MALFORMED;
	}
	request->bytes = reader_bytes(reader, request->size_bytes);
	return reader_ok(reader) ? MSSIM_REQUEST : MSSIM_NEED_MORE;
}

static enum mssim_event decode_fields(struct reader *reader, struct mssim_request *request)
{
	if (request->command == MSSIM_HASH_DATA) {
		return decode_bytes(reader, request);
	}
	if (request->command == MSSIM_HANDSHAKE) {
		reader_skip(reader, 4); /* The client's version. */
		return reader_ok(reader) ? MSSIM_REQUEST : MSSIM_NEED_MORE;
	}
	if (request->command != MSSIM_SEND_COMMAND) {
		return MSSIM_REQUEST;
	}
	request->locality = reader_u8(reader);
	const enum mssim_event event = decode_bytes(reader, request);
	if (request->locality > TPM_CONTROL_LOCALITY_MAX ||
	    (event == MSSIM_REQUEST && request->size_bytes < TPM_HEADER_BYTES)) {
		return MSSIM_MALFORMED;
	}
	return event;
}

enum mssim_event mssim_decode(bool is_platform, const uint8_t *bytes, size_t size_bytes,
			      struct mssim_request *request, size_t *taken)
{
	struct reader reader;
	*request = (struct mssim_request){0};
	*taken = 0;
	reader_init(&reader, bytes, size_bytes);
	const uint32_t command = reader_be32(&reader);
	if (!reader_ok(&reader)) {
		return MSSIM_NEED_MORE;
	}
	if (!is_known(is_platform, command)) {
		return MSSIM_MALFORMED;
	}
	request->command = (enum mssim_command)command;
	const enum mssim_event event = decode_fields(&reader, request);
	if (event == MSSIM_REQUEST) {
		*taken = reader.at;
	}
	return event;
}

bool mssim_translate(const struct mssim_request *request, struct tpm_control_request *control)
{
	*control = (struct tpm_control_request){0};
	switch (request->command) {
	case MSSIM_POWER_ON:
		control->command = TPM_CONTROL_POWER_ON;
		control->flags = TPM_CONTROL_POWER_IF_OFF;
		return true;
	case MSSIM_POWER_OFF: control->command = TPM_CONTROL_POWER_OFF; return true;
	case MSSIM_RESET:
	case MSSIM_RESTART: control->command = TPM_CONTROL_POWER_ON; return true;
	case MSSIM_HASH_START: control->command = TPM_CONTROL_HASH_START; return true;
	case MSSIM_HASH_DATA:
		control->command = TPM_CONTROL_HASH_DATA;
		control->bytes = request->bytes;
		control->byte_count = request->size_bytes;
		return request->size_bytes > 0;
	case MSSIM_HASH_END: control->command = TPM_CONTROL_HASH_END; return true;
	case MSSIM_PRESENCE_ON:
	case MSSIM_PRESENCE_OFF:
	case MSSIM_SEND_COMMAND:
	case MSSIM_CANCEL_ON:
	case MSSIM_CANCEL_OFF:
	case MSSIM_NV_ON:
	case MSSIM_HANDSHAKE:
	case MSSIM_SESSION_END:
	case MSSIM_STOP: break;
	}
	return false;
}

size_t mssim_encode_own(const struct mssim_request *request, bool good,
			uint8_t out[MSSIM_OWN_BYTES_MAX])
{
	struct writer writer;
	writer_init(&writer, out, MSSIM_OWN_BYTES_MAX);
	if (request->command == MSSIM_HANDSHAKE) {
		writer_be32(&writer, SERVER_VERSION);
		writer_be32(&writer, 0); /* Neither raw mode nor a platform on this connection. */
	}
	writer_be32(&writer, good ? 0 : 1);
	return writer.at;
}
