// SPDX-License-Identifier: MIT
/* virtio-pci functions: configuration mechanism #1, windows, MSI-X. Everything that decides
 * anything is in virtio/: pci_scan.c, pci_windows.c, virtio_pci_layout.c. */
#include "arch/cpu.h"
#include "base/log.h"
#include "kernel/devices.h"
#include "virtio/pci_config.h"

/* PCI Local Bus 3.0, section 3.2.2.3.2. */
#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA    0xcfcu
#define CONFIG_ENABLE  0x80000000u

#define MSIX_ENABLE    0x80000000u /* In the dword that holds the capability's id. */
#define MSIX_MASK_ALL  0x40000000u

/* What the platform decodes itself: I/O APIC, timers, local APIC, firmware. */
#define PLATFORM_FIRST 0xfec00000u
/* Where BARs go that nobody has placed. No PC chipset puts memory here, and QEMU none of its own
 * windows for configuration space. */
#define HOLE_FIRST 0xf0000000u

static uint32_t config_address(struct pci_address at, uint32_t offset_bytes)
{
	return CONFIG_ENABLE | (uint32_t)at.bus << 16 | (uint32_t)at.device << 11 |
	       (uint32_t)at.function << 8 | offset_bytes;
}

static uint32_t read32(void *context, struct pci_address at, uint32_t offset_bytes)
{
	(void)context;
	cpu_out32(CONFIG_ADDRESS, config_address(at, offset_bytes));
	return cpu_in32(CONFIG_DATA);
}

static void write32(void *context, struct pci_address at, uint32_t offset_bytes, uint32_t value)
{
	(void)context;
	cpu_out32(CONFIG_ADDRESS, config_address(at, offset_bytes));
	cpu_out32(CONFIG_DATA, value);
}

static const struct pci_config_ops config_ops = {.read32 = read32, .write32 = write32};

/* A machine without PCI (microvm) keeps nothing in the address register. */
static bool is_there(void)
{
	cpu_out32(CONFIG_ADDRESS, CONFIG_ENABLE);
	return cpu_in32(CONFIG_ADDRESS) == CONFIG_ENABLE;
}

static uint32_t bar_read(void *context, uint8_t bar, uint32_t offset_bytes,
			 unsigned int width_bytes)
{
	const struct device_windows *windows = context;
	const volatile uint8_t *at = windows->bars[bar] + offset_bytes;
	if (width_bytes == 1) {
		return cpu_mmio_read8(at);
	}
	return width_bytes == 2 ? cpu_mmio_read16(at) : cpu_mmio_read32(at);
}

static void bar_write(void *context, uint8_t bar, uint32_t offset_bytes, unsigned int width_bytes,
		      uint32_t value)
{
	const struct device_windows *windows = context;
	volatile uint8_t *at = windows->bars[bar] + offset_bytes;
	if (width_bytes == 1) {
		cpu_mmio_write8(at, (uint8_t)value);
	} else if (width_bytes == 2) {
		cpu_mmio_write16(at, (uint16_t)value);
	} else {
		cpu_mmio_write32(at, value);
	}
}

