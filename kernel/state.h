// SPDX-License-Identifier: MIT
/* The persistent state: which disk, which key, the mounted volume and its store.
 *
 * A failure is kept and reported; nothing here ever formats a disk or falls back to something less.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "block/store.h"
#include "block/virtio_blk.h"
#include "block/volume.h"
#include "kernel/devices.h"
#include "kernel/disk_choice.h"
#include "kernel/memory.h"
#include "sharedmem/sharedmem.h"

struct state_environment {
	struct devices *devices;
	struct kernel_memory *memory;
	struct sharedmem *sharedmem;
	const struct clock *clock;
	const struct aead *aead;
	struct random *random;
	const struct disk_wish *wish;
};

struct state {
	struct virtio_blk disk;
	bool disk_is_open; /* One was chosen. */
	size_t chosen;     /* Which. */
	struct device_slot *slots[DEVICES_MAX];
	struct disk_candidate candidates[DEVICES_MAX];
	struct volume *volume;
	struct store store;
};

/* Look at every disk, choose the one with the volume (kernel/disk_choice.h), read the key, mount,
 * open the store. TOO_LARGE: there are more devices than we look at, so none is "the only one".
 * BAD_HOST: the disk that was mounted is not the one that was chosen. Else what disk_choose(),
 * volume_mount() and the driver say. */
MUST_CHECK enum status state_open(struct state *state, const struct state_environment *environment);

/* The part of it that reads the key and mounts: for whoever has a disk, and needs the volume on it
 * and no store. Of the environment it takes memory, AEAD and random numbers. On failure *volume is
 * NULL, the arena is erased and given back, and the log says where in the volume it was. */
MUST_CHECK enum status state_mount(const struct state_environment *environment,
				   const struct block_device *device, size_t arena_bytes,
				   struct volume **volume);

/* How it is now: STATUS_OK, or what ended writing since it was opened. */
MUST_CHECK enum status state_condition(const struct state *state);

/* Now and then, when there is nothing else to do: take note of what the disk reports. */
void state_tend(struct state *state);

/* Checkpoint, forget the keys, reset the disks. Nothing acknowledged depends on it. */
void state_close(struct state *state);
