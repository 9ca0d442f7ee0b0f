// SPDX-License-Identifier: MIT
#include "mm/page_entry.h"

bool page_entry_range_is_sound(uint64_t virtual_address, uint64_t size_bytes)
{
	uint64_t last = 0;
	if (size_bytes == 0 || !addr_is_page_aligned(virtual_address) ||
	    !addr_is_page_aligned(size_bytes) ||
	    !addr_add(virtual_address, size_bytes - 1, &last)) {
		return false;
	}
	return last < PAGE_TABLE_USER_END || virtual_address >= PAGE_TABLE_KERNEL_BEGIN;
}

bool page_entry_access_is_sound(uint64_t virtual_address, struct page_access access)
{
	const bool in_user_half = virtual_address < PAGE_TABLE_USER_END;
	if (access.writable && access.executable) {
		return false;
	}
	if (access.user && (access.uncached || access.shared || access.global)) {
		return false;
	}
	return access.user == in_user_half;
}

bool page_entry_target_is_sound(uint64_t private_mask, struct phys_range target)
{
	if (!phys_range_valid(target) || !addr_is_page_aligned(target.first.raw)) {
		return false;
	}
	return private_mask == 0 || target.first.raw + target.size_bytes <= private_mask;
}

/*@ assigns \nothing;
    ensures \forall integer k; 0 <= k < 64 ==>
      (pte_bit(\result, k) <==> pte_bit(entry, k) || (wanted && pte_bit(private_mask, k))); */
static uint64_t with_mask(uint64_t entry, uint64_t private_mask, bool wanted)
{
	return wanted ? entry | private_mask : entry;
}

uint64_t page_entry_leaf(uint64_t private_mask, struct phys_addr at, struct page_access access,
			 bool is_large)
{
	uint64_t entry = pte_address(at.raw, private_mask).raw;
	entry = with_mask(entry, private_mask, !access.shared && !access.uncached);
	entry = pte_with(entry, PTE_PRESENT_BIT, true);
	entry = pte_with(entry, PTE_WRITABLE_BIT, access.writable);
	entry = pte_with(entry, PTE_USER_BIT, access.user);
	entry = pte_with(entry, PTE_WRITE_THROUGH_BIT, access.uncached);
	entry = pte_with(entry, PTE_CACHE_DISABLE_BIT, access.uncached);
	entry = pte_with(entry, PTE_LARGE_BIT, is_large);
	entry = pte_with(entry, PTE_GLOBAL_BIT, access.global);
	return pte_with(entry, PTE_NO_EXECUTE_BIT, !access.executable);
}

/*@ assigns \nothing;
    ensures private_mask == 0 ==> \result;
    ensures \forall integer c; is_address_bit(c) && private_mask == (1 << c) ==>
      (\result <==> pte_bit(entry, c)); */
static bool has_mask(uint64_t entry, uint64_t private_mask)
{
	return private_mask == 0 || (entry & private_mask) != 0;
}

struct page_access page_entry_access(uint64_t private_mask, uint64_t entry)
{
	const bool uncached = pte_has(entry, PTE_CACHE_DISABLE_BIT);
	return (struct page_access){
		.writable = pte_has(entry, PTE_WRITABLE_BIT),
		.executable = !pte_has(entry, PTE_NO_EXECUTE_BIT),
		.user = pte_has(entry, PTE_USER_BIT),
		.uncached = uncached,
		.global = pte_has(entry, PTE_GLOBAL_BIT),
		.shared = !uncached && !has_mask(entry, private_mask),
	};
}

uint64_t page_entry_table(uint64_t private_mask, struct phys_addr page, uint64_t virtual_address)
{
	uint64_t entry = pte_address(page.raw, private_mask).raw;
	entry = with_mask(entry, private_mask, true);
	entry = pte_with(entry, PTE_PRESENT_BIT, true);
	entry = pte_with(entry, PTE_WRITABLE_BIT, true);
	return pte_with(entry, PTE_USER_BIT, virtual_address < PAGE_TABLE_USER_END);
}
