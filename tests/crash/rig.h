// SPDX-License-Identifier: MIT
/* A live volume on a simulated disk, with the model of what it holds; and what can be done to it.
 * Each operation is watched (crashes.h): every flush in it, and the rest behind it, is a moment at
 * which the power may fail. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "checker.h"
#include "crashes.h"
#include "history.h"

enum op {
	OP_WRITE,     /* A block that was a hole. */
	OP_OVERWRITE, /* A block that was there: as a patch or as a whole. */
	OP_DISCARD,
	OP_MULTI, /* Two to five blocks, discards among them. */
	OP_CHECKPOINT,
	OP_REMOUNT,
	OP_KEY_ADD,
	OP_KEY_REMOVE,
	OP_NOOP, /* A transaction that changes nothing: no write, no flush. */
	/* State profile: most of what a transaction may hold. Block profile: out of line. */
	OP_LARGE,
	OP_CHAIN,      /* Block profile: several records, of which the last commits. */
	OP_ABORT,      /* Block profile: out of line, and then thought better of. */
	OP_STEP,       /* Block profile: begin a checkpoint, or go on with it, for a few steps. */
	OP_GROW,       /* The volume takes up more of its device. */
	OP_ROTATE,     /* Begin a rotation of the master key, or go on with it for a few steps. */
	OP_KEY_CHANGE, /* One key in the place of another, in one step. */
	OP_EPOCH,      /* A checkpoint although nothing changed. */
	OP_EXHAUST,    /* The session's nonces run out: a new salt, in place. */
	OP_COUNT,
};

/* The operations of which every sequence is tried. */
uint32_t rig_sequenced_count(enum volume_profile profile);
enum op rig_sequenced(enum volume_profile profile, uint64_t index);
/* How many epochs an operation may have begun when it failed: its own checkpoints, behind one that
 * may have been running. */
uint32_t rig_epochs_most(enum op op);

struct rig {
	struct checker *checker;
	struct disk *disk;
	struct volume *volume;
	uint32_t depth;
	struct point now;
	struct watch watch;
	struct history *history; /* Of what was acknowledged; NULL: not kept. */
	/* The device is broken, or was tampered with: an operation or a read that fails is no
	 * violation. Wrong data is, as ever. */
	bool may_fail;
	enum status failure; /* Of the last operation that failed. */
	bool was_building;   /* A checkpoint ran when the last operation began. */
};

const char *op_name(enum op op);

/* A new volume, mounted at depth 0; nobody watches yet. */
void rig_init(struct rig *rig, struct checker *checker, struct disk *disk);
/* Go on with a volume that was recovered. */
void rig_init_recovered(struct rig *rig, struct checker *checker, struct disk *disk, uint32_t depth,
			struct volume *volume, const struct point *now);
/* Crash every operation from now on, as the plans (one for each depth, from this one) say. */
void rig_watch(struct rig *rig, const struct crash_plan *plans);
void rig_unwatch(struct rig *rig);

/* Do it and demand that it works. False: it did not (reported), or the budget is used up. */
bool rig_op(struct rig *rig, enum op op);
/* Any operation, small ones mostly. */
enum op rig_op_choose(struct checker *checker);
/* Change these blocks (indices) in one transaction; number 0 is a discard. */
bool rig_commit(struct rig *rig, const struct contents *next);
/* Write blocks that no model knows until the volume is full. In the state profile an operation of
 * this case may then find no space, and must have no effect; the block profile has room for all
 * that it offers, always. */
bool rig_fill(struct rig *rig);
/* Write so many of them, blocks that are full or nearly empty, in one transaction. */
bool rig_fill_some(struct rig *rig, uint32_t first, uint32_t count, bool full);
/* A content that never was before. */
uint64_t rig_new_content(struct checker *checker);

/* For operations that are made elsewhere. It worked: what it did is acknowledged, and survives
 * whatever comes. False: the budget is used up, or it did not. */
bool rig_acknowledged(struct rig *rig);
/* It failed. Always false. */
bool rig_failed(struct rig *rig, const char *what, enum status status);
