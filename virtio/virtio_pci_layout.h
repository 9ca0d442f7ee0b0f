// SPDX-License-Identifier: MIT
/* Where a virtio PCI function keeps its registers (virtio 1.2, section 4.1.4): decoded from a copy
 * of its configuration space, validated as a whole, or refused in words. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "virtio/pci_config.h"

#define VIRTIO_PCI_VENDOR_ID 0x1af4u

/* Fields of the common configuration, section 4.1.4.3; queue_device ends at 56. */
#define VIRTIO_PCI_COMMON_BYTES_MIN 56u
/* One entry of the MSI-X table (PCI Local Bus 3.0, section 6.8.2). */
#define VIRTIO_PCI_MSIX_ENTRY_BYTES 16u

/* A piece of a memory BAR: [offset, offset + length) lies within it. */
struct virtio_pci_place {
	uint8_t bar;
	uint32_t offset_bytes;
	uint32_t len_bytes; /* 0: the function has no such structure. */
};

struct virtio_pci_layout {
	uint32_t device_id; /* VIRTIO_ID_... */
	struct virtio_pci_place common;
	struct virtio_pci_place notify;
	struct virtio_pci_place isr;
	struct virtio_pci_place device; /* May be missing. */
	uint32_t notify_multiplier;
	struct virtio_pci_place msix_table;    /* May be missing: then there are no interrupts. */
	uint32_t msix_capability_bytes_offset; /* In configuration space. */
};

/* `config` is private memory (pci_config_copy); `bars` are what pci_scan_all() found.
 * STATUS_NO_DEVICE: not a virtio function. STATUS_UNSUPPORTED: a transitional or legacy one.
 * STATUS_BAD_HOST: capabilities that cannot be: a list that loops or leaves configuration space, a
 * structure that is too short, misaligned, outside its BAR, over another one, or missing.
 * In the last two cases *complaint says which; static storage. */
MUST_CHECK
enum status virtio_pci_layout_decode(const uint8_t config[PCI_CONFIG_BYTES],
				     const struct pci_bar bars[PCI_BARS],
				     struct virtio_pci_layout *layout, const char **complaint);
