// SPDX-License-Identifier: MIT
#include "kernel/idle_tick.h"

void idle_tick_init(struct idle_tick *tick)
{
	*tick = (struct idle_tick){.tick_us = IDLE_TICK_MIN_US};
}

void idle_tick_slept(struct idle_tick *tick, bool device_ended_it)
{
	tick->timer_ended_it = !device_ended_it;
	tick->tick_us *= 2;
	if (tick->tick_us > IDLE_TICK_MAX_US) {
		tick->tick_us = IDLE_TICK_MAX_US;
	}
}

void idle_tick_worked(struct idle_tick *tick)
{
	if (tick->timer_ended_it) {
		tick->tick_us = IDLE_TICK_MIN_US;
	}
	tick->timer_ended_it = false;
}
