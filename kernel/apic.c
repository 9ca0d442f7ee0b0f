// SPDX-License-Identifier: MIT
#include "kernel/apic.h"

#include "arch/cpu.h"
#include "arch/descriptors.h"

/* Local APIC registers (AMD 24593, table 16-2). */
#define LOCAL_ID            0x020u
#define LOCAL_EOI           0x0b0u
#define LOCAL_SPURIOUS      0x0f0u
#define LOCAL_LVT_TIMER     0x320u
#define LOCAL_TIMER_INITIAL 0x380u
#define LOCAL_TIMER_CURRENT 0x390u
#define LOCAL_TIMER_DIVIDE  0x3e0u
#define LOCAL_WINDOW_BYTES  0x1000u
#define SPURIOUS_ENABLE     0x100u
#define LVT_MASKED          0x10000u
#define DIVIDE_BY_16        0x3u

/* 82093AA I/O APIC. */
#define IO_APIC_PHYSICAL   0xfec00000u
#define IO_SELECT          0x00u
#define IO_WINDOW          0x10u
#define IO_VERSION         0x01u
#define IO_REDIRECTION     0x10u
#define IO_WINDOW_BYTES    0x1000u
#define IO_ENTRIES_MAX     240u
#define IO_MASKED          0x10000u

#define MESSAGE_ADDRESS    0xfee00000u

#define PIC_PRIMARY_MASK   0x21u
#define PIC_SECONDARY_MASK 0xa1u

#define APIC_BASE_MASK     0x000ffffffffff000ull
#define APIC_BASE_ENABLE   ((uint64_t)1 << 11)
#define CALIBRATION_US     2000u

static uint32_t local_read(const struct apic *apic, uint32_t offset)
{
	return cpu_mmio_read32(apic->local + offset);
}

static void local_write(const struct apic *apic, uint32_t offset, uint32_t value)
{
	cpu_mmio_write32(apic->local + offset, value);
}

static uint32_t io_read(const struct apic *apic, uint32_t index)
{
	cpu_mmio_write32(apic->io + IO_SELECT, index);
	return cpu_mmio_read32(apic->io + IO_WINDOW);
}

static void io_write(const struct apic *apic, uint32_t index, uint32_t value)
{
	cpu_mmio_write32(apic->io + IO_SELECT, index);
	cpu_mmio_write32(apic->io + IO_WINDOW, value);
}

static void calibrate(struct apic *apic, const struct clock *clock)
{
	local_write(apic, LOCAL_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	uint64_t first_us = clock->now_us(clock->context);
	local_write(apic, LOCAL_TIMER_INITIAL, UINT32_MAX);
	struct deadline deadline = clock_deadline_after(clock, CALIBRATION_US);
	while (!clock_deadline_passed(clock, deadline)) {
		clock->relax(clock->context);
	}
	uint64_t ticks = UINT32_MAX - local_read(apic, LOCAL_TIMER_CURRENT);
	uint64_t elapsed_us = clock->now_us(clock->context) - first_us;
	local_write(apic, LOCAL_TIMER_INITIAL, 0);
	apic->ticks_per_ms = ticks * 1000 / (elapsed_us == 0 ? 1 : elapsed_us);
}

enum status apic_init(struct apic *apic, struct kernel_memory *memory, const struct clock *clock)
{
	cpu_out8(PIC_PRIMARY_MASK, 0xff);
	cpu_out8(PIC_SECONDARY_MASK, 0xff);
	uint64_t base = cpu_msr_read(MSR_APIC_BASE) | APIC_BASE_ENABLE;
	cpu_msr_write(MSR_APIC_BASE, base);
	enum status status =
		kernel_memory_map_device(memory, (struct phys_addr){base & APIC_BASE_MASK},
					 LOCAL_WINDOW_BYTES, &apic->local);
	if (status != STATUS_OK) {
		return status;
	}
	status = kernel_memory_map_device(memory, (struct phys_addr){IO_APIC_PHYSICAL},
					  IO_WINDOW_BYTES, &apic->io);
	if (status != STATUS_OK) {
		return status;
	}
	apic->io_entries = (io_read(apic, IO_VERSION) >> 16 & 0xff) + 1;
	if (apic->io_entries > IO_ENTRIES_MAX) {
		apic->io_entries = 0; /* All ones: nothing is there. */
	}
	local_write(apic, LOCAL_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	local_write(apic, LOCAL_TIMER_DIVIDE, DIVIDE_BY_16);
	calibrate(apic, clock);
	return apic->ticks_per_ms == 0 ? STATUS_TIMEOUT : STATUS_OK;
}

void apic_timer_set(struct apic *apic, uint64_t timeout_us)
{
	const uint64_t timeout_us_max = 1000000;
	if (timeout_us > timeout_us_max) {
		timeout_us = timeout_us_max;
	}
	uint64_t ticks = timeout_us * apic->ticks_per_ms / 1000;
	if (ticks == 0) {
		ticks = 1;
	}
	if (ticks > UINT32_MAX) {
		ticks = UINT32_MAX;
	}
	local_write(apic, LOCAL_LVT_TIMER, VECTOR_TIMER);
	local_write(apic, LOCAL_TIMER_INITIAL, (uint32_t)ticks);
}

void apic_timer_stop(struct apic *apic)
{
	local_write(apic, LOCAL_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	local_write(apic, LOCAL_TIMER_INITIAL, 0);
}

enum status apic_route(struct apic *apic, uint32_t input, uint32_t vector)
{
	if (input >= apic->io_entries) {
		return STATUS_NO_DEVICE;
	}
	uint32_t destination = local_read(apic, LOCAL_ID) & 0xff000000u;
	io_write(apic, IO_REDIRECTION + 2 * input + 1, destination);
	io_write(apic, IO_REDIRECTION + 2 * input, vector);
	return STATUS_OK;
}

void apic_input_mask(struct apic *apic, uint32_t input, bool masked)
{
	if (input >= apic->io_entries) {
		return;
	}
	const uint32_t entry = io_read(apic, IO_REDIRECTION + 2 * input) & ~IO_MASKED;
	io_write(apic, IO_REDIRECTION + 2 * input, masked ? entry | IO_MASKED : entry);
}

uint64_t apic_message_address(const struct apic *apic)
{
	const uint32_t identity = local_read(apic, LOCAL_ID) >> 24;
	return MESSAGE_ADDRESS | (uint64_t)identity << 12;
}

void apic_end_of_interrupt(struct apic *apic, uint64_t vector)
{
	if (vector >= VECTOR_FIRST_IRQ && vector != VECTOR_SPURIOUS) {
		local_write(apic, LOCAL_EOI, 0);
	}
}
