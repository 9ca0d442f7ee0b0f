// SPDX-License-Identifier: MIT
/* The local APIC's timer and the I/O APIC's redirection entries. Interrupts are hints: they end a
 * `hlt` or bring ring 3 back to the kernel; nothing is believed because of one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "kernel/memory.h"

#define VECTOR_TIMER    0x40u
#define VECTOR_DEVICE   0x41u /* And so many above it as there are device slots. */
#define VECTOR_SPURIOUS 0xffu

struct apic {
	volatile uint8_t *local;
	volatile uint8_t *io; /* NULL: none. */
	uint64_t ticks_per_ms;
	uint32_t io_entries;
};

/* Masks the 8259s, enables the local APIC, calibrates its timer against `clock` (about 2 ms). */
MUST_CHECK enum status apic_init(struct apic *apic, struct kernel_memory *memory,
				 const struct clock *clock);

/* One timer interrupt after `timeout_us` (at least 1 tick). Replaces an earlier request. */
void apic_timer_set(struct apic *apic, uint64_t timeout_us);
void apic_timer_stop(struct apic *apic);

/* Send the I/O APIC's input to this CPU as `vector`, edge-triggered, or send nothing.
 * STATUS_NO_DEVICE: no such input. */
MUST_CHECK enum status apic_route(struct apic *apic, uint32_t input, uint32_t vector);
void apic_input_mask(struct apic *apic, uint32_t input, bool masked);

/* Where a message-signalled interrupt for this CPU is written to (AMD 24593, section 16.11). */
uint64_t apic_message_address(const struct apic *apic);

/* Does nothing for an NMI and for the spurious vector: the local APIC keeps no record of them
 * (AMD 24593, section 16.4.7), so an EOI would end another interrupt. */
void apic_end_of_interrupt(struct apic *apic, uint64_t vector);
