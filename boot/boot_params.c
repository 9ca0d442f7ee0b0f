// SPDX-License-Identifier: MIT
#include "boot/boot_params.h"

#include <stdbool.h>
#include <stddef.h>

static bool range_is_sound(struct phys_range range)
{
	return phys_range_valid(range) && addr_is_page_aligned(range.first.raw);
}

static bool range_is_in_memory(const struct boot_params *params, struct phys_range range)
{
	for (uint32_t i = 0; i < params->memory_range_count; i++) {
		if (phys_range_contains(params->memory[i], range)) {
			return true;
		}
	}
	return false;
}

/* Page-aligned, ascending, not overlapping. */
static bool memory_is_sound(const struct boot_params *params)
{
	uint64_t end = 0;
	if (params->memory_range_count == 0 ||
	    params->memory_range_count > BOOT_MEMORY_RANGES_MAX) {
		return false;
	}
	for (uint32_t i = 0; i < params->memory_range_count; i++) {
		const struct phys_range range = params->memory[i];
		if (!range_is_sound(range) || !addr_is_page_aligned(range.size_bytes) ||
		    range.first.raw < end) {
			return false;
		}
		end = range.first.raw + range.size_bytes;
	}
	return true;
}

static bool is_terminated(const char *text, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++) {
		if (text[i] == 0) {
			return true;
		}
	}
	return false;
}

/* A module's last page is its own: whoever frees or maps it deals in pages. */
static struct phys_range whole_pages(struct phys_range range)
{
	range.size_bytes = addr_page_floor(range.size_bytes + PAGE_OFFSET);
	return range;
}

static bool modules_are_sound(const struct boot_params *params)
{
	if (params->module_count > BOOT_MODULES_MAX) {
		return false;
	}
	for (uint32_t i = 0; i < params->module_count; i++) {
		const struct boot_module *module = &params->modules[i];
		if (!range_is_sound(module->bytes) ||
		    !range_is_in_memory(params, whole_pages(module->bytes)) ||
		    !is_terminated(module->name, sizeof(module->name)) || module->name[0] == '\0') {
			return false;
		}
	}
	return true;
}

/* Everything in use lies in RAM and nothing overlaps. The modules come last in `used`. */
static bool used_ranges_are_sound(const struct boot_params *params)
{
	struct phys_range used[4 + BOOT_MODULES_MAX] = {
		params->kernel_image,
		params->boot_tables,
		params->stage2_image,
		params->boot_data,
	};
	uint32_t count = 4;
	for (uint32_t i = 0; i < params->module_count; i++) {
		used[count++] = whole_pages(params->modules[i].bytes);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!range_is_sound(used[i]) || !addr_is_page_aligned(used[i].size_bytes) ||
		    !range_is_in_memory(params, used[i])) {
			return false;
		}
		for (uint32_t j = 0; j < i; j++) {
			if (phys_range_overlaps(used[i], used[j])) {
				return false;
			}
		}
	}
	return true;
}

static bool cmdline_is_sound(const struct boot_params *params)
{
	if (!is_terminated(params->cmdline, sizeof(params->cmdline))) {
		return false;
	}
	for (size_t i = 0; i < sizeof(params->cmdline) && params->cmdline[i] != '\0'; i++) {
		if (params->cmdline[i] < 0x20 || params->cmdline[i] > 0x7e) {
			return false;
		}
	}
	return true;
}

enum status boot_params_validate(const struct boot_params *params)
{
	if (params->magic != BOOT_PARAMS_MAGIC || params->version != BOOT_PARAMS_VERSION ||
	    params->size_bytes != sizeof(*params)) {
		return STATUS_BAD_CONFIG;
	}
	if (!memory_is_sound(params) || !modules_are_sound(params) ||
	    !used_ranges_are_sound(params) || !cmdline_is_sound(params) ||
	    !addr_is_page_aligned(params->kernel_virtual) ||
	    !addr_is_page_aligned(params->direct_map_virtual)) {
		return STATUS_BAD_CONFIG;
	}
	return STATUS_OK;
}
