// SPDX-License-Identifier: MIT
/* The kernel's first address space: where things go, and the page tables that put them there.
 *
 *   0xffff800000000000 + x   stage2's jump page, at its alias; executable; the kernel drops it
 *   0xffff888000000000 + x   all RAM, read-write, not executable (the direct map)
 *   0xffffffff80000000 + s   the kernel, each segment with its own permissions; s is the slide
 *                            then a guard gap, then the first stack, then nothing
 *
 * Nothing is mapped in the lower half: a null pointer faults from the kernel's first instruction.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"
#include "boot/kernel_image.h"
#include "boot/memory_map.h"
#include "mm/page_table.h"

#define HANDOVER_DIRECT_MAP    0xffff888000000000ull
#define HANDOVER_KERNEL_LOWEST 0xffffffff80000000ull
#define HANDOVER_SLIDE_BYTES   ((uint64_t)1 << 30)
#define HANDOVER_STACK_BYTES   ((uint64_t)64 * 1024)
#define HANDOVER_GUARD_BYTES   ((uint64_t)64 * 1024)

/* A slide for an image of this size and alignment, from 64 random bits: every allowed place is
 * equally likely, to within 2^-46. */
uint64_t handover_pick_slide(uint64_t random, uint64_t image_size_bytes, uint64_t alignment);

struct handover {
	const struct memory_map *memory;
	const struct kernel_image *image;
	struct phys_range kernel; /* Where the image was loaded. */
	uint64_t kernel_virtual;
	struct phys_range stack;
	struct phys_addr jump_page;
	uint64_t jump_page_virtual;
};

/* Lowest and one past the highest address of the first stack. */
uint64_t handover_stack_bottom(const struct handover *handover);
uint64_t handover_stack_top(const struct handover *handover);

/* No more table pages than this are needed. */
uint64_t handover_table_pages_max(const struct memory_map *memory, uint64_t image_size_bytes);

/* Map everything. */
MUST_CHECK
enum status handover_map(struct page_table *table, const struct handover *handover);

/* Table pages out of one contiguous range, in order, for page_table's port. Pages that are given
 * back stay used: stage2 gives none. */
struct table_pool {
	struct phys_range pages;
	uint8_t *memory; /* The range's first byte. */
	uint64_t used_bytes;
};

struct page_table_port table_pool_port(struct table_pool *pool);
