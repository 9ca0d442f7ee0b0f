// SPDX-License-Identifier: MIT
/* Everything there is. One instance, in main.c; what a function needs of it is passed down. */
#pragma once

#include "base/clock.h"
#include "boot/boot_params.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "kernel/apic.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/control.h"
#include "kernel/devices.h"
#include "kernel/idle_tick.h"
#include "kernel/interrupts.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "kernel/percpu.h"
#include "kernel/platform.h"
#include "kernel/state.h"
#include "kernel/vtpm_set.h"
#include "sharedmem/sharedmem.h"
#include "virtio/virtio_serial.h"

struct svsm {
	struct cpu cpu; /* First: entry.S takes this struct's address for the percpu block. */
	struct boot_params params;
	struct kernel_options options;
	struct console console;
	struct tsc_clock tsc;
	struct clock clock;
	struct kernel_memory memory;
	struct apic apic;
	uint64_t xcr0;
	struct random random;
	struct aead aead;
	struct platform_native platform;
	struct sharedmem sharedmem;
	struct devices devices;
	struct interrupt_counters interrupts;
	struct virtio_wait_policy idle_policy; /* Of the main loop. */
	struct idle_tick idle_tick;
	struct virtio_serial serial;
	enum status serial_status; /* Of opening the service channel. */
	struct state state;
	enum status state_status;
	struct vtpm_set vtpms;
	struct control control;
};

/* What the state borrows. */
struct state_environment svsm_state_environment(struct svsm *svsm);
