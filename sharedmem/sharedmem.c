// SPDX-License-Identifier: MIT
/* The pool: what the host was told about its pages, and which addresses a loan has. Who holds what
 * is in the books (shared_pages.c). */
#include "sharedmem/sharedmem.h"

#include <string.h>

#include "base/check.h"
#include "sharedmem/shared_access_internal.h"

enum status sharedmem_init(struct sharedmem *memory, const struct page_state_ops *ops,
			   struct phys_addr first, void *pages, size_t page_count)
{
	const struct phys_range range = {.first = first, .size_bytes = page_count * PAGE_BYTES};
	if (page_count == 0 || page_count > SHAREDMEM_PAGES_MAX ||
	    !addr_is_page_aligned(first.raw) || !addr_is_page_aligned((uint64_t)(uintptr_t)pages) ||
	    pages == NULL || !phys_range_valid(range)) {
		return STATUS_INVALID;
	}
	*memory = (struct sharedmem){
		.ops = ops,
		.first = first,
		.bytes = (struct shared_bytes *)pages,
	};
	memory->counters.transitions++;
	const enum status status = ops->share(ops->context, first, page_count);
	/* After a failure some pages may be visible, some not. */
	shared_pages_init(&memory->pages, page_count, status == STATUS_OK);
	if (status == STATUS_OK) {
		memory->counters.pages_shared = page_count;
	} else {
		memory->counters.pages_leaked = page_count;
	}
	return status;
}

/* Make [first, first + count) private, or leak it. */
static enum status run_unshare(struct sharedmem *memory, size_t first, size_t count)
{
	const struct phys_addr at = {.raw = memory->first.raw + first * PAGE_BYTES};
	memory->counters.transitions++;
	const enum status status = memory->ops->unshare(memory->ops->context, at, count);
	shared_pages_settle(&memory->pages, first, count, status == STATUS_OK);
	if (status == STATUS_OK) {
		memory->counters.pages_shared -= count;
	} else {
		memory->counters.pages_leaked += count;
	}
	return status;
}

enum status sharedmem_fini(struct sharedmem *memory)
{
	if (memory->counters.pages_lent != 0) {
		return STATUS_BUSY;
	}
	enum status first_failure = STATUS_OK;
	size_t first = 0;
	size_t count = 0;
	while (shared_pages_free_run(&memory->pages, first, &first, &count)) {
		const enum status status = run_unshare(memory, first, count);
		if (status != STATUS_OK && first_failure == STATUS_OK) {
			first_failure = status;
		}
	}
	return first_failure;
}

bool sharedmem_page_is_private(const struct sharedmem *memory, size_t index)
{
	return shared_pages_is_private(&memory->pages, index);
}

void sharedmem_counters_get(const struct sharedmem *memory, struct sharedmem_counters *counters)
{
	*counters = memory->counters;
}

enum status sharedmem_region_acquire(struct sharedmem *memory, size_t page_count,
				     struct shared_region *region)
{
	size_t first = 0;
	const enum status status = shared_pages_lend(&memory->pages, page_count, &first);
	if (status != STATUS_OK) {
		return status;
	}
	memory->counters.pages_lent += page_count;
	*region = (struct shared_region){
		.owner = memory,
		.bytes = (struct shared_bytes *)((uint8_t *)memory->bytes + first * PAGE_BYTES),
		.at = {.raw = memory->first.raw + first * PAGE_BYTES},
		.size_bytes = page_count * PAGE_BYTES,
	};
	/* Scrubbed at release already, but the host could write to the free page since. */
	shared_zero(region, 0, region->size_bytes);
	return STATUS_OK;
}

/* The region's first page in the books, if it lies behind the pool's first. */
static size_t first_page(const struct shared_region *region)
{
	return (size_t)(region->at.raw - region->owner->first.raw) / PAGE_BYTES;
}

void sharedmem_region_release(struct shared_region *region)
{
	struct sharedmem *memory = region->owner;
	if (memory == NULL) {
		return;
	}
	const size_t first = first_page(region);
	const size_t count = region->size_bytes / PAGE_BYTES;
	/* A handle that was returned already, or copied, ends here, before anything is erased. */
	CHECK(shared_pages_are_lent(&memory->pages, first, count));
	shared_zero(region, 0, region->size_bytes);
	CHECK(shared_pages_return(&memory->pages, first, count));
	memory->counters.pages_lent -= count;
	*region = (struct shared_region){0};
}

void sharedmem_leak(struct shared_region *region)
{
	struct sharedmem *memory = region->owner;
	if (memory == NULL) {
		return;
	}
	const size_t count = region->size_bytes / PAGE_BYTES;
	CHECK(shared_pages_leak(&memory->pages, first_page(region), count));
	memory->counters.pages_lent -= count;
	memory->counters.pages_leaked += count;
	*region = (struct shared_region){0};
}
