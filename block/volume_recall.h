// SPDX-License-Identifier: MIT
/* What a mount knew of its volume when its device was given up: the witness of the next mount.
 *
 * A device that was reset may come back with anything. Whoever mounts again within one boot needs
 * nobody beside the disk to judge that: how far the volume had come is still in memory. Exactly one
 * thing may be unknown, the last commit (and the superblock of a checkpoint), if the device died
 * before it confirmed them. So there are at most two states of each that a disk may show. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume_witness.h"

#define VOLUME_RECALL_DIGEST_BYTES 32u

struct volume;

/* One superblock. Through it, all that is not in the log: it holds the tags of the tree's root, of
 * the bitmaps and of the session table, and the digest of the keyslots. */
struct volume_recall_superblock {
	uint64_t epoch; /* 0: none. */
	uint8_t digest[VOLUME_RECALL_DIGEST_BYTES];
};

struct volume_recall {
	uint8_t uuid[WITNESS_UUID_BYTES];
	struct witness_mark committed; /* The last commit that the device confirmed. */
	struct witness_mark doubt;     /* Written without its answer; sequence 0: nothing was. */
	struct volume_recall_superblock superblock; /* Likewise. */
	struct volume_recall_superblock superblock_doubt;
};

/* Take it from a volume that is about to be unmounted, of the state profile: in the block profile
 * more than one commit may be on the way (STATUS_UNSUPPORTED). */
MUST_CHECK
enum status volume_recall_get(const struct volume *volume, struct volume_recall *recall);

/* True if the device was writing when it died. */
bool volume_recall_has_doubt(const struct volume_recall *recall);

/* May `found`, taken from a mount that has written nothing yet, be what `recall` was taken from?
 * STATUS_ROLLBACK: it is older. STATUS_FORK: it is another volume, or another history. */
MUST_CHECK
enum status volume_recall_judge(const struct volume_recall *recall,
				const struct volume_recall *found);

/* The last step of a mount before it writes; NULL: nothing is remembered, and anything will do. */
MUST_CHECK
enum status volume_recall_check(struct volume *volume, const struct volume_recall *recall);
