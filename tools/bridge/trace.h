// SPDX-License-Identifier: MIT
/* `holdfast tpm serve --trace=FILE`: one line for each request that went to the TPM, when it has
 * ended. For whoever has to find out why a guest gave its TPM up: guests wait for some commands
 * 750 ms at most. Codes and times, and nothing of what a command or a response carries.
 *
 *   2026-11-23T13:40:12.123456Z machine command=0x0000017a locality=0 result=0x00000000
 *       waited_us=35 took_us=3450                                           (one line)
 *
 * The time is that of the end, UTC. It waited for others' requests, and for a service VM that was
 * away; then it took so long until its reply was there. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/bridge/client.h"
#include "tools/bridge/link.h"

/* All zero: no trace. */
struct trace {
	FILE *file;
};

/* Append to a file, which is made with mode 0600. STATUS_IO. */
MUST_CHECK
enum status trace_open(struct trace *trace, const char *path);

/* No trace: nothing happens. */
void trace_close(struct trace *trace);

/* The request of `client` has ended with an outcome; without one it was answered from here with
 * `code` (TPM_RC). `now_us` is of the clock of client->came_us. A trace that cannot be written
 * ends, and says so. */
void trace_request(struct trace *trace, const struct client *client,
		   const struct link_outcome *outcome, uint32_t code, uint64_t now_us);

/* A request of the bridge's own. */
void trace_own(struct trace *trace, const struct link_job *job, const struct link_outcome *outcome,
	       uint64_t took_us);
