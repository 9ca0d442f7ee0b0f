// SPDX-License-Identifier: MIT
/* expect: incompatible type.*(logical_block|physical_block) */
#include "block/block_device.h"

/* Where a block is on the disk is not where it is in the volume. */
enum status compile_case(const struct block_device *device, struct logical_block logical,
			 struct physical_block physical, uint8_t *out);

enum status compile_case(const struct block_device *device, struct logical_block logical,
			 struct physical_block physical, uint8_t *out)
{
	const struct block_count count = {.n = 1};
	(void)logical;
#ifdef MISUSE
	return block_read(device, logical, count, out);
#else
	return block_read(device, physical, count, out);
#endif
}
