// SPDX-License-Identifier: MIT
/* virtio-blk behind the block device port (virtio 1.2, section 5.2).
 *
 * Many requests in flight, one notification for a batch, polled completions; a copy through pages
 * that were acquired at open, so that an I/O changes the visibility of nothing. A request of the
 * port that is longer than the device takes is cut into pieces; what finds no room waits in line
 * behind the others. Synchronous calls are the same with one request.
 *
 * The first lie, the first missed deadline or a device that wants a reset ends the device: every
 * request in flight completes with STATUS_BAD_HOST or STATUS_TIMEOUT, and every later call returns
 * STATUS_BAD_HOST. To try again, close and open; the transport allows that a few times (see
 * virtio_device_open). Buffers are private memory, of which only what is written to the disk
 * becomes visible. */
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

/* The longest piece. */
#define VIRTIO_BLK_TRANSFER_BYTES_MAX (128u * 1024u)
#define VIRTIO_BLK_TIMEOUT_US_DEFAULT (10u * 1000u * 1000u)
#define VIRTIO_BLK_DEPTH_DEFAULT      64u
#define VIRTIO_BLK_DEPTH_MAX          256u
#define VIRTIO_BLK_DATA_PAGES_DEFAULT 128u
#define VIRTIO_BLK_DATA_PAGES_MAX     512u
#define VIRTIO_BLK_LENT_PAGES_MAX     1024u
#define VIRTIO_BLK_QUEUES_MAX         4u
#define VIRTIO_BLK_QUEUE_SIZE_MAX     1024u
/* Data segments of a piece: with every page apart from every other. */
#define VIRTIO_BLK_SEGMENTS_MAX (VIRTIO_BLK_TRANSFER_BYTES_MAX / BLOCK_BYTES)
/* The most that one device borrows from sharedmem if it is opened with the defaults: ring, tables,
 * control, data. */
#define VIRTIO_BLK_SHARED_PAGES (11u + 1u + VIRTIO_BLK_DATA_PAGES_DEFAULT)
/* Bytes of a GET_ID answer, section 5.2.6. */
#define VIRTIO_BLK_ID_BYTES 20u

/* Borrowed until close. A 0 stands for the default. */
struct virtio_blk_environment {
	struct virtio_transport *transport; /* Of a device with VIRTIO_ID_BLOCK. */
	struct sharedmem *memory;
	const struct clock *clock;
	uint64_t request_timeout_us; /* VIRTIO_BLK_TIMEOUT_US_DEFAULT. */
	uint16_t depth;              /* Requests in flight: VIRTIO_BLK_DEPTH_DEFAULT. */
	/* Pages for their data: VIRTIO_BLK_DATA_PAGES_DEFAULT. */
	uint16_t data_pages;
	/* Queues to use if the device has them, such as one for each CPU: 1. */
	uint16_t queue_count;
	/* Pages for requests in place: none. */
	uint16_t lent_pages;
};

/* What is to be done, in whole blocks. Private. */
struct virtio_blk_work {
	uint32_t type; /* VIRTIO_BLK_T_... */
	struct physical_block first;
	struct block_count count; /* 0 for what has no range. */
	uint8_t *bytes;           /* IN, GET_ID: filled. OUT: read. */
	bool is_in_place;         /* The data is in the lent pages; no bytes. */
	size_t place_offset;
};

/* A request of the port from submission to completion. Private. */
struct virtio_blk_job {
	struct block_request *request; /* NULL: free. */
	struct virtio_blk_work work;
	uint64_t issued_blocks;
	uint32_t pieces_out;
	bool issued; /* All of it. */
	enum status status;
	uint16_t next; /* In the backlog, or in the free list. */
};

/* A request of the device from submission to completion. Private. */
struct virtio_blk_piece {
	struct virtio_blk_job *job; /* NULL: free. */
	struct deadline deadline;   /* 0: no look has come by yet. */
	uint64_t offset_blocks;     /* Within the job. */
	uint32_t data_bytes;        /* In data pages. */
	uint16_t first_page;        /* The others follow in page_next. None: in place. */
	uint16_t next;              /* In the free list. */
};

/* Caller's storage; fields are private. */
struct virtio_blk {
	struct virtio_device device;
	struct virtq queues[VIRTIO_BLK_QUEUES_MAX];
	uint16_t queue_count;
	uint16_t queue_now;           /* Gets the next pieces; another after each kick. */
	struct shared_region control; /* Headers and status bytes. */
	struct shared_region data;
	struct shared_region lent;
	uint64_t request_timeout_us;
	struct deadline next_look;
	bool progressed; /* Since the last look. */
	bool open;
	enum status failure; /* What ended it; STATUS_OK: nothing did. */
	bool config_change_logged;

	uint32_t segment_bytes_max;
	uint32_t segments_max;
	uint32_t transfer_blocks_max;
	uint32_t discard_blocks_max; /* 0: not offered. */
	uint32_t zeroes_blocks_max;
	uint16_t device_queue_count;

