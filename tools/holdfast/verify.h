// SPDX-License-Identifier: MIT
/* Authenticate everything in a mounted volume: what verify, scrub, backup and restore rest on. */
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/holdfast/session.h"

struct verify_totals {
	uint64_t objects;
	uint64_t object_bytes;
	uint64_t read_bytes; /* Of the volume, walk and objects. */
	uint64_t elapsed_us;
};

/* `what` names it in the progress bar; at most `rate_bytes` a second, 0: unlimited. The session
 * explains failures. */
MUST_CHECK
enum status verify_session(struct session *session, const char *what, uint64_t rate_bytes,
			   struct verify_totals *totals, struct report *report);
