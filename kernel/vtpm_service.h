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
#include "kernel/fiber.h"
#include "kernel/process.h"
#include "kernel/tpm_control.h"
#include "vtpm/frame.h"
#include "vtpm/instance.h"
#include "vtpm/response.h"
#include "vtpm/restart_policy.h"
#include "vtpm/service_message.h"

#define VTPM_MODULE_NAME "vtpmd"
/* RSA key generation takes tens of seconds under emulation. */
#define VTPM_COMMAND_TIMEOUT_US (120u * 1000000u)

/* The most that is read at once; and once more, behind bytes that are held. */
#define VTPM_READ_BYTES    512u
#define VTPM_PENDING_BYTES (2u * VTPM_READ_BYTES)

struct svsm;

struct vtpm_service {
	struct svsm *svsm;
	uint32_t instance;
	struct instance_names names;
	struct fiber fiber;
	bool worked;        /* This turn did something. */
	bool busy;          /* The fiber yielded in the middle of a command, or of a start. */
	bool again;         /* vtpm_service_start_again() was called. */
	bool stopping;      /* It is to end when it can. */
	bool stopped;       /* It did, or never started: the fiber is not resumed any more. */
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

/* Nothing runs yet. */
void vtpm_service_init(struct vtpm_service *service, struct svsm *svsm, uint32_t instance);

/* The fiber's function: start, then turns until it is told to stop. `service` is one. */
void vtpm_service_run(void *service);

/* Open the port. Without it nobody can be served: the cause is returned. */
MUST_CHECK enum status vtpm_service_open_port(struct vtpm_service *service);

/* The disk is back: a suspended program is to be started, and told that it was restarted, with the
 * next turn. Not while the service is busy. */
void vtpm_service_start_again(struct vtpm_service *service);

/* The disk stays away: whatever runs is ended, and every command refused. */
void vtpm_service_end(struct vtpm_service *service, enum status cause);

/* One turn: true if it did something. */
bool vtpm_service_step(struct vtpm_service *service);

/* When nothing arrives, the latest time at which vtpm_service_step() wants to be called. */
bool vtpm_service_deadline(const struct vtpm_service *service, uint64_t *at_us);

/* True if no part of a command of a client that is still there has been read. */
bool vtpm_service_is_quiet(const struct vtpm_service *service);

/* Run one message. The response is borrowed until the next; it is a failure of TPM_HEADER_BYTES if
 * there is no service or it gave none. */
const uint8_t *vtpm_service_execute(struct vtpm_service *service,
				    const struct service_message *message,
				    size_t *response_size_bytes);

/* Take the power away, after a TPM2_Shutdown(CLEAR) of our own if its user sent none: a host that
 * resets its guest at will must not cost a TPM its dictionary-attack tries. */
void vtpm_service_power_off(struct vtpm_service *service);

/* Give it power, with a new process: nothing of what ran before is left in memory. Its status says
 * whether there is a TPM now. */
void vtpm_service_power_on(struct vtpm_service *service, bool with_startup);

/* TPM2_Shutdown(CLEAR), so that the next start is not taken for a crash. */
void vtpm_service_shutdown(struct vtpm_service *service);