	uint16_t depth;
	uint16_t jobs_out;
	uint16_t pieces_out;
	uint16_t job_free;
	uint16_t piece_free;
	uint16_t backlog_first;
	uint16_t backlog_last;
	uint16_t data_pages;
	uint16_t lent_pages;
	uint16_t free_pages;
	uint16_t page_hint;
	struct block_request *completed_first;
	struct block_request *completed_last;

	struct block_device block_device;
	struct block_device_counters counters;
	struct virtio_blk_job jobs[VIRTIO_BLK_DEPTH_MAX];
	struct virtio_blk_piece pieces[VIRTIO_BLK_DEPTH_MAX];
	uint16_t page_next[VIRTIO_BLK_DATA_PAGES_MAX];
	bool page_taken[VIRTIO_BLK_DATA_PAGES_MAX];
	uint16_t piece_of[VIRTIO_BLK_QUEUES_MAX][VIRTIO_BLK_QUEUE_SIZE_MAX]; /* By head. */
	struct virtq_slot slots[VIRTIO_BLK_QUEUES_MAX][VIRTIO_BLK_QUEUE_SIZE_MAX];
};

/* Reset, negotiate, and be ready. The device is *virtio_blk_device(blk) afterwards.
 * STATUS_NO_DEVICE: not a block device. STATUS_BAD_HOST: the device lied or its configuration is
 * nonsense. STATUS_UNSUPPORTED: its physical blocks are larger than ours. STATUS_TRUNCATED: less
 * than one block. STATUS_TIMEOUT: the reset is not confirmed. STATUS_LIMIT: the device failed too
 * often. STATUS_NO_MEMORY: the pool is too small. STATUS_INVALID: the environment.
 * On failure nothing is held (pages that the device may still reach are leaked). */
MUST_CHECK
enum status virtio_blk_open(struct virtio_blk *blk,
			    const struct virtio_blk_environment *environment);

/* Reset the device and give the pages back; they are leaked if the reset is not confirmed. Requests
 * in flight complete with STATUS_BAD_HOST and can still be reaped. Safe after a failure and when
 * called twice. */
void virtio_blk_close(struct virtio_blk *blk);

/* How a device that was opened once is now. */
struct virtio_blk_condition {
	enum status failure; /* What ended it: BAD_HOST, TIMEOUT. STATUS_OK: nothing did. */
	/* STATUS_OK: its reset was confirmed, and its pages are back. Else they are leaked:
	 * TIMEOUT, or NO_DEVICE if it was pulled out. */
	enum status reset;
	uint32_t failures; /* In this boot: how often it had to be given up. */
	bool has_packed_ring;
};
void virtio_blk_condition_get(const struct virtio_blk *blk, struct virtio_blk_condition *condition);

/* When there is nothing else to do: is it still there? If not, it is given up. */
void virtio_blk_look(struct virtio_blk *blk);

/* The port to give to the volume. Valid until close. Without FLUSH, has_flush is false and flush
 * returns STATUS_NO_FLUSH. A read that fails leaves zeroes. A synchronous call while requests are
 * in flight is STATUS_BUSY. */
const struct block_device *virtio_blk_device(const struct virtio_blk *blk);

/* Hand in a READ or a WRITE whose data lies in the lent pages, from `offset_bytes` on, a multiple
 * of 4096; `bytes` of the request is not used. Nothing is copied, and so nothing is private: the
 * device sees and changes it whenever it likes. This is for somebody who has no secret and believes
 * nothing that is read, which is a benchmark of the device; the volume never does it. Errors are
 * those of block_submit(); STATUS_INVALID also: not within the lent pages. */
MUST_CHECK
enum status virtio_blk_submit_in_place(struct virtio_blk *blk, struct block_request *request,
				       size_t offset_bytes);
size_t virtio_blk_lent_bytes(const struct virtio_blk *blk);
/* Store into the lent pages; the offset is a multiple of 8 and within them. */
void virtio_blk_lent_store(const struct virtio_blk *blk, size_t offset_bytes, uint64_t value);

/* Requests, not calls: a transfer of 1 MiB counts 8 reads. */
void virtio_blk_counters_get(const struct virtio_blk *blk, struct block_device_counters *counters);

/* Of all queues together. */
void virtio_blk_queue_counters_get(const struct virtio_blk *blk, struct virtq_counters *counters);

/* The name that the host gave the disk, for messages: never an identity. Bytes that are not
 * printable ASCII become '?'. Terminated. */
MUST_CHECK
enum status virtio_blk_id_read(struct virtio_blk *blk, char id[VIRTIO_BLK_ID_BYTES + 1]);

/* Have the device write zeroes; the blocks stay allocated. As with any write, nobody can tell
 * whether it did. STATUS_UNSUPPORTED: it does not offer that. */
MUST_CHECK
enum status virtio_blk_zeroes_write(struct virtio_blk *blk, struct physical_block first,
				    struct block_count count);

/* For the interrupt path: acknowledges. A change of the configuration (capacity) is logged once
 * and otherwise ignored. The driver polls and asks for no queue interrupts. */
void virtio_blk_interrupt_ack(struct virtio_blk *blk);
