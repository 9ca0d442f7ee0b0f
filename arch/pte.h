// SPDX-License-Identifier: MIT
/* Page-table entries of x86-64 long mode with four levels (Intel SDM volume 3, section 4.5; AMD APM
 * volume 2, section 5.3): names of the bits, and encoders and decoders without any state.
 *
 * Level 0 is the table whose entries map 4 KiB, level 3 is the root. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* Numbers of the flags, and the flags. */
#define PTE_PRESENT_BIT       0u
#define PTE_WRITABLE_BIT      1u
#define PTE_USER_BIT          2u
#define PTE_WRITE_THROUGH_BIT 3u
#define PTE_CACHE_DISABLE_BIT 4u
#define PTE_ACCESSED_BIT      5u
#define PTE_DIRTY_BIT         6u
#define PTE_LARGE_BIT         7u /* Levels 1 and 2 only; at level 0 it is PAT. */
#define PTE_GLOBAL_BIT        8u
#define PTE_NO_EXECUTE_BIT    63u /* Reserved, thus fatal, unless EFER.NXE is set. */

#define PTE_PRESENT           ((uint64_t)1 << PTE_PRESENT_BIT)
#define PTE_WRITABLE          ((uint64_t)1 << PTE_WRITABLE_BIT)
#define PTE_USER              ((uint64_t)1 << PTE_USER_BIT)
#define PTE_WRITE_THROUGH     ((uint64_t)1 << PTE_WRITE_THROUGH_BIT)
#define PTE_CACHE_DISABLE     ((uint64_t)1 << PTE_CACHE_DISABLE_BIT)
#define PTE_ACCESSED          ((uint64_t)1 << PTE_ACCESSED_BIT)
#define PTE_DIRTY             ((uint64_t)1 << PTE_DIRTY_BIT)
#define PTE_LARGE             ((uint64_t)1 << PTE_LARGE_BIT)
#define PTE_GLOBAL            ((uint64_t)1 << PTE_GLOBAL_BIT)
#define PTE_NO_EXECUTE        ((uint64_t)1 << PTE_NO_EXECUTE_BIT)

/* Strong uncacheable whatever the MTRRs say: PAT index 3 in the reset value of IA32_PAT. */
#define PTE_UNCACHED     (PTE_WRITE_THROUGH | PTE_CACHE_DISABLE)

#define PTE_ADDRESS_MASK ((((uint64_t)1 << ADDR_PHYS_BITS) - 1) & ~PAGE_OFFSET)

#define PTE_LEVELS       4u
#define PTE_ENTRIES      512u
#define PTE_INDEX_BITS   9u

/* Entries are proved bit by bit: two of the same 64 bits are the same. */
/*@ predicate pte_bit(uint64_t entry, integer k) = (entry & (1 << k)) != 0;
    axiomatic pte_bits {
      axiom pte_bit_fits: \forall integer k; 0 <= k < 64 ==> (1 << k) <= 0xffffffffffffffff;
    }
    predicate is_address_bit(integer k) = PAGE_SHIFT <= k < ADDR_PHYS_BITS; */

/* Bytes that one entry of a table at `level` covers. */
/*@ requires level < PTE_LEVELS;
    assigns \nothing;
    ensures level == 0 ==> \result == PAGE_BYTES; */
static inline uint64_t pte_span_bytes(unsigned level)
{
	return (uint64_t)1 << (PAGE_SHIFT + PTE_INDEX_BITS * level);
}

/* Which entry of its table at `level` a virtual address selects. */
/*@ requires level < PTE_LEVELS;
    assigns \nothing;
    ensures \result < PTE_ENTRIES; */
static inline unsigned pte_index(uint64_t virtual_address, unsigned level)
{
	return (unsigned)((virtual_address >> (PAGE_SHIFT + PTE_INDEX_BITS * level)) % PTE_ENTRIES);
}

/*@ requires bit < 64;
    assigns \nothing;
    ensures \result <==> pte_bit(entry, bit); */
static inline bool pte_has(uint64_t entry, unsigned bit)
{
	return (entry & (uint64_t)1 << bit) != 0;
}

/* The entry with this bit as well, if it is wanted. */
/*@ requires bit < 64;
    assigns \nothing;
    ensures \forall integer k; 0 <= k < 64 ==>
      (pte_bit(\result, k) <==> pte_bit(entry, k) || (wanted && k == bit)); */
static inline uint64_t pte_with(uint64_t entry, unsigned bit, bool wanted)
{
	return wanted ? entry | (uint64_t)1 << bit : entry;
}

//@ assigns \nothing; ensures \result <==> pte_bit(entry, PTE_PRESENT_BIT);
static inline bool pte_is_present(uint64_t entry)
{
	return pte_has(entry, PTE_PRESENT_BIT);
}

/* True if the entry maps memory rather than pointing to a lower table. */
//@ assigns \nothing; ensures \result <==> level == 0 || pte_bit(entry, PTE_LARGE_BIT);
static inline bool pte_is_leaf(uint64_t entry, unsigned level)
{
	return level == 0 || pte_has(entry, PTE_LARGE_BIT);
}

/*@ assigns \nothing;
    ensures \forall integer k; 0 <= k < 64 ==>
      (pte_bit(\result, k) <==> pte_bit(entry, k) && pte_bit(mask, k)); */
static inline uint64_t pte_only(uint64_t entry, uint64_t mask)
{
	return entry & mask;
}

/*@ assigns \nothing;
    ensures \forall integer k; 0 <= k < 64 ==>
      (pte_bit(\result, k) <==> pte_bit(entry, k) && !pte_bit(mask, k)); */
static inline uint64_t pte_without(uint64_t entry, uint64_t mask)
{
	return entry & ~mask;
}

/* `private_mask`: the encryption bit, which lies among the address bits; 0 if there is none. */
/*@ assigns \nothing;
    ensures \forall integer k; 0 <= k < 64 ==> (pte_bit(\result.raw, k) <==>
      is_address_bit(k) && pte_bit(entry, k) && !pte_bit(private_mask, k)); */
static inline struct phys_addr pte_address(uint64_t entry, uint64_t private_mask)
{
	const uint64_t address_mask = PTE_ADDRESS_MASK;
	/* A constant: the provers do not count its bits, test_page_entry.c does. */
	/*@ admit address_bits: \forall integer k; 0 <= k < 64 ==>
	      (pte_bit(address_mask, k) <==> is_address_bit(k)); */
	return (struct phys_addr){pte_without(pte_only(entry, address_mask), private_mask)};
}
