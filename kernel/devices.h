// SPDX-License-Identifier: MIT
/* Finds virtio devices and keeps their transports. On microvm the command line names them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "kernel/apic.h"
#include "kernel/memory.h"
#include "virtio/virtio_mmio.h"
#include "virtio/virtio_transport.h"

#define DEVICES_MAX 8u

struct device_slot {
	struct register_ops registers;
	struct virtio_transport transport;
	uint32_t irq;
};

struct devices {
	struct device_slot slots[DEVICES_MAX];
	size_t count;
};

/* Slots whose registers make no sense are skipped with a log line. STATUS_BAD_CONFIG: a malformed
 * virtio_mmio.device word. */
MUST_CHECK enum status devices_find(struct devices *devices, struct kernel_memory *memory,
				    const char *cmdline);

/* The `nth` device of a type, or NULL. */
struct device_slot *devices_nth(struct devices *devices, uint32_t device_id, size_t nth);
