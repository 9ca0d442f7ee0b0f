// SPDX-License-Identifier: MIT
/* The block that stage2 hands to the kernel. Input: a mode, then either the raw struct or a short
 * script (page numbers) that makes ranges worth overlapping. */
#include "boot/boot_params.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

#define MODE_SCRIPT 1u
#define MODE_REPAIR 2u
#define USED_FIXED  4u

static struct phys_range range_from(struct fuzz_input *input, bool pages)
{
	const uint64_t first = fuzz_u8(input);
	const uint64_t size = fuzz_u8(input);
	return (struct phys_range){.first = {first * PAGE_BYTES},
				   .size_bytes = size * PAGE_BYTES - (pages || size == 0 ? 0 : 1)};
}

static void params_script(struct fuzz_input *input, struct boot_params *params)
{
	params->memory_range_count = fuzz_u8(input) % (BOOT_MEMORY_RANGES_MAX + 2);
	params->module_count = fuzz_u8(input) % (BOOT_MODULES_MAX + 2);
	for (uint32_t i = 0; i < params->memory_range_count && i < BOOT_MEMORY_RANGES_MAX; i++) {
		params->memory[i] = range_from(input, true);
	}
	params->kernel_image = range_from(input, true);
	params->boot_tables = range_from(input, true);
	params->stage2_image = range_from(input, true);
	params->boot_data = range_from(input, true);
	for (uint32_t i = 0; i < params->module_count && i < BOOT_MODULES_MAX; i++) {
		params->modules[i].bytes = range_from(input, false);
		params->modules[i].name[0] = (char)('a' + i);
	}
	(void)fuzz_fill(input, (uint8_t *)params->cmdline, sizeof(params->cmdline));
}

static bool range_is_ram(const struct boot_params *params, struct phys_range range)
{
	for (uint32_t i = 0; i < params->memory_range_count; i++) {
		const struct phys_range ram = params->memory[i];
		if (range.first.raw >= ram.first.raw &&
		    range.first.raw + range.size_bytes <= ram.first.raw + ram.size_bytes) {
			return true;
		}
	}
	return false;
}

/* Whole pages: whoever frees or maps the last one must not hit a neighbour. */
static bool pages_overlap(struct phys_range a, struct phys_range b)
{
	const uint64_t a_end = addr_page_floor(a.first.raw + a.size_bytes + PAGE_OFFSET);
	const uint64_t b_end = addr_page_floor(b.first.raw + b.size_bytes + PAGE_OFFSET);
	return a.first.raw < b_end && b.first.raw < a_end;
}

static void params_check(const struct boot_params *params)
{
	struct phys_range used[USED_FIXED + BOOT_MODULES_MAX];
	uint32_t count = 0;
	FUZZ_REQUIRE(params->memory_range_count >= 1);
	FUZZ_REQUIRE(params->memory_range_count <= BOOT_MEMORY_RANGES_MAX);
	FUZZ_REQUIRE(params->module_count <= BOOT_MODULES_MAX);
	for (uint32_t i = 1; i < params->memory_range_count; i++) {
		FUZZ_REQUIRE(!pages_overlap(params->memory[i - 1], params->memory[i]));
		FUZZ_REQUIRE(params->memory[i - 1].first.raw < params->memory[i].first.raw);
	}
	used[count++] = params->kernel_image;
	used[count++] = params->boot_tables;
	used[count++] = params->stage2_image;
	used[count++] = params->boot_data;
	for (uint32_t i = 0; i < params->module_count; i++) {
		const struct boot_module *module = &params->modules[i];
		const size_t length = strnlen(module->name, sizeof(module->name));
		FUZZ_REQUIRE(length > 0 && length < sizeof(module->name));
		used[count++] = module->bytes;
	}
	for (uint32_t i = 0; i < count; i++) {
		FUZZ_REQUIRE(used[i].size_bytes > 0 && used[i].first.raw % PAGE_BYTES == 0);
		FUZZ_REQUIRE(range_is_ram(params, used[i]));
		for (uint32_t j = 0; j < i; j++) {
			FUZZ_REQUIRE(!pages_overlap(used[i], used[j]));
		}
	}
	FUZZ_REQUIRE(strnlen(params->cmdline, sizeof(params->cmdline)) < sizeof(params->cmdline));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	static struct boot_params params;
	const uint8_t mode = fuzz_u8(&input);
	memset(&params, 0, sizeof(params));
	if ((mode & MODE_SCRIPT) != 0) {
		params_script(&input, &params);
	} else {
		(void)fuzz_fill(&input, (uint8_t *)&params, sizeof(params));
	}
	if ((mode & (MODE_SCRIPT | MODE_REPAIR)) != 0) {
		params.magic = BOOT_PARAMS_MAGIC;
		params.version = BOOT_PARAMS_VERSION;
		params.size_bytes = sizeof(params);
	}
	const enum status status = boot_params_validate(&params);
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_BAD_CONFIG);
	if (status == STATUS_OK) {
		params_check(&params);
	}
	return 0;
}
