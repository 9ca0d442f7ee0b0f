// SPDX-License-Identifier: MIT
/* A PCI bus that answers with the input: the walk ends, what is accepted is sound, and a transport
 * made of it touches nothing outside the structures that were accepted. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "virtio/virtio_device.h"
#include "virtio/virtio_pci.h"

/* One bus of 32 devices with 8 functions has this many reads of its ids and headers; what a
 * function adds is its BARs, its command and its copy. */
#define READS_MAX (PCI_BUSES_MAX * 32u * 8u * 3u + PCI_FUNCTIONS_MAX * 64u)

static struct {
	struct fuzz_input script;
	uint8_t config[PCI_CONFIG_BYTES]; /* Of every function, but for what the script changes. */
	uint8_t bar_bits[PCI_BARS];       /* The low bits of a mask that are 0. */
	uint32_t devices;                 /* On bus 0; each other bus has its device 0. */
	uint32_t sized;                   /* BARs that hold all ones, a bit each. */
	uint32_t reads;
	struct virtio_pci_layout layout;
} bus;

/* Most reads are the plain configuration, so that lists get long; the script says when not. */
static uint32_t config_read(void *context, struct pci_address at, uint32_t offset_bytes)
{
	(void)context;
	FUZZ_REQUIRE(offset_bytes % 4 == 0 && offset_bytes < PCI_CONFIG_BYTES);
	FUZZ_REQUIRE(at.device < 32 && at.function < 8);
	bus.reads++;
	FUZZ_REQUIRE(bus.reads < READS_MAX);
	const uint32_t bar = (offset_bytes - PCI_BAR0) / 4;
	uint32_t value;
	if (fuzz_u8(&bus.script) >= 0xf0) {
		return fuzz_u32(&bus.script);
	}
	if (at.function != 0 || ((at.bus == 0 ? bus.devices : 1) >> at.device & 1) == 0) {
		return UINT32_MAX;
	}
	memcpy(&value, bus.config + offset_bytes, sizeof(value));
	if (bar < PCI_BARS && (bus.sized >> bar & 1) != 0) {
		return (uint32_t)(UINT64_MAX << bus.bar_bits[bar] % 64) | (value & 0xf);
	}
	return value;
}

static void config_write(void *context, struct pci_address at, uint32_t offset_bytes,
			 uint32_t value)
{
	(void)context;
	(void)at;
	const uint32_t bar = (offset_bytes - PCI_BAR0) / 4;
	FUZZ_REQUIRE(offset_bytes == PCI_COMMAND_STATUS || bar < PCI_BARS);
	if (bar < PCI_BARS) {
		bus.sized &= ~((uint32_t)1 << bar);
		bus.sized |= (uint32_t)(value == UINT32_MAX) << bar;
	}
}

static bool is_inside(const struct virtio_pci_place *place, uint8_t bar, uint32_t offset_bytes,
		      unsigned int width_bytes)
{
	return place->bar == bar && offset_bytes >= place->offset_bytes &&
	       (uint64_t)offset_bytes + width_bytes <=
		       (uint64_t)place->offset_bytes + place->len_bytes;
}

static uint32_t access_read(void *context, uint8_t bar, uint32_t offset_bytes,
			    unsigned int width_bytes)
{
	(void)context;
	FUZZ_REQUIRE(width_bytes == 1 || width_bytes == 2 || width_bytes == 4);
	FUZZ_REQUIRE(is_inside(&bus.layout.common, bar, offset_bytes, width_bytes) ||
		     is_inside(&bus.layout.isr, bar, offset_bytes, width_bytes) ||
		     is_inside(&bus.layout.device, bar, offset_bytes, width_bytes));
	return fuzz_u32(&bus.script) >> (32 - 8 * width_bytes);
}

static void access_write(void *context, uint8_t bar, uint32_t offset_bytes,
			 unsigned int width_bytes, uint32_t value)
{
	(void)context;
	(void)value;
	FUZZ_REQUIRE(is_inside(&bus.layout.common, bar, offset_bytes, width_bytes) ||
		     is_inside(&bus.layout.notify, bar, offset_bytes, width_bytes));
}

