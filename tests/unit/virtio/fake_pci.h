// SPDX-License-Identifier: MIT
/* A PCI bus in memory, for tests: functions with BARs that can be sized, and a builder of virtio
 * functions as QEMU lays them out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio/pci_config.h"

#define FAKE_PCI_FUNCTIONS_MAX 80u

struct fake_pci_function {
	struct pci_address at;
	uint8_t config[PCI_CONFIG_BYTES];
	uint32_t bar_writable[PCI_BARS]; /* Address bits that keep what is written. */
	bool sized_while_decoding;       /* A BAR was written with decoding on. */
	uint32_t status_cleared;         /* Ones that were written to the status half. */
};

struct fake_pci {
	struct fake_pci_function functions[FAKE_PCI_FUNCTIONS_MAX];
	size_t count;
	size_t reads;
	struct pci_config_ops ops;
};

void fake_pci_init(struct fake_pci *bus);

/* An endpoint without BARs and capabilities. */
struct fake_pci_function *fake_pci_add(struct fake_pci *bus, struct pci_address at, uint16_t vendor,
				       uint16_t device);

/* A bridge to bus `secondary`. */
struct fake_pci_function *fake_pci_add_bridge(struct fake_pci *bus, struct pci_address at,
					      uint8_t secondary);

/* A memory BAR; a wide one takes the next index too. */
void fake_pci_bar(struct fake_pci_function *function, uint32_t index, uint64_t address,
		  uint32_t size_bytes, bool is_wide);

/* A virtio function of `type`: BAR 1 at `address` with MSI-X (4 KiB), BAR 4 behind it with common,
 * ISR, device and notification structures of 4 KiB each. */
struct fake_pci_function *fake_pci_add_virtio(struct fake_pci *bus, struct pci_address at,
					      uint32_t type, uint64_t address);

/* Where the builder put its capabilities. */
#define FAKE_PCI_AT_COMMON 0x40u
#define FAKE_PCI_AT_NOTIFY 0x50u
#define FAKE_PCI_AT_ISR    0x64u
#define FAKE_PCI_AT_DEVICE 0x74u
#define FAKE_PCI_AT_MSIX   0x84u
