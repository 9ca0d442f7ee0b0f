// SPDX-License-Identifier: MIT
/* virtio over memory-mapped registers, version 2 (virtio 1.2, section 4.2). */
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "virtio/virtio_transport.h"

/* A window needs at least the registers and a little configuration. */
#define VIRTIO_MMIO_WINDOW_BYTES_MIN 0x200u

/* Access to one device's register window; offsets are multiples of 4 below the window's size. The
 * kernel maps the window uncached and supplies volatile accesses (or GHCB calls). */
struct register_ops {
	uint32_t (*read32)(void *context, uint32_t offset_bytes);
	void (*write32)(void *context, uint32_t offset_bytes, uint32_t value);
	void *context;
};

/* Look at a window and describe the device in it. `registers` is borrowed for the transport's life.
 * STATUS_NO_DEVICE: wrong magic (all ones included) or device id 0: skip it.
 * STATUS_UNSUPPORTED: a version other than 2 (QEMU: -global virtio-mmio.force-legacy=false). */
MUST_CHECK
enum status virtio_mmio_open(struct virtio_transport *transport, struct register_ops *registers);
