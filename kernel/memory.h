// SPDX-License-Identifier: MIT
/* The kernel's own memory: page allocator, page tables, direct map, device windows and guarded
 * stacks.
 *
 *   0xffff888000000000  direct map of all RAM, read-write, no-execute, without the kernel image
 *   0xffffc90000000000  stacks, each with 64 KiB of nothing below it
 *   0xffffd00000000000  device registers, uncached
 *   0xffffffff80000000  kernel image at a random slide: text r-x, constants r--, data rw-
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"
#include "boot/boot_params.h"
#include "mm/page_alloc.h"
#include "mm/page_table.h"
#include "mm/user_copy.h"

struct kernel_memory {
	struct page_alloc pages;
	struct page_table table;
	struct page_table_port table_port;
	struct direct_map_port direct_map;
	uint64_t direct_map_virtual;
	uint64_t next_stack_virtual;
	uint64_t next_device_virtual;
	uint64_t physical_limit; /* The CPU addresses nothing at or above. */
	struct phys_range image;
	struct phys_range memory[BOOT_MEMORY_RANGES_MAX];
	size_t memory_count;
};

/* Take over from stage2: on return the kernel runs on tables of its own. */
MUST_CHECK enum status kernel_memory_init(struct kernel_memory *memory,
					  const struct boot_params *params);

/* `count` contiguous zeroed pages. What is given back is erased: a vTPM's keys were in it. */
MUST_CHECK enum status kernel_memory_take(struct kernel_memory *memory, size_t count,
					  struct phys_addr *first);
void kernel_memory_give(struct kernel_memory *memory, struct phys_addr first, size_t count);

/* A private page through the direct map. The address must lie in RAM. */
uint8_t *kernel_memory_pointer(const struct kernel_memory *memory, struct phys_addr at);

/* Map device registers, uncached. Refuses ranges that overlap RAM or that this CPU cannot address:
 * reserved bits in a page table would fault at the first access (STATUS_BAD_HOST). */
MUST_CHECK enum status kernel_memory_map_device(struct kernel_memory *memory, struct phys_addr at,
						uint64_t size_bytes, volatile uint8_t **registers);

/* A stack with unmapped space below it and, as the next one has the same, above; *top is 16-byte
 * aligned. */
MUST_CHECK enum status kernel_memory_map_stack(struct kernel_memory *memory, size_t page_count,
					       uint64_t *top);

/* Make what is fixed after boot read-only. */
MUST_CHECK enum status kernel_memory_seal(struct kernel_memory *memory);

/* True if eight bytes at `address` can be read without a fault: for back traces. */
bool kernel_memory_is_readable(const struct kernel_memory *memory, uint64_t address);
