// SPDX-License-Identifier: MIT
#include "vtpm/doubt.h"

#include "base/bytes.h"

#define SIZE_AT    2u /* Of the header's big-endian size. */
#define SIZE_BYTES 4u

/* True if the bytes, as many of them as there are, can be the start of a command: one of the tags
 * 0x8001 and 0x8002, and a size within the limits. */
static bool plausible_start(const uint8_t *bytes, size_t size_bytes)
{
	if (bytes[0] != 0x80) {
		return false;
	}
	if (size_bytes >= 2 && bytes[1] != 1 && bytes[1] != 2) {
		return false;
	}
	if (size_bytes < SIZE_AT + SIZE_BYTES) {
		return (size_bytes < 3 || bytes[2] == 0) && (size_bytes < 4 || bytes[3] == 0);
	}
	const uint32_t claimed = bytes_load_be32(bytes + SIZE_AT);
	return claimed >= TPM_HEADER_BYTES && claimed <= TPM_COMMAND_BYTES_MAX;
}

enum doubt_verdict doubt_judge(const uint8_t *bytes, size_t size_bytes)
{
	if (!plausible_start(bytes, size_bytes)) {
		return DOUBT_DROP;
	}
	if (size_bytes < SIZE_AT + SIZE_BYTES || size_bytes < bytes_load_be32(bytes + SIZE_AT)) {
		return DOUBT_HOLD;
	}
	return DOUBT_ACCEPT;
}

bool doubt_refuted(const uint8_t *next, size_t size_bytes)
{
	return plausible_start(next, size_bytes);
}
