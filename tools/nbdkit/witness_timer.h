// SPDX-License-Identifier: MIT
/* A thread that lets the freshness witness have what was committed, every so many seconds.
 *
 * Time is looked at only when a commit comes (block/volume_witness.h), so what an idle client
 * committed last would stay unknown to the witness until the next checkpoint: a copy of the image
 * from before would pass for the newest for as long. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/nbdkit/disk.h"

/* Caller's storage, zeroed; all fields are the timer's own. */
struct witness_timer {
	struct disk *disk;
	void (*report)(enum status status);
	unsigned int period_s;
	enum status last;
	bool is_running;
	bool has_to_stop;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

/* Borrows the disk until witness_timer_stop(). `report` is called by the thread, each time that the
 * outcome is another one than before: STATUS_OK, or disk_witness_sync()'s. `period_s` is at least
 * 1. STATUS_NO_MEMORY: no thread. */
MUST_CHECK
enum status witness_timer_start(struct witness_timer *timer, struct disk *disk,
				unsigned int period_s, void (*report)(enum status status));
/* Waits for a call that is under way. Nothing to do if it was not started. */
void witness_timer_stop(struct witness_timer *timer);
