// SPDX-License-Identifier: MIT
/* How long the main loop sleeps at most. Pure.
 *
 * While interrupts come, a tick has nothing to do and may be long: an idle machine should cost its
 * host nothing. If work is found after a sleep that no device ended, interrupts are not to be
 * relied on, and the tick is what finds work: then it is short, and grows again while nothing
 * happens. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IDLE_TICK_MIN_US 1000u
#define IDLE_TICK_MAX_US 100000u

struct idle_tick {
	uint64_t tick_us;
	bool timer_ended_it; /* The latest sleep. */
};

void idle_tick_init(struct idle_tick *tick);

/* A sleep of tick_us or less has ended, by a device's interrupt or not. */
void idle_tick_slept(struct idle_tick *tick, bool device_ended_it);

/* There is work. */
void idle_tick_worked(struct idle_tick *tick);
