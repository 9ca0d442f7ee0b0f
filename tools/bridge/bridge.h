// SPDX-License-Identifier: MIT
/* `holdfast tpm serve`: one TPM of a service VM for many programs, in the protocols that they
 * speak.
 *
 * One thread, one poll(2), fixed buffers. The TPM does one thing at a time, so requests wait in the
 * order in which they came. Nobody is waited for without a deadline: not the service VM, not a
 * client that does not read, not one that left in the middle of something. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/bridge/address.h"
#include "tools/bridge/client.h"
#include "tools/bridge/link.h"
#include "tools/bridge/trace.h"

#define BRIDGE_CLIENTS_MAX   32u
#define BRIDGE_LISTENERS_MAX 8u

enum bridge_protocol {
	BRIDGE_QEMU,  /* swtpm's control channel; a machine passes its data end over it. */
	BRIDGE_SWTPM, /* Data, and control beside it. */
	BRIDGE_MSSIM, /* Commands, and platform beside them. */
	BRIDGE_RAW,
};

struct bridge_listener {
	struct address address;
	int fd;
	enum client_kind kind;
	struct client_session *session;
};

/* Caller's storage; large. */
struct bridge {
	struct link link;
	struct trace trace; /* The owner opens it, if it wants one. */
	struct bridge_listener listeners[BRIDGE_LISTENERS_MAX];
	uint32_t listener_count;
	struct client_session sessions[BRIDGE_LISTENERS_MAX]; /* Shared by a listener's clients. */
	struct client clients[BRIDGE_CLIENTS_MAX];
	uint64_t next_order;
	struct client *running; /* Whose job the link has; may be abandoned. NULL: the link is free,
				   or has a job of our own. */
	bool recycling;         /* A job of our own: the TPM is reset behind a machine that left. */
	uint64_t recycling_since_us;
	bool recycle_wanted;
	bool was_up;  /* For the log. */
	bool is_full; /* Said so. */
	bool stop;
	int signal_fd;
};

void bridge_init(struct bridge *bridge, const char *service_path, const char *control_path,
		 uint16_t instance);

/* Listen for a protocol. STATUS_BUSY: somebody listens there. STATUS_INVALID: no room for its
 * second socket's name. STATUS_LIMIT: too many. STATUS_IO. */
MUST_CHECK
enum status bridge_listen(struct bridge *bridge, enum bridge_protocol protocol,
			  const struct address *address);

/* Wait until the TPM can be reached. STATUS_TIMEOUT and link.why: it cannot. STATUS_AGAIN: a signal
 * asked for the end. */
MUST_CHECK
enum status bridge_wait(struct bridge *bridge, uint64_t timeout_ms);

/* One job of our own, of a bridge without clients. */
MUST_CHECK
enum status bridge_ask(struct bridge *bridge, const struct link_job *job,
		       struct link_outcome *outcome);

/* Serve until SIGINT or SIGTERM. */
MUST_CHECK
enum status bridge_run(struct bridge *bridge);

/* Close and remove everything; the trace too. */
void bridge_close(struct bridge *bridge);
