// SPDX-License-Identifier: MIT
/* virtio-blk behind the block device port (virtio 1.2, section 5.2).
 *
 * One request at a time: one chain, one notification, a polled completion, one copy through pages
 * that were acquired at open. Transfers above VIRTIO_BLK_TRANSFER_BYTES_MAX are split into requests
 * that are issued one after the other. A flush is issued only after every write before it has
 * completed, because calls are synchronous.
 *
 * The first lie, the first missed deadline or a device that wants a reset ends the device: the call
 * returns STATUS_BAD_HOST or STATUS_TIMEOUT, every later one STATUS_BAD_HOST. To try again, close
 * and open; the transport allows that a few times (see virtio_device_open). Buffers are private
 * memory, of which only what is written to the disk becomes visible. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "block/block_device.h"
#include "sharedmem/sharedmem.h"
#include "virtio/virtio_device.h"
#include "virtio/virtq.h"

#define VIRTIO_BLK_TRANSFER_BYTES_MAX (128u * 1024u)
#define VIRTIO_BLK_TIMEOUT_US_DEFAULT (10u * 1000u * 1000u)
/* What one open device borrows from sharedmem. */
#define VIRTIO_BLK_SHARED_PAGES 34u
/* Bytes of a GET_ID answer, section 5.2.6. */
#define VIRTIO_BLK_ID_BYTES 20u

/* Borrowed until close. */
struct virtio_blk_environment {
	struct virtio_transport *transport; /* Of a device with VIRTIO_ID_BLOCK. */
	struct sharedmem *memory;
	const struct clock *clock;
	uint64_t request_timeout_us; /* 0: VIRTIO_BLK_TIMEOUT_US_DEFAULT. */
};

/* Caller's storage; fields are private. */
struct virtio_blk {
	struct virtio_device device;
	struct virtq queue;
	struct shared_region control; /* Request header and status byte. */
	struct shared_region data;
	uint64_t request_timeout_us;
	uint32_t segment_bytes_max;
	uint32_t transfer_blocks_max;
	bool open;
	bool config_change_logged;
	struct block_device block_device;
	struct block_device_counters counters;
};

/* Reset, negotiate, and be ready. The device is *virtio_blk_device(blk) afterwards.
 * STATUS_NO_DEVICE: not a block device. STATUS_BAD_HOST: the device lied or its configuration is
 * nonsense. STATUS_TRUNCATED: less than one block. STATUS_TIMEOUT: the reset is not confirmed.
 * STATUS_LIMIT: the device failed too often. STATUS_NO_MEMORY: the pool is too small.
 * On failure nothing is held (pages that the device may still reach are leaked). */
MUST_CHECK
enum status virtio_blk_open(struct virtio_blk *blk,
			    const struct virtio_blk_environment *environment);

/* Reset the device and give the pages back; they are leaked if the reset is not confirmed. Safe
 * after a failure and when called twice. */
void virtio_blk_close(struct virtio_blk *blk);

/* The port to give to the volume. Valid until close. Without FLUSH, has_flush is false and flush
 * returns STATUS_NO_FLUSH. */
const struct block_device *virtio_blk_device(const struct virtio_blk *blk);

/* Requests, not calls: a transfer of 1 MiB counts 8 reads. */
void virtio_blk_counters_get(const struct virtio_blk *blk, struct block_device_counters *counters);

/* The name that the host gave the disk, for messages: never an identity. Bytes that are not
 * printable ASCII become '?'. Terminated. */
MUST_CHECK
enum status virtio_blk_id_read(struct virtio_blk *blk, char id[VIRTIO_BLK_ID_BYTES + 1]);

/* For the interrupt path: acknowledges. A change of the configuration (capacity) is logged once
 * and otherwise ignored. The driver polls and asks for no queue interrupts. */
void virtio_blk_interrupt_ack(struct virtio_blk *blk);
