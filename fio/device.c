// SPDX-License-Identifier: MIT
#include "fio/device.h"

#include <stddef.h>

#include "base/units.h"

/* Device round trips that one request can take: a commit behind a whole checkpoint. */
#define WAITS_MAX 100000u

/* ---- A block device ------------------------------------------------------------------------ */

static enum block_request_kind raw_kind(enum fio_io_kind kind)
{
	switch (kind) {
	case FIO_IO_READ: return BLOCK_REQUEST_READ;
	case FIO_IO_WRITE: return BLOCK_REQUEST_WRITE;
	case FIO_IO_FLUSH: break;
	}
	return BLOCK_REQUEST_FLUSH;
}

static enum status raw_submit(void *context, struct fio_io *io)
{
	io->inner.raw = (struct block_request){
		.kind = raw_kind(io->kind),
		.first = {io->offset_bytes / BLOCK_BYTES},
		.count = {io->size_bytes / BLOCK_BYTES},
		.bytes = io->bytes,
		.owner = io,
	};
	return block_submit(context, &io->inner.raw);
}

static enum status in_place_submit(void *context, struct fio_io *io)
{
	struct virtio_blk *disk = context;
	if (io->kind == FIO_IO_FLUSH) {
		return raw_submit((void *)(uintptr_t)virtio_blk_device(disk), io);
	}
	io->inner.raw = (struct block_request){
		.kind = raw_kind(io->kind),
		.first = {io->offset_bytes / BLOCK_BYTES},
		.count = {io->size_bytes / BLOCK_BYTES},
		.owner = io,
	};
	return virtio_blk_submit_in_place(disk, &io->inner.raw, io->buffer_offset);
}

static void in_place_stamp(void *context, const struct fio_io *io, uint32_t at, uint64_t word)
{
	virtio_blk_lent_store(context, io->buffer_offset + at, word);
}

static void in_place_kick(void *context)
{
	block_kick(virtio_blk_device(context));
}

static void raw_kick(void *context)
{
	block_kick(context);
}

static enum status raw_reap(void *context, bool wait, struct fio_io **io)
{
	struct block_request *completed = NULL;
	enum status status = block_reap(context, wait, &completed);
	if (status == STATUS_OK) {
		*io = completed->owner;
		(*io)->status = completed->status;
		return STATUS_OK;
	}
	*io = NULL;
	return status == STATUS_AGAIN ? STATUS_OK : status;
}

static enum status in_place_reap(void *context, bool wait, struct fio_io **io)
{
	return raw_reap((void *)(uintptr_t)virtio_blk_device(context), wait, io);
}

void fio_device_in_place(struct virtio_blk *disk, struct fio_device *out)
{
	static const struct fio_device_ops ops = {
		.submit = in_place_submit,
		.kick = in_place_kick,
		.reap = in_place_reap,
		.stamp = in_place_stamp,
	};
	*out = (struct fio_device){
		.ops = &ops,
		.context = disk,
		.size_bytes = virtio_blk_device(disk)->capacity.n * BLOCK_BYTES,
		.buffer_bytes = virtio_blk_lent_bytes(disk),
	};
}

enum status fio_device_raw(const struct block_device *device, struct fio_device *out)
{
	static const struct fio_device_ops ops = {
		.submit = raw_submit,
		.kick = raw_kick,
		.reap = raw_reap,
	};
	if (device->queue == NULL) {
		return STATUS_UNSUPPORTED;
	}
	*out = (struct fio_device){
		.ops = &ops,
		.context = (void *)(uintptr_t)device,
		.size_bytes = device->capacity.n * BLOCK_BYTES,
	};
	return STATUS_OK;
}

/* ---- A volume ------------------------------------------------------------------------------ */

static enum volume_request_kind volume_kind(enum fio_io_kind kind)
{
	switch (kind) {
	case FIO_IO_READ: return VOLUME_REQUEST_READ;
	case FIO_IO_WRITE: return VOLUME_REQUEST_WRITE;
	case FIO_IO_FLUSH: break;
	}
	return VOLUME_REQUEST_FLUSH;
}

static enum status volume_submit(void *context, struct fio_io *io)
{
	const bool has_data = io->kind != FIO_IO_FLUSH;
	io->inner.volume.piece = (struct volume_piece){io->bytes, io->size_bytes};
	io->inner.volume.request = (struct volume_request){
		.kind = volume_kind(io->kind),
		.first = {io->offset_bytes / BLOCK_BYTES},
		.count = {io->size_bytes / BLOCK_BYTES},
		.pieces = has_data ? &io->inner.volume.piece : NULL,
		.piece_count = has_data ? 1 : 0,
		.owner = io,
	};
	volume_queue_submit(context, &io->inner.volume.request);
	return STATUS_OK;
}

static void volume_kick(void *context)
{
	volume_queue_poll(context, false);
}

static enum status volume_reap(void *context, bool wait, struct fio_io **io)
{
	struct volume_request *completed = volume_queue_next(context);
	*io = NULL;
	/* One wait of the queue is for the device; a request may need several. */
	for (uint32_t turn = 0; completed == NULL && turn < (wait ? WAITS_MAX : 1u); turn++) {
		volume_queue_poll(context, wait);
		completed = volume_queue_next(context);
	}
	if (completed != NULL) {
		*io = completed->owner;
		(*io)->status = completed->status;
	}
	return STATUS_OK;
}

void fio_device_volume(struct volume_queue *queue, struct block_count size, struct fio_device *out)
{
	static const struct fio_device_ops ops = {
		.submit = volume_submit,
		.kick = volume_kick,
		.reap = volume_reap,
	};
	*out = (struct fio_device){
		.ops = &ops,
		.context = queue,
		.size_bytes = size.n * BLOCK_BYTES,
	};
}
