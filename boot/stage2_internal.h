// SPDX-License-Identifier: MIT
/* stage2's own parts: everything hangs from one struct stage2 in stage2.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"
#include "boot/bundle.h"
#include "boot/handover.h"
#include "boot/kernel_image.h"
#include "boot/memory_map.h"
#include "boot/start_info.h"

/* stage2 reaches, and places, nothing above this: its identity map ends here. */
#define STAGE2_REACH ((uint64_t)4 << 30)

/* stage2 itself, the bundle, the kernel, its page tables, its data. */
#define STAGE2_USED_MAX 5u

struct stage2 {
	uint64_t entered_at_tsc;
	const char *problem; /* What went wrong, in words; set by whoever fails. */
	struct start_info start_info;
	struct memory_map memory;
	struct phys_range used[STAGE2_USED_MAX];
	size_t used_count;
	struct phys_range image; /* stage2 itself. */
	struct phys_range bundle_at;
	struct bundle bundle;
	uint8_t bundle_sha256[BOOT_DIGEST_BYTES];
	struct kernel_image kernel_image;
	struct phys_range kernel;
	uint64_t kernel_slide;
	struct phys_range tables;
	struct phys_range data;
	char cmdline[BOOT_CMDLINE_BYTES];
};

/* In entry.S: loads the five values, in this order, and goes. */
struct stage2_jump {
	uint64_t root_table;
	uint64_t entry;
	uint64_t stack_top;
	uint64_t params;
	uint64_t thread_block; /* FS base: the stack protector's canary is at offset 0x28. */
};
void stage2_jump(const struct stage2_jump *jump);
extern uint8_t stage2_jump_page[];

/* In entry.S: the page table of the first 2 MiB, for both of its aliases. */
extern uint64_t stage2_low_table[];

/* First C code, called by entry.S. */
NORETURN void stage2_main(uint32_t start_info_at);

/* stage2_host.c: what the VMM told us. */
MUST_CHECK
enum status stage2_read_host(struct stage2 *stage2, uint32_t start_info_at);

/* stage2_bundle.c: verify the bundle, place and load the kernel. */
MUST_CHECK
enum status stage2_check_bundle(struct stage2 *stage2);
MUST_CHECK
enum status stage2_load_kernel(struct stage2 *stage2);

/* stage2_handover.c: page tables, boot_params, and the jump, which returns only to say why not. */
MUST_CHECK
enum status stage2_enter_kernel(struct stage2 *stage2);

/* Physical memory by the identity map. The range is known to lie below STAGE2_REACH. */
uint8_t *stage2_bytes(struct phys_addr at);

/* Find room that nothing uses and mark it used. */
MUST_CHECK
enum status stage2_place(struct stage2 *stage2, uint64_t size_bytes, uint64_t alignment,
			 struct phys_range *found);

/* 64 random bits from the CPU. STATUS_NO_ENTROPY. */
MUST_CHECK
enum status stage2_random(uint64_t *random);

/* stage2_fail.c. `problem` may be NULL. */
NORETURN void stage2_fail(enum status status, const char *problem);
void stage2_catch_exceptions(void);
