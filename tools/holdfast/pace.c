// SPDX-License-Identifier: MIT
#include "tools/holdfast/pace.h"

#include <time.h>

#define US_PER_SECOND 1000000u
/* Shorter sleeps cost more than they delay. */
#define SLEEP_US_MIN 1000u

static uint64_t now_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * US_PER_SECOND + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t clock_now_us(void *context)
{
	(void)context;
	return now_us();
}

static void clock_relax(void *context)
{
	(void)context;
}

const struct clock host_clock = {.now_us = clock_now_us, .relax = clock_relax};

void pace_begin(struct pace *pace, uint64_t rate_bytes)
{
	*pace = (struct pace){.rate_bytes = rate_bytes, .begun_us = now_us()};
}

uint64_t pace_elapsed_us(const struct pace *pace)
{
	return now_us() - pace->begun_us;
}

void pace_add(struct pace *pace, uint64_t bytes)
{
	pace->bytes += bytes;
	if (pace->rate_bytes == 0) {
		return;
	}
	/* Seconds and the rest apart, so that nothing overflows. */
	uint64_t rest = pace->bytes % pace->rate_bytes;
	uint64_t due_us = pace->bytes / pace->rate_bytes * US_PER_SECOND +
			  (uint64_t)((double)rest / (double)pace->rate_bytes * US_PER_SECOND);
	uint64_t elapsed_us = pace_elapsed_us(pace);
	if (due_us < elapsed_us + SLEEP_US_MIN) {
		return;
	}
	uint64_t sleep_us = due_us - elapsed_us;
	struct timespec left = {.tv_sec = (time_t)(sleep_us / US_PER_SECOND),
				.tv_nsec = (long)(sleep_us % US_PER_SECOND * 1000)};
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &left, NULL); /* Interrupted: go on early. */
}
