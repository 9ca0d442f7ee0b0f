// SPDX-License-Identifier: MIT
#include "kernel/percpu.h"

#include <stdbool.h>
#include <stddef.h>

#include "arch/cpu.h"
#include "arch/selectors.h"
#include "base/log.h"
#include "kernel/image.h"

#define EARLY_STACK_BYTES 8192u
/* Above the hardware's frame on each IST stack: the percpu pointer, and padding that keeps the
 * frame aligned. See arch/trap.S. */
#define IST_HEADER_BYTES 16u

static _Alignas(16) uint8_t early_stack[EARLY_STACK_BYTES];

/* The same for every CPU. */
static FIXED_AFTER_BOOT struct idt_gate the_idt[INTERRUPT_VECTORS];

static unsigned ist_of_vector(unsigned vector)
{
	switch (vector) {
	case 1: return IST_DEBUG;
	case VECTOR_NMI: return IST_NMI;
	case VECTOR_DOUBLE_FAULT: return IST_DOUBLE_FAULT;
	case VECTOR_PAGE_FAULT: return IST_PAGE_FAULT;
	case VECTOR_MACHINE_CHECK: return IST_MACHINE_CHECK;
	}
	return vector < VECTOR_FIRST_IRQ ? IST_EXCEPTION : IST_IRQ;
}

static void fill_idt(void)
{
	for (unsigned vector = 0; vector < INTERRUPT_VECTORS; vector++) {
		uint64_t stub =
			(uint64_t)(uintptr_t)trap_stubs + (uint64_t)vector * TRAP_STUB_BYTES;
		the_idt[vector] = descriptors_idt_gate(stub, ist_of_vector(vector));
	}
}

/* Leave the percpu pointer where the entry code looks for it. */
static uint64_t prepare_stack(struct cpu *cpu, uint64_t top)
{
	uint64_t ist = top - IST_HEADER_BYTES;
	*(struct percpu **)(uintptr_t)ist = &cpu->percpu;
	return ist;
}

static void load_tables(struct cpu *cpu)
{
	struct table_register gdtr = {sizeof(cpu->gdt) - 1, (uint64_t)(uintptr_t)cpu->gdt};
	struct table_register idtr = {sizeof(the_idt) - 1, (uint64_t)(uintptr_t)the_idt};
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %[code]\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "movl %[data], %%eax\n\t"
			 "movl %%eax, %%ss\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "movl %%eax, %%gs\n\t"
			 "lidt %1\n\t"
			 "ltr %w2"
			 :
			 : "m"(gdtr), "m"(idtr), "r"(SELECTOR_TASK),
			   [code] "i"(SELECTOR_KERNEL_CODE), [data] "i"(SELECTOR_KERNEL_DATA)
			 : "rax", "memory");
}

void cpu_init_early(struct cpu *cpu, uint32_t index, struct svsm *svsm)
{
	cpu->percpu.self = &cpu->percpu;
	cpu->percpu.svsm = svsm;
	cpu->percpu.index = index;
	uint64_t ist = prepare_stack(cpu, (uint64_t)(uintptr_t)early_stack + EARLY_STACK_BYTES);
	for (unsigned i = 0; i < IST_STACKS; i++) {
		cpu->task_state.ist[i] = ist;
	}
	cpu->task_state.io_map_base = sizeof(struct task_state);
	descriptors_gdt_fill(cpu->gdt, (uint64_t)(uintptr_t)&cpu->task_state);
	fill_idt();
	load_tables(cpu);
	/* Loading %gs cleared its base; %fs was not touched and still points to the canary. */
	cpu_msr_write(MSR_GS_BASE, 0);
	cpu_msr_write(MSR_KERNEL_GS_BASE, (uint64_t)(uintptr_t)&cpu->percpu);
}

void cpu_use_stacks(struct cpu *cpu, const uint64_t tops[IST_STACKS])
{
	for (unsigned i = 0; i < IST_STACKS; i++) {
		cpu->task_state.ist[i] = prepare_stack(cpu, tops[i]);
	}
}

