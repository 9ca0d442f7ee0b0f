// SPDX-License-Identifier: MIT
/* expect: incompatible type.*(guest_addr|phys_addr) */
#include "mm/page_alloc.h"

/* A claim of the guest is not a page that we own. */
enum status compile_case(struct page_alloc *alloc, struct guest_addr claim, struct phys_addr page);

enum status compile_case(struct page_alloc *alloc, struct guest_addr claim, struct phys_addr page)
{
	(void)claim;
#ifdef MISUSE
	return page_alloc_give(alloc, claim, 1);
#else
	return page_alloc_give(alloc, page, 1);
#endif
}
