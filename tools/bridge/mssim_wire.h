// SPDX-License-Identifier: MIT
/* The two connections of Microsoft's TPM simulator, as tpm2-tss' mssim TCTI and the IBM TSS speak
 * them: commands on one, what the platform does on the other. Big-endian; each request but the end
 * of a session is answered with a u32 0 at the end. PURE. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "vtpm/frame.h"
#include "vtpm/tpm_control.h"

enum mssim_command {
	MSSIM_POWER_ON = 1,
	MSSIM_POWER_OFF = 2,
	MSSIM_PRESENCE_ON = 3,
	MSSIM_PRESENCE_OFF = 4,
	MSSIM_HASH_START = 5,
	MSSIM_HASH_DATA = 6,
	MSSIM_HASH_END = 7,
	MSSIM_SEND_COMMAND = 8,
	MSSIM_CANCEL_ON = 9,
	MSSIM_CANCEL_OFF = 10,
	MSSIM_NV_ON = 11,
	MSSIM_HANDSHAKE = 15,
	MSSIM_RESET = 17,
	MSSIM_RESTART = 18,
	MSSIM_SESSION_END = 20,
	MSSIM_STOP = 21,
};

#define MSSIM_HEAD_BYTES        9u /* Of SEND_COMMAND: command, locality, size. */
#define MSSIM_REQUEST_BYTES_MAX (MSSIM_HEAD_BYTES + TPM_COMMAND_BYTES_MAX)
#define MSSIM_OWN_BYTES_MAX     12u

struct mssim_request {
	enum mssim_command command;
	uint8_t locality;     /* SEND_COMMAND. */
	const uint8_t *bytes; /* SEND_COMMAND, HASH_DATA; borrowed. */
	size_t size_bytes;
};

enum mssim_event {
	MSSIM_NEED_MORE,
	MSSIM_REQUEST,
	MSSIM_MALFORMED, /* Not a request of this connection's, or a field out of its range. */
};

/* *taken: how many bytes a request has used. */
MUST_CHECK
enum mssim_event mssim_decode(bool is_platform, const uint8_t *bytes, size_t size_bytes,
			      struct mssim_request *request, size_t *taken);

/* What the TPM is asked for on behalf of a request. False: nothing. */
MUST_CHECK
bool mssim_translate(const struct mssim_request *request, struct tpm_control_request *control);

/* The whole reply to a request that carries no response. `good`: the TPM did it. */
size_t mssim_encode_own(const struct mssim_request *request, bool good,
			uint8_t out[MSSIM_OWN_BYTES_MAX]);
