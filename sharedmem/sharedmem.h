// SPDX-License-Identifier: MIT
/* Every host-visible page, and the only way to touch one.
 *
 * The pool takes one contiguous run of private pages at boot and changes the visibility of all of
 * them once. After that, regions are lent out of it (rings, bounce buffers) without any page-state
 * change, so an I/O causes none. Whatever is in a region can be read and rewritten by the host at
 * any time: load each value once, copy in before validating, never keep state there.
 *
 * A region that a device may still write to is leaked (sharedmem_leak), never reused.
 *
 * Offsets and sizes come from us and are CHECKed; the values that are loaded come from the host and
 * mean nothing until validated. One caller at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"
#include "sharedmem/shared_pages.h"

/* Host-visible bytes. Incomplete outside sharedmem/, so that *p does not compile. */
struct shared_bytes;

/* How visibility changes: supplied by the platform. `native` only keeps books. Both functions
 * change the whole run or return the cause of the failure; after a failure the state of the run is
 * unknown and none of it may be used again. */
struct page_state_ops {
	enum status (*share)(void *context, struct phys_addr first, size_t page_count);
	enum status (*unshare)(void *context, struct phys_addr first, size_t page_count);
	void *context;
};

struct sharedmem_counters {
	uint64_t pages_shared; /* Now visible to the host, leaked ones included. */
	uint64_t pages_lent;   /* Of these, in regions that are held. */
	uint64_t pages_leaked; /* Lost until the next boot. */
	uint64_t transitions;  /* Calls of share() and unshare(), failed ones included. */
	uint64_t bytes_copied_in;
	uint64_t bytes_copied_out;
	uint64_t loads; /* Of single values: what a ring costs. */
	uint64_t stores;
};

/* Caller's storage; fields are private. */
struct sharedmem {
	const struct page_state_ops *ops;
	struct phys_addr first;
	struct shared_bytes *bytes;
	struct shared_pages pages;
	struct sharedmem_counters counters;
};

/* A run of whole pages on loan. Read `size_bytes` and `at`; the rest is private. The holder keeps
 * exactly one copy and gives it back by address, which clears it. */
struct shared_region {
	struct sharedmem *owner; /* NULL: holds nothing. */
	struct shared_bytes *bytes;
	struct shared_addr at;
	size_t size_bytes;
};

/* `first` is the run's physical address, `pages` the kernel's pointer to it; both page-aligned, the
 * run private and otherwise unused. Shares the whole run.
 * STATUS_INVALID: unaligned, empty, or above SHAREDMEM_PAGES_MAX; nothing was shared.
 * Any other status is the platform's: the run is leaked, do not give it back to the allocator. */
MUST_CHECK
enum status sharedmem_init(struct sharedmem *memory, const struct page_state_ops *ops,
			   struct phys_addr first, void *pages, size_t page_count);

/* Make every page private again that is not leaked. STATUS_BUSY, and nothing changes, while a
 * region is held. A run whose unshare fails is leaked and the first cause is returned, the others
 * are still tried. Afterwards sharedmem_page_is_private() says which pages may be reused. */
MUST_CHECK
enum status sharedmem_fini(struct sharedmem *memory);

/* After fini: true if page `index` of the run is private again and may go back to the allocator. */
bool sharedmem_page_is_private(const struct sharedmem *memory, size_t index);

void sharedmem_counters_get(const struct sharedmem *memory, struct sharedmem_counters *counters);

/* Borrow `page_count` contiguous zeroed pages. STATUS_NO_MEMORY; STATUS_INVALID for 0. */
MUST_CHECK
enum status sharedmem_region_acquire(struct sharedmem *memory, size_t page_count,
				     struct shared_region *region);

/* Scrub and give back; clears *region. Only when no device can reach it any more. A region that
 * holds nothing is ignored. */
void sharedmem_region_release(struct shared_region *region);

/* Give up for ever: the region stays shared and is never lent again. For pages that a device may
 * still write to. Clears *region. A region that holds nothing is ignored. */
void sharedmem_leak(struct shared_region *region);

/*@ predicate in_region{L}(struct shared_region *r, integer offset, integer size) =
      \valid_read(r) && \valid(r->owner) && \separated(r, r->owner) && 0 <= offset &&
      offset + size <= r->size_bytes; */