struct feature {
	const char *name;
	bool present;
};

/* CPUID leaves 1, 7 and 80000001H (AMD 24594, appendix E). */
static enum status require_features(void)
{
	struct cpuid_result leaf1 = cpu_id(1, 0);
	struct cpuid_result leaf7 = cpu_id(7, 0);
	struct cpuid_result extended = cpu_id(0x80000001, 0);
	const struct feature features[] = {
		{"FXSAVE", (leaf1.edx >> 24 & 1) != 0},     {"XSAVE", (leaf1.ecx >> 26 & 1) != 0},
		{"SMEP", (leaf7.ebx >> 7 & 1) != 0},        {"SMAP", (leaf7.ebx >> 20 & 1) != 0},
		{"UMIP", (leaf7.ecx >> 2 & 1) != 0},        {"NX", (extended.edx >> 20 & 1) != 0},
		{"SYSCALL", (extended.edx >> 11 & 1) != 0},
	};
	for (size_t i = 0; i < ARRAY_COUNT(features); i++) {
		if (!features[i].present) {
			log_write(LOG_ERROR, "kernel", "this CPU lacks %s", features[i].name);
			return STATUS_UNSUPPORTED;
		}
	}
	return STATUS_OK;
}

/* QEMU's emulator runs AVX several times slower than SSE, and wrong for VAES. */
static bool is_emulated(void)
{
	struct cpuid_result leaf = cpu_id(0x40000000, 0);
	bool hypervisor = (cpu_id(1, 0).ecx >> 31 & 1) != 0;
	return hypervisor && leaf.ebx == 0x54474354 && leaf.ecx == 0x43544743 &&
	       leaf.edx == 0x47435447; /* "TCGTCGTCGTCG" */
}

/* The widest SIMD state that the CPU has and that is worth having. */
static uint64_t choose_xcr0(void)
{
	uint64_t wanted = XCR0_X87 | XCR0_SSE;
	uint64_t offered = cpu_id(0xd, 0).eax;
	if (is_emulated() || (offered & XCR0_AVX) == 0) {
		return wanted;
	}
	wanted |= XCR0_AVX;
	if ((offered & XCR0_AVX512) == XCR0_AVX512) {
		wanted |= XCR0_AVX512;
	}
	return wanted;
}

enum status cpu_enable_features(uint64_t *xcr0)
{
	enum status status = require_features();
	if (status != STATUS_OK) {
		return status;
	}
	/* NE: x87 errors are exceptions, not an interrupt by way of the PIC that nobody takes. */
	cpu_cr0_write((cpu_cr0() | CR0_WP | CR0_MP | CR0_NE) & ~(CR0_EM | CR0_TS));
	cpu_cr4_write(cpu_cr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_OSXSAVE |
		      CR4_SMEP | CR4_SMAP);
	*xcr0 = choose_xcr0();
	cpu_xcr0_write(*xcr0);
	/* EBX: what XSAVE writes with the XCR0 that was just set (AMD 24593, section 11.5.2). */
	uint32_t simd_bytes = cpu_id(0xd, 0).ebx;
	if (simd_bytes > CPU_SIMD_BYTES_MAX) {
		log_write(LOG_ERROR, "kernel", "SIMD state of %u bytes", simd_bytes);
		return STATUS_UNSUPPORTED;
	}
	cpu_msr_write(MSR_EFER, cpu_msr_read(MSR_EFER) | EFER_SCE | EFER_NXE);
	/* SYSCALL loads CS and SS from bits 47:32; SYSRET is not used. */
	cpu_msr_write(MSR_STAR, (uint64_t)SELECTOR_KERNEL_CODE << 32);
	cpu_msr_write(MSR_LSTAR, (uint64_t)(uintptr_t)syscall_entry);
	cpu_msr_write(MSR_SFMASK, RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_NT | RFLAGS_AC);
	return STATUS_OK;
}
