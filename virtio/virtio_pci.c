// SPDX-License-Identifier: MIT
/* The common configuration structure (virtio 1.2, section 4.1.4.3), each field in its own width
 * (section 4.1.3.1). Nothing is cached but the notification addresses, which are checked once. */
#include "virtio/virtio_pci.h"

#define DEVICE_FEATURE_SELECT 0x00u
#define DEVICE_FEATURE        0x04u
#define DRIVER_FEATURE_SELECT 0x08u
#define DRIVER_FEATURE        0x0cu
#define CONFIG_MSIX_VECTOR    0x10u
#define NUM_QUEUES            0x12u
#define DEVICE_STATUS         0x14u
#define CONFIG_GENERATION     0x15u
#define QUEUE_SELECT          0x16u
#define QUEUE_SIZE            0x18u
#define QUEUE_MSIX_VECTOR     0x1au
#define QUEUE_ENABLE          0x1cu
#define QUEUE_NOTIFY_OFF      0x1eu
#define QUEUE_DESC            0x20u
#define QUEUE_DRIVER          0x28u
#define QUEUE_DEVICE          0x30u

#define SHARED_VECTOR         0u
#define NOTIFY_WIDTH          2u

static uint32_t common_read(const struct virtio_pci *pci, uint32_t field, unsigned int width_bytes)
{
	const struct virtio_pci_place *common = &pci->layout.common;
	return pci->access.read(pci->access.context, common->bar, common->offset_bytes + field,
				width_bytes);
}

static void common_write(const struct virtio_pci *pci, uint32_t field, unsigned int width_bytes,
			 uint32_t value)
{
	const struct virtio_pci_place *common = &pci->layout.common;
	pci->access.write(pci->access.context, common->bar, common->offset_bytes + field,
			  width_bytes, value);
}

static uint32_t features_read(const struct virtio_pci *pci, uint32_t half)
{
	common_write(pci, DEVICE_FEATURE_SELECT, 4, half);
	return common_read(pci, DEVICE_FEATURE, 4);
}

static void features_write(const struct virtio_pci *pci, uint32_t half, uint32_t value)
{
	common_write(pci, DRIVER_FEATURE_SELECT, 4, half);
	common_write(pci, DRIVER_FEATURE, 4, value);
}

/* With MSI-X the ISR byte does not tell about configuration changes (section 4.1.4.5.1), but the
 * generation does. Reading the ISR acknowledges it. */
static uint32_t pending_read(struct virtio_pci *pci)
{
	const struct virtio_pci_place *isr = &pci->layout.isr;
	const uint8_t generation = (uint8_t)common_read(pci, CONFIG_GENERATION, 1);
	uint32_t pending = pci->access.read(pci->access.context, isr->bar, isr->offset_bytes, 1);
	if (generation != pci->generation_seen) {
		pci->generation_seen = generation;
		pending |= VIRTIO_INTERRUPT_CONFIG;
	}
	return pending;
}

static uint32_t pci_read(void *context, enum virtio_register which)
{
	struct virtio_pci *pci = context;
	switch (which) {
	case VIRTIO_STATUS: return common_read(pci, DEVICE_STATUS, 1);
	case VIRTIO_DEVICE_FEATURES_LOW: return features_read(pci, 0);
	case VIRTIO_DEVICE_FEATURES_HIGH: return features_read(pci, 1);
	case VIRTIO_CONFIG_GENERATION: return common_read(pci, CONFIG_GENERATION, 1);
	case VIRTIO_INTERRUPT: return pending_read(pci);
	case VIRTIO_DRIVER_FEATURES_LOW:
	case VIRTIO_DRIVER_FEATURES_HIGH: break; /* Write-only. */
	}
	return 0;
}

static void pci_write(void *context, enum virtio_register which, uint32_t value)
{
	const struct virtio_pci *pci = context;
	switch (which) {
	case VIRTIO_STATUS: common_write(pci, DEVICE_STATUS, 1, value); break;
	case VIRTIO_DRIVER_FEATURES_LOW: features_write(pci, 0, value); break;
	case VIRTIO_DRIVER_FEATURES_HIGH: features_write(pci, 1, value); break;
	case VIRTIO_INTERRUPT: /* The read has acknowledged it. */
	case VIRTIO_DEVICE_FEATURES_LOW:
	case VIRTIO_DEVICE_FEATURES_HIGH:
	case VIRTIO_CONFIG_GENERATION: break; /* Read-only. */
	}
}

