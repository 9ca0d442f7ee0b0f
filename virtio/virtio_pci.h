// SPDX-License-Identifier: MIT
/* virtio over PCI, modern layout (virtio 1.2, section 4.1), behind the transport port.
 *
 * Where the registers are comes decoded (virtio_pci_layout.h); how they are reached is the
 * kernel's. All queues and the configuration share one MSI-X vector, entry 0 of the table: an
 * interrupt says "look", never what happened. */
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "virtio/virtio_pci_layout.h"
#include "virtio/virtio_transport.h"

/* Queues at or above are said not to exist. */
#define VIRTIO_PCI_QUEUES_MAX 48u

/* Access to a function's BARs; `width_bytes` is 1, 2 or 4, the offset a multiple of it, and both
 * lie within a structure of the layout. */
struct virtio_pci_access {
	uint32_t (*read)(void *context, uint8_t bar, uint32_t offset_bytes,
			 unsigned int width_bytes);
	void (*write)(void *context, uint8_t bar, uint32_t offset_bytes, unsigned int width_bytes,
		      uint32_t value);
	void *context;
};

/* Caller's storage; lives as long as the transport. Private. */
struct virtio_pci {
	struct virtio_pci_layout layout;
	struct virtio_pci_access access;
	bool wants_interrupts;
	uint8_t generation_seen;
	/* Within the notification structure; known once a queue is enabled. */
	uint32_t notify_offset[VIRTIO_PCI_QUEUES_MAX];
};

/* Describe a device whose layout was decoded. `wants_interrupts`: entry 0 of the MSI-X table is set
 * up, so queues may name it. */
void virtio_pci_open(struct virtio_transport *transport, struct virtio_pci *pci,
		     const struct virtio_pci_layout *layout, const struct virtio_pci_access *access,
		     bool wants_interrupts);
