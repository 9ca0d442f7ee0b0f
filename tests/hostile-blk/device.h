// SPDX-License-Identifier: MIT
/* The block device itself: serves what a ring holds from a file, honestly or as the script says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/hostile-blk/lies.h"
#include "tests/hostile-blk/vhost_user.h"

struct hostile_device {
	struct vhost_user vhost;
	struct lie_script script;
	int image;
	int next_image; /* Served from the next reset on, instead; -1: none. */
	uint64_t sectors;
	uint64_t requests; /* Served so far. */
	bool hung_up;
};

/* Serve all that the ring offers. */
void hostile_device_serve(struct hostile_device *device, struct vhost_ring *ring);
