// SPDX-License-Identifier: MIT
/* One request, once a boot: a device that is open for as long as that takes needs no state. */
#include "virtio/virtio_rng.h"

#include "virtio/virtio_device.h"
#include "virtio/virtq.h"

struct rng {
	struct virtio_device device;
	struct virtq queue;
	struct shared_region page;
	struct virtq_slot slots[VIRTIO_RNG_QUEUE_SIZE];
};

static enum status rng_start(struct rng *rng)
{
	const struct virtq_config config = {
		.size = VIRTIO_RNG_QUEUE_SIZE,
		.slots = rng->slots,
	};
	enum status status = virtio_device_queue_open(&rng->device, &config, &rng->queue);
	if (status == STATUS_OK) {
		status = sharedmem_region_acquire(rng->device.memory, 1, &rng->page);
	}
	return status == STATUS_OK ? virtio_device_start(&rng->device) : status;
}

/* The bytes are in the page afterwards; *got_bytes is at most what was asked for. */
static enum status rng_ask(struct rng *rng, size_t size_bytes, uint32_t *got_bytes)
{
	const struct virtq_segment segment = {
		.at = shared_region_addr(&rng->page, 0, size_bytes),
		.len_bytes = (uint32_t)size_bytes,
		.device_writes = true,
	};
	struct virtq_token token;
	const enum status status = virtq_chain_submit(&rng->queue, &segment, 1, &token);
	if (status != STATUS_OK) {
		return status;
	}
	virtq_kick(&rng->queue);
	const struct deadline deadline =
		clock_deadline_after(rng->device.clock, VIRTIO_RNG_TIMEOUT_US);
	return virtio_device_used_wait(&rng->device, &rng->queue, deadline, &token, got_bytes);
}

enum status virtio_rng_read(const struct virtio_rng_environment *environment, uint8_t *out,
			    size_t size_bytes, size_t *got_bytes)
{
	const struct virtio_device_wish wish = {
		.device_id = VIRTIO_ID_ENTROPY,
		.allowed_features = VIRTQ_FEATURES,
	};
	struct rng rng = {.page = {0}};
	uint32_t written_bytes = 0;
	if (size_bytes == 0 || size_bytes > VIRTIO_RNG_BYTES_MAX) {
		return STATUS_INVALID;
	}
	enum status status = virtio_device_open(&rng.device, environment->transport,
						environment->memory, environment->clock, &wish);
	if (status != STATUS_OK) {
		return status;
	}
	status = rng_start(&rng);
	if (status == STATUS_OK) {
		status = rng_ask(&rng, size_bytes, &written_bytes);
	}
	if (status != STATUS_OK) {
		virtio_device_give_up(&rng.device);
	} else if (written_bytes == 0) {
		status = STATUS_IO;
	} else {
		shared_copy_in(out, &rng.page, 0, written_bytes);
		*got_bytes = written_bytes;
	}
	virtio_device_stop(&rng.device);
	virtio_device_queue_close(&rng.device, &rng.queue);
	virtio_device_region_return(&rng.device, &rng.page);
	return status;
}
