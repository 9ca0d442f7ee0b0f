// SPDX-License-Identifier: MIT
#include "kernel/interrupt_line.h"

#include "arch/cpu.h"

/* An entry of the MSI-X table (PCI Local Bus 3.0, section 6.8.2). */
#define ENTRY_ADDRESS_LOW  0u
#define ENTRY_ADDRESS_HIGH 4u
#define ENTRY_DATA         8u
#define ENTRY_CONTROL      12u
#define CONTROL_MASKED     1u

void interrupt_line_open_input(struct interrupt_line *line, struct apic *apic, uint32_t input,
			       uint32_t vector)
{
	const bool routed = apic_route(apic, input, vector) == STATUS_OK;
	*line = (struct interrupt_line){
		.kind = routed ? INTERRUPT_INPUT : INTERRUPT_NONE,
		.input = input,
	};
}

void interrupt_line_open_message(struct interrupt_line *line, const struct apic *apic,
				 volatile uint8_t *entry, uint32_t vector)
{
	const uint64_t address = apic_message_address(apic);
	cpu_mmio_write32(entry + ENTRY_CONTROL, CONTROL_MASKED);
	cpu_mmio_write32(entry + ENTRY_ADDRESS_LOW, (uint32_t)address);
	cpu_mmio_write32(entry + ENTRY_ADDRESS_HIGH, (uint32_t)(address >> 32));
	cpu_mmio_write32(entry + ENTRY_DATA, vector);
	cpu_mmio_write32(entry + ENTRY_CONTROL, 0);
	*line = (struct interrupt_line){.kind = INTERRUPT_MESSAGE, .entry = entry};
}

void interrupt_line_mask(struct interrupt_line *line, struct apic *apic, bool masked)
{
	switch (line->kind) {
	case INTERRUPT_NONE: break;
	case INTERRUPT_INPUT: apic_input_mask(apic, line->input, masked); break;
	case INTERRUPT_MESSAGE:
		cpu_mmio_write32(line->entry + ENTRY_CONTROL, masked ? CONTROL_MASKED : 0);
		break;
	}
}
