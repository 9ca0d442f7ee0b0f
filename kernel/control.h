// SPDX-License-Identifier: MIT
/* The control port: one text line a request, an answer of lines that ends with an empty line.
 *
 *   status    state=<STATUS> vtpm=<STATUS> mode=<persistent|ephemeral> state_freshness=<NAME>
 *             with a disk: disk_ring=<split|packed>, disk_resets=<NUMBER>, at most 3, and
 *             disk_cause=<STATUS>, what ended it last
 *   counters  name=value for each counter
 *   shutdown  TPM2_Shutdown(CLEAR), then power off
 *
 * Anything else, and a line above CONTROL_LINE_BYTES_MAX, gets error=... Bytes are the host's; on
 * a confidential machine this port does not exist. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/control_line.h"

#define CONTROL_PORT_NAME "org.holdfast.control"

struct svsm;

struct control {
	uint32_t port;
	bool open;
	bool refused; /* It is there, but cannot be had: not asked for again. */
	uint32_t generation;
	struct control_line line;
	/* The client does not read: it is ignored until it hangs up, so that it cannot keep the
	 * TPM's clients waiting. As with those, its bytes are not even read. */
	bool deaf;
};

/* Forget the last port; control_step() looks for one until it is there. Without one there is no
 * control, which is no failure. */
void control_open(struct svsm *svsm);

/* True if no part of a line of a client that is still there is held. */
bool control_is_quiet(const struct svsm *svsm);

/* One turn: true if it did something. `*shutdown` is set when that was asked for; the answer has
 * been sent then. */
bool control_step(struct svsm *svsm, bool *shutdown);
