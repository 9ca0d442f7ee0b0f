// SPDX-License-Identifier: MIT
#include "tools/nbdkit/witness_timer.h"

#include <errno.h>
#include <time.h>

#include "base/check.h"

/* True if it is time, false if the timer has to stop. */
static bool wait_for_turn(struct witness_timer *timer)
{
	struct timespec until;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
	until.tv_sec += (time_t)timer->period_s;
	int woken = 0;
	CHECK(pthread_mutex_lock(&timer->lock) == 0);
	while (!timer->has_to_stop && woken != ETIMEDOUT) {
		woken = pthread_cond_timedwait(&timer->wake, &timer->lock, &until);
	}
	const bool is_time = !timer->has_to_stop;
	CHECK(pthread_mutex_unlock(&timer->lock) == 0);
	return is_time;
}

static void *timer_run(void *context)
{
	struct witness_timer *timer = context;
	while (wait_for_turn(timer)) {
		const enum status status = disk_witness_sync(timer->disk);
		if (status != timer->last) {
			timer->last = status;
			timer->report(status);
		}
	}
	return NULL;
}

enum status witness_timer_start(struct witness_timer *timer, struct disk *disk,
				unsigned int period_s, void (*report)(enum status status))
{
	pthread_condattr_t attributes;
	timer->disk = disk;
	timer->report = report;
	timer->period_s = period_s;
	CHECK(pthread_mutex_init(&timer->lock, NULL) == 0);
	CHECK(pthread_condattr_init(&attributes) == 0);
	CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&timer->wake, &attributes) == 0);
	(void)pthread_condattr_destroy(&attributes);
	timer->is_running = pthread_create(&timer->thread, NULL, timer_run, timer) == 0;
	return timer->is_running ? STATUS_OK : STATUS_NO_MEMORY;
}

void witness_timer_stop(struct witness_timer *timer)
{
	if (!timer->is_running) {
		return;
	}
	CHECK(pthread_mutex_lock(&timer->lock) == 0);
	timer->has_to_stop = true;
	CHECK(pthread_cond_signal(&timer->wake) == 0);
	CHECK(pthread_mutex_unlock(&timer->lock) == 0);
	CHECK(pthread_join(timer->thread, NULL) == 0);
	timer->is_running = false;
	(void)pthread_cond_destroy(&timer->wake);
	(void)pthread_mutex_destroy(&timer->lock);
}
