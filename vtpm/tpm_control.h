// SPDX-License-Identifier: MIT
/* The TPM control protocol, docs/tpm-control.md: what the platform around a TPM tells it beside
 * its commands. Power, locality, the dynamic launch's hash, cancel. The kernel decodes requests and
 * encodes replies, a host program does the opposite; both use this file.
 *
 * Everything is big-endian, as all of a TPM's wire. A request and a reply start with a header of
 * TPM_CONTROL_HEADER_BYTES:
 *
 *   0  u16  magic      TPM_CONTROL_MAGIC_REQUEST or TPM_CONTROL_MAGIC_REPLY
 *   2  u8   version    TPM_CONTROL_VERSION
 *   3  u8   command    enum tpm_control_command; a reply repeats it
 *   4  u16  instance   which TPM; a reply repeats it
 *   6  u16  result     enum tpm_control_result in a reply, 0 in a request
 *   8  u32  tag        chosen by the asker; the reply repeats it
 *  12  u16  body size  at most TPM_CONTROL_BODY_BYTES_MAX
 *  14  u16  reserved   0
 *  16  body
 *
 * PURE. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define TPM_CONTROL_MAGIC_REQUEST     0x4843u /* "HC" */
#define TPM_CONTROL_MAGIC_REPLY       0x4852u /* "HR" */
#define TPM_CONTROL_VERSION           1u
#define TPM_CONTROL_HEADER_BYTES      16u
#define TPM_CONTROL_BODY_BYTES_MAX    1024u
#define TPM_CONTROL_MESSAGE_BYTES_MAX (TPM_CONTROL_HEADER_BYTES + TPM_CONTROL_BODY_BYTES_MAX)
#define TPM_CONTROL_LOCALITY_MAX      4u

enum tpm_control_command {
	TPM_CONTROL_HELLO = 1,
	TPM_CONTROL_STATUS = 2,
	TPM_CONTROL_COUNTERS = 3,
	TPM_CONTROL_POWER_ON = 4,
	TPM_CONTROL_POWER_OFF = 5,
	TPM_CONTROL_SET_LOCALITY = 6,
	TPM_CONTROL_GET_ESTABLISHED = 7,
	TPM_CONTROL_RESET_ESTABLISHED = 8,
	TPM_CONTROL_HASH_START = 9,
	TPM_CONTROL_HASH_DATA = 10,
	TPM_CONTROL_HASH_END = 11,
	TPM_CONTROL_CANCEL = 12,
	TPM_CONTROL_BUFFER_SIZE = 13,
};

enum tpm_control_result {
	TPM_CONTROL_OK = 0,
	TPM_CONTROL_BAD_FRAME = 1,   /* No header where one should be: the stream is out of step. */
	TPM_CONTROL_BAD_VERSION = 2, /* HELLO says which are spoken. */
	TPM_CONTROL_BAD_COMMAND = 3, /* Not in the list above. */
	TPM_CONTROL_BAD_INSTANCE = 4, /* This port belongs to another TPM. */
	TPM_CONTROL_BAD_LENGTH = 5,   /* The body has not the size that the command wants. */
	TPM_CONTROL_BAD_VALUE = 6, /* A field outside its range, or a reserved one that is not 0. */
	TPM_CONTROL_IS_OFF = 7,    /* Needs power. */
	TPM_CONTROL_IS_ON = 8,     /* Only without power. */
	TPM_CONTROL_BAD_SEQUENCE = 9,  /* HASH_DATA or HASH_END without HASH_START. */
	TPM_CONTROL_BAD_LOCALITY = 10, /* The TPM does not allow it from this locality. */
	TPM_CONTROL_UNAVAILABLE = 11,  /* There is no TPM until the next boot; STATUS says why. */
	TPM_CONTROL_FAILED = 12,       /* The TPM did not do it. */
};

/* TPM_CONTROL_POWER_ON. */
#define TPM_CONTROL_POWER_DELETE_VOLATILE 1u /* As always: volatile state is never kept. */
#define TPM_CONTROL_POWER_STARTUP         2u /* TPM2_Startup(CLEAR) too; else its user does that. */
#define TPM_CONTROL_POWER_IF_OFF          4u /* Leave it alone if it is on. */
#define TPM_CONTROL_POWER_FLAGS           7u

