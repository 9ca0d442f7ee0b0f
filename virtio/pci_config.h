// SPDX-License-Identifier: MIT
/* PCI configuration space (PCI Local Bus 3.0, chapter 6): who is there, and where their memory is.
 *
 * Bridges and functions are the host's, so every number of theirs is a claim: walks are bounded, a
 * size has to be one that hardware can have, and whether a window may be used at all is decided
 * against memory, known windows and all others (pci_windows_check). Bus numbers and windows of
 * bridges are the firmware's: they are read and never changed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"

#define PCI_CONFIG_BYTES  256u
#define PCI_BARS          6u
#define PCI_FUNCTIONS_MAX 32u
#define PCI_BUSES_MAX     16u
/* No device that we drive has a larger window. */
#define PCI_WINDOW_BYTES_MAX ((uint64_t)1 << 20)

/* Offsets of the header; what we call it here is its 32-bit word. */
#define PCI_ID                0x00u /* Vendor, device. */
#define PCI_COMMAND_STATUS    0x04u
#define PCI_HEADER_TYPE_WORD  0x0cu /* Bits 16-23. */
#define PCI_BAR0              0x10u
#define PCI_BUS_NUMBERS       0x18u /* Of a bridge: primary, secondary, subordinate. */
#define PCI_SUBSYSTEM         0x2cu
#define PCI_CAPABILITIES      0x34u

#define PCI_COMMAND_IO        0x0001u
#define PCI_COMMAND_MEMORY    0x0002u
#define PCI_COMMAND_MASTER    0x0004u
#define PCI_COMMAND_INTX_OFF  0x0400u
#define PCI_STATUS_CAPABILITY 0x0010u /* In the upper half of PCI_COMMAND_STATUS. */

#define PCI_CAPABILITY_VENDOR 0x09u
#define PCI_CAPABILITY_MSIX   0x11u

struct pci_address {
	uint8_t bus;
	uint8_t device;
	uint8_t function;
};

/* Access to configuration space; offsets are multiples of 4 below PCI_CONFIG_BYTES. Absent
 * functions read as all ones. */
struct pci_config_ops {
	uint32_t (*read32)(void *context, struct pci_address at, uint32_t offset_bytes);
	void (*write32)(void *context, struct pci_address at, uint32_t offset_bytes,
			uint32_t value);
	void *context;
};

struct pci_bar {
	bool is_memory; /* Else it does not exist, or it is an I/O window: of no use here. */
	bool is_wide;   /* 64 bits: the next BAR is its upper half. */
	struct phys_range window; /* An address of 0: nobody has placed it. */
};

struct pci_function {
	struct pci_address at;
	uint16_t vendor_id;
	uint16_t device_id;
	uint8_t header_type; /* 0: an endpoint, the only kind that has `bars`. */
	struct pci_bar bars[PCI_BARS];
};

/* Caller's storage. */
struct pci_scan {
	struct pci_function functions[PCI_FUNCTIONS_MAX];
	size_t count;
	bool is_cut_off; /* There are more functions or buses than we look at. */
};

/* Visit bus 0 and every bus behind a bridge, each once, and size the endpoints' BARs. Sizing
 * switches a function's decoding off for a moment. */
void pci_scan_all(const struct pci_config_ops *ops, struct pci_scan *scan);

/* All of a function's configuration space, once, for decoders to look at in private memory. */
void pci_config_copy(const struct pci_config_ops *ops, struct pci_address at,
		     uint8_t copy[PCI_CONFIG_BYTES]);

/* Change the lower half of PCI_COMMAND_STATUS; no status bit is cleared. */
void pci_command_set(const struct pci_config_ops *ops, struct pci_address at, uint32_t clear,
		     uint32_t set);

/* Where windows may not be: memory, and what the platform decodes itself. Borrowed. */
struct pci_map {
	const struct phys_range *taken;
	size_t taken_count;
	struct phys_range hole; /* Where windows of bus 0 may be placed. */
};

/* May the memory BARs of scan->functions[index] be used? NULL, or what is wrong, in words: a window
 * over memory, over another function's, below 1 MiB, too large, or not placed. */
const char *pci_windows_check(const struct pci_scan *scan, size_t index, const struct pci_map *map);

/* Place every memory BAR of an endpoint on bus 0 that nobody has placed, lowest free address of
 * the hole first; behind a bridge only the firmware can. STATUS_NO_SPACE: no room.
 * STATUS_UNSUPPORTED: behind a bridge. Nothing to do is OK. */
MUST_CHECK
enum status pci_windows_place(const struct pci_config_ops *ops, struct pci_scan *scan, size_t index,
			      const struct pci_map *map);
