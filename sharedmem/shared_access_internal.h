// SPDX-License-Identifier: MIT
/* The innermost accessors: one file of the kernel touches host-visible memory, and it is replaced
 * at link time on the host.
 *
 * The kernel links shared_access.c (volatile accesses). Tests and fuzzers link a file of their own
 * in which a hook decides the value that each load returns, so that every double fetch is explored
 * deterministically. Callers have checked offset and alignment. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sharedmem/sharedmem.h"

/* `width_bytes` is 1, 2, 4 or 8; the offset is a multiple of it. One load, acquire. */
/*@ assigns \nothing;
    ensures width_bytes == 1 ==> \result <= UINT8_MAX;
    ensures width_bytes == 2 ==> \result <= UINT16_MAX;
    ensures width_bytes == 4 ==> \result <= UINT32_MAX; */
uint64_t shared_access_load(const struct shared_bytes *bytes, size_t offset_bytes,
			    unsigned int width_bytes);

/* One store, release. */
//@ assigns \nothing;
void shared_access_store(struct shared_bytes *bytes, size_t offset_bytes, unsigned int width_bytes,
			 uint64_t value);

//@ assigns to[0 .. size_bytes - 1];
void shared_access_copy_in(uint8_t *to, const struct shared_bytes *from, size_t offset_bytes,
			   size_t size_bytes);
//@ assigns \nothing;
void shared_access_copy_out(struct shared_bytes *to, size_t offset_bytes, const uint8_t *from,
			    size_t size_bytes);
//@ assigns \nothing;
void shared_access_fill(struct shared_bytes *to, size_t offset_bytes, uint8_t value,
			size_t size_bytes);
