// SPDX-License-Identifier: MIT
/* What each used block of a volume's image is: where to tamper, and what may come of it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "rig.h"

#define MAP_MAX 640u

enum region {
	REGION_SUPERBLOCK,  /* One of four copies. */
	REGION_KEYSLOTS,    /* Likewise. */
	REGION_RECORD,      /* Of the log, not the last one. */
	REGION_LAST_RECORD, /* Whose loss looks like a crash. */
	REGION_OLD_RECORD,  /* Of an earlier epoch: spent. */
	REGION_FIXED,       /* Session table, bitmap, root: read by every mount. */
	REGION_GROUP,       /* Block profile: a bitmap or a node above them, read when needed. */
	REGION_NODE,
	REGION_DATA,
	REGION_LOGGED_DATA, /* Out of line; only the log refers to it. */
	REGION_LAST_DATA,   /* Likewise, of the last transaction, which is lost with it. */
	REGION_FREE,        /* Once used, now free. */
	REGIONS,
};

struct map_block {
	uint64_t block;
	enum region region;
	uint32_t logical_index; /* REGION_DATA: the case's logical block. */
	uint32_t used_bytes;
};

struct map {
	size_t count;
	struct map_block blocks[MAP_MAX];
};

/* Of a live volume with nothing unflushed, whose log has not wrapped. `last_from`: the last
 * transaction's data has nonce counters above this one. */
void map_make(struct map *map, const struct rig *rig, uint64_t last_from);
