// SPDX-License-Identifier: MIT
/* The last steps: the kernel's first page tables, boot_params, and the jump. */
#include <string.h>

#include "arch/cpu.h"
#include "base/check.h"
#include "boot/stage2_internal.h"
#include "boot/stage2_layout.h"

/* The boot data: boot_params, the thread block at the end of its last page, the first stack. */
#define THREAD_BLOCK_BYTES 64u
#define THREAD_CANARY_AT   0x28u
#define PARAMS_BYTES \
	(((uint64_t)sizeof(struct boot_params) + THREAD_BLOCK_BYTES + PAGE_OFFSET) & ~PAGE_OFFSET)

static struct handover describe(const struct stage2 *stage2)
{
	return (struct handover){
		.memory = &stage2->memory,
		.image = &stage2->kernel_image,
		.kernel = stage2->kernel,
		.kernel_virtual = HANDOVER_KERNEL_LOWEST + stage2->kernel_slide,
		.stack = {.first = {stage2->data.first.raw + PARAMS_BYTES},
			  .size_bytes = HANDOVER_STACK_BYTES},
		.jump_page = {(uint64_t)(uintptr_t)stage2_jump_page},
		.jump_page_virtual = STAGE2_ALIAS + (uint64_t)(uintptr_t)stage2_jump_page,
	};
}

static enum status build_tables(struct stage2 *stage2, const struct handover *handover,
				struct phys_addr *root)
{
	struct page_table table;
	struct table_pool pool = {
		.pages = stage2->tables,
		.memory = stage2_bytes(stage2->tables.first),
	};
	const struct page_table_port port = table_pool_port(&pool);
	const enum status status = page_table_init(&table, &port, 0);
	if (status != STATUS_OK) {
		return status;
	}
	*root = table.root;
	return handover_map(&table, handover);
}

/* Every entry but the kernel is a module. */
static void describe_modules(const struct stage2 *stage2, struct boot_params *params)
{
	for (uint32_t i = 0; i < stage2->bundle.entry_count; i++) {
		const struct bundle_entry *entry = &stage2->bundle.entries[i];
		if (i == stage2->bundle.kernel_index) {
			continue;
		}
		struct boot_module *module = &params->modules[params->module_count++];
		memcpy(module->name, entry->name, sizeof(module->name));
		memcpy(module->sha256, entry->sha256, sizeof(module->sha256));
		module->bytes.first.raw = stage2->bundle_at.first.raw + entry->offset_bytes;
		module->bytes.size_bytes = entry->size_bytes;
	}
}

static void fill_params(const struct stage2 *stage2, struct boot_params *params)
{
	memset(params, 0, sizeof(*params));
	params->magic = BOOT_PARAMS_MAGIC;
	params->version = BOOT_PARAMS_VERSION;
	params->size_bytes = sizeof(*params);
	params->memory_range_count = stage2->memory.count;
	memcpy(params->memory, stage2->memory.ranges, sizeof(params->memory));
	describe_modules(stage2, params);
	params->kernel_image = stage2->kernel;
	params->boot_tables = stage2->tables;
	params->stage2_image = stage2->image;
	params->boot_data = stage2->data;
	params->kernel_virtual = HANDOVER_KERNEL_LOWEST + stage2->kernel_slide;
	params->kernel_slide = stage2->kernel_slide;
	params->direct_map_virtual = HANDOVER_DIRECT_MAP;
	params->entered_at_tsc = stage2->entered_at_tsc;
	params->acpi_rsdp = stage2->start_info.rsdp.raw;
	memcpy(params->bundle_sha256, stage2->bundle_sha256, sizeof(params->bundle_sha256));
	memcpy(params->cmdline, stage2->cmdline, sizeof(params->cmdline));
	CHECK(boot_params_validate(params) == STATUS_OK);
}

/* A block for the kernel's stack protector, so that its C code may run from the start. */
static uint64_t make_thread_block(const struct stage2 *stage2)
{
	const uint64_t offset = PARAMS_BYTES - THREAD_BLOCK_BYTES;
	uint8_t *block = stage2_bytes(stage2->data.first) + offset;
	uint64_t canary = 0;
	if (stage2_random(&canary) != STATUS_OK) {
		/* Only with the fixed slide, which is for development. */
		canary = cpu_tsc() * 0x9e3779b97f4a7c15ull;
	}
	memset(block, 0, THREAD_BLOCK_BYTES);
	memcpy(block + THREAD_CANARY_AT, &canary, sizeof(canary));
	return HANDOVER_DIRECT_MAP + stage2->data.first.raw + offset;
}

enum status stage2_enter_kernel(struct stage2 *stage2)
{
	struct phys_addr root = {0};
	const uint64_t table_pages =
		handover_table_pages_max(&stage2->memory, stage2->kernel_image.size_bytes);
	enum status status =
		stage2_place(stage2, table_pages * PAGE_BYTES, PAGE_BYTES, &stage2->tables);
	if (status != STATUS_OK) {
		return status;
	}
	status = stage2_place(stage2, PARAMS_BYTES + HANDOVER_STACK_BYTES, PAGE_BYTES,
			      &stage2->data);
	if (status != STATUS_OK) {
		return status;
	}
	const struct handover handover = describe(stage2);
	status = build_tables(stage2, &handover, &root);
	if (status != STATUS_OK) {
		return status;
	}
	fill_params(stage2, (struct boot_params *)(void *)stage2_bytes(stage2->data.first));
	const struct stage2_jump jump = {
		.root_table = root.raw,
		.entry = handover.kernel_virtual + stage2->kernel_image.entry,
		.stack_top = handover_stack_top(&handover),
		.params = HANDOVER_DIRECT_MAP + stage2->data.first.raw,
		.thread_block = make_thread_block(stage2),
	};
	const uint64_t alias = STAGE2_ALIAS + (uint64_t)(uintptr_t)stage2_jump;
	void (*const go)(const struct stage2_jump *) =
		(void (*)(const struct stage2_jump *))(uintptr_t)alias;
	go(&jump);
	check_failed("the jump does not return", __FILE__, __LINE__);
}
