// SPDX-License-Identifier: MIT
/* virtio-rng: bytes that the host calls random (virtio 1.2, section 5.4). They are one more input
 * to a generator that does not depend on them, and never the only one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "sharedmem/sharedmem.h"
#include "virtio/virtio_transport.h"

#define VIRTIO_RNG_BYTES_MAX    256u
#define VIRTIO_RNG_TIMEOUT_US   (200u * 1000u)
#define VIRTIO_RNG_QUEUE_SIZE   4u
#define VIRTIO_RNG_SHARED_PAGES 2u

/* Borrowed during the call. */
struct virtio_rng_environment {
	struct virtio_transport *transport; /* Of a device with VIRTIO_ID_ENTROPY. */
	struct sharedmem *memory;
	const struct clock *clock;
};

/* Open the device, ask once for `size_bytes` (at most VIRTIO_RNG_BYTES_MAX), close it. *got_bytes
 * is at least 1 on success and may be less than was asked for. STATUS_TIMEOUT: it keeps us waiting.
 * STATUS_IO: it gives nothing. Else as virtio_device_open and virtio_device_used_wait. On failure
 * nothing is held (pages that the device may still reach are leaked), and `out` is untouched. */
MUST_CHECK
enum status virtio_rng_read(const struct virtio_rng_environment *environment, uint8_t *out,
			    size_t size_bytes, size_t *got_bytes);
