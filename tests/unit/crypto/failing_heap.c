// SPDX-License-Identifier: MIT
#include "failing_heap.h"

#include <malloc.h>
#include <stdint.h>

void *__real_calloc(size_t count, size_t size);
void __real_free(void *block);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *block);

static struct {
	size_t fail_at;
	size_t calls;
	size_t live_count;
	size_t live_bytes;
	size_t peak_bytes;
} heap;

void heap_fail_nth(size_t nth)
{
	heap.fail_at = nth;
	heap.calls = 0;
	heap.peak_bytes = heap.live_bytes;
}

size_t heap_call_count(void)
{
	return heap.calls;
}

size_t heap_peak_bytes(void)
{
	return heap.peak_bytes;
}

size_t heap_live_count(void)
{
	return heap.live_count;
}

/* The size is kept in front of the block. */
#define HEADER_BYTES 16u

void *__wrap_calloc(size_t count, size_t size)
{
	heap.calls++;
	if (heap.calls == heap.fail_at) {
		return NULL;
	}
	uint8_t *block = __real_calloc(1, count * size + HEADER_BYTES);
	if (block == NULL) {
		return NULL;
	}
	*(size_t *)(void *)block = count * size;
	heap.live_count++;
	heap.live_bytes += count * size;
	if (heap.live_bytes > heap.peak_bytes) {
		heap.peak_bytes = heap.live_bytes;
	}
	return block + HEADER_BYTES;
}

void __wrap_free(void *block)
{
	if (block == NULL) {
		return;
	}
	uint8_t *start = (uint8_t *)block - HEADER_BYTES;
	heap.live_count--;
	heap.live_bytes -= *(size_t *)(void *)start;
	__real_free(start);
}
