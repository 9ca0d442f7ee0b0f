// SPDX-License-Identifier: MIT
/* Finds virtio devices and keeps their transports. Two places are looked at: the command line,
 * which names microvm's register windows, and PCI (q35). The order says nothing: who needs a device
 * chooses by what is on it (kernel/state.h), never "the first that opens". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "kernel/apic.h"
#include "kernel/interrupt_line.h"
#include "kernel/memory.h"
#include "virtio/pci_config.h"
#include "virtio/virtio_mmio.h"
#include "virtio/virtio_pci.h"
#include "virtio/virtio_transport.h"
#include "virtio/virtio_wait.h"

#define DEVICES_MAX 16u

/* The BARs of a function that are mapped. */
struct device_windows {
	volatile uint8_t *bars[PCI_BARS];
};

struct device_slot {
	struct virtio_transport transport;
	struct register_ops registers; /* virtio-mmio. */
	struct virtio_pci pci;         /* virtio-pci. */
	struct pci_address pci_at;
	uint32_t pci_id; /* Vendor and device; 0: not on PCI. */
	struct device_windows windows;
	struct interrupt_line line;
	struct virtio_wait_policy wait_policy;
};

struct devices {
	struct device_slot slots[DEVICES_MAX];
	size_t count;
	bool is_cut_off; /* There are more: a claim such as "the only disk" cannot be made. */
};

/* What discovery needs; borrowed. */
struct devices_environment {
	struct kernel_memory *memory;
	struct apic *apic;
	const char *cmdline;
	enum virtio_wait_mode completion;
	struct virtio_sleeper sleeper;
	bool place_windows; /* Ignore where the firmware put BARs (development). */
};

/* Slots whose registers make no sense are skipped with a log line. STATUS_BAD_CONFIG: a malformed
 * virtio_mmio.device word. */
MUST_CHECK enum status devices_find(struct devices *devices,
				    const struct devices_environment *environment);

/* The two places. */
MUST_CHECK enum status devices_find_mmio(struct devices *devices,
					 const struct devices_environment *environment);
void devices_find_pci(struct devices *devices, const struct devices_environment *environment);

/* An empty slot, or NULL; devices->count is not yet raised. */
struct device_slot *devices_slot(struct devices *devices, const char *what, uint64_t where);

/* The slot is filled: it is a device now. */
void devices_add(struct devices *devices, const struct devices_environment *environment);

/* The vector that a slot's interrupts come by. */
uint32_t devices_vector(const struct devices *devices, const struct device_slot *slot);

/* Is it still plugged in? Only PCI devices can be pulled out; that their windows read as nothing
 * does not tell, as QEMU's then read as zeroes. */
bool devices_is_present(const struct device_slot *slot);

/* The `nth` device of a type, or NULL. */
struct device_slot *devices_nth(struct devices *devices, uint32_t device_id, size_t nth);
