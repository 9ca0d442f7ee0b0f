// SPDX-License-Identifier: MIT
/* Which disk holds the state. Pure.
 *
 * A disk is what is on it, never where it is plugged in or what the host calls it, and never "the
 * first that opens": the host could choose for us then. Exactly one disk has to carry the volume.
 * Two with one UUID are a volume and a copy of it (perhaps an old one), and nothing on them tells
 * which is which: both are refused. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define DISK_UUID_BYTES 16u

struct disk_candidate {
	enum status status;            /* Of looking for a volume's superblock. */
	uint8_t uuid[DISK_UUID_BYTES]; /* If that was OK. */
};

/* What the command line asks for. */
struct disk_wish {
	bool has_uuid; /* Only this volume will do; others may be there. */
	uint8_t uuid[DISK_UUID_BYTES];
};

/* *chosen: the index of the disk to mount.
 * DUPLICATE_VOLUME: two fit and carry one UUID. BAD_CONFIG: two volumes, and no wish says which.
 * NO_DEVICE: no disk, or none with the volume that is wished for. Else why the first disk that is
 * no volume is none. */
MUST_CHECK enum status disk_choose(const struct disk_candidate *candidates, size_t count,
				   const struct disk_wish *wish, size_t *chosen);
