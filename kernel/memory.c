// SPDX-License-Identifier: MIT
#include "kernel/memory.h"

#include <string.h>

#include "arch/cpu.h"
#include "base/check.h"
#include "kernel/image.h"
#include "kernel/memory_plan.h"

#define STACKS_VIRTUAL  0xffffc90000000000ull
#define DEVICES_VIRTUAL 0xffffd00000000000ull
/* Wider than any one frame, which could step over a narrow one. The largest has 5.4 KiB. */
#define STACK_GUARD_BYTES (16 * PAGE_BYTES)

static const struct page_access access_text = {.executable = true, .global = true};
static const struct page_access access_constants = {.global = true};
static const struct page_access access_data = {.writable = true, .global = true};
static const struct page_access access_device = {
	.writable = true, .uncached = true, .global = true};

uint8_t *kernel_memory_pointer(const struct kernel_memory *memory, struct phys_addr at)
{
	return (uint8_t *)(uintptr_t)(memory->direct_map_virtual + at.raw);
}

static uint8_t *direct_map_pointer(void *context, struct phys_addr at)
{
	return kernel_memory_pointer(context, at);
}

static uint64_t *table_entries(void *context, struct phys_addr page)
{
	return (uint64_t *)(void *)kernel_memory_pointer(context, page);
}

enum status kernel_memory_take(struct kernel_memory *memory, size_t count, struct phys_addr *first)
{
	enum status status = page_alloc_take(&memory->pages, count, first);
	if (status == STATUS_OK) {
		memset(kernel_memory_pointer(memory, *first), 0, count * PAGE_BYTES);
	}
	return status;
}

void kernel_memory_give(struct kernel_memory *memory, struct phys_addr first, size_t count)
{
	enum status status = page_alloc_give(&memory->pages, first, count);
	CHECK(status == STATUS_OK);
	memset(kernel_memory_pointer(memory, first), 0, count * PAGE_BYTES);
}

static enum status take_table_page(void *context, struct phys_addr *page)
{
	return kernel_memory_take(context, 1, page);
}

static void give_table_page(void *context, struct phys_addr page)
{
	kernel_memory_give(context, page, 1);
}

static enum status init_page_alloc(struct kernel_memory *memory, const struct boot_params *params)
{
	struct memory_plan plan;
	struct phys_range bitmap;
	enum status status = memory_plan_make(params, (struct phys_range){0}, &plan);
	if (status != STATUS_OK) {
		return status;
	}
	status = memory_plan_place(&plan, page_alloc_bitmap_bytes(plan.span), &bitmap);
	if (status != STATUS_OK) {
		return status;
	}
	status = memory_plan_make(params, bitmap, &plan);
	if (status != STATUS_OK) {
		return status;
	}
	status = page_alloc_init(&memory->pages, plan.span,
				 (uint64_t *)(void *)kernel_memory_pointer(memory, bitmap.first),
				 bitmap.size_bytes);
	for (size_t i = 0; status == STATUS_OK && i < plan.free_count; i++) {
		status = page_alloc_add(&memory->pages, plan.free[i]);
	}
	return status;
}

static uint64_t virtual_of(const void *symbol)
{
	return (uint64_t)(uintptr_t)symbol;
}

/* Map [first, end) of the kernel image, both page-aligned linker symbols. */
static enum status map_image_part(struct kernel_memory *memory, const void *first, const void *end,
				  struct page_access access)
{
	uint64_t offset = virtual_of(first) - virtual_of(image_start);
	uint64_t size_bytes = virtual_of(end) - virtual_of(first);
	if (size_bytes == 0) {
		return STATUS_OK;
	}
	struct phys_addr at = {memory->image.first.raw + offset};
	return page_table_map(&memory->table, virtual_of(first), at, size_bytes, access, false);
}

static enum status map_image(struct kernel_memory *memory)
{
	enum status status =
		map_image_part(memory, image_start, image_text_start, access_constants);
	if (status != STATUS_OK) {
		return status;
	}
	status = map_image_part(memory, image_text_start, image_text_end, access_text);
	if (status != STATUS_OK) {
		return status;
	}
	status = map_image_part(memory, image_text_end, image_data_start, access_constants);
	if (status != STATUS_OK) {
		return status;
	}
	return map_image_part(memory, image_data_start, image_end, access_data);
}

static enum status map_direct(struct kernel_memory *memory, uint64_t first, uint64_t end)
{
	if (first >= end) {
		return STATUS_OK;
	}
	return page_table_map(&memory->table, memory->direct_map_virtual + first,
			      (struct phys_addr){first}, end - first, access_data, true);
}

