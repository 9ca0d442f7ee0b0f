// SPDX-License-Identifier: MIT
/* One function per privileged or special instruction. Hardware only: no pure file includes this.
 * References are to AMD 24593 (APM volume 2) unless they say otherwise. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define MSR_APIC_BASE      0x0000001bu
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_SFMASK         0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

#define EFER_SCE           ((uint64_t)1 << 0)
#define EFER_NXE           ((uint64_t)1 << 11)

#define CR0_MP             ((uint64_t)1 << 1)
#define CR0_EM             ((uint64_t)1 << 2)
#define CR0_TS             ((uint64_t)1 << 3)
#define CR0_NE             ((uint64_t)1 << 5)
#define CR0_WP             ((uint64_t)1 << 16)
#define CR4_TSD            ((uint64_t)1 << 2)
#define CR4_PGE            ((uint64_t)1 << 7)
#define CR4_OSFXSR         ((uint64_t)1 << 9)
#define CR4_OSXMMEXCPT     ((uint64_t)1 << 10)
#define CR4_UMIP           ((uint64_t)1 << 11)
#define CR4_OSXSAVE        ((uint64_t)1 << 18)
#define CR4_SMEP           ((uint64_t)1 << 20)
#define CR4_SMAP           ((uint64_t)1 << 21)

#define RFLAGS_FIXED       ((uint64_t)1 << 1)
#define RFLAGS_TF          ((uint64_t)1 << 8)
#define RFLAGS_IF          ((uint64_t)1 << 9)
#define RFLAGS_DF          ((uint64_t)1 << 10)
#define RFLAGS_NT          ((uint64_t)1 << 14)
#define RFLAGS_AC          ((uint64_t)1 << 18)

#define XCR0_X87           ((uint64_t)1 << 0)
#define XCR0_SSE           ((uint64_t)1 << 1)
#define XCR0_AVX           ((uint64_t)1 << 2)
/* Opmask, the upper halves of ZMM0-15, and ZMM16-31: all or none (section 11.5.2). */
#define XCR0_AVX512 ((uint64_t)7 << 5)

struct cpuid_result {
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

static inline struct cpuid_result cpu_id(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_result r;
	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint8_t cpu_in8(uint16_t port)
{
	uint8_t value;
	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void cpu_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void cpu_out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint32_t cpu_in32(uint16_t port)
{
	uint32_t value;
	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void cpu_out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint32_t cpu_mmio_read32(const volatile void *at)
{
	uint32_t value;
	__asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(at) : "memory");
	return value;
}

static inline void cpu_mmio_write32(volatile void *at, uint32_t value)
{
	__asm__ volatile("movl %0, (%1)" : : "r"(value), "r"(at) : "memory");
}

static inline uint16_t cpu_mmio_read16(const volatile void *at)
{
	uint16_t value;
	__asm__ volatile("movw (%1), %0" : "=r"(value) : "r"(at) : "memory");
	return value;
}

static inline void cpu_mmio_write16(volatile void *at, uint16_t value)
{
	__asm__ volatile("movw %0, (%1)" : : "r"(value), "r"(at) : "memory");
}

static inline uint8_t cpu_mmio_read8(const volatile void *at)
{
	uint8_t value;
	__asm__ volatile("movb (%1), %0" : "=q"(value) : "r"(at) : "memory");
	return value;
}

static inline void cpu_mmio_write8(volatile void *at, uint8_t value)
{
	__asm__ volatile("movb %0, (%1)" : : "q"(value), "r"(at) : "memory");
}

static inline uint64_t cpu_msr_read(uint32_t msr)
{
	uint32_t low;
	uint32_t high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

static inline void cpu_msr_write(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t cpu_tsc(void)
{
	uint32_t low;
	uint32_t high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (uint64_t)high << 32;
}

static inline uint64_t cpu_cr2(void)
{
	uint64_t value;
	__asm__ volatile("movq %%cr2, %0" : "=r"(value));
	return value;
}

static inline uint64_t cpu_cr3(void)
{
	uint64_t value;
	__asm__ volatile("movq %%cr3, %0" : "=r"(value));
	return value;
}

static inline void cpu_cr3_write(uint64_t value)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}

static inline uint64_t cpu_cr0(void)
{
	uint64_t value;
	__asm__ volatile("movq %%cr0, %0" : "=r"(value));
	return value;
}

static inline void cpu_cr0_write(uint64_t value)
{
	__asm__ volatile("movq %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint64_t cpu_cr4(void)
{
	uint64_t value;
	__asm__ volatile("movq %%cr4, %0" : "=r"(value));
	return value;
}

static inline uint64_t cpu_rflags(void)
{
	uint64_t value;
	__asm__ volatile("pushfq; popq %0" : "=r"(value) : : "memory");
	return value;
}

static inline void cpu_cr4_write(uint64_t value)
{
	__asm__ volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

static inline void cpu_xcr0_write(uint64_t value)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

/* `area`: 64-byte aligned, at least as large as CPUID.0DH:EBX says. */
static inline void cpu_xsave(void *area, uint64_t mask)
{
	__asm__ volatile("xsave64 (%0)"
			 :
			 : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
			 : "memory");
}

static inline void cpu_xrstor(const void *area, uint64_t mask)
{
	__asm__ volatile("xrstor64 (%0)"
			 :
			 : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
			 : "memory");
}

static inline void cpu_tlb_flush_page(uint64_t virtual_address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(virtual_address) : "memory");
}

/* Drop every translation, global ones included (AMD 24593, section 5.5.3): toggles CR4.PGE. */
static inline void cpu_tlb_flush_global(void)
{
	uint64_t cr4 = cpu_cr4();
	cpu_cr4_write(cr4 & ~CR4_PGE);
	cpu_cr4_write(cr4);
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* Sleep until an interrupt. `sti` takes effect after the next instruction, so an interrupt that is
 * already pending wakes the `hlt` and cannot slip in before it. */
static inline void cpu_wait_for_interrupt(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

NORETURN static inline void cpu_stop(void)
{
	for (;;) {
		__asm__ volatile("cli; hlt" : : : "memory");
	}
}

static inline bool cpu_rdrand(uint64_t *word)
{
	uint8_t ok;
	__asm__ volatile("rdrand %0; setc %1" : "=r"(*word), "=qm"(ok) : : "cc");
	return ok != 0;
}

static inline bool cpu_rdseed(uint64_t *word)
{
	uint8_t ok;
	__asm__ volatile("rdseed %0; setc %1" : "=r"(*word), "=qm"(ok) : : "cc");
	return ok != 0;
}
