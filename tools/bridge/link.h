// SPDX-License-Identifier: MIT
/* The way to one TPM of a service VM: its raw stream of commands and its control port
 * (docs/tpm-control.md). One job at a time; the link sets the locality that a command wants, cuts
 * what is to be hashed into pieces, and gives every step a deadline. If the VM goes away the job
 * fails, and the link looks for the VM again until it is back. Nothing here blocks. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/bridge/channel.h"
#include "vtpm/tpm_control.h"
#include "vtpm/tpm_control_stream.h"

/* Both ends of a TPM command or of a control request; the bytes are borrowed until it ends. */
struct link_job {
	bool is_control;
	uint8_t locality; /* Of a command. */
	const uint8_t *command;
	size_t command_bytes;
	struct tpm_control_request control; /* Only what tpm_control_decode_request() gives. */
};

struct link_outcome {
	/* OK; NO_DEVICE: the service VM is gone; TIMEOUT; BAD_HOST: it does not keep to the
	 * protocol. Then it is not known whether the TPM carried the job out. */
	enum status status;
	uint16_t result;      /* Of a control request, enum tpm_control_result. */
	const uint8_t *bytes; /* The response, or the reply's body; borrowed until the next job. */
	size_t size_bytes;
};

enum link_state {
	LINK_DOWN,    /* To HELLO, when the VM can be reached. */
	LINK_HELLO,   /* Asked for a sign of life and for the TPM's status. To IDLE, DOWN. */
	LINK_IDLE,    /* To SETTING, CONTROL or COMMAND by link_start(); to DOWN. */
	LINK_SETTING, /* The locality, ahead of a command. To COMMAND, DONE, DOWN. */
	LINK_CONTROL, /* A control request. To DONE, DOWN. */
	LINK_COMMAND, /* A TPM command. To DONE, DOWN. */
	LINK_DONE,    /* There is an outcome. To IDLE, DOWN by link_finish(). */
};

/* Private but for `power_id` and `why`. */
struct link {
	const char *service_path; /* NULL: control requests only. */
	const char *control_path;
	uint16_t instance;
	enum link_state state;
	struct channel service;
	struct channel control;
	struct tpm_control_stream replies;
	uint32_t tag; /* Of the request that is waited for. */
	uint32_t last_tag;
	uint8_t locality;  /* That the TPM has now. */
	uint64_t power_id; /* Another one: the TPM was reset. */
	uint64_t deadline_ms;
	struct link_job job;
	size_t hashed_bytes; /* Of job.control. */
	bool lost;           /* The VM went away: LINK_DONE goes to LINK_DOWN. */
	struct link_outcome outcome;
	uint8_t response[TPM_CONTROL_MESSAGE_BYTES_MAX > 4096u ? TPM_CONTROL_MESSAGE_BYTES_MAX
							       : 4096u];
	enum status why; /* Of the latest failure to reach the VM. */
};

void link_init(struct link *link, const char *service_path, const char *control_path,
	       uint16_t instance);
void link_close(struct link *link);

/* True if a job may be started. */
bool link_is_ready(const struct link *link);

/* True if the VM has been reached and not been lost since. */
bool link_is_up(const struct link *link);

/* Only when link_is_ready(). */
void link_start(struct link *link, const struct link_job *job, uint64_t now_ms);

/* Tell the TPM that nobody wants what it is doing. Harmless at any time. */
void link_cancel(struct link *link);

/* True if the job has ended; the link is ready for the next one, or down, from then on. */
MUST_CHECK
bool link_finish(struct link *link, struct link_outcome *outcome);

/* For poll(2): fills two entries; -1 where nothing is open. */
void link_poll(const struct link *link, struct pollfd fds[2]);

/* Do what can be done now. */
void link_step(struct link *link, uint64_t now_ms);

/* When link_step() wants to be called at the latest; UINT64_MAX: no time. */
uint64_t link_deadline_ms(const struct link *link);
