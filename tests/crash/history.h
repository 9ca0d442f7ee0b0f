// SPDX-License-Identifier: MIT
/* Everything that a volume was committed to, one after the other; and the judgement of an image
 * that somebody tampered with: it may be refused, it may be an earlier moment of one history, it
 * may be unreadable in places. It must never be anything else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checker.h"

#define HISTORY_MAX 96u

struct history {
	uint64_t last;                    /* Sequence. */
	struct point points[HISTORY_MAX]; /* By sequence. */
	bool reached[HISTORY_MAX];        /* False: within a transaction of several records. */
	uint64_t epoch;
	uint64_t epoch_most;              /* Of which the disk may know: a checkpoint runs. */
	uint32_t epoch_keys[HISTORY_MAX]; /* Keys that open the volume, by epoch. */
};

/* What the volume has just acknowledged. `first_keys`: opened the first of the epochs that are new;
 * a checkpoint that was running anyway ends with the keys of before. */
void history_add(struct history *history, struct volume *volume, const struct point *now,
		 uint32_t first_keys);

/* What became of an image. */
struct outcome {
	enum status mount;
	uint64_t sequence;
	uint64_t epoch;
	uint32_t unreadable;       /* Logical blocks of the case that gave an error. */
	uint32_t unreadable_index; /* The last of them. */
	enum status unreadable_status;
};

/* Mount it and demand one of `count` histories. False: a violation was reported, or the budget is
 * used up. */
bool history_judge(struct checker *checker, const struct image *image,
		   const struct history *const *histories, size_t count, struct outcome *outcome);

/* The same for a disk, which may be faulty or have unflushed writes. `volume` (may be NULL) stays
 * mounted at depth 1 if the outcome is OK. `io_errors`: the device is broken, too. */
bool history_judge_disk(struct checker *checker, struct disk *disk,
			const struct history *const *histories, size_t count, bool io_errors,
			struct outcome *outcome, struct volume **volume);
