// SPDX-License-Identifier: MIT
#include "kernel/clock.h"

#include "arch/cpu.h"

/* PIT (Intel 8254), channel 0: its gate is tied high, so it counts on machines without port 0x61,
 * microvm among them. Mode 0 counts down once; no interrupt is taken (the PIC is masked). */
#define PIT_CHANNEL0                 0x40u
#define PIT_COMMAND                  0x43u

#define PIT_COMMAND_MODE0_BOTH_BYTES 0x30u
#define PIT_COMMAND_LATCH            0x00u

#define PIT_START                    0xffffu
#define WINDOW_PIT_TICKS             11932u /* 10 ms. */
#define SAMPLES                      8u
#define WINDOW_READS_MAX             1000000u

/* The counter and the TSC, read together. */
struct sample {
	uint64_t tsc;
	uint64_t uncertainty;
	uint16_t pit;
};

static uint16_t pit_read(void)
{
	cpu_out8(PIT_COMMAND, PIT_COMMAND_LATCH);
	uint8_t low = cpu_in8(PIT_CHANNEL0);
	uint8_t high = cpu_in8(PIT_CHANNEL0);
	return (uint16_t)(low | high << 8);
}

/* The host may take the CPU away between any two instructions. Of several readings, the one with
 * the shortest bracket is the one that was not disturbed: waiting for a window to end instead was
 * seen to be off by 38 %. */
static struct sample take_sample(void)
{
	struct sample best = {.uncertainty = UINT64_MAX};
	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t before = cpu_tsc();
		uint16_t pit = pit_read();
		uint64_t after = cpu_tsc();
		if (after - before < best.uncertainty) {
			best = (struct sample){before + (after - before) / 2, after - before, pit};
		}
	}
	return best;
}

enum status tsc_clock_calibrate(struct tsc_clock *clock, uint64_t epoch_tsc)
{
	cpu_out8(PIT_COMMAND, PIT_COMMAND_MODE0_BOTH_BYTES);
	cpu_out8(PIT_CHANNEL0, PIT_START & 0xff);
	cpu_out8(PIT_CHANNEL0, PIT_START >> 8);
	struct sample first = take_sample();
	for (uint32_t reads = 0; (uint16_t)(first.pit - pit_read()) < WINDOW_PIT_TICKS; reads++) {
		if (reads == WINDOW_READS_MAX) {
			return STATUS_TIMEOUT;
		}
		cpu_pause();
	}
	struct sample last = take_sample();
	uint64_t ticks_per_ms;
	enum status status =
		tsc_rate(last.tsc - first.tsc, (uint16_t)(first.pit - last.pit), &ticks_per_ms);
	if (status == STATUS_OK) {
		tsc_time_init(&clock->time, ticks_per_ms, epoch_tsc);
	}
	return status;
}

static uint64_t now_us(void *context)
{
	struct tsc_clock *clock = context;
	return tsc_time_us(&clock->time, cpu_tsc());
}

static void relax(void *context)
{
	(void)context;
	cpu_pause();
}

struct clock tsc_clock_port(struct tsc_clock *clock)
{
	return (struct clock){.now_us = now_us, .relax = relax, .context = clock};
}
