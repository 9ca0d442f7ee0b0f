// SPDX-License-Identifier: MIT
/* Taking interrupts, and sleeping until one. They are taken while ring 3 runs and within
 * interrupts_sleep(), nowhere else; they are counted, acknowledged and rate-limited, and tell
 * nothing. */
#pragma once

#include <stdint.h>

#include "virtio/virtio_wait.h"

struct svsm;

struct interrupt_counters {
	uint64_t timer;
	uint64_t device;
	uint64_t masked; /* How often a device was masked for a while. */
	uint64_t sleeps;
};

/* The vector was taken: end it, count it, mask its device if there were too many. NMIs and the
 * spurious vector do nothing. */
void interrupts_take(struct svsm *svsm, uint64_t vector);

/* Sleep until an interrupt or until `at_most_us` have passed on our own timer. */
void interrupts_sleep(struct svsm *svsm, uint64_t at_most_us);

/* The same as a port. */
struct virtio_sleeper interrupts_sleeper(struct svsm *svsm);
