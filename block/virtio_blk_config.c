// SPDX-License-Identifier: MIT
/* The device's configuration space (virtio 1.2, section 5.2.4): read once, judged, and never looked
 * at again. Nonsense is refused by name; limits above ours are cut to ours. */
#include "block/virtio_blk_internal.h"

/* Offsets. */
#define CONFIG_CAPACITY 0u
#define CONFIG_SIZE_MAX 8u
#define CONFIG_SEG_MAX  12u
#define CONFIG_BLK_SIZE 20u

#define CAPACITY_LIMIT  (UINT64_MAX / SECTOR_BYTES)

/* Section 5.2.4: capacity is in 512-byte units whatever the block size is. */
static enum status capacity_read(struct virtio_blk *blk)
{
	uint32_t words[2];
	const enum status status =
		virtio_transport_config(blk->device.transport, CONFIG_CAPACITY, words, 2);
	if (status != STATUS_OK) {
		return status;
	}
	const struct sector_count sectors = {.n = (uint64_t)words[1] << 32 | words[0]};
	if (sectors.n > CAPACITY_LIMIT) {
		return STATUS_BAD_HOST;
	}
	blk->block_device.capacity.n = sectors.n / SECTORS_PER_BLOCK;
	return blk->block_device.capacity.n > 0 ? STATUS_OK : STATUS_TRUNCATED;
}

/* A 32-bit field that exists only with `feature`; `otherwise` if it does not. */
static enum status field_read(const struct virtio_blk *blk, uint64_t feature, uint32_t offset,
			      uint32_t otherwise, uint32_t *value)
{
	if ((blk->device.features & feature) == 0) {
		*value = otherwise;
		return STATUS_OK;
	}
	return virtio_transport_config(blk->device.transport, offset, value, 1);
}

/* The device's limits on a request, within ours. 0 and huge mean ours; a segment below a sector
 * cannot carry a request. */
static enum status limits_read(struct virtio_blk *blk)
{
	const uint64_t features = blk->device.features;
	uint32_t size_max = 0;
	uint32_t seg_max = 0;
	enum status status = field_read(blk, VIRTIO_BLK_F_SIZE_MAX, CONFIG_SIZE_MAX, 0, &size_max);
	if (status != STATUS_OK) {
		return status;
	}
	/* A device that says nothing of seg_max accepts one segment (section 5.2.5.1), and then we
	 * need one, because the pages are contiguous. */
	status = field_read(blk, VIRTIO_BLK_F_SEG_MAX, CONFIG_SEG_MAX, 1, &seg_max);
	if (status != STATUS_OK) {
		return status;
	}
	if ((features & VIRTIO_BLK_F_SIZE_MAX) != 0 && size_max != 0 && size_max < SECTOR_BYTES) {
		return STATUS_BAD_HOST;
	}
	size_max = size_max - size_max % SECTOR_BYTES;
	if (size_max == 0 || size_max > VIRTIO_BLK_TRANSFER_BYTES_MAX) {
		size_max = VIRTIO_BLK_TRANSFER_BYTES_MAX;
	}
	const uint32_t room = blk->queue.size > 2 ? blk->queue.size - 2u : 0;
	if (seg_max == 0 || seg_max > VIRTIO_BLK_DATA_PAGES) {
		seg_max = VIRTIO_BLK_DATA_PAGES;
	}
	if (seg_max > room) {
		seg_max = room;
	}
	uint64_t transfer_bytes = (uint64_t)size_max * seg_max;
	if (transfer_bytes > VIRTIO_BLK_TRANSFER_BYTES_MAX) {
		transfer_bytes = VIRTIO_BLK_TRANSFER_BYTES_MAX;
	}
	blk->segment_bytes_max = size_max;
	blk->transfer_blocks_max = (uint32_t)(transfer_bytes / BLOCK_BYTES);
	return blk->transfer_blocks_max > 0 ? STATUS_OK : STATUS_BAD_HOST;
}

static enum status block_size_check(struct virtio_blk *blk)
{
	uint32_t block_size = 0;
	const enum status status =
		field_read(blk, VIRTIO_BLK_F_BLK_SIZE, CONFIG_BLK_SIZE, SECTOR_BYTES, &block_size);
	if (status != STATUS_OK) {
		return status;
	}
	return block_size == SECTOR_BYTES || block_size == BLOCK_BYTES ? STATUS_OK
								       : STATUS_BAD_HOST;
}

enum status virtio_blk_configuration_read(struct virtio_blk *blk)
{
	enum status status = capacity_read(blk);
	if (status != STATUS_OK) {
		return status;
	}
	status = block_size_check(blk);
	if (status != STATUS_OK) {
		return status;
	}
	return limits_read(blk);
}
