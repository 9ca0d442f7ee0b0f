// SPDX-License-Identifier: MIT
/* A virtio-blk device for tests: a disk in memory behind the fake transport, honest until told to
 * lie. */
#pragma once

#include "base/units.h"
#include "tests/unit/virtio/fake_device.h"

#define FAKE_BLK_BLOCKS         256u

#define FAKE_BLK_F_SIZE_MAX     ((uint64_t)1 << 1)
#define FAKE_BLK_F_SEG_MAX      ((uint64_t)1 << 2)
#define FAKE_BLK_F_RO           ((uint64_t)1 << 5)
#define FAKE_BLK_F_BLK_SIZE     ((uint64_t)1 << 6)
#define FAKE_BLK_F_FLUSH        ((uint64_t)1 << 9)
#define FAKE_BLK_F_TOPOLOGY     ((uint64_t)1 << 10)
#define FAKE_BLK_F_CONFIG_WCE   ((uint64_t)1 << 11)
#define FAKE_BLK_F_MQ           ((uint64_t)1 << 12)
#define FAKE_BLK_F_DISCARD      ((uint64_t)1 << 13)
#define FAKE_BLK_F_WRITE_ZEROES ((uint64_t)1 << 14)

struct fake_blk {
	struct fake_device device;
	uint8_t disk[FAKE_BLK_BLOCKS * BLOCK_BYTES];
	uint8_t id[20];
	/* What the last request looked like. */
	uint32_t type;
	uint64_t sector;
	size_t data_bytes;
	uint16_t segment_count;
	uint32_t largest_segment;
	unsigned int request_count;
	uint16_t queue_index;
	uint64_t range_sector; /* Of a DISCARD or WRITE_ZEROES. */
	uint32_t range_sectors;
	size_t pending_max;  /* Requests that were with the device at once. */
	uint8_t data_preset; /* First data byte of a read, before it was served. */
	/* Lies; 0 is honest. */
	bool status_set;
	uint8_t status;
	bool status_omitted;
	bool read_writes_nothing;
	uint32_t short_by;
	unsigned int fail_one_in; /* Every so many requests: an I/O error. */
	bool drips;               /* Serves a request in three at a time, and not in order. */
	unsigned int drip_count;
	bool hold_oldest;  /* The oldest request is not served. */
	bool overrun_page; /* Writes on to the end of the page after the data. */
};

void fake_blk_init(struct fake_blk *blk, struct fake_platform *platform, uint64_t extra_features);
void fake_blk_capacity_set(struct fake_blk *blk, uint64_t sectors);
