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

/* Pages of the span are counted from its first one. */
/*@ predicate word_bit(uint64_t w, integer k) = (w & (1 << k)) != 0;
    predicate page_is_taken{L}(uint64_t *bitmap, integer page) =
      word_bit(bitmap[page / 64], page % 64);
    predicate pages_taken{L}(uint64_t *bitmap, integer first, integer end) =
      \forall integer p; first <= p < end ==> page_is_taken(bitmap, p);
    predicate pages_free{L}(uint64_t *bitmap, integer first, integer end) =
      \forall integer p; first <= p < end ==> !page_is_taken(bitmap, p);
    predicate others_kept{A, B}(struct page_alloc *a, integer first, integer end) =
      \forall integer p; 0 <= p < \at(a->page_count, A) && !(first <= p < end) ==>
	(page_is_taken{A}(\at(a->bitmap, A), p) <==> page_is_taken{B}(\at(a->bitmap, A), p));
    predicate same_span{A, B}(struct page_alloc *a) =
      \at(a->bitmap, A) == \at(a->bitmap, B) && \at(a->first_page, A) == \at(a->first_page, B) &&
      \at(a->page_count, A) == \at(a->page_count, B);
    predicate alloc_is_sound{L}(struct page_alloc *a) =
      0 < a->page_count && a->first_page + a->page_count <= 0x10000000000 &&
      a->free_count <= a->page_count && a->next_hint < a->page_count &&
      \valid(a->bitmap + (0 .. (a->page_count + 63) / 64 - 1)) &&
      \separated(a, a->bitmap + (0 .. (a->page_count + 63) / 64 - 1)); */

/* Bytes of bitmap for a span of RAM. */
/*@ requires range_is_valid(span);
    assigns \nothing;
    ensures \result == ((span.size_bytes + 4095) / 4096 + 63) / 64 * 8; */
size_t page_alloc_bitmap_bytes(struct phys_range span);

/* All pages of `span` start as not free; page_alloc_add() makes them available. */
/*@ requires \valid(alloc) && \valid(bitmap + (0 .. bitmap_size_bytes / 8 - 1));
    requires \separated(alloc, bitmap + (0 .. bitmap_size_bytes / 8 - 1));
    assigns *alloc, bitmap[0 .. bitmap_size_bytes / 8 - 1];
    ensures \result == STATUS_OK ==> alloc_is_sound(alloc) && alloc->free_count == 0 &&
      alloc->first_page * 4096 == span.first.raw && alloc->page_count * 4096 == span.size_bytes;
    ensures \result == STATUS_OK ==> alloc->bitmap == bitmap &&
      \forall integer w; 0 <= w < (alloc->page_count + 63) / 64 ==> bitmap[w] == UINT64_MAX; */
MUST_CHECK
enum status page_alloc_init(struct page_alloc *alloc, struct phys_range span, uint64_t *bitmap,
			    size_t bitmap_size_bytes);

/* STATUS_INVALID: outside the span, unaligned, or some page is free already; nothing changes. */
/*@ requires \valid(alloc) && alloc_is_sound(alloc);
    assigns alloc->bitmap[0 .. (alloc->page_count + 63) / 64 - 1], alloc->free_count;
    ensures alloc_is_sound(alloc) && same_span{Pre, Post}(alloc);
    ensures \result == STATUS_OK ==> range.size_bytes % PAGE_BYTES == 0 &&
      alloc->free_count == \old(alloc->free_count) + range.size_bytes / PAGE_BYTES;
    ensures \result != STATUS_OK ==> \result == STATUS_INVALID &&
      alloc->free_count == \old(alloc->free_count) && others_kept{Pre, Post}(alloc, 0, 0); */
MUST_CHECK
enum status page_alloc_add(struct page_alloc *alloc, struct phys_range range);

/* `count` contiguous pages. STATUS_NO_MEMORY; *first untouched then. */
/*@ requires \valid(alloc) && alloc_is_sound(alloc) && \valid(first);
    requires \separated(first, alloc,
      alloc->bitmap + (0 .. (alloc->page_count + 63) / 64 - 1));
    assigns *first, alloc->bitmap[0 .. (alloc->page_count + 63) / 64 - 1], alloc->free_count,
      alloc->next_hint;
    ensures alloc_is_sound(alloc) && same_span{Pre, Post}(alloc);
    ensures \result == STATUS_OK ==> first->raw % PAGE_BYTES == 0 && count > 0 &&
      alloc->first_page <= first->raw / PAGE_BYTES &&
      first->raw / PAGE_BYTES + count <= alloc->first_page + alloc->page_count &&
      alloc->free_count == \old(alloc->free_count) - count;
    ensures \result == STATUS_OK ==> \let i = first->raw / PAGE_BYTES - alloc->first_page;
      pages_free{Pre}(alloc->bitmap, i, i + count) && pages_taken(alloc->bitmap, i, i + count) &&
      others_kept{Pre, Post}(alloc, i, i + count);
    ensures \result != STATUS_OK ==> (\result == STATUS_NO_MEMORY || \result == STATUS_INVALID) &&
      alloc->free_count == \old(alloc->free_count) && first->raw == \old(first->raw) &&
      others_kept{Pre, Post}(alloc, 0, 0); */
MUST_CHECK
enum status page_alloc_take(struct page_alloc *alloc, size_t count, struct phys_addr *first);

/* STATUS_INVALID: outside the span, unaligned, or some page is free already (a double free);
 * nothing changes. */
/*@ requires \valid(alloc) && alloc_is_sound(alloc);
    assigns alloc->bitmap[0 .. (alloc->page_count + 63) / 64 - 1], alloc->free_count;
    ensures alloc_is_sound(alloc) && same_span{Pre, Post}(alloc);
    ensures \result == STATUS_OK ==> first.raw % PAGE_BYTES == 0 &&
      alloc->free_count == \old(alloc->free_count) + count;
    ensures \result == STATUS_OK ==> \let i = first.raw / PAGE_BYTES - alloc->first_page;
      0 <= i && i + count <= alloc->page_count && pages_taken{Pre}(alloc->bitmap, i, i + count) &&
      pages_free(alloc->bitmap, i, i + count) && others_kept{Pre, Post}(alloc, i, i + count);
    ensures \result != STATUS_OK ==> \result == STATUS_INVALID &&
      alloc->free_count == \old(alloc->free_count) && others_kept{Pre, Post}(alloc, 0, 0); */
MUST_CHECK
enum status page_alloc_give(struct page_alloc *alloc, struct phys_addr first, size_t count);

//@ requires \valid_read(alloc); assigns \nothing; ensures \result == alloc->free_count;
uint64_t page_alloc_free_pages(const struct page_alloc *alloc);
