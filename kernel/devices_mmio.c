// SPDX-License-Identifier: MIT
/* virtio-mmio windows, as microvm's command line names them. */
#include "arch/cpu.h"
#include "base/log.h"
#include "kernel/devices.h"
#include "virtio/mmio_cmdline.h"

static uint32_t read32(void *context, uint32_t offset_bytes)
{
	volatile uint8_t *window = context;
	return cpu_mmio_read32(window + offset_bytes);
}

static void write32(void *context, uint32_t offset_bytes, uint32_t value)
{
	volatile uint8_t *window = context;
	cpu_mmio_write32(window + offset_bytes, value);
}

static void add_device(struct devices *devices, const struct devices_environment *environment,
		       const struct mmio_cmdline_device *found)
{
	volatile uint8_t *window;
	struct device_slot *slot = devices_slot(devices, "virtio-mmio at", found->window.first.raw);
	if (slot == NULL) {
		return;
	}
	enum status status = kernel_memory_map_device(environment->memory, found->window.first,
						      found->window.size_bytes, &window);
	if (status == STATUS_OK) {
		slot->registers = (struct register_ops){
			.read32 = read32,
			.write32 = write32,
			.context = (void *)(uintptr_t)window,
		};
		status = virtio_mmio_open(&slot->transport, &slot->registers);
	}
	if (status != STATUS_OK) {
		log_write(LOG_WARNING, "devices", "virtio-mmio at 0x%lx: %s: skipped",
			  found->window.first.raw, status_name(status));
		return;
	}
	interrupt_line_open_input(&slot->line, environment->apic, found->irq,
				  devices_vector(devices, slot));
	log_write(LOG_DEBUG, "devices", "virtio-mmio at 0x%lx: device type %u",
		  found->window.first.raw, slot->transport.device_id);
	devices_add(devices, environment);
}

enum status devices_find_mmio(struct devices *devices,
			      const struct devices_environment *environment)
{
	static struct mmio_cmdline_list list;
	const enum status status = mmio_cmdline_parse(environment->cmdline, &list);
	if (status != STATUS_OK) {
		log_write(LOG_ERROR, "devices", "command line: %s",
			  list.complaint == NULL ? "?" : list.complaint);
		return status;
	}
	for (size_t i = 0; i < list.count; i++) {
		add_device(devices, environment, &list.devices[i]);
	}
	return STATUS_OK;
}
