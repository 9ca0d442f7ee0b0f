// SPDX-License-Identifier: MIT
/* swtpm's control channel, as QEMU's tpm-emulator, tpm2-tss' swtpm TCTI and swtpm_ioctl speak it:
 * a big-endian u32 command with its fields; each reply but the first's starts with a u32 result of
 * TPM 1.2's kind.
 *
 * The stream has no lengths: QEMU pads a locality to four bytes, the TCTI does not. Everyone waits
 * for the reply before the next request, so whatever has arrived belongs to one request, and what
 * lies behind its fields is padding. PURE. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "vtpm/tpm_control.h"

enum swtpm_command {
	SWTPM_GET_CAPABILITY = 0x01,
	SWTPM_INIT = 0x02,
	SWTPM_SHUTDOWN = 0x03,
	SWTPM_GET_ESTABLISHED = 0x04,
	SWTPM_SET_LOCALITY = 0x05,
	SWTPM_HASH_START = 0x06,
	SWTPM_HASH_DATA = 0x07,
	SWTPM_HASH_END = 0x08,
	SWTPM_CANCEL = 0x09,
	SWTPM_STORE_VOLATILE = 0x0a,
	SWTPM_RESET_ESTABLISHED = 0x0b,
	SWTPM_GET_STATEBLOB = 0x0c,
	SWTPM_SET_STATEBLOB = 0x0d,
	SWTPM_STOP = 0x0e,
	SWTPM_GET_CONFIG = 0x0f,
	SWTPM_SET_DATAFD = 0x10,
	SWTPM_SET_BUFFERSIZE = 0x11,
	SWTPM_GET_INFO = 0x12,
	SWTPM_LOCK_STORAGE = 0x13,
};

/* Results (TPM 1.2's codes). */
#define SWTPM_OK                   0x00u
#define SWTPM_BAD_PARAMETER        0x03u
#define SWTPM_FAIL                 0x09u
#define SWTPM_BAD_ORDINAL          0x0au /* Not offered, or not now. */
#define SWTPM_BAD_LOCALITY         0x3du

#define SWTPM_INIT_DELETE_VOLATILE 1u
#define SWTPM_HASH_BYTES_MAX       4096u
#define SWTPM_REQUEST_BYTES_MAX    (8u + SWTPM_HASH_BYTES_MAX)
#define SWTPM_REPLY_BYTES_MAX      32u

struct swtpm_request {
	uint32_t command;     /* As received: it may be none of enum swtpm_command. */
	uint32_t value;       /* INIT: flags. SET_BUFFERSIZE: bytes. */
	uint8_t locality;     /* SET_LOCALITY, RESET_ESTABLISHED. */
	const uint8_t *bytes; /* HASH_DATA; borrowed. */
	size_t size_bytes;
};

enum swtpm_event {
	SWTPM_NEED_MORE,
	SWTPM_REQUEST,
	SWTPM_MALFORMED, /* A length above its limit: nothing sensible can follow. */
};

MUST_CHECK
enum swtpm_event swtpm_decode(const uint8_t *bytes, size_t size_bytes,
			      struct swtpm_request *request);

/* What the TPM is asked for on behalf of a request. False: nothing, it is answered from here. */
MUST_CHECK
bool swtpm_translate(const struct swtpm_request *request, struct tpm_control_request *control);

/* The reply to a request that was translated; `result` and `body` are the TPM's. Returns its
 * size. */
size_t swtpm_encode_translated(const struct swtpm_request *request, uint16_t result,
			       const uint8_t *body, size_t body_bytes,
			       uint8_t out[SWTPM_REPLY_BYTES_MAX]);

/* The reply to one that was not, with a result of the caller's where there is something to say. */
size_t swtpm_encode_own(const struct swtpm_request *request, uint32_t result,
			uint8_t out[SWTPM_REPLY_BYTES_MAX]);

/* "INIT", ... for logs; "unknown". */
const char *swtpm_command_name(uint32_t command);
