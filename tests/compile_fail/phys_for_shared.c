// SPDX-License-Identifier: MIT
/* expect: (incompatible type|incompatible types).*(shared_addr|phys_addr) */
#include "virtio/virtq.h"

/* The address of a private page never gets into a descriptor. */
struct virtq_segment compile_case(struct phys_addr private_page, struct shared_addr shared_page);

struct virtq_segment compile_case(struct phys_addr private_page, struct shared_addr shared_page)
{
	struct virtq_segment segment = {.len_bytes = 1};
	(void)private_page;
	segment.at = shared_page;
#ifdef MISUSE
	segment.at = private_page;
#endif
	return segment;
}
