// SPDX-License-Identifier: MIT
#include "vtpm/service_message.h"

#include "base/reader.h"

void service_message_encode(uint8_t out[SERVICE_MESSAGE_HEADER_BYTES],
			    const struct service_message *message)
{
	out[0] = (uint8_t)message->kind;
	out[1] = message->locality;
	out[2] = 0;
	out[3] = 0;
}

enum status service_message_decode(const uint8_t *bytes, size_t size_bytes,
				   struct service_message *message)
{
	struct reader reader;
	reader_init(&reader, bytes, size_bytes);
	const uint8_t kind = reader_u8(&reader);
	const uint8_t locality = reader_u8(&reader);
	const uint16_t reserved = reader_be16(&reader);
	const size_t left = reader_left(&reader);
	if (!reader_ok(&reader) || kind > SERVICE_RESET_ESTABLISHED ||
	    locality > SERVICE_LOCALITY_MAX || reserved != 0 || left > TPM_COMMAND_BYTES_MAX) {
		return STATUS_INVALID;
	}
	*message = (struct service_message){
		.kind = (enum service_message_kind)kind,
		.locality = locality,
		.bytes = reader_bytes(&reader, left),
		.size_bytes = left,
	};
	return STATUS_OK;
}
