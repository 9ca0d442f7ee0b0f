// SPDX-License-Identifier: MIT
#include "kernel/tsc_time.h"

/* A hundred years at the highest rate stay far below it; what is above went backwards. */
#define STEP_TICKS_MAX ((uint64_t)1 << 62)

enum status tsc_rate(uint64_t tsc_ticks, uint64_t pit_ticks, uint64_t *ticks_per_ms)
{
	if (tsc_ticks == 0 || pit_ticks == 0) {
		return STATUS_TIMEOUT;
	}
	if (tsc_ticks > UINT64_MAX / PIT_HZ) {
		return STATUS_BAD_HOST;
	}
	uint64_t rate = tsc_ticks * PIT_HZ / pit_ticks / 1000;
	if (rate < TSC_TICKS_PER_MS_MIN || rate > TSC_TICKS_PER_MS_MAX) {
		return STATUS_BAD_HOST;
	}
	*ticks_per_ms = rate;
	return STATUS_OK;
}

bool tsc_rates_agree(uint64_t a, uint64_t b)
{
	uint64_t larger = a > b ? a : b;
	uint64_t smaller = a > b ? b : a;
	return smaller > 0 && larger - smaller <= larger / 50;
}

void tsc_time_init(struct tsc_time *time, uint64_t ticks_per_ms, uint64_t epoch_tsc)
{
	*time = (struct tsc_time){.ticks_per_ms = ticks_per_ms, .last_tsc = epoch_tsc};
}

/* Elapsed ticks in units of which a millisecond has `per_ms`. Split so that nothing overflows for
 * centuries and nothing rounds away. */
static uint64_t elapsed(struct tsc_time *time, uint64_t tsc, uint64_t per_ms)
{
	uint64_t step = tsc - time->last_tsc;
	if (step < STEP_TICKS_MAX && time->elapsed_ticks < STEP_TICKS_MAX) {
		time->elapsed_ticks += step;
	}
	time->last_tsc = tsc;
	uint64_t ms = time->elapsed_ticks / time->ticks_per_ms;
	uint64_t rest = time->elapsed_ticks % time->ticks_per_ms;
	return ms * per_ms + rest * per_ms / time->ticks_per_ms;
}

uint64_t tsc_time_us(struct tsc_time *time, uint64_t tsc)
{
	return elapsed(time, tsc, 1000);
}

uint64_t tsc_time_ns(struct tsc_time *time, uint64_t tsc)
{
	return elapsed(time, tsc, 1000000);
}
