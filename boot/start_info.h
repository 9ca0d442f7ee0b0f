// SPDX-License-Identifier: MIT
/* Xen's struct hvm_start_info, version 1, as the PVH boot protocol defines it (xen/include/public/
 * arch-x86/hvm/start_info.h). Decoders only: the caller has copied or bounded the bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"

#define START_INFO_BYTES              56u
#define START_INFO_MODULE_BYTES       32u
#define START_INFO_MEMORY_BYTES       24u /* One entry of the memory map. */
#define START_INFO_MEMORY_ENTRIES_MAX 128u

struct start_info {
	struct phys_addr modules;
	uint32_t module_count;
	struct phys_addr cmdline; /* 0: none. */
	struct phys_addr rsdp;    /* 0: none. */
	struct phys_addr memory_map;
	uint32_t memory_map_entries; /* 1 .. START_INFO_MEMORY_ENTRIES_MAX. */
};

/* STATUS_BAD_HOST: not a start_info, or too short; STATUS_UNSUPPORTED: version 0, which has no
 * memory map. *problem says which, if it fails. */
MUST_CHECK
enum status start_info_decode(const uint8_t *bytes, size_t size_bytes, struct start_info *info,
			      const char **problem);

/* One entry of the module list. STATUS_BAD_HOST: empty, wraps, or beyond physical memory. */
MUST_CHECK
enum status start_info_decode_module(const uint8_t *bytes, size_t size_bytes,
				     struct phys_range *module, const char **problem);
