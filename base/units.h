// SPDX-License-Identifier: MIT
/* Counts that refuse to mix. LK multiplied a capacity in 512-byte sectors by a block size once;
 * with these types that line does not compile. */
#pragma once

#include <stdint.h>

#define SECTOR_BYTES      512u
#define BLOCK_BYTES       4096u
#define SECTORS_PER_BLOCK 8u

/* 512-byte units, whatever the device's block size is (virtio 1.2, section 5.2.4). */
struct sector_count {
	uint64_t n;
};

/* 4096-byte units: the volume's block. */
struct block_count {
	uint64_t n;
};

/* A physical block's index on the device, in 4096-byte units. */
struct physical_block {
	uint64_t n;
};

/* A logical block's index in the volume, in 4096-byte units. */
struct logical_block {
	uint64_t n;
};
