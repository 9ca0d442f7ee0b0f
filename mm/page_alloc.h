// SPDX-License-Identifier: MIT
/* The physical page allocator: one bitmap over all of RAM, next-fit, contiguous runs.
 *
 * Pure: it hands out numbers and never touches the pages. free is total: a page that is not
 * allocated is refused at run time. One caller at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"

struct page_alloc {
	uint64_t *bitmap; /* 1: not free. Caller's storage, one bit a page. */
	uint64_t first_page;
	uint64_t page_count;
	uint64_t free_count;
	uint64_t next_hint;
};

/* Bytes of bitmap for a span of RAM. */
size_t page_alloc_bitmap_bytes(struct phys_range span);

/* All pages of `span` start as not free; page_alloc_add() makes them available. */
MUST_CHECK
enum status page_alloc_init(struct page_alloc *alloc, struct phys_range span, uint64_t *bitmap,
			    size_t bitmap_size_bytes);

/* STATUS_INVALID: outside the span, unaligned, or some page is free already; nothing changes. */
MUST_CHECK
enum status page_alloc_add(struct page_alloc *alloc, struct phys_range range);

/* `count` contiguous pages. STATUS_NO_MEMORY; *first untouched then. */
MUST_CHECK
enum status page_alloc_take(struct page_alloc *alloc, size_t count, struct phys_addr *first);

/* STATUS_INVALID: outside the span, unaligned, or some page is free already (a double free);
 * nothing changes. */
MUST_CHECK
enum status page_alloc_give(struct page_alloc *alloc, struct phys_addr first, size_t count);

uint64_t page_alloc_free_pages(const struct page_alloc *alloc);
