// SPDX-License-Identifier: MIT
/* What the VMM told us. Everything is copied out of its structures before any memory is written,
 * for they may lie in memory that we are about to use. */
#include "boot/cmdline.h"
#include "boot/stage2_internal.h"

/* Foreign structures may lie anywhere the identity map reaches, page 0 included, but not at address
 * 0, which says that there is none, and not inside stage2. Outputs the bytes. */
static enum status foreign_bytes(struct stage2 *stage2, struct phys_addr at, uint64_t size_bytes,
				 const uint8_t **bytes)
{
	const struct phys_range range = {.first = at, .size_bytes = size_bytes};
	if (at.raw == 0 || !phys_range_valid(range) || at.raw + size_bytes > STAGE2_REACH ||
	    phys_range_overlaps(range, stage2->image)) {
		stage2->problem = "a boot structure lies where it cannot be";
		return STATUS_BAD_HOST;
	}
	*bytes = stage2_bytes(at);
	return STATUS_OK;
}

static enum status read_memory_map(struct stage2 *stage2)
{
	const struct start_info *info = &stage2->start_info;
	const uint64_t size_bytes = (uint64_t)info->memory_map_entries * START_INFO_MEMORY_BYTES;
	const uint8_t *bytes = NULL;
	const enum status status = foreign_bytes(stage2, info->memory_map, size_bytes, &bytes);
	if (status != STATUS_OK) {
		return status;
	}
	return memory_map_decode(bytes, (size_t)size_bytes, info->memory_map_entries,
				 &stage2->memory, &stage2->problem);
}

static enum status read_cmdline(struct stage2 *stage2)
{
	const struct phys_addr at = stage2->start_info.cmdline;
	const uint8_t *bytes = NULL;
	if (at.raw == 0) {
		return STATUS_OK; /* stage2->cmdline is empty. */
	}
	const enum status status = foreign_bytes(stage2, at, BOOT_CMDLINE_BYTES, &bytes);
	if (status != STATUS_OK) {
		return status;
	}
	return cmdline_copy(bytes, BOOT_CMDLINE_BYTES, stage2->cmdline, &stage2->problem);
}

/* The first module is the bundle; others would be ignored, so there may be none. */
static enum status read_modules(struct stage2 *stage2)
{
	const uint8_t *bytes = NULL;
	if (stage2->start_info.module_count != 1) {
		stage2->problem = "one module is needed: pass -initrd holdfast.bundle";
		return STATUS_BAD_CONFIG;
	}
	enum status status =
		foreign_bytes(stage2, stage2->start_info.modules, START_INFO_MODULE_BYTES, &bytes);
	if (status != STATUS_OK) {
		return status;
	}
	return start_info_decode_module(bytes, START_INFO_MODULE_BYTES, &stage2->bundle_at,
					&stage2->problem);
}

enum status stage2_read_host(struct stage2 *stage2, uint32_t start_info_at)
{
	const uint8_t *bytes = NULL;
	enum status status =
		foreign_bytes(stage2, (struct phys_addr){start_info_at}, START_INFO_BYTES, &bytes);
	if (status != STATUS_OK) {
		return status;
	}
	status = start_info_decode(bytes, START_INFO_BYTES, &stage2->start_info, &stage2->problem);
	if (status != STATUS_OK) {
		return status;
	}
	status = read_memory_map(stage2);
	if (status != STATUS_OK) {
		return status;
	}
	status = read_cmdline(stage2);
	if (status != STATUS_OK) {
		return status;
	}
	return read_modules(stage2);
}
