// SPDX-License-Identifier: MIT
#include "failing_heap.h"

void *__real_calloc(size_t count, size_t size);
void __real_free(void *block);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *block);

/* mbedtls never holds more at once. */
#define LIVE_COUNT_MAX 16u

static struct {
	size_t fail_at;
	size_t calls;
	size_t live_bytes;
	size_t peak_bytes;
	struct {
		void *block; /* NULL: free entry. */
		size_t size_bytes;
	} live[LIVE_COUNT_MAX];
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
	size_t count = 0;
	for (size_t i = 0; i < LIVE_COUNT_MAX; i++) {
		count += heap.live[i].block != NULL ? 1u : 0u;
	}
	return count;
}

static void remember(void *block, size_t size_bytes)
{
	for (size_t i = 0; i < LIVE_COUNT_MAX; i++) {
		if (heap.live[i].block == NULL) {
			heap.live[i].block = block;
			heap.live[i].size_bytes = size_bytes;
			heap.live_bytes += size_bytes;
			break;
		}
	}
	if (heap.live_bytes > heap.peak_bytes) {
		heap.peak_bytes = heap.live_bytes;
	}
}

void *__wrap_calloc(size_t count, size_t size)
{
	heap.calls++;
	if (heap.calls == heap.fail_at) {
		return NULL;
	}
	void *block = __real_calloc(count, size);
	if (block != NULL) {
		remember(block, count * size);
	}
	return block;
}

/* The wrap covers the whole program: a run-time library may free what malloc() gave it. */
void __wrap_free(void *block)
{
	for (size_t i = 0; block != NULL && i < LIVE_COUNT_MAX; i++) {
		if (heap.live[i].block == block) {
			heap.live[i].block = NULL;
			heap.live_bytes -= heap.live[i].size_bytes;
		}
	}
	__real_free(block);
}
