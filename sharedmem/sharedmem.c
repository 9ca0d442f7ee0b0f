// SPDX-License-Identifier: MIT
/* The pool: which page is lent, and what the host was told about it.
 *
 * The books are private. A page is in one state:
 *
 *   PRIVATE -> FREE            init, once for the whole run
 *   FREE <-> HEAD, TAIL        acquire and release of a region
 *   HEAD, TAIL -> LEAKED       a device may still write there
 *   FREE -> PRIVATE | LEAKED   fini, by the outcome of unshare
 *
 * Regions are contiguous and few (one per ring and bounce buffer, lent for the life of a device),
 * so a next-fit scan over at most SHAREDMEM_PAGES_MAX bytes is all the allocator we need. */
#include "sharedmem/sharedmem.h"

#include <string.h>

#include "base/check.h"
#include "sharedmem/shared_access_internal.h"

enum page_state {
	PAGE_PRIVATE,
	PAGE_FREE,
	PAGE_HEAD, /* First page of a region on loan. */
	PAGE_TAIL, /* A further page of the region before it. */
	PAGE_LEAKED,
};

static void pages_mark(struct sharedmem *memory, size_t first, size_t count, enum page_state state)
{
	for (size_t i = first; i < first + count; i++) {
		memory->page_state[i] = (uint8_t)state;
	}
}

/* Length of the run of free pages at `first`, at most `limit`. */
static size_t free_run(const struct sharedmem *memory, size_t first, size_t limit)
{
	size_t count = 0;
	while (count < limit && first + count < memory->page_count &&
	       memory->page_state[first + count] == PAGE_FREE) {
		count++;
	}
	return count;
}

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
		.page_count = page_count,
	};
	memory->counters.transitions++;
	enum status status = ops->share(ops->context, first, page_count);
	if (status != STATUS_OK) {
		/* Some pages may be visible, some not: none can be used as either. */
		pages_mark(memory, 0, page_count, PAGE_LEAKED);
		memory->counters.pages_leaked = page_count;
		return status;
	}
	memory->counters.pages_shared = page_count;
	pages_mark(memory, 0, page_count, PAGE_FREE);
	return STATUS_OK;
}

/* Make [first, first + count) private, or leak it. */
static enum status run_unshare(struct sharedmem *memory, size_t first, size_t count)
{
	const struct phys_addr at = {.raw = memory->first.raw + first * PAGE_BYTES};
	memory->counters.transitions++;
	enum status status = memory->ops->unshare(memory->ops->context, at, count);
	if (status != STATUS_OK) {
		pages_mark(memory, first, count, PAGE_LEAKED);
		memory->counters.pages_leaked += count;
		return status;
	}
	pages_mark(memory, first, count, PAGE_PRIVATE);
	memory->counters.pages_shared -= count;
	return STATUS_OK;
}

enum status sharedmem_fini(struct sharedmem *memory)
{
	if (memory->counters.pages_lent != 0) {
		return STATUS_BUSY;
	}
	enum status first_failure = STATUS_OK;
	for (size_t i = 0; i < memory->page_count; i++) {
		const size_t count = free_run(memory, i, memory->page_count);
		if (count == 0) {
			continue;
		}
		const enum status status = run_unshare(memory, i, count);
		if (status != STATUS_OK && first_failure == STATUS_OK) {
			first_failure = status;
		}
		i += count - 1;
	}
	return first_failure;
}

bool sharedmem_page_is_private(const struct sharedmem *memory, size_t index)
{
	return index < memory->page_count && memory->page_state[index] == PAGE_PRIVATE;
}

void sharedmem_counters_get(const struct sharedmem *memory, struct sharedmem_counters *counters)
{
	*counters = memory->counters;
}

/* Next-fit: where a run of `page_count` free pages starts at or after `from`. */
static bool run_find(const struct sharedmem *memory, size_t from, size_t page_count, size_t *first)
{
	for (size_t i = from; i < memory->page_count; i++) {
		const size_t count = free_run(memory, i, page_count);
		if (count == page_count) {
			*first = i;
			return true;
		}
		i += count; /* Page i + count is not free, or the end. */
	}
	return false;
}

enum status sharedmem_region_acquire(struct sharedmem *memory, size_t page_count,
				     struct shared_region *region)
{
	if (page_count == 0) {
		return STATUS_INVALID;
	}
	size_t first = 0;
	if (!run_find(memory, memory->next_hint, page_count, &first) &&
	    !run_find(memory, 0, page_count, &first)) {
		return STATUS_NO_MEMORY;
	}
	pages_mark(memory, first, 1, PAGE_HEAD);
	pages_mark(memory, first + 1, page_count - 1, PAGE_TAIL);
	memory->next_hint = first + page_count;
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

/* The region's first page; a handle that was returned already, or copied, ends here. */
static size_t region_check(const struct shared_region *region)
{
	const struct sharedmem *memory = region->owner;
	const size_t first = (size_t)(region->at.raw - memory->first.raw) / PAGE_BYTES;
	const size_t count = region->size_bytes / PAGE_BYTES;
	CHECK(first < memory->page_count && count <= memory->page_count - first);
	CHECK(memory->page_state[first] == PAGE_HEAD);
	for (size_t i = first + 1; i < first + count; i++) {
		CHECK(memory->page_state[i] == PAGE_TAIL);
	}
	return first;
}

void sharedmem_region_release(struct shared_region *region)
{
	struct sharedmem *memory = region->owner;
	if (memory == NULL) {
		return;
	}
	const size_t first = region_check(region);
	const size_t count = region->size_bytes / PAGE_BYTES;
	shared_zero(region, 0, region->size_bytes);
	pages_mark(memory, first, count, PAGE_FREE);
	memory->counters.pages_lent -= count;
	*region = (struct shared_region){0};
}

void sharedmem_leak(struct shared_region *region)
{
	struct sharedmem *memory = region->owner;
	if (memory == NULL) {
		return;
	}
	const size_t first = region_check(region);
	const size_t count = region->size_bytes / PAGE_BYTES;
	pages_mark(memory, first, count, PAGE_LEAKED);
	memory->counters.pages_lent -= count;
	memory->counters.pages_leaked += count;
	*region = (struct shared_region){0};
}
