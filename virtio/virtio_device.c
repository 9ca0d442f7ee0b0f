// SPDX-License-Identifier: MIT
/* Initialisation in the order of virtio 1.2, section 3.1.1, and the way back.
 *
 * Recovery, in short: the first lie or missed deadline ends in virtio_device_give_up(), which sets
 * FAILED and resets. Only a reset that reads back as 0 proves that the device has stopped using our
 * pages (section 2.1.2); until then they stay shared and are never reused. */
#include "virtio/virtio_device.h"

#include "base/check.h"
#include "base/log.h"
#include "virtio/virtio_wait.h"

#define STATUS_RUNNING                                                                  \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | \
	 VIRTIO_STATUS_DRIVER_OK)

static uint32_t status_read(const struct virtio_device *device)
{
	return device->transport->ops->read(device->transport->context, VIRTIO_STATUS);
}

static void status_write(const struct virtio_device *device, uint32_t value)
{
	device->transport->ops->write(device->transport->context, VIRTIO_STATUS, value);
}

/* STATUS_OK once the device reads back 0. One that reads all ones has been pulled out, and waiting
 * for it is of no use; nor is it to be believed, so its pages are leaked all the same. */
static enum status reset(const struct virtio_device *device)
{
	const struct clock *clock = device->clock;
	const struct deadline deadline = clock_deadline_after(clock, VIRTIO_RESET_TIMEOUT_US);
	status_write(device, 0);
	for (;;) {
		const uint32_t value = status_read(device);
		if (value == 0) {
			return STATUS_OK;
		}
		if ((value & VIRTIO_STATUS_GONE) == VIRTIO_STATUS_GONE) {
			return STATUS_NO_DEVICE;
		}
		if (clock_deadline_passed(clock, deadline)) {
			return STATUS_TIMEOUT;
		}
		clock->relax(clock->context);
	}
}

/* Steps 2 to 6: ACKNOWLEDGE, DRIVER, features, FEATURES_OK and its echo. */
static enum status negotiate(struct virtio_device *device, const struct virtio_device_wish *wish)
{
	const uint64_t always = VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM;
	const uint64_t required = wish->required_features | VIRTIO_F_VERSION_1;
	uint32_t status = VIRTIO_STATUS_ACKNOWLEDGE;
	status_write(device, status);
	status |= VIRTIO_STATUS_DRIVER;
	status_write(device, status);

	const uint64_t offered = virtio_transport_features(device->transport);
	if ((offered & required) != required) {
		return STATUS_UNSUPPORTED;
	}
	device->features = offered & (wish->allowed_features | required | always);
	virtio_transport_features_accept(device->transport, device->features);
	status |= VIRTIO_STATUS_FEATURES_OK;
	status_write(device, status);
	return status_read(device) == status ? STATUS_OK : STATUS_BAD_HOST;
}

enum status virtio_device_open(struct virtio_device *device, struct virtio_transport *transport,
			       struct sharedmem *memory, const struct clock *clock,
			       const struct virtio_device_wish *wish)
{
	*device = (struct virtio_device){
		.transport = transport,
		.memory = memory,
		.clock = clock,
		.state = VIRTIO_DEVICE_CLOSED,
	};
	if (transport->device_id != wish->device_id) {
		return STATUS_NO_DEVICE;
	}
	if (transport->failure_count > VIRTIO_FAILURES_MAX) {
		return STATUS_LIMIT;
	}
	transport->config_changed = false;
	enum status status = reset(device);
	if (status != STATUS_OK) {
		transport->failure_count++;
		return status;
	}
	device->state = VIRTIO_DEVICE_NEGOTIATED;
	status = negotiate(device, wish);
	if (status == STATUS_UNSUPPORTED) {
		/* Honest, but of no use to us: not counted as a failure. */
		status_write(device, VIRTIO_STATUS_FAILED);
		virtio_device_stop(device);
	} else if (status != STATUS_OK) {
		virtio_device_give_up(device);
	}
	return status;
}