static uint32_t pci_queue_size_max(void *context, uint16_t queue_index)
{
	const struct virtio_pci *pci = context;
	if (queue_index >= VIRTIO_PCI_QUEUES_MAX ||
	    queue_index >= common_read(pci, NUM_QUEUES, 2)) {
		return 0;
	}
	common_write(pci, QUEUE_SELECT, 2, queue_index);
	return common_read(pci, QUEUE_SIZE, 2);
}

static void address_write(const struct virtio_pci *pci, uint32_t field, struct shared_addr at)
{
	common_write(pci, field, 4, (uint32_t)at.raw);
	common_write(pci, field + 4, 4, (uint32_t)(at.raw >> 32));
}

/* The device's word for where a queue is notified, section 4.1.4.4. */
static enum status notify_offset_take(struct virtio_pci *pci, uint16_t queue_index)
{
	const struct virtio_pci_place *notify = &pci->layout.notify;
	const uint64_t offset =
		(uint64_t)common_read(pci, QUEUE_NOTIFY_OFF, 2) * pci->layout.notify_multiplier;
	if (!addr_within(offset, NOTIFY_WIDTH, notify->len_bytes)) {
		return STATUS_BAD_HOST;
	}
	pci->notify_offset[queue_index] = (uint32_t)offset;
	return STATUS_OK;
}

/* A reset has taken the vectors away. A device that does not keep one is served without interrupts:
 * they are hints. */
static void vector_set(const struct virtio_pci *pci)
{
	if (pci->wants_interrupts) {
		common_write(pci, CONFIG_MSIX_VECTOR, 2, SHARED_VECTOR);
		common_write(pci, QUEUE_MSIX_VECTOR, 2, SHARED_VECTOR);
	}
}

static enum status pci_queue_enable(void *context, const struct virtio_queue_place *place)
{
	struct virtio_pci *pci = context;
	if (place->queue_index >= VIRTIO_PCI_QUEUES_MAX) {
		return STATUS_BAD_HOST;
	}
	common_write(pci, QUEUE_SELECT, 2, place->queue_index);
	if (common_read(pci, QUEUE_ENABLE, 2) != 0) {
		return STATUS_BAD_HOST;
	}
	const enum status status = notify_offset_take(pci, place->queue_index);
	if (status != STATUS_OK) {
		return status;
	}
	common_write(pci, QUEUE_SIZE, 2, place->size);
	address_write(pci, QUEUE_DESC, place->descriptors);
	address_write(pci, QUEUE_DRIVER, place->available);
	address_write(pci, QUEUE_DEVICE, place->used);
	vector_set(pci);
	common_write(pci, QUEUE_ENABLE, 2, 1);
	return common_read(pci, QUEUE_ENABLE, 2) == 1 ? STATUS_OK : STATUS_BAD_HOST;
}

static void pci_notify(void *context, uint16_t queue_index)
{
	const struct virtio_pci *pci = context;
	const struct virtio_pci_place *notify = &pci->layout.notify;
	pci->access.write(pci->access.context, notify->bar,
			  notify->offset_bytes + pci->notify_offset[queue_index], NOTIFY_WIDTH,
			  queue_index);
}

/* What the structure does not hold reads like a device that is gone. */
static uint32_t pci_config_read(void *context, uint32_t offset_bytes)
{
	const struct virtio_pci *pci = context;
	const struct virtio_pci_place *device = &pci->layout.device;
	if (!addr_within(offset_bytes, sizeof(uint32_t), device->len_bytes)) {
		return UINT32_MAX;
	}
	return pci->access.read(pci->access.context, device->bar,
				device->offset_bytes + offset_bytes, sizeof(uint32_t));
}

static const struct virtio_transport_ops pci_ops = {
	.read = pci_read,
	.write = pci_write,
	.queue_size_max = pci_queue_size_max,
	.queue_enable = pci_queue_enable,
	.notify = pci_notify,
	.config_read = pci_config_read,
};

void virtio_pci_open(struct virtio_transport *transport, struct virtio_pci *pci,
		     const struct virtio_pci_layout *layout, const struct virtio_pci_access *access,
		     bool wants_interrupts)
{
	*pci = (struct virtio_pci){
		.layout = *layout,
		.access = *access,
		.wants_interrupts = wants_interrupts,
	};
	pci->generation_seen = (uint8_t)common_read(pci, CONFIG_GENERATION, 1);
	*transport = (struct virtio_transport){
		.ops = &pci_ops,
		.context = pci,
		.device_id = layout->device_id,
	};
}
