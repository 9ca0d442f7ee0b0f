// SPDX-License-Identifier: MIT
#include "fake_memory.h"

#include <string.h>

#include "base/check.h"

static size_t index_of(struct phys_addr at)
{
	CHECK(at.raw >= FAKE_BASE);
	const uint64_t index = (at.raw - FAKE_BASE) / PAGE_BYTES;
	CHECK(index < FAKE_PAGES);
	return (size_t)index;
}

static enum status take_page(void *context, struct phys_addr *page)
{
	struct fake_memory *memory = context;
	if (memory->takes_left == 0) {
		return STATUS_NO_MEMORY;
	}
	memory->takes_left--;
	*page = fake_memory_page(memory);
	return STATUS_OK;
}

static void give_page(void *context, struct phys_addr page)
{
	struct fake_memory *memory = context;
	const size_t index = index_of(page);
	CHECK(addr_is_page_aligned(page.raw));
	CHECK(memory->taken[index]);
	memory->taken[index] = false;
	memory->taken_count--;
	memset(memory->bytes[index], 0xdd, PAGE_BYTES);
}

static uint64_t *entries(void *context, struct phys_addr page)
{
	struct fake_memory *memory = context;
	const size_t index = index_of(page);
	CHECK(addr_is_page_aligned(page.raw));
	CHECK(memory->taken[index]);
	return (uint64_t *)(void *)memory->bytes[index];
}

static uint8_t *pointer(void *context, struct phys_addr at)
{
	return fake_memory_bytes(context, at);
}

void fake_memory_init(struct fake_memory *memory)
{
	memset(memory, 0, sizeof(*memory));
	memory->takes_left = SIZE_MAX;
	memory->port = (struct page_table_port){
		.take_page = take_page,
		.give_page = give_page,
		.entries = entries,
		.context = memory,
	};
	memory->direct_map = (struct direct_map_port){.pointer = pointer, .context = memory};
}

struct phys_addr fake_memory_page(struct fake_memory *memory)
{
	/* Pages are found from the top, so that consecutive pages are never contiguous upwards. */
	for (size_t i = FAKE_PAGES; i > 0; i--) {
		if (!memory->taken[i - 1]) {
			memory->taken[i - 1] = true;
			memory->taken_count++;
			memset(memory->bytes[i - 1], 0, PAGE_BYTES);
			return (struct phys_addr){FAKE_BASE + (i - 1) * PAGE_BYTES};
		}
	}
	check_failed("a fake page is left", __FILE__, __LINE__);
}

uint8_t *fake_memory_bytes(struct fake_memory *memory, struct phys_addr at)
{
	return &memory->bytes[index_of(at)][at.raw % PAGE_BYTES];
}
