// SPDX-License-Identifier: MIT
/* A state file of swtpm. Input: a mode (bit 0: repair the total size), then the file. What is
 * accepted lies within the file, and means the same when it is written anew. */
#include "tools/holdfast/swtpm_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/fuzz/fuzz.h"

static void require_same_again(const uint8_t *state, size_t state_bytes)
{
	const uint8_t *again = NULL;
	size_t again_bytes = 0;
	uint8_t *file = malloc(SWTPM_STATE_HEADER_BYTES + state_bytes);
	FUZZ_REQUIRE(file != NULL);
	swtpm_state_header(file, state_bytes);
	memcpy(file + SWTPM_STATE_HEADER_BYTES, state, state_bytes);
	FUZZ_REQUIRE(swtpm_state_decode(file, SWTPM_STATE_HEADER_BYTES + state_bytes, &again,
					&again_bytes) == STATUS_OK);
	FUZZ_REQUIRE(again == file + SWTPM_STATE_HEADER_BYTES && again_bytes == state_bytes);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	const uint8_t mode = fuzz_u8(&input);
	const uint8_t *state = NULL;
	size_t state_bytes = 0;
	size_t file_bytes = 0;
	uint8_t *file = fuzz_rest(&input, &file_bytes);
	if ((mode & 1) != 0 && file_bytes >= 10) {
		bytes_store_be32(file + 6, (uint32_t)file_bytes);
	}
	const enum status status = swtpm_state_decode(file, file_bytes, &state, &state_bytes);
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID ||
		     status == STATUS_NEWER_FORMAT || status == STATUS_UNSUPPORTED);
	if (status == STATUS_OK) {
		FUZZ_REQUIRE(state >= file + 10 && state_bytes > 0);
		FUZZ_REQUIRE(state_bytes <= (size_t)(file + file_bytes - state));
		FUZZ_REQUIRE(bytes_load_be16(file + 4) == 0);
		require_same_again(state, state_bytes);
	} else {
		FUZZ_REQUIRE(state == NULL && state_bytes == 0);
	}
	free(file);
	return 0;
}
