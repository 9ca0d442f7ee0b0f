// SPDX-License-Identifier: MIT
/* The life of a virtio device (virtio 1.2, section 3.1): reset, negotiate, run, stop.
 *
 *   CLOSED -> NEGOTIATED -> RUNNING -> STOPPED | LOST        (open, start, stop)
 *
 * Any state but CLOSED may go to STOPPED (the device confirmed a reset: its pages are ours again)
 * or LOST (it did not: its pages are leaked). Every wait has a deadline on the caller's clock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "sharedmem/sharedmem.h"
#include "virtio/virtio_transport.h"
#include "virtio/virtq.h"

/* How long a reset may take. */
#define VIRTIO_RESET_TIMEOUT_US (1000u * 1000u)
/* A waiting caller knocks again this often: the suppression flag may be stuck, or a notification
 * lost. At the same time it looks whether the device is still alive. */
#define VIRTIO_REKICK_US (10u * 1000u)
/* So often a device that was given up is opened again; not once more before the next boot. */
#define VIRTIO_FAILURES_MAX 3u

enum virtio_device_state {
	VIRTIO_DEVICE_CLOSED,
	VIRTIO_DEVICE_NEGOTIATED,
	VIRTIO_DEVICE_RUNNING,
	VIRTIO_DEVICE_STOPPED,
	VIRTIO_DEVICE_LOST,
};

/* What a driver wants of a device. Anything outside `allowed` is declined; VERSION_1 (and
 * ACCESS_PLATFORM where offered) is always accepted, and VERSION_1 always required. Drivers that
 * use queues allow VIRTQ_FEATURES: the queues follow what was negotiated. */
struct virtio_device_wish {
	uint32_t device_id;
	uint64_t allowed_features;
	uint64_t required_features;
};

/* Caller's storage. Read `features` and `state`; the rest is private. */
struct virtio_device {
	struct virtio_transport *transport;
	struct sharedmem *memory;
	const struct clock *clock;
	uint64_t features; /* Negotiated. */
	enum virtio_device_state state;
	/* In LOST, why: STATUS_TIMEOUT, or STATUS_NO_DEVICE if it is gone. */
	enum status reset;
};

/* Up to and including FEATURES_OK, which is read back. Borrows all three until stop.
 * STATUS_NO_DEVICE: another device type, or all its registers are ones: it was pulled out.
 * STATUS_LIMIT: given up more than VIRTIO_FAILURES_MAX times. STATUS_UNSUPPORTED: a required
 * feature is not offered. STATUS_BAD_HOST: FEATURES_OK did not stick. STATUS_TIMEOUT: the reset was
 * not confirmed. On failure the device is marked FAILED. */
MUST_CHECK
enum status virtio_device_open(struct virtio_device *device, struct virtio_transport *transport,
			       struct sharedmem *memory, const struct clock *clock,
			       const struct virtio_device_wish *wish);

/* Set up a queue before start: `wish` has all but the features, and its size is the most that the
 * slots are for. The device may allow less: see queue->size.
 * STATUS_BAD_HOST: the device has no such queue or does not enable it. STATUS_NO_MEMORY.
 * On failure too the queue goes to virtio_device_queue_close(), after stop. */
MUST_CHECK
enum status virtio_device_queue_open(struct virtio_device *device, const struct virtq_config *wish,
				     struct virtq *queue);

/* DRIVER_OK: the device may now use its queues. */
MUST_CHECK
enum status virtio_device_start(struct virtio_device *device);

/* STATUS_BAD_HOST: not running, wants a reset, or gone (all ones, or reset behind our back). */
MUST_CHECK
enum status virtio_device_check(const struct virtio_device *device);

/* For a loop that waits for completions: every VIRTIO_REKICK_US look whether the device is alive,
 * and knock at `queues`. *next is when it is due, and moves on. STATUS_BAD_HOST: as check. */
MUST_CHECK
enum status virtio_device_look_after(const struct virtio_device *device, struct deadline *next,
				     struct virtq *queues, size_t queue_count);

/* Wait for one completion. STATUS_TIMEOUT at the deadline, STATUS_BAD_HOST for a poisoned queue or
 * a device that is no longer alive. */
MUST_CHECK
enum status virtio_device_used_wait(struct virtio_device *device, struct virtq *queue,
				    struct deadline deadline, struct virtq_token *token,
				    uint32_t *written_bytes);

/* Reset. Afterwards the state is STOPPED, or LOST if the device did not confirm within
 * VIRTIO_RESET_TIMEOUT_US or is gone. Nothing happens in CLOSED, STOPPED or LOST. */
void virtio_device_stop(struct virtio_device *device);

/* As stop, after a lie or a missed deadline: marks the device FAILED first and counts it. */
void virtio_device_give_up(struct virtio_device *device);

/* Return memory that the device could reach, after stop: released if STOPPED, else leaked. Clears
 * the handle; an empty one is ignored. */
void virtio_device_region_return(const struct virtio_device *device, struct shared_region *region);
void virtio_device_queue_close(const struct virtio_device *device, struct virtq *queue);
