// SPDX-License-Identifier: MIT
/* One bit a page, 1 meaning "not free", so that memory which was never added reads as taken and the
 * spare bits of the last word never look available.
 *
 * Next-fit: the search starts where the last one ended. That keeps the common case (one page) short
 * without any list, and leaves freshly freed pages alone for a while, which turns a use after free
 * into stale data instead of somebody else's data more often. */
#include "mm/page_alloc.h"

#include <stdbool.h>
#include <string.h>

#define WORD_BITS 64u

static uint64_t bitmap_words(uint64_t page_count)
{
	return page_count / WORD_BITS + (page_count % WORD_BITS != 0 ? 1 : 0);
}

static bool bit_is_set(const struct page_alloc *alloc, uint64_t page)
{
	return (alloc->bitmap[page / WORD_BITS] >> (page % WORD_BITS) & 1) != 0;
}

static void bit_set(struct page_alloc *alloc, uint64_t page)
{
	alloc->bitmap[page / WORD_BITS] |= (uint64_t)1 << (page % WORD_BITS);
}

static void bit_clear(struct page_alloc *alloc, uint64_t page)
{
	alloc->bitmap[page / WORD_BITS] &= ~((uint64_t)1 << (page % WORD_BITS));
}

size_t page_alloc_bitmap_bytes(struct phys_range span)
{
	const uint64_t tail = span.size_bytes % PAGE_BYTES != 0 ? 1 : 0;
	const uint64_t page_count = span.size_bytes / PAGE_BYTES + tail;
	return (size_t)(bitmap_words(page_count) * sizeof(uint64_t));
}

enum status page_alloc_init(struct page_alloc *alloc, struct phys_range span, uint64_t *bitmap,
			    size_t bitmap_size_bytes)
{
	if (!phys_range_valid(span) || !addr_is_page_aligned(span.first.raw) ||
	    !addr_is_page_aligned(span.size_bytes)) {
		return STATUS_INVALID;
	}
	const size_t needed_bytes = page_alloc_bitmap_bytes(span);
	if (bitmap_size_bytes < needed_bytes) {
		return STATUS_INVALID;
	}
	memset(bitmap, 0xff, needed_bytes);
	*alloc = (struct page_alloc){
		.bitmap = bitmap,
		.first_page = span.first.raw / PAGE_BYTES,
		.page_count = span.size_bytes / PAGE_BYTES,
		.free_count = 0,
		.next_hint = 0,
	};
	return STATUS_OK;
}

/* Pages as indices into the bitmap. False if any lies outside the span; an index of a page before
 * it wraps and is far too large. */
static bool span_index(const struct page_alloc *alloc, struct phys_addr first, uint64_t count,
		       uint64_t *index)
{
	const uint64_t first_index = first.raw / PAGE_BYTES - alloc->first_page;
	if (!addr_is_page_aligned(first.raw) || count == 0 ||
	    !addr_within(first_index, count, alloc->page_count)) {
		return false;
	}
	*index = first_index;
	return true;
}

/* Make taken pages free: all of them, or none if one is free already. */
static enum status release(struct page_alloc *alloc, struct phys_addr first, uint64_t count)
{
	uint64_t index = 0;
	if (!span_index(alloc, first, count, &index)) {
		return STATUS_INVALID;
	}
	for (uint64_t i = 0; i < count; i++) {
		if (!bit_is_set(alloc, index + i)) {
			return STATUS_INVALID;
		}
	}
	for (uint64_t i = 0; i < count; i++) {
		bit_clear(alloc, index + i);
	}
	alloc->free_count += count;
	return STATUS_OK;
}

enum status page_alloc_add(struct page_alloc *alloc, struct phys_range range)
{
	if (!addr_is_page_aligned(range.size_bytes)) {
		return STATUS_INVALID;
	}
	return release(alloc, range.first, range.size_bytes / PAGE_BYTES);
}

enum status page_alloc_give(struct page_alloc *alloc, struct phys_addr first, size_t count)
{
	return release(alloc, first, count);
}

/* The first run of `count` free pages that lies within [begin, end). */
static bool find_run(const struct page_alloc *alloc, uint64_t begin, uint64_t end, uint64_t count,
		     uint64_t *first)
{
	uint64_t run = 0;
	for (uint64_t page = begin; page < end; page++) {
		if (page % WORD_BITS == 0 && alloc->bitmap[page / WORD_BITS] == UINT64_MAX) {
			run = 0;
			page += WORD_BITS - 1; /* The loop adds the last one. */
			continue;
		}
		run = bit_is_set(alloc, page) ? 0 : run + 1;
		if (run == count) {
			*first = page + 1 - count;
			return true;
		}
	}
	return false;
}

enum status page_alloc_take(struct page_alloc *alloc, size_t count, struct phys_addr *first)
{
	if (count == 0) {
		return STATUS_INVALID;
	}
	if (count > alloc->free_count) {
		return STATUS_NO_MEMORY;
	}
	/* The second search overlaps the first by count - 1 pages: a run may begin before the hint
	 * and end after it. `count` is at most page_count, so the sum cannot wrap. */
	const uint64_t hint = alloc->next_hint;
	const uint64_t overlap_end = hint + count - 1;
	const uint64_t second_end =
		overlap_end < alloc->page_count ? overlap_end : alloc->page_count;
	uint64_t index = 0;
	if (!find_run(alloc, hint, alloc->page_count, count, &index) &&
	    !find_run(alloc, 0, second_end, count, &index)) {
		return STATUS_NO_MEMORY;
	}
	for (uint64_t i = 0; i < count; i++) {
		bit_set(alloc, index + i);
	}
	alloc->free_count -= count;
	alloc->next_hint = (index + count) % alloc->page_count;
	first->raw = (alloc->first_page + index) * PAGE_BYTES;
	return STATUS_OK;
}

uint64_t page_alloc_free_pages(const struct page_alloc *alloc)
{
	return alloc->free_count;
}
