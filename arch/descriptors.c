// SPDX-License-Identifier: MIT
#include "arch/descriptors.h"

/* Type and attribute bits of the upper word, already in place. */
#define SEGMENT_KERNEL_CODE    0x00af9b000000ffffull /* Long mode, execute, read, accessed. */
#define SEGMENT_KERNEL_DATA    0x00cf93000000ffffull
#define SEGMENT_USER_DATA      0x00cff3000000ffffull
#define SEGMENT_USER_CODE      0x00affb000000ffffull
#define SEGMENT_TASK_STATE     0x0000890000000000ull /* Available 64-bit TSS, present. */

#define GATE_INTERRUPT_PRESENT 0x8e00ull

void descriptors_gdt_fill(uint64_t gdt[GDT_ENTRIES], uint64_t task_state_address)
{
	gdt[0] = 0;
	gdt[1] = SEGMENT_KERNEL_CODE;
	gdt[2] = SEGMENT_KERNEL_DATA;
	gdt[3] = SEGMENT_USER_DATA;
	gdt[4] = SEGMENT_USER_CODE;
	gdt[5] = SEGMENT_TASK_STATE | (sizeof(struct task_state) - 1) |
		 (task_state_address & 0xffffff) << 16 | (task_state_address >> 24 & 0xff) << 56;
	gdt[6] = task_state_address >> 32;
}

struct idt_gate descriptors_idt_gate(uint64_t handler, unsigned ist)
{
	return (struct idt_gate){
		.low = (handler & 0xffff) | (uint64_t)SELECTOR_KERNEL_CODE << 16 |
		       (uint64_t)(ist & 7) << 32 | GATE_INTERRUPT_PRESENT << 32 |
		       (handler >> 16 & 0xffff) << 48,
		.high = handler >> 32,
	};
}