struct tpm_control_header {
	uint16_t magic;
	uint8_t version;
	uint8_t command; /* As received: it may be none of enum tpm_control_command. */
	uint16_t instance;
	uint16_t result;
	uint32_t tag;
	uint16_t body_bytes;
	uint16_t reserved;
};

/* A request that tpm_control_decode_request() accepted. */
struct tpm_control_request {
	struct tpm_control_header header;
	enum tpm_control_command command;
	uint8_t flags;        /* POWER_ON. */
	uint8_t locality;     /* SET_LOCALITY, RESET_ESTABLISHED. */
	uint32_t size_bytes;  /* BUFFER_SIZE; 0 only asks. */
	const uint8_t *bytes; /* HASH_DATA; borrowed from the message. */
	size_t byte_count;
};

enum tpm_control_power {
	TPM_CONTROL_POWER_IS_OFF = 0,
	TPM_CONTROL_POWER_IS_ON = 1,
	TPM_CONTROL_POWER_IS_UNAVAILABLE = 2,
};

/* The bodies of replies; those that are not here have none. */
struct tpm_control_hello {
	uint8_t version_min;
	uint8_t version_max;
	uint16_t instance;
	uint16_t body_bytes_max;
};

struct tpm_control_status {
	uint8_t power; /* enum tpm_control_power */
	uint8_t locality;
	bool established;
	bool running;      /* A command is. */
	uint8_t cause;     /* Why it is unavailable: the number of an enum status, without sign. */
	uint64_t power_id; /* Another one after each power-on. */
};

struct tpm_control_counters {
	uint64_t commands;
	uint64_t restarts;
	uint64_t power_ons;
	uint64_t cancels;
	uint64_t hashes; /* Finished sequences. */
};

struct tpm_control_buffer_size {
	uint32_t size_bytes;
	uint32_t min_bytes;
	uint32_t max_bytes;
};

/* STATUS_BAD_HOST: wrong magic, or a body above TPM_CONTROL_BODY_BYTES_MAX: the stream is out of
 * step. Everything else in a header is judged by tpm_control_decode_request(). */
MUST_CHECK
enum status tpm_control_decode_header(const uint8_t bytes[TPM_CONTROL_HEADER_BYTES], uint16_t magic,
				      struct tpm_control_header *header);

/* Judge a whole message, whose header is already known to be in step. TPM_CONTROL_OK: *request is
 * complete. Else what to answer; request->header is filled in any case. HELLO is accepted in any
 * version. */
MUST_CHECK
enum tpm_control_result tpm_control_decode_request(const uint8_t *message, size_t size_bytes,
						   uint16_t instance,
						   struct tpm_control_request *request);

/* Write a message into `out`; returns its size. `body_bytes` <= TPM_CONTROL_BODY_BYTES_MAX. `out`
 * may hold the body already, in its place. */
size_t tpm_control_encode(uint8_t out[TPM_CONTROL_MESSAGE_BYTES_MAX],
			  const struct tpm_control_header *header, const uint8_t *body,
			  size_t body_bytes);

/* Bodies. The encoders return the size of the body; decoders are false for a body of another size
 * or with values that are none. */
size_t tpm_control_encode_hello(uint8_t *out, const struct tpm_control_hello *hello);
size_t tpm_control_encode_status(uint8_t *out, const struct tpm_control_status *status);
size_t tpm_control_encode_counters(uint8_t *out, const struct tpm_control_counters *counters);
size_t tpm_control_encode_buffer_size(uint8_t *out, const struct tpm_control_buffer_size *size);
MUST_CHECK bool tpm_control_decode_hello(const uint8_t *body, size_t size_bytes,
					 struct tpm_control_hello *hello);
MUST_CHECK bool tpm_control_decode_status(const uint8_t *body, size_t size_bytes,
					  struct tpm_control_status *status);
MUST_CHECK bool tpm_control_decode_counters(const uint8_t *body, size_t size_bytes,
					    struct tpm_control_counters *counters);
MUST_CHECK bool tpm_control_decode_buffer_size(const uint8_t *body, size_t size_bytes,
					       struct tpm_control_buffer_size *size);

/* "OK", "BAD_FRAME", ...; "UNKNOWN" for a number that is none. */
const char *tpm_control_result_name(uint16_t result);
