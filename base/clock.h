// SPDX-License-Identifier: MIT
/* The clock port. It must not be the host's to stop: in the kernel it is the calibrated TSC. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct clock {
	/* Microseconds since some fixed moment; never goes back. */
	uint64_t (*now_us)(void *context);
	/* Called once per turn of a polling loop: `pause`, or a virtual clock's tick. */
	void (*relax)(void *context);
	void *context;
};

struct deadline {
	uint64_t at_us;
};

/* now + timeout, saturating. */
struct deadline clock_deadline_after(const struct clock *clock, uint64_t timeout_us);

/* True once the deadline has passed. */
bool clock_deadline_passed(const struct clock *clock, struct deadline deadline);
