// SPDX-License-Identifier: MIT
/* Address kinds that refuse to mix.
 *
 * Each kind is a struct of its own, so passing one where another is expected does not compile.
 * Kernel-virtual addresses are ordinary pointers. There are no casts between kinds: every crossing
 * is one checked function in the module that owns it (mm/ for phys_addr, sharedmem/ for
 * shared_addr, mm/user_copy for user_addr, mm/guest_copy for guest_addr). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define PAGE_SHIFT     12u
#define PAGE_BYTES     ((size_t)4096)
#define PAGE_OFFSET    ((uint64_t)4095)
#define ADDR_PHYS_BITS 52u

struct phys_addr {
	uint64_t raw; /* Private page that we own. */
};
struct shared_addr {
	uint64_t raw; /* Host-visible; made only by sharedmem/. */
};
struct guest_addr {
	uint64_t raw; /* A lower VMPL's claim; untrusted. */
};
struct user_addr {
	uint64_t raw; /* Ring-3 virtual; untrusted. */
};

/* [first, first + size). Valid only if the end does not wrap (phys_range_valid). */
struct phys_range {
	struct phys_addr first;
	uint64_t size_bytes;
};

/*@ predicate range_is_valid(struct phys_range r) =
      0 < r.size_bytes && r.first.raw + r.size_bytes <= 0x10000000000000;
    predicate range_has(struct phys_range r, integer a) =
      r.first.raw <= a < r.first.raw + r.size_bytes; */

/* True if `raw` is a multiple of the page size. */
/*@ assigns \nothing;
    ensures \result <==> raw % 4096 == 0; */
bool addr_is_page_aligned(uint64_t raw);

/* Round down to a page boundary: total. */
/*@ assigns \nothing;
    ensures \result % 4096 == 0 && \result <= raw < \result + 4096; */
uint64_t addr_page_floor(uint64_t raw);

/* Round up to a page boundary. False, and *out untouched, if that would wrap. */
/*@ requires \valid(out);
    assigns *out;
    ensures \result <==> raw <= 0xfffffffffffff000;
    ensures \result ==> *out % 4096 == 0 && raw <= *out < raw + 4096;
    ensures !\result ==> *out == \old(*out); */
MUST_CHECK
bool addr_page_ceil(uint64_t raw, uint64_t *out);

/* *out = a + b. False, and *out untouched, if that would wrap. */
/*@ requires \valid(out);
    assigns *out;
    ensures \result <==> a + b <= 0xffffffffffffffff;
    ensures \result ==> *out == a + b;
    ensures !\result ==> *out == \old(*out); */
MUST_CHECK
bool addr_add(uint64_t a, uint64_t b, uint64_t *out);

/* True if [offset, offset + size) lies within [0, limit). Never wraps. An empty range at
 * offset == limit is inside. */
/*@ assigns \nothing;
    ensures \result <==> offset + size <= limit; */
MUST_CHECK
bool addr_within(uint64_t offset, uint64_t size, uint64_t limit);

/* True if the range is not empty, does not wrap and ends at or below 2^ADDR_PHYS_BITS. */
/*@ assigns \nothing;
    ensures \result <==> range_is_valid(range); */
MUST_CHECK
bool phys_range_valid(struct phys_range range);

/* True if the two valid ranges share a byte: then the first byte of one is in the other. */
/*@ requires range_is_valid(a) && range_is_valid(b);
    assigns \nothing;
    ensures \result <==> range_has(a, b.first.raw) || range_has(b, a.first.raw); */
MUST_CHECK
bool phys_range_overlaps(struct phys_range a, struct phys_range b);

/* True if `inner` lies wholly within `outer`; both valid. */
/*@ requires range_is_valid(outer) && range_is_valid(inner);
    assigns \nothing;
    ensures \result <==> outer.first.raw <= inner.first.raw &&
      inner.first.raw + inner.size_bytes <= outer.first.raw + outer.size_bytes; */
MUST_CHECK
bool phys_range_contains(struct phys_range outer, struct phys_range inner);