/* What the decoder promises of a layout. */
static void layout_check(const struct virtio_pci_layout *layout, const struct pci_bar *bars)
{
	const struct virtio_pci_place *const places[] = {&layout->common, &layout->notify,
							 &layout->isr, &layout->device,
							 &layout->msix_table};
	FUZZ_REQUIRE(layout->common.len_bytes >= VIRTIO_PCI_COMMON_BYTES_MIN);
	FUZZ_REQUIRE(layout->notify.len_bytes >= 2 && layout->isr.len_bytes >= 1);
	for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
		const struct virtio_pci_place *a = places[i];
		if (a->len_bytes == 0) {
			continue;
		}
		FUZZ_REQUIRE(a->bar < PCI_BARS && bars[a->bar].is_memory);
		FUZZ_REQUIRE((uint64_t)a->offset_bytes + a->len_bytes <=
			     bars[a->bar].window.size_bytes);
		for (size_t j = 0; j < i; j++) {
			const struct virtio_pci_place *b = places[j];
			FUZZ_REQUIRE(b->len_bytes == 0 || b->bar != a->bar ||
				     a->offset_bytes >= b->offset_bytes + b->len_bytes ||
				     b->offset_bytes >= a->offset_bytes + a->len_bytes);
		}
	}
}

static void transport_use(const struct virtio_pci_layout *layout)
{
	const struct virtio_pci_access access = {access_read, access_write, NULL};
	struct virtio_pci pci;
	struct virtio_transport transport;
	bus.layout = *layout;
	virtio_pci_open(&transport, &pci, layout, &access, true);
	(void)virtio_transport_features(&transport);
	(void)virtio_transport_interrupt_take(&transport);
	for (uint32_t turn = 0; turn < 4; turn++) {
		const struct virtio_queue_place place = {
			.queue_index = (uint16_t)fuzz_u32(&bus.script),
			.size = 8,
		};
		(void)transport.ops->queue_size_max(transport.context, place.queue_index);
		if (transport.ops->queue_enable(transport.context, &place) == STATUS_OK) {
			transport.ops->notify(transport.context, place.queue_index);
		}
		(void)transport.ops->config_read(transport.context, fuzz_u32(&bus.script) & ~3u);
	}
}

/* A window that was accepted or placed is over nothing else. */
static void windows_check(const struct pci_scan *scan, size_t index, const struct pci_map *map)
{
	for (size_t i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &scan->functions[index].bars[i];
		if (!bar->is_memory) {
			continue;
		}
		FUZZ_REQUIRE(phys_range_valid(bar->window));
		FUZZ_REQUIRE(bar->window.size_bytes <= PCI_WINDOW_BYTES_MAX);
		for (size_t j = 0; j < map->taken_count; j++) {
			FUZZ_REQUIRE(!phys_range_overlaps(bar->window, map->taken[j]));
		}
	}
}

/* A kernel drives some of the functions that it finds: one of eight, or all, which takes longest.
 */
static bool is_driven(size_t index)
{
	const uint8_t which = bus.bar_bits[0] >> 6;
	return which == 3 || index % 8 == which;
}

static void function_use(const struct pci_config_ops *ops, const struct pci_map *map,
			 struct pci_scan *scan, size_t index)
{
	struct virtio_pci_layout layout;
	const char *complaint = NULL;
	if (pci_windows_place(ops, scan, index, map) == STATUS_OK &&
	    pci_windows_check(scan, index, map) == NULL) {
		windows_check(scan, index, map);
	}
	const enum status status = virtio_pci_layout_decode(bus.config, scan->functions[index].bars,
							    &layout, &complaint);
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NO_DEVICE || complaint != NULL);
	if (status == STATUS_OK) {
		layout_check(&layout, scan->functions[index].bars);
		transport_use(&layout);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct phys_range taken[] = {{{0x100000}, 0x3f00000},
						  {{0xfec00000}, 0x1400000}};
	static const struct pci_map map = {taken, ARRAY_COUNT(taken), {{0xf0000000}, 0xec00000}};
	static const struct pci_config_ops ops = {config_read, config_write, NULL};
	static struct pci_scan scan;
	memset(&bus, 0, sizeof(bus));
	bus.script = fuzz_input_of(data, size);
	(void)fuzz_fill(&bus.script, bus.config, sizeof(bus.config));
	(void)fuzz_fill(&bus.script, bus.bar_bits, sizeof(bus.bar_bits));
	bus.devices = fuzz_u32(&bus.script) & fuzz_u32(&bus.script);
	pci_scan_all(&ops, &scan);
	FUZZ_REQUIRE(scan.count <= PCI_FUNCTIONS_MAX);
	for (size_t i = 0; i < scan.count; i++) {
		if (is_driven(i)) {
			function_use(&ops, &map, &scan, i);
		}
	}
	return 0;
}
