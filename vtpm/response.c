// SPDX-License-Identifier: MIT
#include "vtpm/response.h"

#include "base/bytes.h"
#include "base/reader.h"

/* tag NO_SESSIONS, size 12, code, TPM_SU_CLEAR (Part 3, sections 9.3 and 9.4). */
const uint8_t tpm_startup_clear[TPM_STARTUP_BYTES] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0};
const uint8_t tpm_shutdown_clear[TPM_STARTUP_BYTES] = {0x80, 0x01, 0, 0,    0, 12,
						       0,    0,    1, 0x45, 0, 0};

size_t response_error(uint8_t out[TPM_HEADER_BYTES], uint32_t code)
{
	bytes_store_be16(out, TPM_ST_NO_SESSIONS);
	bytes_store_be32(out + 2, TPM_HEADER_BYTES);
	bytes_store_be32(out + 6, code);
	return TPM_HEADER_BYTES;
}

enum status response_check(const uint8_t *bytes, size_t size_bytes)
{
	struct reader reader;
	uint16_t tag;
	uint32_t size;

	if (size_bytes < TPM_HEADER_BYTES || size_bytes > TPM_RESPONSE_BYTES_MAX) {
		return STATUS_BAD_USER;
	}
	reader_init(&reader, bytes, size_bytes);
	tag = reader_be16(&reader);
	size = reader_be32(&reader);
	if (!reader_ok(&reader) || size != size_bytes) {
		return STATUS_BAD_USER;
	}
	if (tag != TPM_ST_NO_SESSIONS && tag != TPM_ST_SESSIONS && tag != TPM_ST_RSP_COMMAND) {
		return STATUS_BAD_USER;
	}
	return STATUS_OK;
}

uint32_t response_code(const uint8_t *bytes)
{
	return bytes_load_be32(bytes + 6);
}

uint32_t command_code(const uint8_t *bytes)
{
	return bytes_load_be32(bytes + 6);
}
