// SPDX-License-Identifier: MIT
/* Ticks of the time stamp counter as time. Pure: the counter's values are arguments. On a machine
 * without a secure TSC they are the host's word, so no value may stop the kernel. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define PIT_HZ 1193182u

/* Slower and faster counters do not exist. */
#define TSC_TICKS_PER_MS_MIN ((uint64_t)10 * 1000)
#define TSC_TICKS_PER_MS_MAX ((uint64_t)10 * 1000 * 1000)

/* The rate, from ticks of both counters over the same time. STATUS_TIMEOUT: one of them stood
 * still. STATUS_BAD_HOST: a rate that no CPU has. */
MUST_CHECK enum status tsc_rate(uint64_t tsc_ticks, uint64_t pit_ticks, uint64_t *ticks_per_ms);

/* True if two measured rates are within 2 % of each other; 0 agrees with nothing. */
MUST_CHECK bool tsc_rates_agree(uint64_t a, uint64_t b);

/* Time that never goes back: a counter that jumps back stands still for a moment. */
struct tsc_time {
	uint64_t ticks_per_ms; /* Not 0. */
	uint64_t last_tsc;
	uint64_t elapsed_ticks;
};

void tsc_time_init(struct tsc_time *time, uint64_t ticks_per_ms, uint64_t epoch_tsc);

uint64_t tsc_time_us(struct tsc_time *time, uint64_t tsc);

/* The same time in nanoseconds. */
uint64_t tsc_time_ns(struct tsc_time *time, uint64_t tsc);
