// SPDX-License-Identifier: MIT
/* How a loop that waits for completions passes the time: by polling, or asleep until an interrupt.
 *
 * An interrupt is a hint. Completions are found by looking at the ring, a sleep ends by a timer of
 * ours at the latest, and a device that interrupts too much is polled instead: silence costs delay
 * and a storm costs a bounded amount of time, never more.
 *
 * Adaptive: a sleep and its wake-up cost about as much as a fast device takes for a request, and
 * more where the sleeper is a virtual CPU. So the first poll_us of a wait are polled. Sleeps that
 * end soon widen that window, sleeps that last narrow it, down to none: whoever waits for a slow
 * device burns no CPU, and whoever waits for a fast one does not sleep. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "virtio/virtq.h"

enum virtio_wait_mode {
	VIRTIO_WAIT_ADAPTIVE,
	VIRTIO_WAIT_POLL,
	VIRTIO_WAIT_INTERRUPT,
};

/* The adaptive window's first width, and its widest. */
#define VIRTIO_WAIT_POLL_MIN_US 8u
#define VIRTIO_WAIT_POLL_MAX_US 256u

/* Supplied by the kernel. Interrupts are off but for the sleep itself, so that one that comes
 * between the last look and the sleep ends the sleep at once. */
struct virtio_sleeper {
	/* Until any interrupt, or `at_most_us`. */
	void (*sleep)(void *context, uint64_t at_most_us);
	void *context;
};

/* Of one device, for as long as it exists. */
struct virtio_wait_policy {
	enum virtio_wait_mode mode;
	struct virtio_sleeper sleeper;
	/* Set while the device's interrupt is masked: nothing would end a sleep but the timer. */
	bool is_masked;
	uint64_t poll_us; /* Adaptive: how long to poll first. */
	uint64_t wait_count;
	uint64_t sleep_count;
};

/* One wait. */
struct virtio_wait {
	struct virtio_wait_policy *policy; /* NULL: polls. */
	const struct clock *clock;
	uint64_t began_us;
	bool is_armed; /* Interrupts were asked for. */
	bool has_slept;
};

/* What to do when nothing was found. */
enum virtio_wait_step {
	VIRTIO_WAIT_RELAX, /* Look again. */
	/* Ask for interrupts, and look again: only then is it safe to sleep. The wait counts as
	 * armed from now on. */
	VIRTIO_WAIT_ARM,
	VIRTIO_WAIT_SLEEP,
};

void virtio_wait_policy_init(struct virtio_wait_policy *policy, enum virtio_wait_mode mode,
			     const struct virtio_sleeper *sleeper);

void virtio_wait_begin(struct virtio_wait *wait, struct virtio_wait_policy *policy,
		       const struct clock *clock);

/* A turn in which nothing was found: passes some time, at most until `until`. `queues` are all that
 * a completion may come by. */
void virtio_wait_turn(struct virtio_wait *wait, struct virtio_transport *transport,
		      struct virtq *queues, size_t queue_count, struct deadline until);

/* Something was found, or there is no more use in waiting. */
void virtio_wait_end(struct virtio_wait *wait, struct virtq *queues, size_t queue_count);

/* The same decisions for a loop that looks at more than queues, such as the kernel's main loop. */
enum virtio_wait_step virtio_wait_next(struct virtio_wait *wait);
void virtio_wait_sleep(struct virtio_wait *wait, uint64_t at_most_us);
void virtio_wait_adapt(struct virtio_wait *wait);
