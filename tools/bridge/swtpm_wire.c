// SPDX-License-Identifier: MIT
#include "tools/bridge/swtpm_wire.h"

#include "base/bytes.h"
#include "base/reader.h"

/* What we offer, in the bits of GET_CAPABILITY. GET_STATEBLOB, SET_STATEBLOB and STORE_VOLATILE are
 * missing: a TPM's state does not leave the service VM, and QEMU refuses to migrate a guest then.
 */
#define CAPABILITY_INIT              0x00001u
#define CAPABILITY_SHUTDOWN          0x00002u
#define CAPABILITY_GET_ESTABLISHED   0x00004u
#define CAPABILITY_SET_LOCALITY      0x00008u
#define CAPABILITY_HASHING           0x00010u
#define CAPABILITY_CANCEL            0x00020u
#define CAPABILITY_RESET_ESTABLISHED 0x00080u
#define CAPABILITY_STOP              0x00400u
#define CAPABILITY_GET_CONFIG        0x00800u
#define CAPABILITY_SET_DATAFD        0x01000u
#define CAPABILITY_SET_BUFFERSIZE    0x02000u
#define CAPABILITY_GET_INFO          0x04000u
#define CAPABILITY_LOCK_STORAGE      0x10000u
#define CAPABILITIES                                                               \
	(CAPABILITY_INIT | CAPABILITY_SHUTDOWN | CAPABILITY_GET_ESTABLISHED |      \
	 CAPABILITY_SET_LOCALITY | CAPABILITY_HASHING | CAPABILITY_CANCEL |        \
	 CAPABILITY_RESET_ESTABLISHED | CAPABILITY_STOP | CAPABILITY_GET_CONFIG |  \
	 CAPABILITY_SET_DATAFD | CAPABILITY_SET_BUFFERSIZE | CAPABILITY_GET_INFO | \
	 CAPABILITY_LOCK_STORAGE)

#define INFO_BYTES 16u

static const struct {
	const char *name;
	size_t field_bytes; /* Behind the command. */
} commands[] = {
	[0] = {"unknown", 0},
	[SWTPM_GET_CAPABILITY] = {"GET_CAPABILITY", 0},
	[SWTPM_INIT] = {"INIT", 4},
	[SWTPM_SHUTDOWN] = {"SHUTDOWN", 0},
	[SWTPM_GET_ESTABLISHED] = {"GET_TPMESTABLISHED", 0},
	[SWTPM_SET_LOCALITY] = {"SET_LOCALITY", 1},
	[SWTPM_HASH_START] = {"HASH_START", 0},
	[SWTPM_HASH_DATA] = {"HASH_DATA", 4},
	[SWTPM_HASH_END] = {"HASH_END", 0},
	[SWTPM_CANCEL] = {"CANCEL_TPM_CMD", 0},
	[SWTPM_STORE_VOLATILE] = {"STORE_VOLATILE", 0},
	[SWTPM_RESET_ESTABLISHED] = {"RESET_TPMESTABLISHED", 1},
	[SWTPM_GET_STATEBLOB] = {"GET_STATEBLOB", 0},
	[SWTPM_SET_STATEBLOB] = {"SET_STATEBLOB", 0},
	[SWTPM_STOP] = {"STOP", 0},
	[SWTPM_GET_CONFIG] = {"GET_CONFIG", 0},
	[SWTPM_SET_DATAFD] = {"SET_DATAFD", 0},
	[SWTPM_SET_BUFFERSIZE] = {"SET_BUFFERSIZE", 4},
	[SWTPM_GET_INFO] = {"GET_INFO", INFO_BYTES},
	[SWTPM_LOCK_STORAGE] = {"LOCK_STORAGE", 4},
};

const char *swtpm_command_name(uint32_t command)
{
	return commands[command < ARRAY_COUNT(commands) ? command : 0].name;
}

static enum swtpm_event decode_hash_data(struct reader *reader, struct swtpm_request *request)
{
	request->size_bytes = reader_be32(reader);
	if (request->size_bytes > SWTPM_HASH_BYTES_MAX) {
		return SWTPM_MALFORMED;
	}
	request->bytes = reader_bytes(reader, request->size_bytes);
	return reader_ok(reader) ? SWTPM_REQUEST : SWTPM_NEED_MORE;
}

enum swtpm_event swtpm_decode(const uint8_t *bytes, size_t size_bytes,
			      struct swtpm_request *request)
{
	struct reader reader;
	*request = (struct swtpm_request){0};
	reader_init(&reader, bytes, size_bytes);
	request->command = reader_be32(&reader);
	if (!reader_ok(&reader)) {
		return SWTPM_NEED_MORE;
	}
	const size_t index = request->command < ARRAY_COUNT(commands) ? request->command : 0;
	if (reader_left(&reader) < commands[index].field_bytes) {
		return SWTPM_NEED_MORE;
	}
	if (request->command == SWTPM_HASH_DATA) {
		return decode_hash_data(&reader, request);
	}
	if (commands[index].field_bytes == 1) {
		request->locality = reader_u8(&reader);
	} else if (commands[index].field_bytes == 4) {
		request->value = reader_be32(&reader);
	}
	return SWTPM_REQUEST;
}

