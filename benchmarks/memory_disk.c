// SPDX-License-Identifier: MIT
#include "benchmarks/memory_disk.h"

#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

static enum status disk_read(void *context, struct physical_block first, struct block_count count,
			     uint8_t *out)
{
	struct memory_disk *disk = context;
	memcpy(out, disk->media + first.n * BLOCK_BYTES, count.n * BLOCK_BYTES);
	return STATUS_OK;
}

static enum status disk_write(void *context, struct physical_block first, struct block_count count,
			      const uint8_t *bytes)
{
	struct memory_disk *disk = context;
	memcpy(disk->media + first.n * BLOCK_BYTES, bytes, count.n * BLOCK_BYTES);
	return STATUS_OK;
}

static enum status disk_flush(void *context)
{
	(void)context;
	return STATUS_OK;
}

/* Copies are made when virtio-blk makes them: of what is written on submission, of what is read on
 * completion. */
static enum status disk_submit(void *context, struct block_request *request)
{
	struct memory_disk *disk = context;
	if (request->kind == BLOCK_REQUEST_WRITE) {
		request->status = disk_write(disk, request->first, request->count, request->bytes);
	}
	request->next = NULL;
	if (disk->first == NULL) {
		disk->first = request;
	} else {
		disk->last->next = request;
	}
	disk->last = request;
	return STATUS_OK;
}

static void disk_kick(void *context)
{
	(void)context;
}

static enum status disk_reap(void *context, bool wait, struct block_request **completed)
{
	struct memory_disk *disk = context;
	struct block_request *request = disk->first;
	(void)wait;
	if (request == NULL) {
		return STATUS_AGAIN;
	}
	disk->first = request->next;
	switch (request->kind) {
	case BLOCK_REQUEST_READ:
		request->status = disk_read(disk, request->first, request->count, request->bytes);
		break;
	case BLOCK_REQUEST_FLUSH:
	case BLOCK_REQUEST_DISCARD: request->status = STATUS_OK; break;
	case BLOCK_REQUEST_WRITE: break; /* Done on submission. */
	}
	*completed = request;
	return STATUS_OK;
}

static const struct block_device_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
};

static const struct block_queue_ops disk_queue_ops = {
	.submit = disk_submit,
	.kick = disk_kick,
	.reap = disk_reap,
};

void memory_disk_init(struct memory_disk *disk, uint64_t blocks)
{
	*disk = (struct memory_disk){
		.device = {.ops = &disk_ops,
			   .queue = &disk_queue_ops,
			   .context = disk,
			   .queue_depth = UINT32_MAX,
			   .capacity = {blocks},
			   .has_flush = true},
	};
	disk->media = mmap(NULL, blocks * BLOCK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(disk->media != MAP_FAILED);
}

void memory_disk_fini(struct memory_disk *disk)
{
	CHECK(munmap(disk->media, disk->device.capacity.n * BLOCK_BYTES) == 0);
}
