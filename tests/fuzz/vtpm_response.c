// SPDX-License-Identifier: MIT
/* What the ring-3 service may let out. Input: a mode (bit 0: repair the size field), then the
 * response. */
#include "vtpm/response.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/fuzz/fuzz.h"

/* The rule of TPM 2.0 Library, Part 1, section 18, in other words than the code's. */
static bool response_is_whole(const uint8_t *bytes, size_t size)
{
	if (size < TPM_HEADER_BYTES || size > TPM_RESPONSE_BYTES_MAX) {
		return false;
	}
	const unsigned int tag = (unsigned int)bytes[0] << 8 | bytes[1];
	const size_t claimed =
		(size_t)bytes[2] << 24 | (size_t)bytes[3] << 16 | (size_t)bytes[4] << 8 | bytes[5];
	return claimed == size && (tag == 0x8001 || tag == 0x8002 || tag == 0x00c4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	const uint8_t mode = fuzz_u8(&input);
	uint8_t error[TPM_HEADER_BYTES];
	size_t response_size = 0;
	uint8_t *response = fuzz_rest(&input, &response_size);
	if ((mode & 1) != 0 && response_size >= TPM_HEADER_BYTES) {
		bytes_store_be32(response + 2, (uint32_t)response_size);
	}
	const enum status status = response_check(response, response_size);
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_BAD_USER);
	FUZZ_REQUIRE((status == STATUS_OK) == response_is_whole(response, response_size));
	if (status == STATUS_OK) {
		/* An answer of our own with that code passes as well, and carries it. */
		const uint32_t code = response_code(response);
		const size_t error_size = response_error(error, code);
		FUZZ_REQUIRE(response_check(error, error_size) == STATUS_OK);
		FUZZ_REQUIRE(response_code(error) == code && command_code(response) == code);
	}
	free(response);
	return 0;
}
