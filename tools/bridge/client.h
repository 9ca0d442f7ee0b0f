// SPDX-License-Identifier: MIT
/* One connection of a program that uses the TPM, and what it speaks. A client has at most one
 * request in hand; it is read, turned into a job for the TPM or answered from here, and its reply
 * is in the protocol it came in. PURE but for the sockets of channel.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "tools/bridge/channel.h"
#include "tools/bridge/link.h"
#include "tools/bridge/mssim_wire.h"
#include "tools/bridge/swtpm_wire.h"

enum client_kind {
	CLIENT_FREE,
	CLIENT_RAW,           /* TPM commands and responses, nothing else. */
	CLIENT_SWTPM_CONTROL, /* swtpm's control channel; a machine's has a data end too. */
	CLIENT_MSSIM_COMMAND,
	CLIENT_MSSIM_PLATFORM,
};

/* What several connections share: those of one listener, or the two of one machine. */
struct client_session {
	uint8_t locality;  /* Of commands without one of their own. */
	bool is_machine;   /* It gave us its data end (SET_DATAFD). */
	bool used_power;   /* A machine that asked for power, on or off. */
	bool has_power_id; /* A machine that was powered on; see power_id. */
	/* Of its last INIT. With another one its TPM was reset behind its back: its PCRs are not
	 * what it measured, so it gets failures until it is reset as well. */
	uint64_t power_id;
};

enum client_request {
	CLIENT_NOTHING, /* Nothing whole has arrived. */
	CLIENT_JOB,     /* `job` is for the TPM; client_complete() when it is done. */
	CLIENT_ANSWERED,
	CLIENT_CANCEL,   /* Answered; what its session has in hand is to be cancelled. */
	CLIENT_DATA_END, /* `channel.passed_fd` is the data end of a machine; then answered. */
	CLIENT_LEAVES,   /* By its own word, or because it does not keep to its protocol. */
};

struct client {
	enum client_kind kind;
	struct channel channel;
	struct client_session *session;
	struct client_session own_session; /* Of a machine's control connection. */
	bool busy;                         /* Its job waits or runs. */
	bool running;                      /* With the TPM now. */
	bool abandoned;                    /* It left while its job was running. */
	uint64_t order;                    /* Of its job among those that wait. */
	uint64_t came_us;                  /* Its job; of a clock that does not jump. */
	uint64_t began_us;                 /* With the TPM, if it runs. */
	size_t request_bytes;              /* Of `channel.received`, that the job borrows. */
	struct link_job job;
	struct swtpm_request swtpm;
	struct mssim_request mssim;
};

/* Look at what has arrived. Only when the client is not busy. */
enum client_request client_next(struct client *client);

/* The job's end: answer in the client's protocol. STATUS_NO_DEVICE, STATUS_TOO_LARGE: the client is
 * gone, or does not read. */
MUST_CHECK
enum status client_complete(struct client *client, const struct link_outcome *outcome);

/* The same with a response that consists of `code` (TPM_RC) alone, or a failure of the control
 * request. */
MUST_CHECK
enum status client_fail(struct client *client, uint32_t code);