static enum status map_windows(struct device_windows *windows, struct kernel_memory *memory,
			       const struct pci_function *function)
{
	for (size_t i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &function->bars[i];
		if (!bar->is_memory) {
			continue;
		}
		const enum status status = kernel_memory_map_device(
			memory, bar->window.first, bar->window.size_bytes, &windows->bars[i]);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

/* One entry for everything; the function's other entries stay masked, as after a reset. */
static void open_message(struct device_slot *slot, const struct devices_environment *environment,
			 const struct pci_function *function,
			 const struct virtio_pci_layout *layout, uint32_t vector)
{
	const struct virtio_pci_place *table = &layout->msix_table;
	const uint32_t at = layout->msix_capability_bytes_offset;
	if (table->len_bytes == 0) {
		return;
	}
	interrupt_line_open_message(&slot->line, environment->apic,
				    slot->windows.bars[table->bar] + table->offset_bytes, vector);
	const uint32_t control = read32(NULL, function->at, at);
	write32(NULL, function->at, at, (control & ~MSIX_MASK_ALL) | MSIX_ENABLE);
}

/* From configuration space to a transport. *complaint is set if there are words for it. */
static enum status open_function(struct device_slot *slot, uint32_t vector,
				 const struct devices_environment *environment,
				 const struct pci_scan *scan, size_t index,
				 const struct pci_map *map, const char **complaint)
{
	const struct pci_function *function = &scan->functions[index];
	uint8_t config[PCI_CONFIG_BYTES];
	struct virtio_pci_layout layout;
	pci_config_copy(&config_ops, function->at, config);
	enum status status = virtio_pci_layout_decode(config, function->bars, &layout, complaint);
	if (status != STATUS_OK) {
		return status;
	}
	*complaint = pci_windows_check(scan, index, map);
	if (*complaint != NULL) {
		return STATUS_BAD_HOST;
	}
	status = map_windows(&slot->windows, environment->memory, function);
	if (status != STATUS_OK) {
		return status;
	}
	pci_command_set(&config_ops, function->at, PCI_COMMAND_IO,
			PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
	open_message(slot, environment, function, &layout, vector);
	slot->pci_at = function->at;
	slot->pci_id = read32(NULL, function->at, PCI_ID);
	const struct virtio_pci_access access = {bar_read, bar_write, &slot->windows};
	virtio_pci_open(&slot->transport, &slot->pci, &layout, &access,
			slot->line.kind == INTERRUPT_MESSAGE);
	return STATUS_OK;
}

static void add_function(struct devices *devices, const struct devices_environment *environment,
			 struct pci_scan *scan, size_t index, const struct pci_map *map)
{
	const struct pci_function *function = &scan->functions[index];
	const uint64_t where = (uint64_t)function->at.bus << 16 |
			       (uint64_t)function->at.device << 8 | function->at.function;
	const char *complaint = NULL;
	struct device_slot *slot = devices_slot(devices, "virtio-pci at", where);
	if (slot == NULL) {
		return;
	}
	enum status status = pci_windows_place(&config_ops, scan, index, map);
	if (status == STATUS_OK) {
		status = open_function(slot, devices_vector(devices, slot), environment, scan,
				       index, map, &complaint);
	}
	if (status != STATUS_OK) {
		log_write(LOG_WARNING, "devices", "virtio-pci at %lx: %s%s%s: skipped", where,
			  status_name(status), complaint == NULL ? "" : ": ",
			  complaint == NULL ? "" : complaint);
		return;
	}
	log_write(LOG_DEBUG, "devices", "virtio-pci at %lx: device type %u%s", where,
		  slot->transport.device_id,
		  slot->line.kind == INTERRUPT_NONE ? ", no interrupt" : "");
	devices_add(devices, environment);
}

bool devices_is_present(const struct device_slot *slot)
{
	return slot->pci_id == 0 || read32(NULL, slot->pci_at, PCI_ID) == slot->pci_id;
}

/* Forget where the firmware put the windows of virtio functions: as on a machine without one. */
static void forget_places(struct pci_scan *scan)
{
	for (size_t i = 0; i < scan->count; i++) {
		struct pci_function *function = &scan->functions[i];
		for (size_t j = 0; j < PCI_BARS; j++) {
			if (function->vendor_id == VIRTIO_PCI_VENDOR_ID && function->at.bus == 0) {
				function->bars[j].window.first.raw = 0;
			}
		}
	}
}

void devices_find_pci(struct devices *devices, const struct devices_environment *environment)
{
	static struct pci_scan scan;
	struct phys_range taken[BOOT_MEMORY_RANGES_MAX + 1];
	struct pci_map map = {
		.taken = taken,
		.hole = {{HOLE_FIRST}, PLATFORM_FIRST - HOLE_FIRST},
	};
	if (!is_there()) {
		return;
	}
	for (size_t i = 0; i < environment->memory->memory_count; i++) {
		taken[map.taken_count++] = environment->memory->memory[i];
	}
	taken[map.taken_count++] =
		(struct phys_range){{PLATFORM_FIRST}, ((uint64_t)1 << 32) - PLATFORM_FIRST};
	pci_scan_all(&config_ops, &scan);
	if (scan.is_cut_off) {
		log_write(LOG_WARNING, "devices", "more PCI functions or buses than we look at");
		devices->is_cut_off = true;
	}
	if (environment->place_windows) {
		forget_places(&scan);
	}
	for (size_t i = 0; i < scan.count; i++) {
		if (scan.functions[i].header_type != 0) {
			continue;
		}
		/* What the firmware left running stops reaching memory; ours start again. */
		pci_command_set(&config_ops, scan.functions[i].at, PCI_COMMAND_MASTER, 0);
		if (scan.functions[i].vendor_id == VIRTIO_PCI_VENDOR_ID) {
			add_function(devices, environment, &scan, i, &map);
		}
	}
}