/* All RAM but the kernel image: an alias of its text would be writable. */
static enum status map_all_memory(struct kernel_memory *memory)
{
	uint64_t image_first = memory->image.first.raw;
	uint64_t image_last = image_first + memory->image.size_bytes;
	for (size_t i = 0; i < memory->memory_count; i++) {
		struct phys_range range = memory->memory[i];
		uint64_t end = range.first.raw + range.size_bytes;
		enum status status;
		if (phys_range_contains(range, memory->image)) {
			status = map_direct(memory, range.first.raw, image_first);
			if (status == STATUS_OK) {
				status = map_direct(memory, image_last, end);
			}
		} else {
			status = map_direct(memory, range.first.raw, end);
		}
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

/* CPUID 80000008H, EAX[7:0] (AMD 24594, appendix E). */
static uint64_t physical_limit(void)
{
	const uint32_t bits = cpu_id(0x80000008, 0).eax & 0xffu;
	const uint32_t bits_min = 36;
	return (uint64_t)1 << (bits < bits_min || bits > ADDR_PHYS_BITS ? bits_min : bits);
}

enum status kernel_memory_init(struct kernel_memory *memory, const struct boot_params *params)
{
	*memory = (struct kernel_memory){
		.direct_map_virtual = params->direct_map_virtual,
		.next_stack_virtual = STACKS_VIRTUAL,
		.next_device_virtual = DEVICES_VIRTUAL,
		.physical_limit = physical_limit(),
		.image = params->kernel_image,
		.memory_count = params->memory_range_count,
		.table_port = {take_table_page, give_table_page, table_entries, memory},
		.direct_map = {direct_map_pointer, memory},
	};
	memcpy(memory->memory, params->memory, sizeof(memory->memory));
	enum status status = init_page_alloc(memory, params);
	if (status != STATUS_OK) {
		return status;
	}
	status = page_table_init(&memory->table, &memory->table_port, 0);
	if (status != STATUS_OK) {
		return status;
	}
	status = map_image(memory);
	if (status != STATUS_OK) {
		return status;
	}
	status = map_all_memory(memory);
	if (status != STATUS_OK) {
		return status;
	}
	/* Ring-3 address spaces copy the upper root entries, so each must exist from now on. */
	cpu_cr3_write(memory->table.root.raw);
	return STATUS_OK;
}

enum status kernel_memory_map_device(struct kernel_memory *memory, struct phys_addr at,
				     uint64_t size_bytes, volatile uint8_t **registers)
{
	uint64_t first = addr_page_floor(at.raw);
	uint64_t end;
	if (!addr_add(at.raw, size_bytes, &end) || !addr_page_ceil(end, &end)) {
		return STATUS_BAD_HOST;
	}
	struct phys_range window = {{first}, end - first};
	if (!phys_range_valid(window) || end > memory->physical_limit) {
		return STATUS_BAD_HOST;
	}
	for (size_t i = 0; i < memory->memory_count; i++) {
		if (phys_range_overlaps(memory->memory[i], window)) {
			return STATUS_BAD_HOST;
		}
	}
	enum status status = page_table_map(&memory->table, memory->next_device_virtual,
					    window.first, window.size_bytes, access_device, false);
	if (status != STATUS_OK) {
		return status;
	}
	uint64_t at_virtual = memory->next_device_virtual + (at.raw - first);
	*registers = (volatile uint8_t *)(uintptr_t)at_virtual;
	memory->next_device_virtual += window.size_bytes + PAGE_BYTES;
	return STATUS_OK;
}

enum status kernel_memory_map_stack(struct kernel_memory *memory, size_t page_count, uint64_t *top)
{
	struct phys_addr first;
	enum status status = kernel_memory_take(memory, page_count, &first);
	if (status != STATUS_OK) {
		return status;
	}
	uint64_t bottom = memory->next_stack_virtual + STACK_GUARD_BYTES;
	uint64_t size_bytes = page_count * PAGE_BYTES;
	status = page_table_map(&memory->table, bottom, first, size_bytes, access_data, false);
	if (status != STATUS_OK) {
		kernel_memory_give(memory, first, page_count);
		return status;
	}
	memory->next_stack_virtual = bottom + size_bytes;
	*top = bottom + size_bytes;
	return STATUS_OK;
}

enum status kernel_memory_seal(struct kernel_memory *memory)
{
	uint64_t first = virtual_of(image_sealed_start);
	uint64_t size_bytes = virtual_of(image_sealed_end) - first;
	if (size_bytes == 0) {
		return STATUS_OK;
	}
	enum status status =
		page_table_protect(&memory->table, first, size_bytes, access_constants);
	cpu_tlb_flush_global();
	return status;
}

bool kernel_memory_is_readable(const struct kernel_memory *memory, uint64_t address)
{
	struct page_mapping mapping;
	return memory->table.port != NULL && address % 8 == 0 &&
	       address >= PAGE_TABLE_KERNEL_BEGIN &&
	       page_table_lookup(&memory->table, address, &mapping) == STATUS_OK;
}
