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
#include "kernel/memory.h"
#include "sharedmem/sharedmem.h"

#define STATE_DISKS_MAX 4u

struct state_environment {
	struct devices *devices;
	struct kernel_memory *memory;
	struct sharedmem *sharedmem;
	const struct clock *clock;
	const struct aead *aead;
	struct random *random;
};

struct state_disk {
	struct virtio_blk blk;
	struct volume_public_info info;
	enum status status; /* Of reading `info`. */
};

struct state {
	struct state_disk disks[STATE_DISKS_MAX];
	size_t disk_count;
	struct state_disk *chosen;
	struct volume *volume;
	struct store store;
};

/* Open the disks, choose the one with a volume, read the key, mount, open the store.
 * NO_DEVICE: no disk. NOT_A_VOLUME: disks, but no volume. DUPLICATE_VOLUME: two disks with one
 * UUID. BAD_CONFIG: two different volumes. Else what volume_mount() and the driver say. */
MUST_CHECK enum status state_open(struct state *state, const struct state_environment *environment);

/* How it is now: STATUS_OK, or what ended writing since it was opened. */
MUST_CHECK enum status state_condition(const struct state *state);

/* Checkpoint, forget the keys, reset the disks. Nothing acknowledged depends on it. */
void state_close(struct state *state);
