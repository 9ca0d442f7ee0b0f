// SPDX-License-Identifier: MIT
/* PCI: configuration space of which each word is anything at each read, bridges that lead anywhere,
 * and windows that lie anywhere. */
#include "tests/proofs/eva/entry.h"
#include "virtio/pci_config.h"

#define TAKEN_MAX 64u

static struct pci_scan scan;
static struct phys_range taken[TAKEN_MAX];
static uint8_t copy[PCI_CONFIG_BYTES];

static uint32_t config_read(void *context, struct pci_address at, uint32_t offset_bytes)
{
	(void)context;
	//@ assert in_the_space: offset_bytes % 4 == 0 && offset_bytes < PCI_CONFIG_BYTES;
	//@ assert a_function: at.device < 32 && at.function < 8;
	return any_up_to(UINT32_MAX);
}

static void config_write(void *context, struct pci_address at, uint32_t offset_bytes,
			 uint32_t value)
{
	(void)context, (void)value;
	//@ assert in_the_space: offset_bytes % 4 == 0 && offset_bytes < PCI_CONFIG_BYTES;
	//@ assert a_function: at.device < 32 && at.function < 8;
}

/* More than the walk leaves: any windows, in any number. */
static void any_functions(void)
{
	scan.count = any_up_to(PCI_FUNCTIONS_MAX);
	for (size_t i = 0; i < PCI_FUNCTIONS_MAX; i++) {
		scan.functions[i].at = (struct pci_address){.bus = (uint8_t)any_up_to(UINT8_MAX),
							    .device = (uint8_t)any_up_to(31),
							    .function = (uint8_t)any_up_to(7)};
		for (size_t j = 0; j < PCI_BARS; j++) {
			scan.functions[i].bars[j] = (struct pci_bar){.is_memory = any_bool(),
								     .is_wide = any_bool(),
								     .window = any_range()};
		}
	}
}

static void use(const struct pci_config_ops *ops, size_t index)
{
	ANYTHING(taken);
	const struct pci_map map = {
		.taken = taken, .taken_count = any_up_to(TAKEN_MAX), .hole = any_range()};
	(void)pci_windows_check(&scan, index, &map);
	(void)pci_windows_place(ops, &scan, index, &map);
	pci_config_copy(ops, scan.functions[index].at, copy);
	pci_command_set(ops, scan.functions[index].at, any_up_to(UINT16_MAX),
			any_up_to(UINT16_MAX));
}

int main(void)
{
	static const struct pci_config_ops ops = {.read32 = config_read, .write32 = config_write};
	//@ widen_hints global:"all", 16, 32;
	pci_scan_all(&ops, &scan);
	//@ assert bounded: scan.count <= PCI_FUNCTIONS_MAX;
	any_functions();
	use(&ops, any_up_to(PCI_FUNCTIONS_MAX - 1));
	return 0;
}
