// SPDX-License-Identifier: MIT
/* Between the parts of the virtio-blk driver: requests (virtio_blk.c) and what the device says of
 * itself (virtio_blk_config.c). */
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "base/units.h"
#include "block/virtio_blk.h"

/* Features, virtio 1.2, section 5.2.3, in its spelling. */
#define VIRTIO_BLK_F_SIZE_MAX ((uint64_t)1 << 1)
#define VIRTIO_BLK_F_SEG_MAX  ((uint64_t)1 << 2)
#define VIRTIO_BLK_F_RO       ((uint64_t)1 << 5)
#define VIRTIO_BLK_F_BLK_SIZE ((uint64_t)1 << 6)
#define VIRTIO_BLK_F_FLUSH    ((uint64_t)1 << 9)
#define VIRTIO_BLK_F_TOPOLOGY ((uint64_t)1 << 10)

/* Pages of the bounce buffer, and the most data segments of a request. */
#define VIRTIO_BLK_DATA_PAGES (VIRTIO_BLK_TRANSFER_BYTES_MAX / BLOCK_BYTES)

/* Read and judge capacity, block size and limits, once, before the device runs; fills
 * blk->block_device.capacity, segment_bytes_max and transfer_blocks_max. The queue is set up.
 * STATUS_BAD_HOST: nonsense. STATUS_TRUNCATED: less than one block. */
MUST_CHECK
enum status virtio_blk_configuration_read(struct virtio_blk *blk);