bool swtpm_translate(const struct swtpm_request *request, struct tpm_control_request *control)
{
	*control = (struct tpm_control_request){0};
	switch (request->command) {
	case SWTPM_INIT:
		control->command = TPM_CONTROL_POWER_ON;
		control->flags = (request->value & SWTPM_INIT_DELETE_VOLATILE) != 0
					 ? TPM_CONTROL_POWER_DELETE_VOLATILE
					 : 0;
		return true;
	case SWTPM_SHUTDOWN:
	case SWTPM_STOP: control->command = TPM_CONTROL_POWER_OFF; return true;
	case SWTPM_GET_ESTABLISHED: control->command = TPM_CONTROL_GET_ESTABLISHED; return true;
	case SWTPM_RESET_ESTABLISHED:
		control->command = TPM_CONTROL_RESET_ESTABLISHED;
		control->locality = request->locality;
		return request->locality <= TPM_CONTROL_LOCALITY_MAX;
	case SWTPM_HASH_START: control->command = TPM_CONTROL_HASH_START; return true;
	case SWTPM_HASH_DATA:
		control->command = TPM_CONTROL_HASH_DATA;
		control->bytes = request->bytes;
		control->byte_count = request->size_bytes;
		return request->size_bytes > 0;
	case SWTPM_HASH_END: control->command = TPM_CONTROL_HASH_END; return true;
	case SWTPM_SET_BUFFERSIZE:
		control->command = TPM_CONTROL_BUFFER_SIZE;
		control->size_bytes = request->value;
		return true;
	default: return false; /* A number of somebody else's. */
	}
}

static uint32_t result_of(uint16_t result)
{
	switch (result) {
	case TPM_CONTROL_OK: return SWTPM_OK;
	case TPM_CONTROL_BAD_LOCALITY: return SWTPM_BAD_LOCALITY;
	case TPM_CONTROL_IS_ON:
	case TPM_CONTROL_IS_OFF:
	case TPM_CONTROL_BAD_SEQUENCE: return SWTPM_BAD_ORDINAL;
	default: return SWTPM_FAIL; /* A number of the service VM's. */
	}
}

size_t swtpm_encode_translated(const struct swtpm_request *request, uint16_t result,
			       const uint8_t *body, size_t body_bytes,
			       uint8_t out[SWTPM_REPLY_BYTES_MAX])
{
	struct tpm_control_buffer_size size = {0};
	struct writer writer;
	uint32_t code = result_of(result);
	const bool sizes_fit = tpm_control_decode_buffer_size(body, body_bytes, &size);
	writer_init(&writer, out, SWTPM_REPLY_BYTES_MAX);
	if (request->command == SWTPM_SET_BUFFERSIZE) {
		code = code == SWTPM_OK && !sizes_fit ? SWTPM_FAIL : code;
		writer_be32(&writer, code);
		writer_be32(&writer, code == SWTPM_OK ? size.size_bytes : 0);
		writer_be32(&writer, code == SWTPM_OK ? size.min_bytes : 0);
		writer_be32(&writer, code == SWTPM_OK ? size.max_bytes : 0);
		return writer.at;
	}
	if (request->command == SWTPM_GET_ESTABLISHED) {
		code = code == SWTPM_OK && body_bytes != 1 ? SWTPM_FAIL : code;
		writer_be32(&writer, code);
		writer_u8(&writer, code == SWTPM_OK && body[0] != 0 ? 1 : 0);
		writer_zero(&writer, 3);
		return writer.at;
	}
	writer_be32(&writer, code);
	return writer.at;
}

size_t swtpm_encode_own(const struct swtpm_request *request, uint32_t result,
			uint8_t out[SWTPM_REPLY_BYTES_MAX])
{
	struct writer writer;
	writer_init(&writer, out, SWTPM_REPLY_BYTES_MAX);
	switch (request->command) {
	case SWTPM_GET_CAPABILITY: /* The one without a result: 64 bits. */
		writer_be32(&writer, 0);
		writer_be32(&writer, CAPABILITIES);
		break;
	case SWTPM_GET_CONFIG: /* No flag: nothing is encrypted with a key of the caller's. */
		writer_be32(&writer, SWTPM_OK);
		writer_be32(&writer, 0);
		break;
	case SWTPM_GET_INFO: /* Total length, length, text: an object that says nothing. */
		writer_be32(&writer, SWTPM_OK);
		writer_be32(&writer, 3);
		writer_be32(&writer, 3);
		writer_copy(&writer, (const uint8_t *)"{}", 3);
		break;
	case SWTPM_GET_STATEBLOB: /* Result, flags, total length, length. */
		writer_be32(&writer, SWTPM_BAD_ORDINAL);
		writer_zero(&writer, 12);
		break;
	default: writer_be32(&writer, result); break; /* A number of somebody else's. */
	}
	return writer.at;
}
