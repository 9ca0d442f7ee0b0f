// SPDX-License-Identifier: MIT
/* What a client of the bridge may send: swtpm's control channel and the simulator's two
 * connections. Input: a mode (0: swtpm, 1: commands, 2: platform), then the bytes that arrived.
 * What is taken lies within them, and what is asked of the TPM is a request that its port accepts.
 */
#include "tools/bridge/mssim_wire.h"
#include "tools/bridge/swtpm_wire.h"

#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

static void check_control(const struct tpm_control_request *control, const uint8_t *bytes,
			  size_t size)
{
	FUZZ_REQUIRE(control->command >= TPM_CONTROL_HELLO &&
		     control->command <= TPM_CONTROL_BUFFER_SIZE);
	FUZZ_REQUIRE(control->locality <= TPM_CONTROL_LOCALITY_MAX);
	FUZZ_REQUIRE((control->flags & ~TPM_CONTROL_POWER_FLAGS) == 0);
	if (control->command == TPM_CONTROL_HASH_DATA) {
		FUZZ_REQUIRE(control->byte_count > 0 && control->bytes >= bytes &&
			     control->bytes + control->byte_count <= bytes + size);
	}
}

static void try_swtpm(const uint8_t *bytes, size_t size)
{
	struct swtpm_request request;
	struct tpm_control_request control;
	uint8_t reply[SWTPM_REPLY_BYTES_MAX];
	if (swtpm_decode(bytes, size, &request) != SWTPM_REQUEST) {
		return;
	}
	if (swtpm_translate(&request, &control)) {
		check_control(&control, bytes, size);
		FUZZ_REQUIRE(
			swtpm_encode_translated(&request, (uint16_t)size, bytes, size, reply) >= 4);
	} else {
		FUZZ_REQUIRE(swtpm_encode_own(&request, SWTPM_OK, reply) >= 4);
	}
}

static void try_mssim(bool is_platform, const uint8_t *bytes, size_t size)
{
	struct mssim_request request;
	struct tpm_control_request control;
	uint8_t reply[MSSIM_OWN_BYTES_MAX];
	size_t taken;
	if (mssim_decode(is_platform, bytes, size, &request, &taken) != MSSIM_REQUEST) {
		FUZZ_REQUIRE(taken == 0);
		return;
	}
	FUZZ_REQUIRE(taken >= 4 && taken <= size);
	if (request.command == MSSIM_SEND_COMMAND) {
		FUZZ_REQUIRE(request.size_bytes >= TPM_HEADER_BYTES &&
			     request.size_bytes <= TPM_COMMAND_BYTES_MAX &&
			     request.locality <= TPM_CONTROL_LOCALITY_MAX &&
			     request.bytes + request.size_bytes == bytes + taken);
	}
	if (mssim_translate(&request, &control)) {
		check_control(&control, bytes, size);
	}
	FUZZ_REQUIRE(mssim_encode_own(&request, true, reply) >= 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	const uint8_t mode = fuzz_u8(&input);
	size_t left = 0;
	uint8_t *bytes = fuzz_rest(&input, &left);
	switch (mode % 3) {
	case 0: try_swtpm(bytes, left); break;
	case 1: try_mssim(false, bytes, left); break;
	default: try_mssim(true, bytes, left); break;
	}
	free(bytes);
	return 0;
}
