// SPDX-License-Identifier: MIT
/* expect: (incomplete|subscript|undefined).*shared_bytes */
#include "sharedmem/sharedmem.h"

/* No array access into host-visible memory either. */
const void *compile_case(const struct shared_region *region);

const void *compile_case(const struct shared_region *region)
{
#ifdef MISUSE
	return &region->bytes[1];
#else
	return region->bytes;
#endif
}
