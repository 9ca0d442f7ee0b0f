// SPDX-License-Identifier: MIT
/* Crashes an operation at each flush that it asks for. At that moment any subset of the unflushed
 * sectors may survive. For each subset that the plan asks for, a copy of the disk is mounted, and
 * what it holds has to be what was acknowledged before the operation or what it was going to be.
 * Some recoveries then go on with an operation of their own, which is crashed in turn; some crashes
 * are warm (the device lost nothing, and flushed nothing either). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "checker.h"

#define CRASH_DEPTH_MAX 3u

struct crash_plan {
	/* Up to this many unflushed sectors: all subsets, of which this case tries every
	 * `slices`-th from `slice` on (slices 0: all). */
	uint32_t exhaustive_sectors;
	uint32_t slices;
	uint32_t slice;
	/* Above: so many prefixes, one lost, one kept, a block lost, a block kept ... */
	uint32_t patterned;
	/* ... every combination of torn prefixes of up to this many blocks ... */
	uint32_t torn_blocks;
	/* ... and so many random subsets. */
	uint32_t random;
	uint32_t nested_in; /* One in so many recoveries goes on; 0: none. */
	uint32_t warm_in;   /* One in so many flushes is also crashed warm; 0: none. */
	uint32_t verify_in; /* One in so many recoveries is walked as a whole; 0: none. */
};

struct watch {
	struct checker *checker;
	const struct crash_plan *plans; /* From this depth on. NULL: do not look. */
	uint32_t depth;
	struct point before; /* Acknowledged. */
	struct point after;  /* What the running operation is to make of it. */
};

/* Watch a disk. `watch` stays where it is until crashes_unwatch(). */
void crashes_watch(struct watch *watch, struct disk *disk);
void crashes_unwatch(struct disk *disk);
/* The power may fail here as well: after an operation, when nothing runs. */
void crashes_at_rest(struct watch *watch, struct disk *disk);
/* The power fails: any subset survives. Not judged. */
void crashes_any(struct checker *checker, struct disk *disk);
