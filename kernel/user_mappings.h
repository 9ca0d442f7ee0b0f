// SPDX-License-Identifier: MIT
/* What ring 3 may ask of its address space: the decisions behind brk, mmap, munmap and mprotect.
 * Pure; kernel/process_memory.c does what was decided. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "mm/page_table.h"

/* Where mmap(2) places things. A window: its page tables take at most 129 pages, however often a
 * program maps and unmaps, and a search looks at no more than all of it. */
#define USER_MAPPINGS_BYTES ((uint64_t)256 * 1024 * 1024)

struct user_mappings {
	uint64_t first; /* Page-aligned. */
	uint64_t next;  /* Where the next search starts. */
};

/*@ predicate window_is_sound(struct user_mappings *m) =
      m->first % PAGE_BYTES == 0 && m->next % PAGE_BYTES == 0 &&
      m->first <= m->next <= m->first + USER_MAPPINGS_BYTES &&
      m->first + USER_MAPPINGS_BYTES <= PAGE_TABLE_USER_END; */

/* The window is [first, first + USER_MAPPINGS_BYTES), within the user half. */
/*@ requires \valid(mappings) && first % PAGE_BYTES == 0 &&
      first + USER_MAPPINGS_BYTES <= PAGE_TABLE_USER_END;
    assigns *mappings;
    ensures window_is_sound(mappings); */
void user_mappings_init(struct user_mappings *mappings, uint64_t first);

/* An address for a mapping of `size_bytes` (whole pages), with an unmapped page before and behind
 * it. An address is used again as late as possible: what was unmapped keeps faulting for a while.
 * STATUS_NO_MEMORY: no gap is large enough. */
/*@ requires \valid(mappings) && window_is_sound(mappings) && \valid(address);
    requires \valid_read(table) && \separated(mappings, table, address);
    assigns *address, mappings->next;
    ensures window_is_sound(mappings);
    ensures \result == STATUS_OK ==> size_bytes > 0 && *address % PAGE_BYTES == 0 &&
      mappings->first + PAGE_BYTES <= *address &&
      *address + size_bytes + PAGE_BYTES <= mappings->first + USER_MAPPINGS_BYTES;
    ensures \result != STATUS_OK ==> \result == STATUS_NO_MEMORY; */
MUST_CHECK enum status user_mappings_place(struct user_mappings *mappings,
					   const struct page_table *table, uint64_t size_bytes,
					   uint64_t *address);

/* PROT_READ with or without PROT_WRITE. STATUS_INVALID for all else: code comes from the bundle
 * only, so a program that was taken over cannot bring its own. */
/*@ requires \valid(access);
    assigns *access;
    ensures \result == STATUS_OK <==> protection == 1 || protection == 3;
    ensures \result == STATUS_OK ==> access->user && !access->executable && !access->uncached &&
      !access->global && !access->shared && (access->writable <==> protection == 3);
    ensures \result != STATUS_OK ==> \result == STATUS_INVALID; */
MUST_CHECK enum status user_access_decode(uint64_t protection, struct page_access *access);

/* Whole pages within the user half, at most `limit_bytes`; *rounded is the size in whole pages.
 * STATUS_INVALID. */
/*@ requires \valid(rounded);
    assigns *rounded;
    ensures \result == STATUS_OK ==> 0 < size_bytes <= limit_bytes && address % PAGE_BYTES == 0 &&
      *rounded % PAGE_BYTES == 0 && size_bytes <= *rounded < size_bytes + PAGE_BYTES &&
      address + *rounded <= PAGE_TABLE_USER_END;
    ensures \result != STATUS_OK ==> \result == STATUS_INVALID && *rounded == \old(*rounded); */
MUST_CHECK enum status user_range_decode(uint64_t address, uint64_t size_bytes,
					 uint64_t limit_bytes, uint64_t *rounded);

/* What moving the break means: map [mapped_end, wanted_end) if that is growth, unmap
 * [wanted_end, mapped_end) if it is not; both are page-aligned. */
struct user_break_change {
	uint64_t mapped_end;
	uint64_t wanted_end;
};

/* STATUS_INVALID: below the start or more than `limit_bytes` above it; nothing is to be done. */
/*@ requires \valid(change);
    assigns *change;
    ensures \result == STATUS_OK ==> start <= wanted <= start + limit_bytes &&
      change->mapped_end % PAGE_BYTES == 0 && change->wanted_end % PAGE_BYTES == 0 &&
      end <= change->mapped_end < end + PAGE_BYTES &&
      wanted <= change->wanted_end < wanted + PAGE_BYTES;
    ensures \result != STATUS_OK ==> \result == STATUS_INVALID; */
MUST_CHECK enum status user_break_decode(uint64_t start, uint64_t end, uint64_t wanted,
					 uint64_t limit_bytes, struct user_break_change *change);
