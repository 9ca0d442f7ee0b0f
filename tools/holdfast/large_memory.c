// SPDX-License-Identifier: MIT
#include "tools/holdfast/large_memory.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

void large_memory_advise(void *memory, size_t size_bytes)
{
	/* A kernel without huge pages refuses, and the memory is as good as before. */
	(void)madvise(memory, size_bytes, MADV_HUGEPAGE);
}

uint8_t *large_memory(size_t size_bytes)
{
	if (size_bytes > SIZE_MAX - HUGE_PAGE_BYTES) {
		return NULL;
	}
	const size_t rounded =
		(size_bytes + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
	uint8_t *memory = aligned_alloc(HUGE_PAGE_BYTES, rounded);
	if (memory != NULL) {
		large_memory_advise(memory, rounded);
	}
	return memory;
}
