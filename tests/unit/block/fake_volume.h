// SPDX-License-Identifier: MIT
/* A volume in memory for the unit tests of the store: the functions of block/volume.h that the
 * store uses, with the contract checked and failures on demand. It is no friendlier than the real
 * one: every staged block counts towards the limit, a hole that was one already included; a misuse
 * of the contract aborts the test. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/units.h"
#include "block/volume.h"

#define FAKE_SLICES       70u
#define FAKE_SLICE_BLOCKS 128u

/* What the last successful commit changed, compared byte by byte. */
struct fake_commit {
	uint32_t block_count;
	uint64_t blocks[VOLUME_TXN_BLOCKS_MAX];
	uint32_t first_byte[VOLUME_TXN_BLOCKS_MAX];
	uint32_t end_byte[VOLUME_TXN_BLOCKS_MAX]; /* Behind the last differing byte. */
};

struct volume *fake_volume_new(uint64_t slices, uint64_t slice_blocks);
void fake_volume_free(struct volume *volume);

/* The k-th call from now (counted from 1) of a function that can fail returns `status`; 0: none. */
void fake_volume_fail_at(struct volume *volume, uint64_t k, enum status status);
/* Every read of this block fails. UINT64_MAX: none. */
void fake_volume_fail_block(struct volume *volume, uint64_t block, enum status status);

/* Committed content, to look at or to damage; a hole becomes a block of zeroes. */
uint8_t *fake_volume_block(struct volume *volume, uint64_t block);
uint64_t fake_volume_blocks_in_use(const struct volume *volume);
bool fake_volume_in_transaction(const struct volume *volume);
const struct fake_commit *fake_volume_last_commit(const struct volume *volume);
