// SPDX-License-Identifier: MIT
/* What a job runs on: a block device as it is, or a volume through its request queue. On the former
 * data is copied as for everybody else who uses it, or stays in place: in pages that the device
 * sees, as those of an application on another operating system would be. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/block_device.h"
#include "block/virtio_blk.h"
#include "block/volume_queue.h"

enum fio_io_kind {
	FIO_IO_READ,
	FIO_IO_WRITE,
	FIO_IO_FLUSH,
};

/* One request. The runner's storage; the device's between submit and reap. */
struct fio_io {
	enum fio_io_kind kind;
	enum status status; /* Set when it is reaped. */
	uint64_t offset_bytes;
	uint32_t size_bytes;
	size_t buffer_offset; /* Of its buffer, among the job's. */
	uint8_t *bytes;       /* That one; NULL if the device has them. */
	uint64_t began_ns;
	union {
		struct block_request raw;
		struct {
			struct volume_request request;
			struct volume_piece piece;
		} volume;
	} inner;
};

struct fio_device_ops {
	/* STATUS_BUSY: reap first. */
	enum status (*submit)(void *context, struct fio_io *io);
	void (*kick)(void *context);
	/* One that has completed, or NULL. `wait`: not NULL while something is in flight, unless
	 * the device's own deadline passed. */
	enum status (*reap)(void *context, bool wait, struct fio_io **io);
	/* Store a word into the buffer of a request. NULL unless the device has the buffers. */
	void (*stamp)(void *context, const struct fio_io *io, uint32_t at, uint64_t word);
};

struct fio_device {
	const struct fio_device_ops *ops;
	void *context;
	uint64_t size_bytes;
	/* Of the buffers that the device has; 0: the job brings its own. Nothing that is in them
	 * can be verified. */
	uint64_t buffer_bytes;
};

/* `device` has a queue (STATUS_UNSUPPORTED otherwise) and outlives the result. */
MUST_CHECK
enum status fio_device_raw(const struct block_device *device, struct fio_device *out);

/* Likewise, in the pages that `disk` lends. A job that does not fit into them is refused. */
void fio_device_in_place(struct virtio_blk *disk, struct fio_device *out);

/* Likewise for a volume. */
void fio_device_volume(struct volume_queue *queue, struct block_count size, struct fio_device *out);
