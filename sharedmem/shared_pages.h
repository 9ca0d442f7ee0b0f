// SPDX-License-Identifier: MIT
/* The books of the pool: who holds which page, and whether the host can see it. Private memory, and
 * no access to any page: sharedmem.c asks here before it touches or hands out one.
 *
 *   FREE, LEAKED               init, by the outcome of share, for the whole run
 *   FREE <-> HEAD, TAIL        a loan and its return
 *   HEAD, TAIL -> LEAKED       a device may still write there
 *   FREE -> PRIVATE | LEAKED   settle, by the outcome of unshare
 *
 * So a page is private only where the platform has confirmed it, and nothing that a device or the
 * host may still write to is ever lent or private again. A wrong return is refused.
 *
 * Loans are contiguous and few (one per ring and bounce buffer, for the life of a device), so a
 * next-fit scan over at most SHAREDMEM_PAGES_MAX bytes is all the allocator we need. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

/* Largest pool: 8 MiB. */
#define SHAREDMEM_PAGES_MAX 2048u

enum shared_page_state {
	SHARED_PAGE_PRIVATE, /* Confirmed: may go back to the allocator. The others are shared. */
	SHARED_PAGE_FREE,
	SHARED_PAGE_HEAD, /* First page of a loan. */
	SHARED_PAGE_TAIL, /* A further page of the loan before it. */
	SHARED_PAGE_LEAKED,
};

/* Fields are private. */
struct shared_pages {
	size_t page_count;
	size_t next_hint;
	uint8_t state[SHAREDMEM_PAGES_MAX];
};

/*@ predicate pages_in{L}(struct shared_pages *p, integer first, integer end, integer state) =
      \forall integer i; first <= i < end ==> p->state[i] == state;
    predicate pages_are_sound{L}(struct shared_pages *p) =
      0 < p->page_count <= SHAREDMEM_PAGES_MAX && p->next_hint <= p->page_count &&
      p->state[0] != SHARED_PAGE_TAIL &&
      (\forall integer i; 0 < i < p->page_count && p->state[i] == SHARED_PAGE_TAIL ==>
	p->state[i - 1] == SHARED_PAGE_HEAD || p->state[i - 1] == SHARED_PAGE_TAIL);
    // All of a loan. Two of them share no page: the second one's head is no tail of the first.
    predicate is_loan{L}(struct shared_pages *p, integer first, integer count) =
      0 <= first && 0 < count && first + count <= p->page_count &&
      p->state[first] == SHARED_PAGE_HEAD &&
      pages_in(p, first + 1, first + count, SHARED_PAGE_TAIL) &&
      (first + count < p->page_count ==> p->state[first + count] != SHARED_PAGE_TAIL);
    predicate other_pages_kept{A, B}(struct shared_pages *p, integer first, integer end) =
      \at(p->page_count, A) == \at(p->page_count, B) &&
      \forall integer i; 0 <= i < \at(p->page_count, A) && !(first <= i < end) ==>
	\at(p->state[i], A) == \at(p->state[i], B); */

/* After the platform was told to share the run: all of it is free if it has confirmed that, else
 * none can be used as either kind. `page_count`: 1 to SHAREDMEM_PAGES_MAX. */
/*@ requires \valid(pages) && 0 < page_count <= SHAREDMEM_PAGES_MAX;
    assigns *pages;
    ensures pages_are_sound(pages) && pages->page_count == page_count;
    ensures pages_in(pages, 0, page_count, confirmed ? SHARED_PAGE_FREE : SHARED_PAGE_LEAKED); */
void shared_pages_init(struct shared_pages *pages, size_t page_count, bool confirmed);

