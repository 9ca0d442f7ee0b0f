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
#define WINDOW_PIT_TICKS             5966u /* 5 ms. */
#define MEASUREMENTS_MAX             16u
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

static enum status measure_rate(uint64_t *ticks_per_ms)
{
	cpu_out8(PIT_COMMAND, PIT_COMMAND_MODE0_BOTH_BYTES);
	cpu_out8(PIT_CHANNEL0, PIT_START & 0xff);
	cpu_out8(PIT_CHANNEL0, PIT_START >> 8);
	struct sample first = take_sample();
	for (uint32_t reads = 0; (uint16_t)(first.pit - pit_read()) < WINDOW_PIT_TICKS; reads++) {
		if (reads == WINDOW_READS_MAX) {
			return STATUS_NO_DEVICE;
		}
		cpu_pause();
	}
	struct sample last = take_sample();
	return tsc_rate(last.tsc - first.tsc, (uint16_t)(first.pit - last.pit), ticks_per_ms);
}

/* A CPU that was taken away for longer than the PIT's 55 ms sees it wrap, and the rate is nonsense.
 * Two measurements in a row that agree cannot both have suffered that. */
enum status tsc_clock_calibrate(struct tsc_clock *clock, uint64_t epoch_tsc)
{
	uint64_t previous = 0;
	enum status status = STATUS_BAD_HOST;
	for (unsigned i = 0; i < MEASUREMENTS_MAX; i++) {
		uint64_t rate = 0;
		status = measure_rate(&rate);
		if (status == STATUS_NO_DEVICE) {
			return STATUS_TIMEOUT; /* It does not count at all: no use in waiting again.
						*/
		}
		if (status == STATUS_OK && tsc_rates_agree(previous, rate)) {
			tsc_time_init(&clock->time, rate, epoch_tsc);
			return STATUS_OK;
		}
		previous = rate;
	}
	return status == STATUS_OK ? STATUS_BAD_HOST : status;
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