enum status virtio_device_queue_open(struct virtio_device *device, const struct virtq_config *wish,
				     struct virtq *queue)
{
	CHECK(device->state == VIRTIO_DEVICE_NEGOTIATED);
	const struct virtio_transport *transport = device->transport;
	struct virtq_config config = *wish;
	*queue = (struct virtq){0};
	config.features = device->features;
	config.size = virtq_size_choose(
		transport->ops->queue_size_max(transport->context, config.queue_index), wish->size);
	if (config.size == 0) {
		return STATUS_BAD_HOST;
	}
	if (config.table_count > config.size) {
		config.table_count = config.size;
	}
	struct shared_region ring;
	const enum status status =
		sharedmem_region_acquire(device->memory, virtq_ring_pages(&config), &ring);
	if (status != STATUS_OK) {
		return status;
	}
	virtq_init(queue, transport, &config, &ring);
	struct virtio_queue_place place;
	virtq_place(queue, &place);
	/* On failure the device may know the address already: the ring stays ours until it is
	 * returned after a reset. */
	return transport->ops->queue_enable(transport->context, &place);
}

enum status virtio_device_start(struct virtio_device *device)
{
	CHECK(device->state == VIRTIO_DEVICE_NEGOTIATED);
	status_write(device, STATUS_RUNNING);
	device->state = VIRTIO_DEVICE_RUNNING;
	return virtio_device_check(device);
}

enum status virtio_device_check(const struct virtio_device *device)
{
	/* Exactly what we wrote: NEEDS_RESET, a reset behind our back and the all-ones of a device
	 * that was pulled out all differ. */
	if (device->state != VIRTIO_DEVICE_RUNNING || status_read(device) != STATUS_RUNNING) {
		return STATUS_BAD_HOST;
	}
	return STATUS_OK;
}

enum status virtio_device_look_after(const struct virtio_device *device, struct deadline *next,
				     struct virtq *queues, size_t queue_count)
{
	if (!clock_deadline_passed(device->clock, *next)) {
		return STATUS_OK;
	}
	*next = clock_deadline_after(device->clock, VIRTIO_REKICK_US);
	const enum status status = virtio_device_check(device);
	for (size_t i = 0; i < queue_count && status == STATUS_OK; i++) {
		virtq_kick_always(&queues[i]);
	}
	return status;
}

enum status virtio_device_used_wait(struct virtio_device *device, struct virtq *queue,
				    struct deadline deadline, struct virtq_token *token,
				    uint32_t *written_bytes)
{
	const struct clock *clock = device->clock;
	struct deadline next_look = clock_deadline_after(clock, VIRTIO_REKICK_US);
	struct virtio_wait wait;
	enum status status;
	virtio_wait_begin(&wait, device->transport->wait_policy, clock);
	for (;;) {
		status = virtq_used_poll(queue, token, written_bytes);
		if (status != STATUS_AGAIN) {
			break;
		}
		if (clock_deadline_passed(clock, deadline)) {
			status = STATUS_TIMEOUT;
			break;
		}
		status = virtio_device_look_after(device, &next_look, queue, 1);
		if (status != STATUS_OK) {
			break;
		}
		virtio_wait_turn(&wait, device->transport, queue, 1, next_look);
	}
	virtio_wait_end(&wait, queue, 1);
	return status;
}

void virtio_device_stop(struct virtio_device *device)
{
	if (device->state != VIRTIO_DEVICE_NEGOTIATED && device->state != VIRTIO_DEVICE_RUNNING) {
		return;
	}
	device->reset = reset(device);
	if (device->reset == STATUS_OK) {
		device->state = VIRTIO_DEVICE_STOPPED;
	} else {
		device->state = VIRTIO_DEVICE_LOST;
		log_write(LOG_WARNING, "virtio",
			  "device %u: reset not confirmed (%s): pages leaked",
			  device->transport->device_id, status_name(device->reset));
	}
}

void virtio_device_give_up(struct virtio_device *device)
{
	if (device->state != VIRTIO_DEVICE_NEGOTIATED && device->state != VIRTIO_DEVICE_RUNNING) {
		return;
	}
	device->transport->failure_count++;
	status_write(device, VIRTIO_STATUS_FAILED);
	virtio_device_stop(device);
}

void virtio_device_region_return(const struct virtio_device *device, struct shared_region *region)
{
	CHECK(device->state != VIRTIO_DEVICE_RUNNING);
	if (device->state == VIRTIO_DEVICE_LOST) {
		sharedmem_leak(region);
	} else {
		sharedmem_region_release(region);
	}
}

void virtio_device_queue_close(const struct virtio_device *device, struct virtq *queue)
{
	virtio_device_region_return(device, &queue->ring);
}
