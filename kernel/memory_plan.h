// SPDX-License-Identifier: MIT
/* Which RAM is free at hand-over. Pure: boot parameters in, ranges out. */
#pragma once

#include <stddef.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"
#include "boot/boot_params.h"

/* Memory ranges split by at most this many reserved ones. */
#define MEMORY_PLAN_RESERVED_MAX (BOOT_MODULES_MAX + 4u)
#define MEMORY_PLAN_RANGES_MAX   (BOOT_MEMORY_RANGES_MAX + MEMORY_PLAN_RESERVED_MAX)

struct memory_plan {
	struct phys_range free[MEMORY_PLAN_RANGES_MAX];
	size_t free_count;
	struct phys_range span; /* From the lowest to the highest byte of RAM. */
};

/* RAM above 1 MiB (below live firmware tables and the boot protocol's leftovers) less kernel
 * image, boot tables, boot data, modules and `also_reserved` (size 0: none). `params` was
 * validated. STATUS_NO_MEMORY: nothing is free. */
MUST_CHECK enum status memory_plan_make(const struct boot_params *params,
					struct phys_range also_reserved, struct memory_plan *plan);

/* The first `size_bytes` (rounded up to pages) of some free range. STATUS_NO_MEMORY. */
MUST_CHECK enum status memory_plan_place(const struct memory_plan *plan, uint64_t size_bytes,
					 struct phys_range *place);
