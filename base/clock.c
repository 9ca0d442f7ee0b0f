// SPDX-License-Identifier: MIT
#include "base/clock.h"

struct deadline clock_deadline_after(const struct clock *clock, uint64_t timeout_us)
{
	uint64_t now_us = clock->now_us(clock->context);
	if (timeout_us > UINT64_MAX - now_us) {
		return (struct deadline){.at_us = UINT64_MAX};
	}
	return (struct deadline){.at_us = now_us + timeout_us};
}

bool clock_deadline_passed(const struct clock *clock, struct deadline deadline)
{
	return clock->now_us(clock->context) >= deadline.at_us;
}
