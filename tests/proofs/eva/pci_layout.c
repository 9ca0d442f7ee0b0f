// SPDX-License-Identifier: MIT
/* The capability list of a virtio function: its configuration space, and BARs of any size. */
#include "tests/proofs/eva/entry.h"
#include "virtio/virtio_pci_layout.h"

static uint8_t config[PCI_CONFIG_BYTES];
static struct pci_bar bars[PCI_BARS];

int main(void)
{
	struct virtio_pci_layout layout;
	const char *complaint = NULL;
	ANYTHING(config);
	for (uint32_t i = 0; i < PCI_BARS; i++) {
		bars[i].is_memory = any_bool();
		bars[i].window.size_bytes = any_u64();
	}
	if (virtio_pci_layout_decode(config, bars, &layout, &complaint) == STATUS_OK) {
		//@ assert in_a_bar: layout.common.bar < PCI_BARS && layout.notify.bar < PCI_BARS;
		//@ assert in_a_bar_too: layout.isr.bar < PCI_BARS && layout.device.bar < PCI_BARS;
	}
	return 0;
}
