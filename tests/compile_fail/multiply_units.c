// SPDX-License-Identifier: MIT
/* expect: invalid operands */
#include "base/units.h"

/* The bug that LK had: a count of sectors times a block size. */
uint64_t compile_case(struct sector_count capacity);

uint64_t compile_case(struct sector_count capacity)
{
#ifdef MISUSE
	return capacity * BLOCK_BYTES;
#else
	return capacity.n * SECTOR_BYTES;
#endif
}
