// SPDX-License-Identifier: MIT
#include "kernel/devices.h"

#include "arch/cpu.h"
#include "base/log.h"
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

static void add_device(struct devices *devices, struct kernel_memory *memory,
		       const struct mmio_cmdline_device *found)
{
	volatile uint8_t *window;
	if (devices->count == DEVICES_MAX) {
		log_write(LOG_WARNING, "devices", "more than %u devices: 0x%lx is not used",
			  DEVICES_MAX, found->window.first.raw);
		return;
	}
	enum status status = kernel_memory_map_device(memory, found->window.first,
						      found->window.size_bytes, &window);
	struct device_slot *slot = &devices->slots[devices->count];
	if (status == STATUS_OK) {
		slot->irq = found->irq;
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
	log_write(LOG_DEBUG, "devices", "virtio-mmio at 0x%lx: device type %u",
		  found->window.first.raw, slot->transport.device_id);
	devices->count++;
}

enum status devices_find(struct devices *devices, struct kernel_memory *memory, const char *cmdline)
{
	static struct mmio_cmdline_list list;
	devices->count = 0;
	enum status status = mmio_cmdline_parse(cmdline, &list);
	if (status != STATUS_OK) {
		log_write(LOG_ERROR, "devices", "command line: %s",
			  list.complaint == NULL ? "?" : list.complaint);
		return status;
	}
	for (size_t i = 0; i < list.count; i++) {
		add_device(devices, memory, &list.devices[i]);
	}
	return STATUS_OK;
}

struct device_slot *devices_nth(struct devices *devices, uint32_t device_id, size_t nth)
{
	for (size_t i = 0; i < devices->count; i++) {
		if (devices->slots[i].transport.device_id != device_id) {
			continue;
		}
		if (nth == 0) {
			return &devices->slots[i];
		}
		nth--;
	}
	return NULL;
}
