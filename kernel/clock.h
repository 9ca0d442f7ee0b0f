// SPDX-License-Identifier: MIT
/* The time stamp counter as a clock, calibrated once against the PIT. */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"

struct tsc_clock {
	uint64_t epoch_tsc; /* Time 0. */
	uint64_t ticks_per_ms;
};

/* About 10 ms. STATUS_TIMEOUT: the PIT does not count. */
MUST_CHECK enum status tsc_clock_calibrate(struct tsc_clock *clock, uint64_t epoch_tsc);

/* The port; `clock` must outlive it. */
struct clock tsc_clock_port(struct tsc_clock *clock);
