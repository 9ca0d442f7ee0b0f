// SPDX-License-Identifier: MIT
/* What one page-table entry says, and what page tables refuse to say: pure decisions about numbers,
 * without any table. page_table.c walks the tables and stores what is made here.
 *
 * `private_mask` is the encryption bit, one of the address bits; 0 where there is none. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/pte.h"
#include "base/addr.h"
#include "mm/page_table.h"

/*@ predicate access_is_sound(integer virtual_address, struct page_access a) =
      !(a.writable && a.executable) && !(a.user && (a.uncached || a.shared || a.global)) &&
      (a.user <==> virtual_address < PAGE_TABLE_USER_END);
    predicate is_private_access(struct page_access a) = !a.shared && !a.uncached;
    // Which flags the entry that maps memory has: all those that are neither address nor mask.
    predicate has_leaf_flag(struct page_access a, _Bool is_large, integer k) =
      k == PTE_PRESENT_BIT || (k == PTE_WRITABLE_BIT && a.writable) ||
      (k == PTE_USER_BIT && a.user) || (k == PTE_WRITE_THROUGH_BIT && a.uncached) ||
      (k == PTE_CACHE_DISABLE_BIT && a.uncached) || (k == PTE_LARGE_BIT && is_large) ||
      (k == PTE_GLOBAL_BIT && a.global) || (k == PTE_NO_EXECUTE_BIT && !a.executable); */

/* Whole pages, not none, without wrapping, on one side of the canonical hole. */
/*@ assigns \nothing;
    ensures \result <==> size_bytes > 0 && virtual_address % PAGE_BYTES == 0 &&
      size_bytes % PAGE_BYTES == 0 && virtual_address + size_bytes <= UINT64_MAX + 1 &&
      (virtual_address + size_bytes <= PAGE_TABLE_USER_END ||
       virtual_address >= PAGE_TABLE_KERNEL_BEGIN); */
bool page_entry_range_is_sound(uint64_t virtual_address, uint64_t size_bytes);

/* W^X, and each half of the address space has one kind of mapping: neither device registers nor
 * host-visible pages are ring 3's. */
//@ assigns \nothing; ensures \result <==> access_is_sound(virtual_address, access);
bool page_entry_access_is_sound(uint64_t virtual_address, struct page_access access);

/* Physical addresses stay below the encryption bit: one above it would read as private. */
/*@ assigns \nothing;
    ensures \result <==> range_is_valid(target) && target.first.raw % PAGE_BYTES == 0 &&
      (private_mask == 0 || target.first.raw + target.size_bytes <= private_mask); */
bool page_entry_target_is_sound(uint64_t private_mask, struct phys_range target);

/* The entry that maps memory at `at`. Of the address only its own bits go into it: whether the
 * page is private is what `access` says, whatever `at` is. */
/*@ assigns \nothing;
    ensures \forall integer k; is_address_bit(k) && !pte_bit(private_mask, k) ==>
      (pte_bit(\result, k) <==> pte_bit(at.raw, k));
    ensures \forall integer k; is_address_bit(k) && pte_bit(private_mask, k) ==>
      (pte_bit(\result, k) <==> is_private_access(access));
    ensures \forall integer k; 0 <= k < 64 && !is_address_bit(k) && !pte_bit(private_mask, k) ==>
      (pte_bit(\result, k) <==> has_leaf_flag(access, is_large, k)); */
uint64_t page_entry_leaf(uint64_t private_mask, struct phys_addr at, struct page_access access,
			 bool is_large);

/* What page_entry_leaf() was told; device registers read as such, not as shared. */
/*@ assigns \nothing;
    ensures \result.writable <==> pte_bit(entry, PTE_WRITABLE_BIT);
    ensures \result.executable <==> !pte_bit(entry, PTE_NO_EXECUTE_BIT);
    ensures \result.user <==> pte_bit(entry, PTE_USER_BIT);
    ensures \result.uncached <==> pte_bit(entry, PTE_CACHE_DISABLE_BIT);
    ensures \result.global <==> pte_bit(entry, PTE_GLOBAL_BIT);
    ensures private_mask == 0 ==> !\result.shared;
    ensures \forall integer c; is_address_bit(c) && private_mask == (1 << c) ==>
      (\result.shared <==> !\result.uncached && !pte_bit(entry, c)); */
struct page_access page_entry_access(uint64_t private_mask, uint64_t entry);

/* The entry that points to a table. Leaves decide what is allowed, so tables allow everything of
 * their half; they are always private. */
/*@ assigns \nothing;
    ensures \forall integer k; is_address_bit(k) ==>
      (pte_bit(\result, k) <==> pte_bit(page.raw, k) || pte_bit(private_mask, k));
    ensures \forall integer k; 0 <= k < 64 && !is_address_bit(k) && !pte_bit(private_mask, k) ==>
      (pte_bit(\result, k) <==> k == PTE_PRESENT_BIT || k == PTE_WRITABLE_BIT ||
	(k == PTE_USER_BIT && virtual_address < PAGE_TABLE_USER_END)); */
uint64_t page_entry_table(uint64_t private_mask, struct phys_addr page, uint64_t virtual_address);
