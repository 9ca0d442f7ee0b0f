// SPDX-License-Identifier: MIT
/* The device's configuration space (virtio 1.2, section 5.2.4): read once, judged, and never looked
 * at again. Nonsense is refused by name; limits above ours are cut to ours. */
#include "block/virtio_blk_internal.h"

/* Offsets. */
#define CONFIG_CAPACITY    0u
#define CONFIG_SIZE_MAX    8u
#define CONFIG_SEG_MAX     12u
#define CONFIG_BLK_SIZE    20u
#define CONFIG_TOPOLOGY    24u /* u8 physical_block_exp, u8 alignment_offset, u16 min_io_size. */
#define CONFIG_NUM_QUEUES  32u /* u8 writeback, u8 unused, u16 num_queues. */
#define CONFIG_DISCARD_MAX 36u
#define CONFIG_ZEROES_MAX  48u

#define CAPACITY_LIMIT     (UINT64_MAX / SECTOR_BYTES)
/* 2 GiB: a device that is asked for more at once may need longer than a request may take. */
#define RANGE_SECTORS_LIMIT (1u << 22)

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

/* The device's limits on segments, within ours. 0 and huge mean ours; a segment below a sector
 * cannot carry a request. */
static enum status segment_limits_read(struct virtio_blk *blk)
{
	uint32_t size_max = 0;
	uint32_t seg_max = 0;
	enum status status = field_read(blk, VIRTIO_BLK_F_SIZE_MAX, CONFIG_SIZE_MAX, 0, &size_max);
	if (status != STATUS_OK) {
		return status;
	}
	/* A device that says nothing of seg_max accepts one segment (section 5.2.5.1). */
	status = field_read(blk, VIRTIO_BLK_F_SEG_MAX, CONFIG_SEG_MAX, 1, &seg_max);
	if (status != STATUS_OK) {
		return status;
	}
	if (size_max != 0 && size_max < SECTOR_BYTES) {
		return STATUS_BAD_HOST;
	}
	size_max = size_max - size_max % SECTOR_BYTES;
	if (size_max == 0 || size_max > VIRTIO_BLK_TRANSFER_BYTES_MAX) {
		size_max = VIRTIO_BLK_TRANSFER_BYTES_MAX;
	}
	if (seg_max == 0 || seg_max > VIRTIO_BLK_SEGMENTS_MAX) {
		seg_max = VIRTIO_BLK_SEGMENTS_MAX;
	}
	blk->segment_bytes_max = size_max;
	blk->segments_max = seg_max;
	return STATUS_OK;
}

/* Logical blocks of 512 or 4096 bytes. A physical block above 4096 would mean that a write of ours
 * rewrites its neighbours, which a power failure could then tear: the volume relies on the
 * contrary.
 */
static enum status block_size_check(struct virtio_blk *blk)
{
	uint32_t block_size = 0;
	uint32_t topology = 0;
	enum status status =
		field_read(blk, VIRTIO_BLK_F_BLK_SIZE, CONFIG_BLK_SIZE, SECTOR_BYTES, &block_size);
	if (status != STATUS_OK) {
		return status;
	}
	status = field_read(blk, VIRTIO_BLK_F_TOPOLOGY, CONFIG_TOPOLOGY, 0, &topology);
	if (status != STATUS_OK) {
		return status;
	}
	if (block_size != SECTOR_BYTES && block_size != BLOCK_BYTES) {
		return STATUS_BAD_HOST;
	}
	const uint32_t exponent = topology & 0xffu;
	return exponent < 32 && (uint64_t)block_size << exponent <= BLOCK_BYTES
		       ? STATUS_OK
		       : STATUS_UNSUPPORTED;
}

/* Blocks of one DISCARD or WRITE_ZEROES with one range; 0: not to be used. */
static enum status range_limit_read(const struct virtio_blk *blk, uint64_t feature, uint32_t offset,
				    uint32_t *blocks_max)
{
	uint32_t sectors = 0;
	const enum status status = field_read(blk, feature, offset, 0, &sectors);
	if (status != STATUS_OK) {
		return status;
	}
	sectors = sectors < RANGE_SECTORS_LIMIT ? sectors : RANGE_SECTORS_LIMIT;
	*blocks_max = sectors / (uint32_t)SECTORS_PER_BLOCK;
	return STATUS_OK;
}

static enum status queue_count_read(struct virtio_blk *blk)
{
	uint32_t word = 0;
	const enum status status =
		field_read(blk, VIRTIO_BLK_F_MQ, CONFIG_NUM_QUEUES, 1u << 16, &word);
	if (status != STATUS_OK) {
		return status;
	}
	blk->device_queue_count = (uint16_t)(word >> 16);
	return blk->device_queue_count > 0 ? STATUS_OK : STATUS_BAD_HOST;
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
	status = segment_limits_read(blk);
	if (status != STATUS_OK) {
		return status;
	}
	status = range_limit_read(blk, VIRTIO_BLK_F_DISCARD, CONFIG_DISCARD_MAX,
				  &blk->discard_blocks_max);
	if (status != STATUS_OK) {
		return status;
	}
	status = range_limit_read(blk, VIRTIO_BLK_F_WRITE_ZEROES, CONFIG_ZEROES_MAX,
				  &blk->zeroes_blocks_max);
	if (status != STATUS_OK) {
		return status;
	}
	return queue_count_read(blk);
}

enum status virtio_blk_limits_fit(struct virtio_blk *blk)
{
	for (uint16_t i = 0; i < blk->queue_count; i++) {
		const uint32_t size = blk->queues[i].size;
		const uint32_t room = size > 2 ? size - 2u : 0; /* Header and status. */
		blk->segments_max = blk->segments_max < room ? blk->segments_max : room;
	}
	uint64_t transfer_bytes = (uint64_t)blk->segment_bytes_max * blk->segments_max;
	const uint64_t pool_bytes = (uint64_t)blk->data_pages * PAGE_BYTES;
	transfer_bytes = transfer_bytes < pool_bytes ? transfer_bytes : pool_bytes;
	if (transfer_bytes > VIRTIO_BLK_TRANSFER_BYTES_MAX) {
		transfer_bytes = VIRTIO_BLK_TRANSFER_BYTES_MAX;
	}
	blk->transfer_blocks_max = (uint32_t)(transfer_bytes / BLOCK_BYTES);
	return blk->transfer_blocks_max > 0 ? STATUS_OK : STATUS_BAD_HOST;
}
