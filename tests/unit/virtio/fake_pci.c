// SPDX-License-Identifier: MIT
#include "tests/unit/virtio/fake_pci.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"

static struct fake_pci_function *find(struct fake_pci *bus, struct pci_address at)
{
	for (size_t i = 0; i < bus->count; i++) {
		if (memcmp(&bus->functions[i].at, &at, sizeof(at)) == 0) {
			return &bus->functions[i];
		}
	}
	return NULL;
}

static uint32_t fake_read(void *context, struct pci_address at, uint32_t offset_bytes)
{
	struct fake_pci *bus = context;
	assert_true(offset_bytes % 4 == 0 && offset_bytes < PCI_CONFIG_BYTES);
	bus->reads++;
	const struct fake_pci_function *function = find(bus, at);
	return function == NULL ? UINT32_MAX : bytes_load_le32(function->config + offset_bytes);
}

static void fake_write(void *context, struct pci_address at, uint32_t offset_bytes, uint32_t value)
{
	struct fake_pci_function *function = find(context, at);
	assert_true(offset_bytes % 4 == 0 && offset_bytes < PCI_CONFIG_BYTES);
	assert_non_null(function);
	uint8_t *word = function->config + offset_bytes;
	if (offset_bytes == PCI_COMMAND_STATUS) {
		function->status_cleared |= value >> 16;
		bytes_store_le16(word, (uint16_t)value);
	} else if (offset_bytes >= PCI_BAR0 && offset_bytes < PCI_BAR0 + 4 * PCI_BARS) {
		const uint32_t writable = function->bar_writable[(offset_bytes - PCI_BAR0) / 4];
		const uint32_t command = bytes_load_le16(function->config + PCI_COMMAND_STATUS);
		function->sized_while_decoding |= (command & PCI_COMMAND_MEMORY) != 0;
		bytes_store_le32(word, (value & writable) | (bytes_load_le32(word) & ~writable));
	} else {
		bytes_store_le32(word, value);
	}
}

void fake_pci_init(struct fake_pci *bus)
{
	memset(bus, 0, sizeof(*bus));
	bus->ops = (struct pci_config_ops){fake_read, fake_write, bus};
}

struct fake_pci_function *fake_pci_add(struct fake_pci *bus, struct pci_address at, uint16_t vendor,
				       uint16_t device)
{
	assert_true(bus->count < FAKE_PCI_FUNCTIONS_MAX);
	struct fake_pci_function *function = &bus->functions[bus->count++];
	*function = (struct fake_pci_function){.at = at};
	bytes_store_le16(function->config + PCI_ID, vendor);
	bytes_store_le16(function->config + PCI_ID + 2, device);
	return function;
}

struct fake_pci_function *fake_pci_add_bridge(struct fake_pci *bus, struct pci_address at,
					      uint8_t secondary)
{
	struct fake_pci_function *bridge = fake_pci_add(bus, at, 0x1b36, 0x000c);
	bridge->config[PCI_HEADER_TYPE_WORD + 2] = 1;
	bridge->config[PCI_BUS_NUMBERS + 1] = secondary;
	return bridge;
}

void fake_pci_bar(struct fake_pci_function *function, uint32_t index, uint64_t address,
		  uint32_t size_bytes, bool is_wide)
{
	uint8_t *bar = function->config + PCI_BAR0 + 4 * index;
	bytes_store_le32(bar, (uint32_t)address | (is_wide ? 0xcu : 0));
	function->bar_writable[index] = ~(size_bytes - 1) & ~0xfu;
	if (is_wide) {
		bytes_store_le32(bar + 4, (uint32_t)(address >> 32));
		function->bar_writable[index + 1] = UINT32_MAX;
	}
}

static void capability(struct fake_pci_function *function, uint32_t at, uint32_t next, uint8_t type,
		       uint32_t offset_bytes)
{
	uint8_t *bytes = function->config + at;
	bytes[0] = PCI_CAPABILITY_VENDOR;
	bytes[1] = (uint8_t)next;
	bytes[2] = type == 2 ? 20 : 16;
	bytes[3] = type;
	bytes[4] = 4;
	bytes_store_le32(bytes + 8, offset_bytes);
	bytes_store_le32(bytes + 12, 0x1000);
}

struct fake_pci_function *fake_pci_add_virtio(struct fake_pci *bus, struct pci_address at,
					      uint32_t type, uint64_t address)
{
	struct fake_pci_function *function =
		fake_pci_add(bus, at, 0x1af4, (uint16_t)(0x1040 + type));
	fake_pci_bar(function, 1, address, 0x1000, false);
	fake_pci_bar(function, 4, address == 0 ? 0 : address + 0x4000, 0x4000, true);
	function->config[PCI_COMMAND_STATUS] = PCI_COMMAND_MEMORY;
	function->config[PCI_COMMAND_STATUS + 2] = PCI_STATUS_CAPABILITY;
	function->config[PCI_CAPABILITIES] = FAKE_PCI_AT_COMMON;
	capability(function, FAKE_PCI_AT_COMMON, FAKE_PCI_AT_NOTIFY, 1, 0x0000);
	capability(function, FAKE_PCI_AT_NOTIFY, FAKE_PCI_AT_ISR, 2, 0x3000);
	bytes_store_le32(function->config + FAKE_PCI_AT_NOTIFY + 16, 4);
	capability(function, FAKE_PCI_AT_ISR, FAKE_PCI_AT_DEVICE, 3, 0x1000);
	capability(function, FAKE_PCI_AT_DEVICE, FAKE_PCI_AT_MSIX, 4, 0x2000);
	uint8_t *msix = function->config + FAKE_PCI_AT_MSIX;
	msix[0] = PCI_CAPABILITY_MSIX;
	bytes_store_le16(msix + 2, 3 - 1);
	bytes_store_le32(msix + 4, 0x000 | 1);
	bytes_store_le32(msix + 8, 0x800 | 1);
	return function;
}
