// SPDX-License-Identifier: MIT
/* The vTPM service: the serial port on one side, the ring-3 program on the other. What is said to
 * the TPM beside its commands comes through kernel/tpm_control.h.
 *
 * A command is answered only after the program has returned from it, and the program returns only
 * after the store has committed: durable before acknowledged. A program that crashes is restarted a
 * few times, with its PCRs capped; when there is no service at all, every command is answered with
 * TPM_RC_FAILURE.
 *
 * A disk that dies under a command ends the program: what it had in memory is ahead of what is
 * durable. The command gets TPM_RC_FAILURE, and the program starts again once the volume is mounted
 * again (kernel/recovery.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "kernel/process.h"
#include "kernel/tpm_control.h"
#include "vtpm/frame.h"
#include "vtpm/response.h"
#include "vtpm/restart_policy.h"
#include "vtpm/service_message.h"

#define VTPM_PORT_NAME   "org.holdfast.tpm"
#define VTPM_MODULE_NAME "vtpmd"
/* RSA key generation takes tens of seconds under emulation. */
#define VTPM_COMMAND_TIMEOUT_US (120u * 1000000u)

/* The most that is read at once; and once more, behind bytes that are held. */
#define VTPM_READ_BYTES    512u
#define VTPM_PENDING_BYTES (2u * VTPM_READ_BYTES)

struct svsm;

struct vtpm_service {
	enum status status; /* OK: serving. Else why not. */
	bool suspended;     /* Until the disk is back, or is known not to come back. */
	struct process process;
	struct restart_policy policy;
	struct frame frame;
	uint32_t port;
	bool port_open;
	/* An answer could not be delivered: the client is out of step, and the next answer would
	 * pass for that one. It is ignored until it hangs up. Its bytes are not even read: the
	 * port may have to be started again then (virtio_serial_port_is_stuck), and a buffer that
	 * was lent meanwhile would take the beginning of the next client's command with it. */
	bool deaf;
	/* Received behind the end of a command. */
	uint8_t pending[VTPM_PENDING_BYTES];
	size_t pending_at;
	size_t pending_size;
	/* Bytes at the start of `pending` whose sender is not known yet; none while pending_size is
	 * not 0. */
	size_t held_size;
	uint64_t commands;
	uint64_t restarts;
	struct tpm_control control;
	/* A process runs a message: `control` is looked after from its ticks. */
	bool running;
	uint8_t failure[TPM_HEADER_BYTES]; /* A response of ours. */
	bool powered; /* Without power there is no process, and every command gets a failure. */
	bool orderly; /* The last command was a TPM2_Shutdown. */
	/* The flag outlives the TPM's power. */
	bool established;
	uint8_t locality; /* Of the commands that come by the port. */
	uint32_t buffer_bytes;
	uint64_t power_id; /* Random, another one at each power-on. */
	uint64_t power_ons;
};

/* Open the port. Without it nobody can be served: the cause is returned. */
MUST_CHECK enum status vtpm_service_open_port(struct svsm *svsm);

/* Start the program; `cause` other than OK means that there is no state for it, and that every
 * command is to be refused. */
void vtpm_service_start(struct svsm *svsm, enum status cause);

/* The disk is back: start a suspended program, which is told that it was restarted. */
void vtpm_service_start_again(struct svsm *svsm);

/* The disk stays away: whatever runs is ended, and every command refused. */
void vtpm_service_end(struct svsm *svsm, enum status cause);

/* One turn: true if it did something. */
bool vtpm_service_step(struct svsm *svsm);

/* When nothing arrives, the latest time at which vtpm_service_step() wants to be called. */
bool vtpm_service_deadline(const struct svsm *svsm, uint64_t *at_us);

/* True if no part of a command has arrived. */
bool vtpm_service_is_quiet(const struct svsm *svsm);

/* Run one message. The response is borrowed until the next; it is a failure of TPM_HEADER_BYTES if
 * there is no service or it gave none. */
const uint8_t *vtpm_service_execute(struct svsm *svsm, const struct service_message *message,
				    size_t *response_size_bytes);

/* Take the power away, after a TPM2_Shutdown(CLEAR) of our own if its user sent none: a host that
 * resets its guest at will must not cost a TPM its dictionary-attack tries. */
void vtpm_service_power_off(struct svsm *svsm);

/* Give it power, with a new process: nothing of what ran before is left in memory. Its status says
 * whether there is a TPM now. */
void vtpm_service_power_on(struct svsm *svsm, bool with_startup);

/* TPM2_Shutdown(CLEAR), so that the next start is not taken for a crash. */
void vtpm_service_shutdown(struct svsm *svsm);
