// SPDX-License-Identifier: MIT
/* The `native` platform: a plain virtual machine. Memory is not encrypted, so a change of
 * visibility is nothing but an entry in the books; everything above behaves as if it were real. */
#pragma once

#include <stdint.h>

#include "sharedmem/sharedmem.h"

struct platform_native {
	uint64_t pages_shared;
	struct page_state_ops page_state;
};

void platform_native_init(struct platform_native *platform);
