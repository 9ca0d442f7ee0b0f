// SPDX-License-Identifier: MIT
/* The boot story, a line per step. Any failure ends in one line on the console and an exit value
 * that says "bad configuration or bundle". */
#include "arch/cpu.h"
#include "boot/console.h"
#include "boot/stage2_internal.h"
#include "boot/stage2_layout.h"

#define CPUID_1_ECX_RDRAND ((uint32_t)1 << 30)
#define RDRAND_ATTEMPTS    10u /* Intel's guide to RDRAND, section 5.2.1. */

/* From the link script. */
extern uint8_t stage2_begin[];
extern uint8_t stage2_end[];

uint8_t *stage2_bytes(struct phys_addr at)
{
	return (uint8_t *)(uintptr_t)at.raw;
}

enum status stage2_place(struct stage2 *stage2, uint64_t size_bytes, uint64_t alignment,
			 struct phys_range *found)
{
	const struct memory_request request = {
		.size_bytes = size_bytes,
		.alignment = alignment,
		.limit = STAGE2_REACH,
	};
	struct phys_range range;
	const enum status status = memory_map_place(&stage2->memory, stage2->used,
						    stage2->used_count, request, &range);
	if (status != STATUS_OK) {
		stage2->problem = "no room for the kernel below 4 GiB";
		return status;
	}
	stage2->used[stage2->used_count++] = range;
	*found = range;
	return STATUS_OK;
}

/* Some processors lost RDRAND after a suspend and answered all ones; two equal answers in a row
 * would be as bad. */
enum status stage2_random(uint64_t *random)
{
	uint64_t previous = 0;
	if ((cpu_id(1, 0).ecx & CPUID_1_ECX_RDRAND) == 0 || !cpu_rdrand(&previous)) {
		return STATUS_NO_ENTROPY;
	}
	for (unsigned attempt = 0; attempt < RDRAND_ATTEMPTS; attempt++) {
		uint64_t word = 0;
		if (cpu_rdrand(&word) && word != previous && word != 0 && word != UINT64_MAX) {
			*random = word;
			return STATUS_OK;
		}
	}
	return STATUS_NO_ENTROPY;
}

/* From here on a null pointer faults. */
static void unmap_page_zero(void)
{
	stage2_low_table[0] = 0;
	cpu_tlb_flush_page(0);
	cpu_tlb_flush_page(STAGE2_ALIAS);
}

static enum status run(struct stage2 *stage2, uint32_t start_info_at)
{
	enum status status = stage2_read_host(stage2, start_info_at);
	unmap_page_zero();
	if (status != STATUS_OK) {
		return status;
	}
	status = stage2_check_bundle(stage2);
	if (status != STATUS_OK) {
		return status;
	}
	status = stage2_load_kernel(stage2);
	if (status != STATUS_OK) {
		return status;
	}
	return stage2_enter_kernel(stage2);
}

NORETURN void stage2_main(uint32_t start_info_at)
{
	static struct stage2 stage2; /* Everything hangs from this. */
	stage2.entered_at_tsc = cpu_tsc();
	console_init();
	stage2_catch_exceptions();
	stage2.image = (struct phys_range){
		.first = {(uint64_t)(uintptr_t)stage2_begin},
		.size_bytes = (uint64_t)(stage2_end - stage2_begin),
	};
	stage2.used[stage2.used_count++] = stage2.image;
	const enum status status = run(&stage2, start_info_at);
	stage2_fail(status, stage2.problem);
}
