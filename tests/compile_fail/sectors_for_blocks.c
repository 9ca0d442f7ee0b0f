// SPDX-License-Identifier: MIT
/* expect: incompatible type.*(sector_count|block_count) */
#include "block/block_device.h"

/* Sectors of 512 bytes and blocks of 4096 do not mix. */
enum status compile_case(const struct block_device *device, struct sector_count sectors,
			 struct block_count blocks, uint8_t *out);

enum status compile_case(const struct block_device *device, struct sector_count sectors,
			 struct block_count blocks, uint8_t *out)
{
	const struct physical_block first = {.n = 0};
	(void)sectors;
#ifdef MISUSE
	return block_read(device, first, sectors, out);
#else
	return block_read(device, first, blocks, out);
#endif
}
