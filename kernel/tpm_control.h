// SPDX-License-Identifier: MIT
/* The port on which a TPM's platform is spoken for: power, locality, dynamic launch, cancel.
 * docs/tpm-control.md has the protocol, vtpm/tpm_control.h its bytes.
 *
 * A request is answered when it has been carried out. While a command runs only what does not touch
 * the TPM is answered (HELLO, STATUS, COUNTERS, CANCEL); anything else waits for its end, and a
 * request that takes the power away cancels the command first. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vtpm/tpm_control_stream.h"

struct vtpm_service;

struct tpm_control {
	uint16_t instance;
	uint32_t port;
	bool open;
	bool refused; /* It is there, but cannot be had: not asked for again. */
	uint32_t generation;
	bool restarted; /* The device was started anew, and no client has been seen since. */
	/* The client does not read, or does not speak the protocol: ignored until it hangs up. */
	bool deaf;
	struct tpm_control_stream stream;
	uint64_t cancels;
	uint64_t hashes;
};

/* Forget the last port; tpm_control_step() looks for one until it is there. Without one the TPM is
 * served all the same, at locality 0. */
void tpm_control_open(struct vtpm_service *service);

/* Of the commands that come by the TPM's other port: what the client of this one said last, or 0
 * if there is none. */
uint8_t tpm_control_locality(struct vtpm_service *service);

/* True if no part of a message of a client that is still there is held. */
bool tpm_control_is_quiet(struct vtpm_service *service);

/* One turn of the service loop: true if it did something. */
bool tpm_control_step(struct vtpm_service *service);

/* One turn while the service runs a message, from the ticks of its process. */
void tpm_control_tick(void *service);

/* Nobody wants the running command any more. Without one, or behind its end, this does nothing: who
 * asks for it cannot know. */
void tpm_control_cancel(struct vtpm_service *service);

/* Carry out a request whose fields are good, and write the body of its reply, which is empty unless
 * the result is OK (kernel/tpm_control_apply.c). */
enum tpm_control_result tpm_control_apply(struct vtpm_service *service,
					  const struct tpm_control_request *request,
					  uint8_t body[TPM_CONTROL_BODY_BYTES_MAX],
					  size_t *body_bytes);
