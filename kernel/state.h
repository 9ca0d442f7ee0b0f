// SPDX-License-Identifier: MIT
/* The persistent state: which disk, which key, the mounted volume and its store.
 *
 * A failure is kept and reported; nothing here ever formats a disk or falls back to something less.
 * A disk that was given up while it was in use may be mounted again, if it still holds what is
 * remembered of it (state_recover). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "block/store.h"
#include "block/virtio_blk.h"
#include "block/volume.h"
#include "block/volume_recall.h"
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

/* A volume and the memory that it lives in. */
struct state_mounted {
	struct volume *volume; /* NULL: none is. */
	struct phys_addr arena;
	size_t arena_pages;
};

struct state {
	struct virtio_blk disk;
	bool disk_is_open; /* One was chosen. */
	size_t chosen;     /* Which. */
	struct device_slot *slots[DEVICES_MAX];
	struct disk_candidate candidates[DEVICES_MAX];
	struct state_mounted mounted;
	struct store store;
	struct deadline next_look;
	bool was_mounted; /* In this boot. */
	/* Of a disk that was given up since: what it held, what ended it, how often it was opened
	 * again, and, if it stays stopped, why (else STATUS_OK). */
	struct volume_recall recall;
	enum status cause;
	uint32_t reset_count;
	enum status verdict;
};

/* Look at every disk, choose the one with the volume (kernel/disk_choice.h), read the key, mount,
 * open the store. TOO_LARGE: there are more devices than we look at, so none is "the only one".
 * BAD_HOST: the disk that was mounted is not the one that was chosen. Else what disk_choose(),
 * volume_mount() and the driver say. */
MUST_CHECK enum status state_open(struct state *state, const struct state_environment *environment);

/* The part of it that reads the key and mounts: for whoever has a disk, and needs the volume on it
 * and no store. Of the environment it takes memory, AEAD and random numbers. `recall`: what the
 * volume has to be (NULL: any). On failure nothing is mounted, the arena is erased and given back,
 * and the log says where in the volume it was. */
MUST_CHECK enum status state_mount(const struct state_environment *environment,
				   const struct block_device *device, size_t arena_bytes,
				   const struct volume_recall *recall,
				   struct state_mounted *mounted);

/* How it is now: STATUS_OK, or what ended writing since it was opened. */
MUST_CHECK enum status state_condition(const struct state *state);

/* True if the disk was given up since the volume on it was mounted, and recovery is to be tried. */
bool state_is_lost(const struct state *state);

/* One attempt at it, which takes some seconds at most. STATUS_OK: mounted and the same as before,
 * but for what state->recall has doubts about; whoever has files of the store open may go on. On an
 * error nothing is mounted: either the disk was given up once more and state_is_lost(), or there
 * will be no other attempt, and the status says why: what recovery_permit() and volume_mount() say,
 * NO_DEVICE if it was unplugged. */
MUST_CHECK enum status state_recover(struct state *state,
				     const struct state_environment *environment);

/* Every now and then see whether the disk is alive: nobody else does while it is idle. */
void state_look(struct state *state, const struct clock *clock);

/* Now and then, when there is nothing else to do: take note of what the disk reports. */
void state_tend(struct state *state);

/* Checkpoint, forget the keys, reset the disks. Nothing acknowledged depends on it. */
void state_close(struct state *state);