/* The device-side address of [offset, offset + size), for descriptors only. */
/*@ requires in_region(region, offset_bytes, size_bytes);
    requires region->at.raw + region->size_bytes <= UINT64_MAX;
    assigns \nothing;
    ensures \result.raw == region->at.raw + offset_bytes; */
struct shared_addr shared_region_addr(const struct shared_region *region, size_t offset_bytes,
				      size_t size_bytes);

/* One load each, with acquire ordering. Offsets are multiples of the width. Little-endian as on the
 * wire. The contracts say nothing of the value: the host may have written anything since. */
/*@ requires in_region(region, offset_bytes, 1) && offset_bytes % 1 == 0;
    assigns region->owner->counters.loads; */
uint8_t shared_load_u8(const struct shared_region *region, size_t offset_bytes);
/*@ requires in_region(region, offset_bytes, 2) && offset_bytes % 2 == 0;
    assigns region->owner->counters.loads; */
uint16_t shared_load_u16(const struct shared_region *region, size_t offset_bytes);
/*@ requires in_region(region, offset_bytes, 4) && offset_bytes % 4 == 0;
    assigns region->owner->counters.loads; */
uint32_t shared_load_u32(const struct shared_region *region, size_t offset_bytes);
/*@ requires in_region(region, offset_bytes, 8) && offset_bytes % 8 == 0;
    assigns region->owner->counters.loads; */
uint64_t shared_load_u64(const struct shared_region *region, size_t offset_bytes);

/* One store each, with release ordering. */
/*@ requires in_region(region, offset_bytes, 1) && offset_bytes % 1 == 0;
    assigns region->owner->counters.stores; */
void shared_store_u8(const struct shared_region *region, size_t offset_bytes, uint8_t value);
/*@ requires in_region(region, offset_bytes, 2) && offset_bytes % 2 == 0;
    assigns region->owner->counters.stores; */
void shared_store_u16(const struct shared_region *region, size_t offset_bytes, uint16_t value);
/*@ requires in_region(region, offset_bytes, 4) && offset_bytes % 4 == 0;
    assigns region->owner->counters.stores; */
void shared_store_u32(const struct shared_region *region, size_t offset_bytes, uint32_t value);
/*@ requires in_region(region, offset_bytes, 8) && offset_bytes % 8 == 0;
    assigns region->owner->counters.stores; */
void shared_store_u64(const struct shared_region *region, size_t offset_bytes, uint64_t value);

/* Two words in a row, as two calls of shared_store_u64() would store them, the first one first. */
/*@ requires in_region(region, offset_bytes, 16) && offset_bytes % 8 == 0;
    assigns region->owner->counters.stores; */
void shared_store_pair(const struct shared_region *region, size_t offset_bytes, uint64_t first,
		       uint64_t second);

/* Copy host-visible bytes into private memory: each byte is loaded once. */
/*@ requires in_region(from, offset_bytes, size_bytes);
    requires \valid(to + (0 .. size_bytes - 1));
    requires \separated(from, from->owner, to + (0 .. size_bytes - 1));
    assigns to[0 .. size_bytes - 1], from->owner->counters.bytes_copied_in; */
void shared_copy_in(uint8_t *to, const struct shared_region *from, size_t offset_bytes,
		    size_t size_bytes);

/* Publish private bytes: the caller has decided that the host may see them. */
/*@ requires in_region(to, offset_bytes, size_bytes);
    requires \valid_read(from + (0 .. size_bytes - 1));
    assigns to->owner->counters.bytes_copied_out; */
void shared_copy_out(const struct shared_region *to, size_t offset_bytes, const uint8_t *from,
		     size_t size_bytes);

//@ requires in_region(region, offset_bytes, size_bytes); assigns \nothing;
void shared_fill(const struct shared_region *region, size_t offset_bytes, uint8_t value,
		 size_t size_bytes);
//@ requires in_region(region, offset_bytes, size_bytes); assigns \nothing;
void shared_zero(const struct shared_region *region, size_t offset_bytes, size_t size_bytes);

/* Full barrier between our stores to and our later loads from shared memory. */
//@ assigns \nothing;
void shared_fence(void);
