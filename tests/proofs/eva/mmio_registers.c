// SPDX-License-Identifier: MIT
/* The registers of virtio-mmio: each says anything at each read, and the driver does with them all
 * that a bus can be asked for. */
#include "tests/proofs/eva/entry.h"
#include "virtio/virtio_mmio.h"

#define CONFIG_WORDS 4u

static uint32_t register_read(void *context, uint32_t offset_bytes)
{
	(void)context;
	//@ assert aligned: offset_bytes % 4 == 0;
	//@ assert in_the_window: offset_bytes < VIRTIO_MMIO_WINDOW_BYTES_MIN;
	return any_up_to(UINT32_MAX);
}

static void register_write(void *context, uint32_t offset_bytes, uint32_t value)
{
	(void)context, (void)value;
	//@ assert aligned: offset_bytes % 4 == 0;
	//@ assert in_the_window: offset_bytes < VIRTIO_MMIO_WINDOW_BYTES_MIN;
}

static void use(struct virtio_transport *transport)
{
	uint32_t words[CONFIG_WORDS];
	const uint16_t queue = (uint16_t)any_up_to(UINT16_MAX);
	const struct virtio_queue_place place = {.queue_index = queue,
						 .size = (uint16_t)any_up_to(UINT16_MAX),
						 .descriptors = {any_u64()},
						 .available = {any_u64()},
						 .used = {any_u64()}};
	for (uint32_t which = VIRTIO_STATUS; which <= VIRTIO_INTERRUPT; which++) {
		(void)transport->ops->read(transport->context, (enum virtio_register)which);
		transport->ops->write(transport->context, (enum virtio_register)which,
				      any_up_to(UINT32_MAX));
	}
	virtio_transport_features_accept(transport, virtio_transport_features(transport));
	(void)transport->ops->queue_size_max(transport->context, queue);
	(void)transport->ops->queue_enable(transport->context, &place);
	transport->ops->notify(transport->context, queue);
	if (virtio_transport_config(transport, 0, words, CONFIG_WORDS) == STATUS_OK) {
		(void)words[CONFIG_WORDS - 1];
	}
	(void)virtio_transport_interrupt_take(transport);
}

int main(void)
{
	static struct register_ops registers = {.read32 = register_read, .write32 = register_write};
	struct virtio_transport transport;
	if (virtio_mmio_open(&transport, &registers) == STATUS_OK) {
		use(&transport);
	}
	return 0;
}
