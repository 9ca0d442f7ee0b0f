// SPDX-License-Identifier: MIT
/* Page-table entries of x86-64 long mode with four levels (Intel SDM volume 3, section 4.5; AMD APM
 * volume 2, section 5.3): names of the bits, and encoders and decoders without any state.
 *
 * Level 0 is the table whose entries map 4 KiB, level 3 is the root. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define PTE_PRESENT       ((uint64_t)1 << 0)
#define PTE_WRITABLE      ((uint64_t)1 << 1)
#define PTE_USER          ((uint64_t)1 << 2)
#define PTE_WRITE_THROUGH ((uint64_t)1 << 3)
#define PTE_CACHE_DISABLE ((uint64_t)1 << 4)
#define PTE_ACCESSED      ((uint64_t)1 << 5)
#define PTE_DIRTY         ((uint64_t)1 << 6)
#define PTE_LARGE         ((uint64_t)1 << 7) /* Levels 1 and 2 only; at level 0 it is PAT. */
#define PTE_GLOBAL        ((uint64_t)1 << 8)
#define PTE_NO_EXECUTE    ((uint64_t)1 << 63) /* Reserved, thus fatal, unless EFER.NXE is set. */

/* Strong uncacheable whatever the MTRRs say: PAT index 3 in the reset value of IA32_PAT. */
#define PTE_UNCACHED     (PTE_WRITE_THROUGH | PTE_CACHE_DISABLE)

#define PTE_ADDRESS_MASK ((((uint64_t)1 << ADDR_PHYS_BITS) - 1) & ~PAGE_OFFSET)

#define PTE_LEVELS       4u
#define PTE_ENTRIES      512u
#define PTE_INDEX_BITS   9u

/* Bytes that one entry of a table at `level` covers. */
static inline uint64_t pte_span_bytes(unsigned level)
{
	return (uint64_t)1 << (PAGE_SHIFT + PTE_INDEX_BITS * level);
}

/* Which entry of its table at `level` a virtual address selects. */
static inline unsigned pte_index(uint64_t virtual_address, unsigned level)
{
	return (unsigned)(virtual_address >> (PAGE_SHIFT + PTE_INDEX_BITS * level)) % PTE_ENTRIES;
}

static inline bool pte_is_present(uint64_t entry)
{
	return (entry & PTE_PRESENT) != 0;
}

/* True if the entry maps memory rather than pointing to a lower table. */
static inline bool pte_is_leaf(uint64_t entry, unsigned level)
{
	return level == 0 || (entry & PTE_LARGE) != 0;
}

/* `flags`: any of the bits above. The caller adds an encryption bit by or-ing it in. */
static inline uint64_t pte_encode(struct phys_addr at, uint64_t flags)
{
	return (at.raw & PTE_ADDRESS_MASK) | flags;
}

/* `private_mask`: the encryption bit, which lies among the address bits; 0 if there is none. */
static inline struct phys_addr pte_address(uint64_t entry, uint64_t private_mask)
{
	return (struct phys_addr){entry & PTE_ADDRESS_MASK & ~private_mask};
}
