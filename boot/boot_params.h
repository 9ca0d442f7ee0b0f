// SPDX-License-Identifier: MIT
/* What stage2 hands to the kernel: decoded, bounded, free of pointers. Both binaries compile this
 * file; `version` and `size_bytes` catch a mismatched pair.
 *
 * The kernel is entered with rdi -> struct boot_params in the direct map; a fresh stack with
 * unmapped memory on both sides, rsp as right after a call (rsp + 8 is a multiple of 16, the return
 * address is 0); FS base -> 64 bytes at the end of the params' last page, with a stack-protector
 * canary at 0x28; every other register 0; interrupts off; CR0.WP, EFER.NXE, CR4.OSFXSR and
 * CR4.OSXMMEXCPT set. GDT and IDT are stage2's and no longer mapped: load others before anything
 * needs them. What the first page tables map is in boot/handover.h. */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"

#define BOOT_PARAMS_MAGIC      0x32676174534648ull /* "HFStag2" */
#define BOOT_PARAMS_VERSION    1u

#define BOOT_MEMORY_RANGES_MAX 32u
#define BOOT_MODULES_MAX       8u
#define BOOT_MODULE_NAME_BYTES 32u
#define BOOT_CMDLINE_BYTES     2048u
#define BOOT_DIGEST_BYTES      32u

/* A ring-3 ELF of the bundle. Its SHA-256 was checked against the manifest. */
struct boot_module {
	char name[BOOT_MODULE_NAME_BYTES]; /* Terminated. */
	struct phys_range bytes;           /* Page-aligned start. */
	uint8_t sha256[BOOT_DIGEST_BYTES];
};

struct boot_params {
	uint64_t magic;
	uint32_t version;
	uint32_t size_bytes;

	/* Usable RAM as the firmware or VMM says, sorted, page-aligned, not overlapping. */
	uint32_t memory_range_count;
	uint32_t module_count;
	struct phys_range memory[BOOT_MEMORY_RANGES_MAX];
	struct boot_module modules[BOOT_MODULES_MAX];

	/* In use; everything else in `memory` is free once the kernel has read this block. */
	struct phys_range kernel_image; /* Loaded segments, in virtual order, contiguous. */
	struct phys_range boot_tables; /* stage2's page tables: free once the kernel has its own. */
	struct phys_range stage2_image; /* Free at once. */
	struct phys_range boot_data;    /* This block and the first stack. */

	uint64_t kernel_virtual;     /* Where the image is mapped: link address + slide. */
	uint64_t kernel_slide;       /* 0 with "holdfast.slide=fixed" (development builds). */
	uint64_t direct_map_virtual; /* All of `memory` is mapped here, read-write, no-execute. */
	uint64_t entered_at_tsc;     /* First instruction of stage2's C code. */
	uint64_t acpi_rsdp;          /* 0: none. */
	uint8_t bundle_sha256[BOOT_DIGEST_BYTES];
	char cmdline[BOOT_CMDLINE_BYTES]; /* Terminated; printable ASCII only. */
};

/* True if magic, version, size, counts, ranges and terminators are all sound: the kernel's first
 * check. */
MUST_CHECK
enum status boot_params_validate(const struct boot_params *params);
