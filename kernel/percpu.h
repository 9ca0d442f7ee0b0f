// SPDX-License-Identifier: MIT
/* One CPU's descriptor tables and stacks. Every interrupt vector runs on an IST stack: the crypto
 * archives that we link were built with a red zone, which only a stack switch protects. */
#pragma once

#include <stdint.h>

#include "arch/descriptors.h"
#include "arch/trap_frame.h"
#include "base/compiler.h"
#include "base/status.h"

/* Which stack a vector runs on. Faults that may hit while another is handled have their own. */
enum ist_index {
	IST_EXCEPTION = 1,
	IST_NMI = 2,
	IST_DOUBLE_FAULT = 3,
	IST_MACHINE_CHECK = 4,
	IST_PAGE_FAULT = 5,
	IST_IRQ = 6,
	IST_DEBUG = 7,
};

/* The largest SIMD state that cpu_enable_features() lets pass. */
#define CPU_SIMD_BYTES_MAX 4096u

struct cpu {
	struct percpu percpu; /* %fs points here in ring 0. */
	struct task_state task_state;
	uint64_t gdt[GDT_ENTRIES];
};

/* Load the tables with one small stack for all vectors, so that a fault during early boot is
 * reported. %fs points to cpu->percpu already, and its canary is set: a function with a stack
 * protector cannot change it. */
void cpu_init_early(struct cpu *cpu, uint32_t index, struct svsm *svsm);

/* Give the vectors their real stacks: tops of guarded mappings, 16-byte aligned. */
void cpu_use_stacks(struct cpu *cpu, const uint64_t tops[IST_STACKS]);

/* SYSCALL, SMEP, SMAP, UMIP, XSAVE with XCR0, global pages, write protection.
 * STATUS_UNSUPPORTED, and a log line that names what is missing, if the CPU lacks NX, FXSAVE or
 * XSAVE, or if its SIMD state is too large. SMEP, SMAP and UMIP are required too: this kernel does
 * not run without them. */
MUST_CHECK enum status cpu_enable_features(uint64_t *xcr0);
