// SPDX-License-Identifier: MIT
/* One bit a page, 1 meaning "not free", so that memory which was never added reads as taken and the
 * spare bits of the last word never look available.
 *
 * Next-fit: the search starts where the last one ended. That keeps the common case (one page) short
 * without any list, and leaves freshly freed pages alone for a while, which turns a use after free
 * into stale data instead of somebody else's data more often. */
#include "mm/page_alloc.h"

#include <stdbool.h>

#define WORD_BITS 64u

/*@ requires page_count <= 0x10000000000000;
    assigns \nothing;
    ensures \result == (page_count + 63) / 64; */
static uint64_t bitmap_words(uint64_t page_count)
{
	return page_count / WORD_BITS + (page_count % WORD_BITS != 0 ? 1 : 0);
}

/*@ axiomatic bits {
      axiom bit_fits: \forall integer k; 0 <= k < 64 ==> (1 << k) <= 0xffffffffffffffff;
    } */

/*@ requires bit < WORD_BITS;
    assigns \nothing;
    ensures \result <==> word_bit(word, bit); */
static bool word_has(uint64_t word, uint64_t bit)
{
	return (word & (uint64_t)1 << bit) != 0;
}

/*@ requires bit < WORD_BITS;
    assigns \nothing;
    ensures \forall integer k; 0 <= k < 64 ==>
      (word_bit(\result, k) <==> k == bit || word_bit(word, k)); */
static uint64_t word_with(uint64_t word, uint64_t bit)
{
	return word | (uint64_t)1 << bit;
}

/*@ requires bit < WORD_BITS;
    assigns \nothing;
    ensures \forall integer k; 0 <= k < 64 ==>
      (word_bit(\result, k) <==> k != bit && word_bit(word, k)); */
static uint64_t word_without(uint64_t word, uint64_t bit)
{
	return word & ~((uint64_t)1 << bit);
}

/*@ requires \valid_read(alloc) && alloc_is_sound(alloc) && page < alloc->page_count;
    assigns \nothing;
    ensures \result <==> page_is_taken(alloc->bitmap, page); */
static bool bit_is_set(const struct page_alloc *alloc, uint64_t page)
{
	return word_has(alloc->bitmap[page / WORD_BITS], page % WORD_BITS);
}

/*@ requires \valid_read(alloc) && alloc_is_sound(alloc) && page < alloc->page_count;
    assigns alloc->bitmap[0 .. (alloc->page_count + 63) / 64 - 1];
    ensures page_is_taken(alloc->bitmap, page) && others_kept{Pre, Post}(alloc, page, page + 1); */
static void bit_set(struct page_alloc *alloc, uint64_t page)
{
	uint64_t *word = &alloc->bitmap[page / WORD_BITS];
	*word = word_with(*word, page % WORD_BITS);
}

/*@ requires \valid_read(alloc) && alloc_is_sound(alloc) && page < alloc->page_count;
    assigns alloc->bitmap[0 .. (alloc->page_count + 63) / 64 - 1];
    ensures !page_is_taken(alloc->bitmap, page) && others_kept{Pre, Post}(alloc, page, page + 1); */
static void bit_clear(struct page_alloc *alloc, uint64_t page)
{
	uint64_t *word = &alloc->bitmap[page / WORD_BITS];
	*word = word_without(*word, page % WORD_BITS);
}

/*@ requires \valid(alloc) && alloc_is_sound(alloc) && index + count <= alloc->page_count;
    assigns alloc->bitmap[0 .. (alloc->page_count + 63) / 64 - 1];
    ensures pages_taken(alloc->bitmap, index, index + count);
    ensures others_kept{Pre, Post}(alloc, index, index + count); */
static void run_set(struct page_alloc *alloc, uint64_t index, uint64_t count)
{
	/*@ loop invariant i <= count && alloc_is_sound(alloc) && same_span{Pre, Here}(alloc);
	    loop invariant pages_taken(alloc->bitmap, index, index + i);
	    loop invariant others_kept{Pre, Here}(alloc, index, index + i);
	    loop assigns i,
	      \at(alloc->bitmap, Pre)[0 .. (\at(alloc->page_count, Pre) + 63) / 64 - 1];
	    loop variant count - i; */
	for (uint64_t i = 0; i < count; i++) {
		bit_set(alloc, index + i);
	}
}

/*@ requires \valid(alloc) && alloc_is_sound(alloc) && index + count <= alloc->page_count;
    assigns alloc->bitmap[0 .. (alloc->page_count + 63) / 64 - 1];
    ensures pages_free(alloc->bitmap, index, index + count);
    ensures others_kept{Pre, Post}(alloc, index, index + count); */
