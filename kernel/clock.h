// SPDX-License-Identifier: MIT
/* The time stamp counter as a clock, calibrated once against the PIT. */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "kernel/tsc_time.h"

struct tsc_clock {
	struct tsc_time time;
};

/* About 10 ms. `epoch_tsc` is time 0. STATUS_TIMEOUT: a counter does not count.
 * STATUS_BAD_HOST: the TSC has a rate that no CPU has. */
MUST_CHECK enum status tsc_clock_calibrate(struct tsc_clock *clock, uint64_t epoch_tsc);

/* The port; `clock` must outlive it. */
struct clock tsc_clock_port(struct tsc_clock *clock);
