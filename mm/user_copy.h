// SPDX-License-Identifier: MIT
/* The only code that dereferences a user_addr. Each call checks, page by page in the given address
 * space, that the bytes are user-accessible (and writable for copies out), then copies through the
 * kernel's direct map: no fault can happen and SMAP stays on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"
#include "mm/page_table.h"

/* Turns a private page's address into a kernel pointer to it. */
struct direct_map_port {
	uint8_t *(*pointer)(void *context, struct phys_addr at);
	void *context;
};

struct user_space {
	const struct page_table *table;
	const struct direct_map_port *direct_map;
};

/* Ring 3 may read the page, or write it, in this address space. The tables do not change during a
 * call. */
/*@ axiomatic user_pages {
      predicate page_is_user(struct user_space *space, integer page, integer for_writing);
    }
    predicate range_is_user(struct user_space *space, integer first, integer end, integer w) =
      \forall integer page; page % PAGE_BYTES == 0 && page + PAGE_BYTES > first && page < end ==>
	page_is_user(space, page, w); */

/* STATUS_BAD_USER: any byte of the range is not user memory (or wraps, or is above
 * PAGE_TABLE_USER_END). Copies nothing unless the whole range is good. */
MUST_CHECK
enum status user_copy_in(const struct user_space *space, void *to, struct user_addr from,
			 size_t size_bytes);
MUST_CHECK
enum status user_copy_out(const struct user_space *space, struct user_addr to, const void *from,
			  size_t size_bytes);
/* STATUS_BAD_USER unless the whole range could be copied: for callers that copy in pieces and must
 * do it wholly or not at all. Holds until the program runs again. */
/*@ requires \valid_read(space);
    assigns \nothing;
    ensures \result == STATUS_OK && size_bytes > 0 ==>
      first.raw + size_bytes <= PAGE_TABLE_USER_END &&
      range_is_user(space, first.raw, first.raw + size_bytes, for_writing ? 1 : 0);
    ensures \result == STATUS_OK || \result == STATUS_BAD_USER; */
MUST_CHECK
enum status user_range_check(const struct user_space *space, struct user_addr first,
			     size_t size_bytes, bool for_writing);

MUST_CHECK
enum status user_zero(const struct user_space *space, struct user_addr to, size_t size_bytes);
/* A terminated string of at most size - 1 characters; STATUS_TOO_LARGE if longer. */
MUST_CHECK
enum status user_copy_string(const struct user_space *space, char *to, size_t size_bytes,
			     struct user_addr from);
