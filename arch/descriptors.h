// SPDX-License-Identifier: MIT
/* Descriptor tables: what the bits are (AMD 24593, sections 4.7, 4.8 and 12.2). Pure. */
#pragma once

#include <stdint.h>

#include "arch/selectors.h"
#include "base/compiler.h"

#define GDT_ENTRIES          7u /* The task state takes two. */
#define IST_STACKS           7u
#define INTERRUPT_VECTORS    256u

#define VECTOR_NMI           2u
#define VECTOR_DOUBLE_FAULT  8u
#define VECTOR_PAGE_FAULT    14u
#define VECTOR_MACHINE_CHECK 18u
#define VECTOR_FIRST_IRQ     32u

struct task_state {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[IST_STACKS];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map_base;
} __attribute__((packed));
STATIC_ASSERT(sizeof(struct task_state) == 104, "task state segment layout");

struct idt_gate {
	uint64_t low;
	uint64_t high;
};

struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* Flat 64-bit segments and the task state. */
void descriptors_gdt_fill(uint64_t gdt[GDT_ENTRIES], uint64_t task_state_address);

/* An interrupt gate: present, ring 0, interrupts off on entry. `ist` is 1 .. 7. */
struct idt_gate descriptors_idt_gate(uint64_t handler, unsigned ist);
