// SPDX-License-Identifier: MIT
/* A rate limit: who goes faster than that sleeps. */
#pragma once

#include <stdint.h>

#include "base/clock.h"

/* The host's monotonic clock. */
extern const struct clock host_clock;

struct pace {
	uint64_t rate_bytes; /* A second; 0: unlimited. */
	uint64_t begun_us;
	uint64_t bytes;
};

void pace_begin(struct pace *pace, uint64_t rate_bytes);
/* That many bytes are done: sleep until they were due. */
void pace_add(struct pace *pace, uint64_t bytes);
uint64_t pace_elapsed_us(const struct pace *pace);
