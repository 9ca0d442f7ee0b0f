// SPDX-License-Identifier: MIT
#include "kernel/user_mappings.h"

#include "base/addr.h"

/* Linux numbers, <asm-generic/mman-common.h>. */
#define PROTECTION_READ  1u
#define PROTECTION_WRITE 2u

void user_mappings_init(struct user_mappings *mappings, uint64_t first)
{
	*mappings = (struct user_mappings){first, first};
}

//@ requires \valid_read(table); assigns \nothing;
static bool is_mapped(const struct page_table *table, uint64_t address)
{
	struct page_mapping mapping;
	return page_table_lookup(table, address, &mapping) == STATUS_OK;
}

/* The first run of `run_bytes` unmapped bytes within [from, end). */
/*@ requires \valid_read(table) && \valid(first) && \separated(table, first);
    requires from % PAGE_BYTES == 0 && end <= PAGE_TABLE_USER_END;
    requires run_bytes % PAGE_BYTES == 0 && 0 < run_bytes <= USER_MAPPINGS_BYTES;
    assigns *first;
    ensures \result ==> *first % PAGE_BYTES == 0 && from <= *first;
    ensures \result ==> *first + run_bytes < end + PAGE_BYTES; */
static bool find_run(const struct page_table *table, uint64_t from, uint64_t end,
		     uint64_t run_bytes, uint64_t *first)
{
	uint64_t run = 0;
	/*@ loop invariant at % PAGE_BYTES == 0 && from <= at;
	    loop invariant at < end + PAGE_BYTES || at == from;
	    loop invariant run % PAGE_BYTES == 0 && run < run_bytes && run <= at - from;
	    loop assigns at, run, *first;
	    loop variant end - at; */
	for (uint64_t at = from; at < end; at += PAGE_BYTES) {
		run = is_mapped(table, at) ? 0 : run + PAGE_BYTES;
		if (run == run_bytes) {
			*first = at + PAGE_BYTES - run_bytes;
			return true;
		}
	}
	return false;
}

/* Next-fit, once round. The second search ends where a run that began before `next` would. */
enum status user_mappings_place(struct user_mappings *mappings, const struct page_table *table,
				uint64_t size_bytes, uint64_t *address)
{
	if (size_bytes == 0 || !addr_is_page_aligned(size_bytes) ||
	    size_bytes > USER_MAPPINGS_BYTES - 2 * PAGE_BYTES) {
		return STATUS_NO_MEMORY;
	}
	const uint64_t run_bytes = size_bytes + 2 * PAGE_BYTES;
	const uint64_t end = mappings->first + USER_MAPPINGS_BYTES;
	const uint64_t second_end =
		mappings->next + run_bytes < end ? mappings->next + run_bytes : end;
	uint64_t first;
	if (!find_run(table, mappings->next, end, run_bytes, &first) &&
	    !find_run(table, mappings->first, second_end, run_bytes, &first)) {
		return STATUS_NO_MEMORY;
	}
	*address = first + PAGE_BYTES;
	mappings->next = *address + size_bytes;
	return STATUS_OK;
}

enum status user_access_decode(uint64_t protection, struct page_access *access)
{
	if (protection != PROTECTION_READ && protection != (PROTECTION_READ | PROTECTION_WRITE)) {
		return STATUS_INVALID;
	}
	*access = (struct page_access){
		.writable = (protection & PROTECTION_WRITE) != 0,
		.user = true,
	};
	return STATUS_OK;
}

enum status user_range_decode(uint64_t address, uint64_t size_bytes, uint64_t limit_bytes,
			      uint64_t *rounded)
{
	uint64_t size;
	if (size_bytes == 0 || size_bytes > limit_bytes || !addr_is_page_aligned(address) ||
	    !addr_page_ceil(size_bytes, &size) ||
	    !addr_within(address, size, PAGE_TABLE_USER_END)) {
		return STATUS_INVALID;
	}
	*rounded = size;
	return STATUS_OK;
}

enum status user_break_decode(uint64_t start, uint64_t end, uint64_t wanted, uint64_t limit_bytes,
			      struct user_break_change *change)
{
	struct user_break_change found;
	if (wanted < start || wanted - start > limit_bytes ||
	    !addr_page_ceil(end, &found.mapped_end) || !addr_page_ceil(wanted, &found.wanted_end)) {
		return STATUS_INVALID;
	}
	*change = found;
	return STATUS_OK;
}
