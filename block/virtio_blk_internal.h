// SPDX-License-Identifier: MIT
/* Between the parts of the virtio-blk driver: the port (virtio_blk.c), jobs in flight
 * (virtio_blk_queue.c), single requests of the device (virtio_blk_piece.c), their pages
 * (virtio_blk_pages.c) and what the device says of itself (virtio_blk_config.c). */
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "base/units.h"
#include "block/virtio_blk.h"

/* Features, virtio 1.2, section 5.2.3, in its spelling. */
#define VIRTIO_BLK_F_SIZE_MAX     ((uint64_t)1 << 1)
#define VIRTIO_BLK_F_SEG_MAX      ((uint64_t)1 << 2)
#define VIRTIO_BLK_F_RO           ((uint64_t)1 << 5)
#define VIRTIO_BLK_F_BLK_SIZE     ((uint64_t)1 << 6)
#define VIRTIO_BLK_F_FLUSH        ((uint64_t)1 << 9)
#define VIRTIO_BLK_F_TOPOLOGY     ((uint64_t)1 << 10)
#define VIRTIO_BLK_F_MQ           ((uint64_t)1 << 12)
#define VIRTIO_BLK_F_DISCARD      ((uint64_t)1 << 13)
#define VIRTIO_BLK_F_WRITE_ZEROES ((uint64_t)1 << 14)

/* Requests, section 5.2.6. */
#define VIRTIO_BLK_T_IN           0u
#define VIRTIO_BLK_T_OUT          1u
#define VIRTIO_BLK_T_FLUSH        4u
#define VIRTIO_BLK_T_GET_ID       8u
#define VIRTIO_BLK_T_DISCARD      11u
#define VIRTIO_BLK_T_WRITE_ZEROES 13u

#define VIRTIO_BLK_NONE           UINT16_MAX

/* ---- virtio_blk_config.c -----------------------------------------------------------------------
 */

/* Read and judge capacity, block size and limits, once, before the device runs; fills the limits,
 * the capacity and the number of queues of the device.
 * STATUS_BAD_HOST: nonsense. STATUS_UNSUPPORTED: physical blocks above ours. STATUS_TRUNCATED: less
 * than one block. */
MUST_CHECK
enum status virtio_blk_configuration_read(struct virtio_blk *blk);

/* Fit the limits to the queues that were opened. STATUS_BAD_HOST: too short for any request. */
MUST_CHECK
enum status virtio_blk_limits_fit(struct virtio_blk *blk);

/* ---- virtio_blk_pages.c ------------------------------------------------------------------------
 */

/* Take data pages; a list through page_next. False: not so many are free. */
bool virtio_blk_pages_take(struct virtio_blk *blk, uint32_t count, uint16_t *first);
void virtio_blk_pages_give(struct virtio_blk *blk, uint16_t first);

/* The segments of a piece's data, as few as the pages and the device's limits allow. False: more
 * than the device takes. */
bool virtio_blk_data_segments(const struct virtio_blk *blk, const struct virtio_blk_piece *piece,
			      bool device_writes, struct virtq_segment *segments, uint16_t *count);

/* Between a piece's pages and private memory; poison instead of data. */
void virtio_blk_data_out(const struct virtio_blk *blk, const struct virtio_blk_piece *piece);
void virtio_blk_data_poison(const struct virtio_blk *blk, const struct virtio_blk_piece *piece);
void virtio_blk_data_in(const struct virtio_blk *blk, const struct virtio_blk_piece *piece);

/* ---- virtio_blk_piece.c ------------------------------------------------------------------------
 */

/* Pages of headers and status bytes for `depth` pieces. */
size_t virtio_blk_control_pages(uint16_t depth);

/* Submit the next piece of a job. STATUS_AGAIN: no room before another completes. */
MUST_CHECK
enum status virtio_blk_piece_issue(struct virtio_blk *blk, struct virtio_blk_job *job);

/* Take one completion off a queue; *job has one piece less in flight, and its status if that
 * failed. STATUS_AGAIN: none. STATUS_BAD_HOST: the device is to be given up. */
MUST_CHECK
enum status virtio_blk_piece_reap(struct virtio_blk *blk, uint16_t queue,
				  struct virtio_blk_job **job);

/* ---- virtio_blk_queue.c ------------------------------------------------------------------------
 */

void virtio_blk_jobs_init(struct virtio_blk *blk);
/* Take on `work` for `request`, which completes later. STATUS_BUSY, STATUS_BAD_HOST. */
MUST_CHECK
enum status virtio_blk_job_submit(struct virtio_blk *blk, const struct virtio_blk_work *work,
				  struct block_request *request);
/* The port's. */
void virtio_blk_kick(struct virtio_blk *blk);
MUST_CHECK
enum status virtio_blk_reap(struct virtio_blk *blk, bool wait, struct block_request **completed);
/* All jobs complete with `cause`: the device has been stopped. */
void virtio_blk_jobs_fail(struct virtio_blk *blk, enum status cause);

/* ---- virtio_blk.c ------------------------------------------------------------------------------
 */

/* The first failure is logged and ends the device; returns `cause`. */
enum status virtio_blk_fail(struct virtio_blk *blk, enum status cause);
