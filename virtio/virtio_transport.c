// SPDX-License-Identifier: MIT
/* What every bus has in common: 64-bit features out of 32-bit halves, and consistent configuration
 * reads. */
#include "virtio/virtio_transport.h"

#include <string.h>

#include "base/check.h"

uint64_t virtio_transport_features(const struct virtio_transport *transport)
{
	const uint64_t low = transport->ops->read(transport->context, VIRTIO_DEVICE_FEATURES_LOW);
	const uint64_t high = transport->ops->read(transport->context, VIRTIO_DEVICE_FEATURES_HIGH);
	return high << 32 | low;
}

void virtio_transport_features_accept(const struct virtio_transport *transport, uint64_t features)
{
	transport->ops->write(transport->context, VIRTIO_DRIVER_FEATURES_LOW, (uint32_t)features);
	transport->ops->write(transport->context, VIRTIO_DRIVER_FEATURES_HIGH,
			      (uint32_t)(features >> 32));
}

/* Section 2.5.1: a generation that is the same before and after says that the fields belong
 * together. A host can keep changing it, so the attempts are counted. */
enum status virtio_transport_config(const struct virtio_transport *transport, uint32_t offset_bytes,
				    uint32_t *words, size_t count)
{
	const struct virtio_transport_ops *ops = transport->ops;
	uint32_t read[4];
	CHECK(count <= ARRAY_COUNT(read));
	for (unsigned int tries = 0; tries < VIRTIO_CONFIG_TRIES_MAX; tries++) {
		const uint32_t before = ops->read(transport->context, VIRTIO_CONFIG_GENERATION);
		for (size_t i = 0; i < count; i++) {
			read[i] = ops->config_read(transport->context,
						   offset_bytes + (uint32_t)(i * sizeof(read[0])));
		}
		if (ops->read(transport->context, VIRTIO_CONFIG_GENERATION) == before) {
			memcpy(words, read, count * sizeof(read[0]));
			return STATUS_OK;
		}
	}
	return STATUS_BAD_HOST;
}

uint32_t virtio_transport_interrupt_take(struct virtio_transport *transport)
{
	const uint32_t pending = transport->ops->read(transport->context, VIRTIO_INTERRUPT) &
				 (VIRTIO_INTERRUPT_QUEUE | VIRTIO_INTERRUPT_CONFIG);
	if (pending != 0) {
		transport->ops->write(transport->context, VIRTIO_INTERRUPT, pending);
	}
	transport->config_changed |= (pending & VIRTIO_INTERRUPT_CONFIG) != 0;
	return pending;
}
