// SPDX-License-Identifier: MIT
/* The register layout of virtio-mmio version 2 (virtio 1.2, section 4.2.2). All accesses are 32
 * bits wide. Nothing is cached: each register is read when it is asked for, and callers ask once.
 */
#include "virtio/virtio_mmio.h"

#define MMIO_MAGIC 0x74726976u /* "virt" */

/* Offsets, in the specification's spelling. */
#define MagicValue        0x000u
#define Version           0x004u
#define DeviceID          0x008u
#define DeviceFeatures    0x010u
#define DeviceFeaturesSel 0x014u
#define DriverFeatures    0x020u
#define DriverFeaturesSel 0x024u
#define QueueSel          0x030u
#define QueueNumMax       0x034u
#define QueueNum          0x038u
#define QueueReady        0x044u
#define QueueNotify       0x050u
#define InterruptStatus   0x060u
#define InterruptACK      0x064u
#define Status            0x070u
#define QueueDescLow      0x080u
#define QueueDescHigh     0x084u
#define QueueDriverLow    0x090u
#define QueueDriverHigh   0x094u
#define QueueDeviceLow    0x0a0u
#define QueueDeviceHigh   0x0a4u
#define ConfigGeneration  0x0fcu
#define Config            0x100u

static uint32_t register_read(void *context, uint32_t offset_bytes)
{
	const struct register_ops *registers = context;
	return registers->read32(registers->context, offset_bytes);
}

static void register_write(void *context, uint32_t offset_bytes, uint32_t value)
{
	const struct register_ops *registers = context;
	registers->write32(registers->context, offset_bytes, value);
}

static uint32_t mmio_read(void *context, enum virtio_register which)
{
	switch (which) {
	case VIRTIO_STATUS: return register_read(context, Status);
	case VIRTIO_DEVICE_FEATURES_LOW:
		register_write(context, DeviceFeaturesSel, 0);
		return register_read(context, DeviceFeatures);
	case VIRTIO_DEVICE_FEATURES_HIGH:
		register_write(context, DeviceFeaturesSel, 1);
		return register_read(context, DeviceFeatures);
	case VIRTIO_CONFIG_GENERATION: return register_read(context, ConfigGeneration);
	case VIRTIO_INTERRUPT: return register_read(context, InterruptStatus);
	case VIRTIO_DRIVER_FEATURES_LOW:
	case VIRTIO_DRIVER_FEATURES_HIGH: break; /* Write-only. */
	}
	return 0;
}

static void mmio_write(void *context, enum virtio_register which, uint32_t value)
{
	switch (which) {
	case VIRTIO_STATUS: register_write(context, Status, value); break;
	case VIRTIO_DRIVER_FEATURES_LOW:
		register_write(context, DriverFeaturesSel, 0);
		register_write(context, DriverFeatures, value);
		break;
	case VIRTIO_DRIVER_FEATURES_HIGH:
		register_write(context, DriverFeaturesSel, 1);
		register_write(context, DriverFeatures, value);
		break;
	case VIRTIO_INTERRUPT: register_write(context, InterruptACK, value); break;
	case VIRTIO_DEVICE_FEATURES_LOW:
	case VIRTIO_DEVICE_FEATURES_HIGH:
	case VIRTIO_CONFIG_GENERATION: break; /* Read-only. */
	}
}

static uint32_t mmio_queue_size_max(void *context, uint16_t queue_index)
{
	register_write(context, QueueSel, queue_index);
	return register_read(context, QueueNumMax);
}

static void address_write(void *context, uint32_t low_offset, struct shared_addr at)
{
	register_write(context, low_offset, (uint32_t)at.raw);
	register_write(context, low_offset + 4, (uint32_t)(at.raw >> 32));
}

/* Section 4.2.3.2. QueueReady is read before and after: a queue that was live already would use
 * addresses that we did not give. */
static enum status mmio_queue_enable(void *context, const struct virtio_queue_place *place)
{
	register_write(context, QueueSel, place->queue_index);
	if (register_read(context, QueueReady) != 0) {
		return STATUS_BAD_HOST;
	}
	register_write(context, QueueNum, place->size);
	address_write(context, QueueDescLow, place->descriptors);
	address_write(context, QueueDriverLow, place->available);
	address_write(context, QueueDeviceLow, place->used);
	register_write(context, QueueReady, 1);
	return register_read(context, QueueReady) == 1 ? STATUS_OK : STATUS_BAD_HOST;
}

static void mmio_notify(void *context, uint16_t queue_index)
{
	register_write(context, QueueNotify, queue_index);
}

static uint32_t mmio_config_read(void *context, uint32_t offset_bytes)
{
	return register_read(context, Config + offset_bytes);
}

static const struct virtio_transport_ops mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
	.queue_size_max = mmio_queue_size_max,
	.queue_enable = mmio_queue_enable,
	.notify = mmio_notify,
	.config_read = mmio_config_read,
};

enum status virtio_mmio_open(struct virtio_transport *transport, struct register_ops *registers)
{
	if (register_read(registers, MagicValue) != MMIO_MAGIC) {
		return STATUS_NO_DEVICE;
	}
	if (register_read(registers, Version) != 2) {
		return STATUS_UNSUPPORTED;
	}
	const uint32_t device_id = register_read(registers, DeviceID);
	if (device_id == 0 || device_id == UINT32_MAX) {
		return STATUS_NO_DEVICE;
	}
	*transport = (struct virtio_transport){
		.ops = &mmio_ops,
		.context = registers,
		.device_id = device_id,
	};
	return STATUS_OK;
}
