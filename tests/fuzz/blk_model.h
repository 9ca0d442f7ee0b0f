// SPDX-License-Identifier: MIT
/* An honest virtio-blk device. A block's content follows from its number and a tag, so that a lost,
 * doubled or misplaced block shows at once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/units.h"
#include "tests/fuzz/hostile.h"

#define BLK_MODEL_BLOCKS       48u
#define BLK_MODEL_TRANSFER_MAX 34u /* Blocks of a request of the user: more than one piece. */
#define BLK_MODEL_ZERO_TAG     0xffu

struct blk_model {
	uint8_t tag[BLK_MODEL_BLOCKS];
	uint64_t capacity_blocks;
	bool strange; /* The configuration is not one of an honest device. */
};

extern struct blk_model blk_model;

void blk_model_content(uint8_t tag, uint64_t block, uint8_t out[BLOCK_BYTES]);
bool blk_model_is_content(uint8_t tag, uint64_t block, const uint8_t bytes[BLOCK_BYTES]);

/* For struct hostile. `misbehave` is status:8, bytes not to be reported:8, and bit 16: do nothing
 * but claim it. */
bool blk_model_serve(const struct hostile_chain *chain, uint32_t *written_bytes);
