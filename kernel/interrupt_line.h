// SPDX-License-Identifier: MIT
/* One device's way to interrupt us: an input of the I/O APIC, or an entry of its MSI-X table. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/apic.h"
#include "kernel/interrupt_budget.h"

enum interrupt_kind {
	INTERRUPT_NONE, /* Timed polls alone. */
	INTERRUPT_INPUT,
	INTERRUPT_MESSAGE,
};

struct interrupt_line {
	enum interrupt_kind kind;
	uint32_t input;          /* Of the I/O APIC. */
	volatile uint8_t *entry; /* Of the MSI-X table. */
	uint64_t taken_count;
	struct interrupt_budget budget;
};

/* Send an input of the I/O APIC as `vector`; NONE if there is no such input. */
void interrupt_line_open_input(struct interrupt_line *line, struct apic *apic, uint32_t input,
			       uint32_t vector);

/* Point a table entry at this CPU. The function's MSI-X is switched on by whoever owns it. */
void interrupt_line_open_message(struct interrupt_line *line, const struct apic *apic,
				 volatile uint8_t *entry, uint32_t vector);

void interrupt_line_mask(struct interrupt_line *line, struct apic *apic, bool masked);
