// SPDX-License-Identifier: MIT
/* What the volume should hold: the content of every logical block of a case, as numbers, after each
 * commit. A block's bytes follow from its number. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/units.h"

#define MODEL_BLOCKS_MAX 96u

/* In every content, to be searched for on the disk. */
#define MODEL_CANARY "plaintext canary"

/* Number of each block's content; 0: a hole. Index: the case's n-th logical block. */
struct contents {
	uint64_t number[MODEL_BLOCKS_MAX];
};

/* Everything that a commit or a key change decides: what one moment of a history is. */
struct point {
	struct contents contents;
	uint64_t sequence;
	uint32_t keys; /* Bit k: test key k opens the volume. */
};

/* Numbers are `base << 8 | variant`. Contents of one base differ in a few bytes, so that a change
 * from one to the other is logged as a patch. */
#define MODEL_VARIANTS 256u

void model_content(uint64_t number, uint8_t out[BLOCK_BYTES]);
bool model_content_equals(uint64_t number, const uint8_t content[BLOCK_BYTES]);