/* `count` free pages in a row are a loan now. STATUS_NO_MEMORY; STATUS_INVALID for 0. */
/*@ requires \valid(pages) && pages_are_sound(pages) && \valid(first);
    requires \separated(pages, first);
    assigns *first, pages->next_hint, pages->state[0 .. pages->page_count - 1];
    ensures pages_are_sound(pages);
    ensures \result == STATUS_OK ==> is_loan(pages, *first, count) &&
      pages_in{Pre}(pages, *first, *first + count, SHARED_PAGE_FREE) &&
      other_pages_kept{Pre, Post}(pages, *first, *first + count);
    ensures \result != STATUS_OK ==> (\result == STATUS_NO_MEMORY || \result == STATUS_INVALID) &&
      *first == \old(*first) && other_pages_kept{Pre, Post}(pages, 0, 0); */
MUST_CHECK
enum status shared_pages_lend(struct shared_pages *pages, size_t count, size_t *first);

/* Is this a loan, the whole of it? */
/*@ requires \valid_read(pages) && pages_are_sound(pages);
    assigns \nothing;
    ensures \result <==> is_loan(pages, first, count); */
bool shared_pages_are_lent(const struct shared_pages *pages, size_t first, size_t count);

/* The end of a loan: its pages are free again. False, and nothing changes, if it is none. */
/*@ requires \valid(pages) && pages_are_sound(pages);
    assigns pages->state[0 .. pages->page_count - 1];
    ensures pages_are_sound(pages);
    ensures \result <==> is_loan{Pre}(pages, first, count);
    ensures \result ==> pages_in(pages, first, first + count, SHARED_PAGE_FREE) &&
      other_pages_kept{Pre, Post}(pages, first, first + count);
    ensures !\result ==> other_pages_kept{Pre, Post}(pages, 0, 0); */
MUST_CHECK
bool shared_pages_return(struct shared_pages *pages, size_t first, size_t count);

/* The same, but nobody gets these pages again. */
/*@ requires \valid(pages) && pages_are_sound(pages);
    assigns pages->state[0 .. pages->page_count - 1];
    ensures pages_are_sound(pages);
    ensures \result <==> is_loan{Pre}(pages, first, count);
    ensures \result ==> pages_in(pages, first, first + count, SHARED_PAGE_LEAKED) &&
      other_pages_kept{Pre, Post}(pages, first, first + count);
    ensures !\result ==> other_pages_kept{Pre, Post}(pages, 0, 0); */
MUST_CHECK
bool shared_pages_leak(struct shared_pages *pages, size_t first, size_t count);

/* The first run of free pages at or behind `from`, all of it. False: none is free there. */
/*@ requires \valid_read(pages) && pages_are_sound(pages) && \valid(first) && \valid(count);
    requires \separated(pages, first, count);
    assigns *first, *count;
    ensures \result ==> from <= *first && 0 < *count && *first + *count <= pages->page_count &&
      pages_in(pages, *first, *first + *count, SHARED_PAGE_FREE) &&
      (*first + *count < pages->page_count ==>
	pages->state[*first + *count] != SHARED_PAGE_FREE);
    ensures \forall integer i; from <= i < (\result ? *first : pages->page_count) ==>
      pages->state[i] != SHARED_PAGE_FREE; */
MUST_CHECK
bool shared_pages_free_run(const struct shared_pages *pages, size_t from, size_t *first,
			   size_t *count);

/* After the platform was told to make these free pages private: they are, if it has confirmed it;
 * else nobody gets them again. */
/*@ requires \valid(pages) && pages_are_sound(pages) && first + count <= pages->page_count;
    requires pages_in(pages, first, first + count, SHARED_PAGE_FREE);
    assigns pages->state[0 .. pages->page_count - 1];
    ensures pages_are_sound(pages) && other_pages_kept{Pre, Post}(pages, first, first + count);
    ensures pages_in(pages, first, first + count,
      confirmed ? SHARED_PAGE_PRIVATE : SHARED_PAGE_LEAKED); */
void shared_pages_settle(struct shared_pages *pages, size_t first, size_t count, bool confirmed);

/*@ requires \valid_read(pages) && pages->page_count <= SHAREDMEM_PAGES_MAX;
    assigns \nothing;
    ensures \result <==>
      index < pages->page_count && pages->state[index] == SHARED_PAGE_PRIVATE; */
bool shared_pages_is_private(const struct shared_pages *pages, size_t index);
