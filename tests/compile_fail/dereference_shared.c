// SPDX-License-Identifier: MIT
/* expect: incomplete.*shared_bytes */
#include "sharedmem/sharedmem.h"

/* Host-visible bytes are reached through the accessors only. */
int compile_case(const struct shared_region *region);

int compile_case(const struct shared_region *region)
{
#ifdef MISUSE
	return *(const uint8_t *)&*region->bytes + (int)sizeof(*region->bytes);
#else
	return shared_load_u8(region, 0);
#endif
}
