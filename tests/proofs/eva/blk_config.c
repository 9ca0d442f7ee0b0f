// SPDX-License-Identifier: MIT
/* A virtio-blk device's configuration space: every word is anything at each read. */
#include "block/virtio_blk_internal.h"
#include "tests/proofs/eva/entry.h"

static struct virtio_blk blk;

static uint32_t register_read(void *context, enum virtio_register which)
{
	return any_up_to(UINT32_MAX);
}

static uint32_t config_read(void *context, uint32_t offset_bytes)
{
	//@ assert aligned: offset_bytes % 4 == 0;
	return any_up_to(UINT32_MAX);
}

int main(void)
{
	static const struct virtio_transport_ops ops = {.read = register_read,
							.config_read = config_read};
	static struct virtio_transport transport = {.ops = &ops};
	blk.device.transport = &transport;
	blk.device.features = any_u64();
	blk.data_pages = any_up_to(UINT16_MAX);
	if (virtio_blk_configuration_read(&blk) == STATUS_OK) {
		blk.queue_count = 1;
		blk.queues[0].size = (uint16_t)any_up_to(UINT16_MAX);
		(void)virtio_blk_limits_fit(&blk);
	}
	return 0;
}
