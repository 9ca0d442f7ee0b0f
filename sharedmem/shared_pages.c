// SPDX-License-Identifier: MIT
#include "sharedmem/shared_pages.h"

/*@ requires \valid(pages) && first <= end <= pages->page_count <= SHAREDMEM_PAGES_MAX;
    assigns pages->state[0 .. pages->page_count - 1];
    ensures pages_in(pages, first, end, state);
    ensures other_pages_kept{Pre, Post}(pages, first, end); */
static void mark(struct shared_pages *pages, size_t first, size_t end, enum shared_page_state state)
{
	/*@ loop invariant first <= i <= end && pages_in(pages, first, i, state);
	    loop invariant other_pages_kept{Pre, Here}(pages, first, i);
	    loop assigns i, pages->state[0 .. pages->page_count - 1];
	    loop variant end - i; */
	for (size_t i = first; i < end; i++) {
		pages->state[i] = (uint8_t)state;
	}
}

void shared_pages_init(struct shared_pages *pages, size_t page_count, bool confirmed)
{
	pages->page_count = page_count;
	pages->next_hint = 0;
	mark(pages, 0, page_count, confirmed ? SHARED_PAGE_FREE : SHARED_PAGE_LEAKED);
}

/* Length of the run of free pages at `first`, at most `limit`. */
/*@ requires \valid_read(pages) && pages_are_sound(pages) && first <= pages->page_count;
    assigns \nothing;
    ensures \result <= limit && first + \result <= pages->page_count;
    ensures pages_in(pages, first, first + \result, SHARED_PAGE_FREE);
    ensures \result < limit && first + \result < pages->page_count ==>
      pages->state[first + \result] != SHARED_PAGE_FREE; */
static size_t run_length(const struct shared_pages *pages, size_t first, size_t limit)
{
	size_t count = 0;
	/*@ loop invariant count <= limit && first + count <= pages->page_count;
	    loop invariant pages_in(pages, first, first + count, SHARED_PAGE_FREE);
	    loop assigns count;
	    loop variant limit - count; */
	while (count < limit && first + count < pages->page_count &&
	       pages->state[first + count] == SHARED_PAGE_FREE) {
		count++;
	}
	return count;
}

/* Next-fit: where a run of `count` free pages starts at or after `from`. */
/*@ requires \valid_read(pages) && pages_are_sound(pages) && \valid(first) && 0 < count;
    requires \separated(pages, first);
    assigns *first;
    ensures \result ==> from <= *first && *first + count <= pages->page_count &&
      pages_in(pages, *first, *first + count, SHARED_PAGE_FREE);
    ensures !\result ==> *first == \old(*first); */
static bool run_find(const struct shared_pages *pages, size_t from, size_t count, size_t *first)
{
	/*@ loop invariant from <= i && (i <= pages->page_count + 1 || i == from);
	    loop assigns i;
	    loop variant pages->page_count - i; */
	for (size_t i = from; i < pages->page_count; i++) {
		const size_t length = run_length(pages, i, count);
		if (length == count) {
			*first = i;
			return true;
		}
		i += length; /* Page i + length is not free, or the end. */
	}
	return false;
}

enum status shared_pages_lend(struct shared_pages *pages, size_t count, size_t *first)
{
	size_t found = 0;
	if (count == 0) {
		return STATUS_INVALID;
	}
	if (!run_find(pages, pages->next_hint, count, &found) &&
	    !run_find(pages, 0, count, &found)) {
		return STATUS_NO_MEMORY;
	}
	mark(pages, found, found + 1, SHARED_PAGE_HEAD);
	mark(pages, found + 1, found + count, SHARED_PAGE_TAIL);
	pages->next_hint = found + count;
	*first = found;
	return STATUS_OK;
}

bool shared_pages_are_lent(const struct shared_pages *pages, size_t first, size_t count)
{
	if (count == 0 || first >= pages->page_count || count > pages->page_count - first ||
	    pages->state[first] != SHARED_PAGE_HEAD) {
		return false;
	}
	const size_t end = first + count;
	/*@ loop invariant first < i <= end && pages_in(pages, first + 1, i, SHARED_PAGE_TAIL);
	    loop assigns i;
	    loop variant end - i; */
	for (size_t i = first + 1; i < end; i++) {
		if (pages->state[i] != SHARED_PAGE_TAIL) {
			return false;
		}
	}
	return end == pages->page_count || pages->state[end] != SHARED_PAGE_TAIL;
}

bool shared_pages_return(struct shared_pages *pages, size_t first, size_t count)
{
	if (!shared_pages_are_lent(pages, first, count)) {
		return false;
	}
	mark(pages, first, first + count, SHARED_PAGE_FREE);
	return true;
}

bool shared_pages_leak(struct shared_pages *pages, size_t first, size_t count)
{
	if (!shared_pages_are_lent(pages, first, count)) {
		return false;
	}
	mark(pages, first, first + count, SHARED_PAGE_LEAKED);
	return true;
}

bool shared_pages_free_run(const struct shared_pages *pages, size_t from, size_t *first,
			   size_t *count)
{
	/*@ loop invariant from <= i && (i <= pages->page_count || i == from);
	    loop invariant \forall integer k; from <= k < i ==> pages->state[k] != SHARED_PAGE_FREE;
	    loop assigns i, *first, *count;
	    loop variant pages->page_count - i; */
	for (size_t i = from; i < pages->page_count; i++) {
		const size_t length = run_length(pages, i, pages->page_count);
		if (length > 0) {
			*first = i;
			*count = length;
			return true;
		}
	}
	return false;
}

void shared_pages_settle(struct shared_pages *pages, size_t first, size_t count, bool confirmed)
{
	mark(pages, first, first + count, confirmed ? SHARED_PAGE_PRIVATE : SHARED_PAGE_LEAKED);
}

bool shared_pages_is_private(const struct shared_pages *pages, size_t index)
{
	return index < pages->page_count && pages->state[index] == SHARED_PAGE_PRIVATE;
}
