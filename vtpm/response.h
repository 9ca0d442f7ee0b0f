// SPDX-License-Identifier: MIT
/* TPM responses: the ones that the kernel gives itself, and the check of those that the ring-3
 * service gives. A response is tag:be16 size:be32 code:be32 and a body (TPM 2.0 Library, Part 1,
 * section 18). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "vtpm/frame.h"

#define TPM_RESPONSE_BYTES_MAX 4096u

/* TPM_ST (TPM 2.0 Library, Part 2, section 6.9). */
#define TPM_ST_RSP_COMMAND 0x00C4u /* Only with TPM_RC_BAD_TAG: the TPM 1.2 answer. */
#define TPM_ST_NO_SESSIONS 0x8001u
#define TPM_ST_SESSIONS    0x8002u

/* TPM_RC (Part 2, section 6.6). */
#define TPM_RC_SUCCESS      0x000u
#define TPM_RC_INITIALIZE   0x100u
#define TPM_RC_FAILURE      0x101u
#define TPM_RC_COMMAND_SIZE 0x142u
#define TPM_RC_RETRY        0x922u

/* TPM_CC (Part 2, section 6.5). */
#define TPM_CC_STARTUP    0x144u
#define TPM_CC_SHUTDOWN   0x145u

#define TPM_STARTUP_BYTES 12u

/* TPM2_Startup(CLEAR) and TPM2_Shutdown(CLEAR), ready to send. */
extern const uint8_t tpm_startup_clear[TPM_STARTUP_BYTES];
extern const uint8_t tpm_shutdown_clear[TPM_STARTUP_BYTES];

/* Write a response that consists of a header only. Returns TPM_HEADER_BYTES. */
/*@ requires \valid(out + (0 .. TPM_HEADER_BYTES - 1));
    assigns out[0 .. TPM_HEADER_BYTES - 1];
    ensures \result == TPM_HEADER_BYTES && be16(out) == TPM_ST_NO_SESSIONS;
    ensures be32(out + 2) == TPM_HEADER_BYTES && be32(out + 6) == code; */
size_t response_error(uint8_t out[TPM_HEADER_BYTES], uint32_t code);

/* Is this one whole response? STATUS_BAD_USER: not 10 .. 4096 bytes, a size field that differs
 * from the length, or an unknown tag. Nothing else may be let out of the service. */
/*@ requires \valid_read(bytes + (0 .. size_bytes - 1));
    assigns \nothing;
    ensures \result == STATUS_OK ==>
      TPM_HEADER_BYTES <= size_bytes <= TPM_RESPONSE_BYTES_MAX && be32(bytes + 2) == size_bytes &&
      (be16(bytes) == TPM_ST_NO_SESSIONS || be16(bytes) == TPM_ST_SESSIONS ||
       be16(bytes) == TPM_ST_RSP_COMMAND);
    ensures \result == STATUS_OK || \result == STATUS_BAD_USER; */
MUST_CHECK
enum status response_check(const uint8_t *bytes, size_t size_bytes);

/* The response code of a response that response_check() accepted. */
//@ requires \valid_read(bytes + (0 .. 9)); assigns \nothing; ensures \result == be32(bytes + 6);
uint32_t response_code(const uint8_t *bytes);

/* The command code of a framed command (10 bytes at least). */
//@ requires \valid_read(bytes + (0 .. 9)); assigns \nothing; ensures \result == be32(bytes + 6);
uint32_t command_code(const uint8_t *bytes);
