// SPDX-License-Identifier: MIT
#include "tests/unit/block/fake_blk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define T_IN           0u
#define T_OUT          1u
#define T_FLUSH        4u
#define T_GET_ID       8u
#define T_DISCARD      11u
#define T_WRITE_ZEROES 13u

static void request_note(struct fake_blk *blk, const struct fake_chain *chain,
			 const uint8_t header[16])
{
	memcpy(&blk->type, header, 4);
	memcpy(&blk->sector, header + 8, 8);
	blk->request_count++;
	blk->segment_count = chain->segment_count;
	blk->queue_index = chain->queue_index;
	blk->largest_segment = 0;
	for (uint16_t i = 0; i < chain->segment_count; i++) {
		if (chain->segments[i].len_bytes > blk->largest_segment) {
			blk->largest_segment = chain->segments[i].len_bytes;
		}
	}
}

/* Section 5.2.6: one range of 16 bytes behind the header, no flags. */
static void range_serve(struct fake_blk *blk, const struct fake_chain *chain)
{
	uint8_t flat[32];
	uint32_t flags;
	assert_int_equal(chain->segment_count, 3);
	assert_int_equal(chain->segments[1].len_bytes, 16);
	assert_int_equal(fake_chain_gather(chain, flat, sizeof(flat)), sizeof(flat));
	assert_int_equal(blk->sector, 0);
	memcpy(&blk->range_sector, flat + 16, 8);
	memcpy(&blk->range_sectors, flat + 24, 4);
	memcpy(&flags, flat + 28, 4);
	assert_int_equal(flags, 0);
	assert_true((blk->range_sector + blk->range_sectors) * SECTOR_BYTES <= sizeof(blk->disk));
	if (blk->type == T_WRITE_ZEROES) {
		memset(blk->disk + blk->range_sector * SECTOR_BYTES, 0,
		       blk->range_sectors * SECTOR_BYTES);
	}
}

/* Moves the data; returns how many bytes the device wrote, the status byte not included. */
static size_t request_data(struct fake_blk *blk, const struct fake_chain *chain)
{
	static uint8_t flat[16 + 256 * 1024];
	uint8_t *at = blk->disk + blk->sector * SECTOR_BYTES;
	switch (blk->type) {
	case T_IN:
		blk->data_bytes = fake_chain_room(chain, true) - 1;
		assert_true(blk->sector * SECTOR_BYTES + blk->data_bytes <= sizeof(blk->disk));
		blk->data_preset = chain->segments[1].bytes[0];
		if (!blk->read_writes_nothing) {
			(void)fake_chain_scatter(chain, at, blk->data_bytes);
		}
		return blk->data_bytes;
	case T_OUT:
		blk->data_bytes = fake_chain_room(chain, false) - 16;
		assert_true(blk->sector * SECTOR_BYTES + blk->data_bytes <= sizeof(blk->disk));
		(void)fake_chain_gather(chain, flat, 16 + blk->data_bytes);
		memcpy(at, flat + 16, blk->data_bytes);
		return 0;
	case T_GET_ID:
		assert_int_equal(fake_chain_room(chain, true), 21);
		(void)fake_chain_scatter(chain, blk->id, sizeof(blk->id));
		return sizeof(blk->id);
	case T_DISCARD:
	case T_WRITE_ZEROES: range_serve(blk, chain); return 0;
	default:
		assert_int_equal(blk->type, T_FLUSH);
		assert_int_equal(chain->segment_count, 2);
		return 0;
	}
}

static bool serve(struct fake_device *device, const struct fake_chain *chain, uint32_t *written)
{
	struct fake_blk *blk = device->model;
	uint8_t header[16];
	blk->pending_max =
		device->pending_count > blk->pending_max ? device->pending_count : blk->pending_max;
	if (blk->drips && ++blk->drip_count % 3 != 0) {
		return false;
	}
	if (blk->hold_oldest && chain->head == device->pending[0].head) {
		return false;
	}
	assert_int_equal(chain->segments[0].len_bytes, sizeof(header));
	assert_false(chain->segments[0].device_writes);
	memcpy(header, chain->segments[0].bytes, sizeof(header));
	request_note(blk, chain, header);
	const size_t count = request_data(blk, chain);

	const uint16_t last = (uint16_t)(chain->segment_count - 1);
	assert_true(chain->segments[last].device_writes);
	assert_int_equal(chain->segments[last].len_bytes, 1);
	assert_int_equal(*chain->segments[last].bytes, 0xff); /* Preset by the driver. */
	if (!blk->status_omitted) {
		const bool fails =
			blk->fail_one_in != 0 && blk->request_count % blk->fail_one_in == 0;
		*chain->segments[last].bytes = blk->status_set ? blk->status : fails ? 1 : 0;
	}
	if (blk->overrun_page) {
		uint8_t *page = chain->segments[last].bytes -
				(size_t)(chain->segments[last].bytes - device->pool) % PAGE_BYTES;
		memset(page + 65, 0xbb, PAGE_BYTES - 65);
	}
	*written = (uint32_t)(count + 1) - blk->short_by;
	return true;
}

void fake_blk_capacity_set(struct fake_blk *blk, uint64_t sectors)
{
	blk->device.config[0] = (uint32_t)sectors;
	blk->device.config[1] = (uint32_t)(sectors >> 32);
}

void fake_blk_init(struct fake_blk *blk, struct fake_platform *platform, uint64_t extra_features)
{
	memset(blk, 0, sizeof(*blk));
	fake_device_init(&blk->device, platform, VIRTIO_ID_BLOCK,
			 VIRTIO_F_VERSION_1 | extra_features);
	blk->device.serve = serve;
	blk->device.model = blk;
	blk->device.config[5] = SECTOR_BYTES;
	fake_blk_capacity_set(blk, FAKE_BLK_BLOCKS * SECTORS_PER_BLOCK);
}
