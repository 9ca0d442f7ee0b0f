// SPDX-License-Identifier: MIT
/* Host-visible memory for host tests: plain memory behind the kernel's accessors, with a hook that
 * decides the value of each scalar load. A fuzzer returns bytes of its input here; a test plays a
 * host that changes its mind, or counts double fetches. */
#pragma once

#include <stdint.h>

struct shared_access_hook {
	/* `at` is where the load goes, `actual` what memory holds; the result is what the driver
	 * gets. May change the memory as well. */
	uint64_t (*load)(void *context, const void *at, unsigned int width_bytes, uint64_t actual);
	void *context;
};

/* NULL: loads give what memory holds. The hook is borrowed. */
void shared_access_hook_set(const struct shared_access_hook *hook);
