// SPDX-License-Identifier: MIT
/* The bridge's clients: requests of the swtpm and of the mssim protocol, of each length, and what
 * the TPM is asked for then. */
#include "tests/proofs/eva/entry.h"
#include "tools/bridge/mssim_wire.h"
#include "tools/bridge/swtpm_wire.h"

static uint8_t memory[SWTPM_REQUEST_BYTES_MAX + 1];
static uint8_t body[TPM_CONTROL_BODY_BYTES_MAX];

static void take_swtpm(size_t size)
{
	struct swtpm_request request;
	struct tpm_control_request control;
	uint8_t reply[SWTPM_REPLY_BYTES_MAX];
	ANYTHING(memory);
	if (swtpm_decode(FOREIGN(memory, size), size, &request) != SWTPM_REQUEST) {
		return;
	}
	(void)swtpm_command_name(request.command);
	if (swtpm_translate(&request, &control)) {
		ANYTHING(body);
		(void)swtpm_encode_translated(&request, (uint16_t)any_up_to(UINT16_MAX), body,
					      sizeof(body), reply);
	} else {
		(void)swtpm_encode_own(&request, any_up_to(UINT32_MAX), reply);
	}
}

static void take_mssim(bool is_platform, size_t size)
{
	struct mssim_request request;
	struct tpm_control_request control;
	uint8_t reply[MSSIM_OWN_BYTES_MAX];
	size_t taken = 0;
	ANYTHING(memory);
	if (mssim_decode(is_platform, FOREIGN(memory, size), size, &request, &taken) ==
	    MSSIM_REQUEST) {
		(void)mssim_translate(&request, &control);
		(void)mssim_encode_own(&request, any_bool(), reply);
	}
}

static void take(size_t size)
{
	take_swtpm(size);
	take_mssim(false, size);
	take_mssim(true, size);
}

int main(void)
{
	EACH_LENGTH(take, 24u, memory);
	return 0;
}
