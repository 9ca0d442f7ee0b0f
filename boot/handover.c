// SPDX-License-Identifier: MIT
#include "boot/handover.h"

#include <string.h>

#include "arch/pte.h"
#include "base/check.h"

uint64_t handover_pick_slide(uint64_t random, uint64_t image_size_bytes, uint64_t alignment)
{
	const uint64_t places = (HANDOVER_SLIDE_BYTES - image_size_bytes) / alignment + 1;
	return random % places * alignment;
}

uint64_t handover_stack_bottom(const struct handover *handover)
{
	return handover->kernel_virtual + handover->image->size_bytes + HANDOVER_GUARD_BYTES;
}

uint64_t handover_stack_top(const struct handover *handover)
{
	return handover_stack_bottom(handover) + handover->stack.size_bytes;
}

/* Tables of each level that a range can touch at most: one per span, and one for each end. */
static uint64_t tables_for(uint64_t size_bytes, unsigned lowest_level)
{
	uint64_t count = 0;
	for (unsigned level = lowest_level; level < PTE_LEVELS - 1; level++) {
		count += size_bytes / pte_span_bytes(level + 1) + 2;
	}
	return count;
}

uint64_t handover_table_pages_max(const struct memory_map *memory, uint64_t image_size_bytes)
{
	uint64_t count = 1; /* The root. */
	for (uint32_t i = 0; i < memory->count; i++) {
		/* Large pages, and a table of small ones at either end. */
		count += tables_for(memory->ranges[i].size_bytes, 1) + 2;
	}
	count += tables_for(image_size_bytes + HANDOVER_GUARD_BYTES + HANDOVER_STACK_BYTES, 0);
	return count + tables_for(PAGE_BYTES, 0); /* The jump page. */
}

static enum status map_memory(struct page_table *table, const struct memory_map *memory)
{
	const struct page_access access = {.writable = true};
	for (uint32_t i = 0; i < memory->count; i++) {
		const struct phys_range range = memory->ranges[i];
		const enum status status =
			page_table_map(table, HANDOVER_DIRECT_MAP + range.first.raw, range.first,
				       range.size_bytes, access, true);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

static enum status map_kernel(struct page_table *table, const struct handover *handover)
{
	const struct kernel_image *image = handover->image;
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct kernel_segment *segment = &image->segments[i];
		const struct page_access access = {
			.writable = segment->writable,
			.executable = segment->executable,
		};
		const struct phys_addr at = {handover->kernel.first.raw + segment->begin};
		const enum status status =
			page_table_map(table, handover->kernel_virtual + segment->begin, at,
				       segment->size_bytes, access, false);
		if (status != STATUS_OK) {
			return status;
		}
	}
	if (image->relro_begin == image->relro_end) {
		return STATUS_OK;
	}
	const struct page_access read_only = {.writable = false};
	return page_table_protect(table, handover->kernel_virtual + image->relro_begin,
				  image->relro_end - image->relro_begin, read_only);
}

enum status handover_map(struct page_table *table, const struct handover *handover)
{
	enum status status = map_memory(table, handover->memory);
	if (status != STATUS_OK) {
		return status;
	}
	status = map_kernel(table, handover);
	if (status != STATUS_OK) {
		return status;
	}
	const struct page_access stack_access = {.writable = true};
	status = page_table_map(table, handover_stack_bottom(handover), handover->stack.first,
				handover->stack.size_bytes, stack_access, false);
	if (status != STATUS_OK) {
		return status;
	}
	const struct page_access jump_access = {.executable = true};
	return page_table_map(table, handover->jump_page_virtual, handover->jump_page, PAGE_BYTES,
			      jump_access, false);
}

static enum status pool_take(void *context, struct phys_addr *page)
{
	struct table_pool *pool = context;
	if (pool->used_bytes == pool->pages.size_bytes) {
		return STATUS_NO_MEMORY;
	}
	memset(pool->memory + pool->used_bytes, 0, PAGE_BYTES);
	page->raw = pool->pages.first.raw + pool->used_bytes;
	pool->used_bytes += PAGE_BYTES;
	return STATUS_OK;
}

static void pool_give(void *context, struct phys_addr page)
{
	(void)context;
	(void)page;
}

static uint64_t *pool_entries(void *context, struct phys_addr page)
{
	struct table_pool *pool = context;
	CHECK(page.raw >= pool->pages.first.raw);
	const uint64_t offset = page.raw - pool->pages.first.raw;
	CHECK(addr_is_page_aligned(offset) && offset < pool->used_bytes);
	return (uint64_t *)(void *)(pool->memory + offset);
}

struct page_table_port table_pool_port(struct table_pool *pool)
{
	return (struct page_table_port){
		.take_page = pool_take,
		.give_page = pool_give,
		.entries = pool_entries,
		.context = pool,
	};
}
