// SPDX-License-Identifier: MIT
/* What the kernel hands to the vTPM service by read(0): a TPM command with the locality it comes
 * from, or one of the signals that a TPM gets beside its commands (TPM 2.0 Library, Part 1, section
 * 12; Part 4, _TPM_Hash_Start and the like).
 *
 *   0  u8   kind      enum service_message_kind
 *   1  u8   locality  0 to 4
 *   2  u16  reserved  0
 *   4  a TPM command, or the bytes to hash
 *
 * The kernel writes this header, so a client's bytes cannot pass for one. Each message is answered
 * with one response in a TPM's format; to GET_ESTABLISHED its parameter is one byte, 0 or 1. PURE.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "vtpm/frame.h"

#define SERVICE_MESSAGE_HEADER_BYTES 4u
#define SERVICE_MESSAGE_BYTES_MAX    (SERVICE_MESSAGE_HEADER_BYTES + TPM_COMMAND_BYTES_MAX)
#define SERVICE_LOCALITY_MAX         4u

/* What TPM_SetBufferSize of libtpms 0.9 takes. */
#define SERVICE_BUFFER_BYTES_MIN 2808u
#define SERVICE_BUFFER_BYTES_MAX 4096u

/* What a service answers to a signal that the TPM refuses: TPM_RC_LOCALITY and TPM_RC_SEQUENCE
 * (Part 2, section 6.6), and TPM_RC_FAILURE for everything else. */
#define SERVICE_RC_LOCALITY 0x907u
#define SERVICE_RC_SEQUENCE 0x103u

enum service_message_kind {
	SERVICE_COMMAND = 0,
	SERVICE_HASH_START = 1,
	SERVICE_HASH_DATA = 2,
	SERVICE_HASH_END = 3,
	SERVICE_GET_ESTABLISHED = 4,
	SERVICE_RESET_ESTABLISHED = 5,
};

struct service_message {
	enum service_message_kind kind;
	uint8_t locality;
	const uint8_t *bytes; /* Borrowed. */
	size_t size_bytes;
};

/* The header of `message`, in front of which the caller puts nothing and behind which it puts the
 * bytes. */
void service_message_encode(uint8_t out[SERVICE_MESSAGE_HEADER_BYTES],
			    const struct service_message *message);

/* STATUS_INVALID: not what service_message_encode() makes. */
MUST_CHECK
enum status service_message_decode(const uint8_t *bytes, size_t size_bytes,
				   struct service_message *message);
