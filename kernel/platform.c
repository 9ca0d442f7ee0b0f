// SPDX-License-Identifier: MIT
#include "kernel/platform.h"

static enum status share(void *context, struct phys_addr first, size_t page_count)
{
	struct platform_native *platform = context;
	(void)first;
	platform->pages_shared += page_count;
	return STATUS_OK;
}

static enum status unshare(void *context, struct phys_addr first, size_t page_count)
{
	struct platform_native *platform = context;
	(void)first;
	platform->pages_shared -= page_count;
	return STATUS_OK;
}

void platform_native_init(struct platform_native *platform)
{
	platform->pages_shared = 0;
	platform->page_state = (struct page_state_ops){share, unshare, platform};
}