static void run_clear(struct page_alloc *alloc, uint64_t index, uint64_t count)
{
	/*@ loop invariant i <= count && alloc_is_sound(alloc) && same_span{Pre, Here}(alloc);
	    loop invariant pages_free(alloc->bitmap, index, index + i);
	    loop invariant others_kept{Pre, Here}(alloc, index, index + i);
	    loop assigns i,
	      \at(alloc->bitmap, Pre)[0 .. (\at(alloc->page_count, Pre) + 63) / 64 - 1];
	    loop variant count - i; */
	for (uint64_t i = 0; i < count; i++) {
		bit_clear(alloc, index + i);
	}
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
	const uint64_t word_count = needed_bytes / sizeof(uint64_t);
	/*@ loop invariant i <= word_count;
	    loop invariant \forall integer w; 0 <= w < i ==> bitmap[w] == UINT64_MAX;
	    loop assigns i, bitmap[0 .. word_count - 1];
	    loop variant word_count - i; */
	for (uint64_t i = 0; i < word_count; i++) {
		bitmap[i] = UINT64_MAX;
	}
	*alloc = (struct page_alloc){
		.bitmap = bitmap,
		.first_page = span.first.raw / PAGE_BYTES,
		.page_count = span.size_bytes / PAGE_BYTES,
		.free_count = 0,
		.next_hint = 0,
	};
	return STATUS_OK;
}

/* Pages as indices into the bitmap. False if any lies outside the span. */
/*@ requires \valid_read(alloc) && alloc_is_sound(alloc) && \valid(index);
    requires \separated(alloc, index);
    assigns *index;
    ensures \result ==> first.raw % PAGE_BYTES == 0 && count > 0 &&
      *index == first.raw / PAGE_BYTES - alloc->first_page && *index + count <= alloc->page_count;
 */
static bool span_index(const struct page_alloc *alloc, struct phys_addr first, uint64_t count,
		       uint64_t *index)
{
	const uint64_t page = first.raw / PAGE_BYTES;
	if (!addr_is_page_aligned(first.raw) || count == 0 || page < alloc->first_page ||
	    !addr_within(page - alloc->first_page, count, alloc->page_count)) {
		return false;
	}
	*index = page - alloc->first_page;
	return true;
}

/* Make taken pages free: all of them, or none if one is free already. */
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
static enum status release(struct page_alloc *alloc, struct phys_addr first, uint64_t count)
{
	uint64_t index = 0;
	if (!span_index(alloc, first, count, &index)) {
		return STATUS_INVALID;
	}
	/*@ loop invariant i <= count && pages_taken(alloc->bitmap, index, index + i);
	    loop assigns i;
	    loop variant count - i; */
	for (uint64_t i = 0; i < count; i++) {
		if (!bit_is_set(alloc, index + i)) {
			return STATUS_INVALID;
		}
	}
	run_clear(alloc, index, count);
	/* Free pages are counted, and none of these was one. */
	//@ admit counted: alloc->free_count + count <= alloc->page_count;
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
/*@ requires \valid_read(alloc) && alloc_is_sound(alloc) && \valid(first);
    requires \separated(alloc, first, alloc->bitmap + (0 .. (alloc->page_count + 63) / 64 - 1));
    requires 0 < count && end <= alloc->page_count;
    assigns *first;
    ensures \result ==> begin <= *first && *first + count <= end &&
      pages_free(alloc->bitmap, *first, *first + count); */
static bool find_run(const struct page_alloc *alloc, uint64_t begin, uint64_t end, uint64_t count,
		     uint64_t *first)
{
	uint64_t run = 0;
	/*@ loop invariant begin <= page && run < count && run <= page - begin;
	    loop invariant page < end + WORD_BITS || page == begin;
	    loop invariant run > 0 ==> page <= end;
	    loop invariant pages_free(alloc->bitmap, page - run, page);
	    loop assigns page, run, *first;
	    loop variant end - page; */
	for (uint64_t page = begin; page < end; page++) {
		if (page % WORD_BITS == 0 && alloc->bitmap[page / WORD_BITS] == UINT64_MAX) {
			run = 0;
			page += WORD_BITS - 1; /* The loop adds the last one. */
			continue;
		}
		run = bit_is_set(alloc, page) ? 0 : run + 1;
		if (run == count) {
			//@ assert pages_free(alloc->bitmap, page + 1 - count, page + 1);
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
	run_set(alloc, index, count);
	alloc->free_count -= count;
	alloc->next_hint = (index + count) % alloc->page_count;
	first->raw = (alloc->first_page + index) * PAGE_BYTES;
	return STATUS_OK;
}

uint64_t page_alloc_free_pages(const struct page_alloc *alloc)
{
	return alloc->free_count;
}
