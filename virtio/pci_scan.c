// SPDX-License-Identifier: MIT
/* The walk over buses. A bridge is believed as far as "there is a bus of this number": each number
 * is visited once, so that bridges in a circle end, and only so many of them. */
#include "virtio/pci_config.h"

#include <string.h>

#include "base/bytes.h"

#define DEVICES_PER_BUS      32u
#define FUNCTIONS_PER_DEVICE 8u
#define ID_ABSENT            0xffffu
#define HEADER_MULTIFUNCTION 0x80u
#define HEADER_TYPE_MASK     0x7fu
#define HEADER_ENDPOINT      0u
#define HEADER_BRIDGE        1u

#define BAR_IO               0x1u
#define BAR_TYPE_MASK        0x6u
#define BAR_TYPE_64          0x4u
#define BAR_TYPE_32          0x0u
#define BAR_FLAGS            0xfu

struct walk {
	const struct pci_config_ops *ops;
	struct pci_scan *scan;
	uint8_t buses[PCI_BUSES_MAX]; /* To be visited, in this order. */
	size_t bus_count;
};

static uint32_t config_read(const struct pci_config_ops *ops, struct pci_address at,
			    uint32_t offset_bytes)
{
	return ops->read32(ops->context, at, offset_bytes);
}

static void config_write(const struct pci_config_ops *ops, struct pci_address at,
			 uint32_t offset_bytes, uint32_t value)
{
	ops->write32(ops->context, at, offset_bytes, value);
}

void pci_config_copy(const struct pci_config_ops *ops, struct pci_address at,
		     uint8_t copy[PCI_CONFIG_BYTES])
{
	for (uint32_t offset = 0; offset < PCI_CONFIG_BYTES; offset += 4) {
		bytes_store_le32(copy + offset, config_read(ops, at, offset));
	}
}

void pci_command_set(const struct pci_config_ops *ops, struct pci_address at, uint32_t clear,
		     uint32_t set)
{
	/* Status bits are cleared by writing ones: write zeroes. */
	const uint32_t command = config_read(ops, at, PCI_COMMAND_STATUS) & 0xffffu;
	config_write(ops, at, PCI_COMMAND_STATUS, (command & ~clear) | set);
}

/* What all ones read back as, in address bits: the mask of a window (section 6.2.5.1). */
static uint32_t bar_mask(const struct pci_config_ops *ops, struct pci_address at, uint32_t offset,
			 uint32_t original)
{
	config_write(ops, at, offset, UINT32_MAX);
	const uint32_t mask = config_read(ops, at, offset);
	config_write(ops, at, offset, original);
	return mask;
}

/* BAR `index`, and its upper half if it is wide. A mask that no hardware has leaves it absent. */
static struct pci_bar bar_read(const struct pci_config_ops *ops, struct pci_address at,
			       uint32_t index)
{
	struct pci_bar bar = {0};
	const uint32_t offset = PCI_BAR0 + 4 * index;
	const uint32_t low = config_read(ops, at, offset);
	const uint32_t type = low & BAR_TYPE_MASK;
	bar.is_wide = (low & BAR_IO) == 0 && type == BAR_TYPE_64 && index + 1 < PCI_BARS;
	if ((low & BAR_IO) != 0 || (type != BAR_TYPE_32 && !bar.is_wide)) {
		return bar;
	}
	uint64_t address = low & ~BAR_FLAGS;
	uint64_t mask = 0xffffffff00000000ull;
	if (bar.is_wide) {
		const uint32_t high = config_read(ops, at, offset + 4);
		address |= (uint64_t)high << 32;
		mask = (uint64_t)bar_mask(ops, at, offset + 4, high) << 32;
	}
	mask |= bar_mask(ops, at, offset, low) & ~BAR_FLAGS;
	const uint64_t size_bytes = ~mask + 1;
	/* Ones down to the size and zeroes below: a power of two. All zeroes: there is no BAR. */
	if ((uint32_t)mask == 0 || (size_bytes & (size_bytes - 1)) != 0) {
		return bar;
	}
	bar.is_memory = true;
	bar.window = (struct phys_range){{address}, size_bytes};
	return bar;
}

static void bars_read(const struct pci_config_ops *ops, struct pci_function *function)
{
	const uint32_t decoding = PCI_COMMAND_IO | PCI_COMMAND_MEMORY;
	const uint32_t before = config_read(ops, function->at, PCI_COMMAND_STATUS) & decoding;
	pci_command_set(ops, function->at, decoding, 0);
	for (uint32_t i = 0; i < PCI_BARS; i++) {
		function->bars[i] = bar_read(ops, function->at, i);
		if (function->bars[i].is_wide) {
			i++;
		}
	}
	pci_command_set(ops, function->at, 0, before);
}

static void bus_add(struct walk *walk, uint8_t bus)
{
	for (size_t i = 0; i < walk->bus_count; i++) {
		if (walk->buses[i] == bus) {
			return;
		}
	}
	if (walk->bus_count >= PCI_BUSES_MAX) {
		walk->scan->is_cut_off = true;
		return;
	}
	walk->buses[walk->bus_count++] = bus;
}

/* True if something is there; *several says whether to look at functions 1 to 7. */
static bool function_visit(struct walk *walk, struct pci_address at, bool *several)
{
	struct pci_scan *scan = walk->scan;
	const uint32_t id = config_read(walk->ops, at, PCI_ID);
	if ((id & 0xffffu) == ID_ABSENT || (id & 0xffffu) == 0) {
		return false;
	}
	const uint32_t header = config_read(walk->ops, at, PCI_HEADER_TYPE_WORD) >> 16 & 0xffu;
	*several = (header & HEADER_MULTIFUNCTION) != 0;
	if (scan->count >= PCI_FUNCTIONS_MAX) {
		scan->is_cut_off = true;
		return true;
	}
	struct pci_function *function = &scan->functions[scan->count++];
	*function = (struct pci_function){
		.at = at,
		.vendor_id = (uint16_t)id,
		.device_id = (uint16_t)(id >> 16),
		.header_type = (uint8_t)(header & HEADER_TYPE_MASK),
	};
	if (function->header_type == HEADER_ENDPOINT) {
		bars_read(walk->ops, function);
	} else if (function->header_type == HEADER_BRIDGE) {
		bus_add(walk, (uint8_t)(config_read(walk->ops, at, PCI_BUS_NUMBERS) >> 8));
	}
	return true;
}

static void bus_visit(struct walk *walk, uint8_t bus)
{
	for (uint8_t device = 0; device < DEVICES_PER_BUS; device++) {
		bool several = false;
		struct pci_address at = {.bus = bus, .device = device};
		if (!function_visit(walk, at, &several) || !several) {
			continue;
		}
		for (at.function = 1; at.function < FUNCTIONS_PER_DEVICE; at.function++) {
			(void)function_visit(walk, at, &several);
		}
	}
}

void pci_scan_all(const struct pci_config_ops *ops, struct pci_scan *scan)
{
	struct walk walk = {.ops = ops, .scan = scan};
	memset(scan, 0, sizeof(*scan));
	bus_add(&walk, 0);
	for (size_t i = 0; i < walk.bus_count; i++) {
		bus_visit(&walk, walk.buses[i]);
	}
}
