// SPDX-License-Identifier: MIT
#include "tests/fuzz/blk_model.h"

#include <string.h>

#include "block/virtio_blk.h"

struct blk_model blk_model;

void blk_model_content(uint8_t tag, uint64_t block, uint8_t out[BLOCK_BYTES])
{
	if (tag == BLK_MODEL_ZERO_TAG) {
		memset(out, 0, BLOCK_BYTES);
		return;
	}
	memset(out, tag, BLOCK_BYTES);
	out[0] = (uint8_t)block;
	out[BLOCK_BYTES - 1] = (uint8_t)~block;
}

/* All bytes between the first and the last are alike: each equals its neighbour. */
bool blk_model_is_content(uint8_t tag, uint64_t block, const uint8_t bytes[BLOCK_BYTES])
{
	const bool is_zero = tag == BLK_MODEL_ZERO_TAG;
	const uint8_t fill = is_zero ? 0 : tag;
	return bytes[0] == (is_zero ? 0 : (uint8_t)block) &&
	       bytes[BLOCK_BYTES - 1] == (is_zero ? 0 : (uint8_t)~block) && bytes[1] == fill &&
	       memcmp(bytes + 1, bytes + 2, BLOCK_BYTES - 3) == 0;
}

static uint32_t serve_in(const struct hostile_chain *chain, uint64_t sector)
{
	static uint8_t flat[BLK_MODEL_TRANSFER_MAX * BLOCK_BYTES];
	const size_t size = hostile_room(chain, true) - 1;
	const uint64_t first = sector / SECTORS_PER_BLOCK;
	const uint64_t count = size / BLOCK_BYTES;
	if (!addr_within(first, count, BLK_MODEL_BLOCKS) || count > BLK_MODEL_TRANSFER_MAX) {
		FUZZ_REQUIRE(hostile.lied || blk_model.strange);
		return 0;
	}
	for (uint64_t i = 0; i < count; i++) {
		blk_model_content(blk_model.tag[first + i], first + i, flat + i * BLOCK_BYTES);
	}
	return (uint32_t)hostile_scatter(chain, flat, size);
}

static void serve_out(const struct hostile_chain *chain, uint64_t sector)
{
	static uint8_t flat[16 + BLK_MODEL_TRANSFER_MAX * BLOCK_BYTES];
	const size_t size = hostile_gather(chain, flat, sizeof(flat)) - 16;
	const uint64_t first = sector / SECTORS_PER_BLOCK;
	const uint64_t count = size / BLOCK_BYTES;
	if (!addr_within(first, count, BLK_MODEL_BLOCKS)) {
		FUZZ_REQUIRE(hostile.lied || blk_model.strange);
		return;
	}
	/* Of a block in the loan its user stored only the tag. */
	const bool in_place = hostile_is_loan(chain->segments[1].at, 1);
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *block = flat + 16 + i * BLOCK_BYTES;
		blk_model.tag[first + i] = block[1];
		FUZZ_REQUIRE(hostile.lied || in_place ||
			     blk_model_is_content(block[1], first + i, block));
	}
}

/* One range of 16 bytes behind the header. A discard keeps what was there. */
static void serve_range(const struct hostile_chain *chain, bool writes_zeroes)
{
	uint8_t flat[32] = {0};
	uint64_t sector = 0;
	uint32_t sectors = 0;
	const size_t there = hostile_gather(chain, flat, sizeof(flat));
	memcpy(&sector, flat + 16, sizeof(sector));
	memcpy(&sectors, flat + 24, sizeof(sectors));
	const uint64_t first = sector / SECTORS_PER_BLOCK;
	const uint64_t count = sectors / SECTORS_PER_BLOCK;
	const bool is_sound = there == sizeof(flat) && count > 0 &&
			      addr_within(first, count, blk_model.capacity_blocks);
	FUZZ_REQUIRE(is_sound || hostile.lied);
	for (uint64_t i = 0; is_sound && writes_zeroes && i < count; i++) {
		if (first + i < BLK_MODEL_BLOCKS) {
			blk_model.tag[first + i] = BLK_MODEL_ZERO_TAG;
		}
	}
}

/* misbehave: status:8, bytes not to be reported:8, bit 16: do nothing but claim it. */
bool blk_model_serve(const struct hostile_chain *chain, uint32_t *written_bytes)
{
	static const uint8_t name[VIRTIO_BLK_ID_BYTES] = "disk\x01name";
	uint8_t header[16] = {0};
	uint64_t sector = 0;
	const uint32_t misbehave = hostile.misbehave;
	hostile.misbehave = 0;
	const size_t there = hostile_gather(chain, header, sizeof(header));
	const uint16_t last = (uint16_t)(chain->segment_count - 1);
	const bool is_sound = there == sizeof(header) && chain->segments[last].device_writes &&
			      chain->segments[last].len_bytes == 1;
	FUZZ_REQUIRE(is_sound || hostile.lied);
	memcpy(&sector, header + 8, sizeof(sector));
	uint32_t written = 0;
	if (is_sound && header[0] == 0 && (misbehave >> 16 & 1) == 0) {
		written = serve_in(chain, sector);
	} else if (is_sound && header[0] == 1) {
		serve_out(chain, sector);
	} else if (is_sound && header[0] == 8) {
		written = (uint32_t)hostile_scatter(chain, name, sizeof(name));
	} else if (is_sound && (header[0] == 11 || header[0] == 13)) {
		serve_range(chain, header[0] == 13);
	}
	if (is_sound) {
		const uint8_t status = (uint8_t)misbehave;
		hostile_device_write(chain->segments[last].at, &status, 1);
	}
	if ((misbehave >> 16 & 1) != 0) {
		written = (uint32_t)hostile_room(chain, true) - 1;
	}
	*written_bytes = written + 1 - (misbehave >> 8 & 0xff);
	return true;
}
