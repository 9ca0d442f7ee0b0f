// SPDX-License-Identifier: MIT
#include "tests/fuzz/blk_user.h"

#include <string.h>

#define TRANSFER_LONG 6u    /* Blocks; of a device that takes short requests, several pieces. */
#define UNKNOWN_TAG   0xfeu /* Of a write that failed: nobody knows. */
/* What an execution costs is nearly all transfer: one that asks for more than this gets short ones.
 */
#define BLOCKS_MAX     44u
#define BLOCKS_STRANGE 12u /* Of a device that may want eight descriptors for a block. */

struct blk_user blk_user;
struct virtio_blk blk_driver; /* Opened anew each time: not cleared here, for it is large. */

/* The user's buffer ends where the array does, and begins behind private bytes. */
static struct {
	uint8_t private_bytes[64];
	uint8_t bytes[BLK_MODEL_TRANSFER_MAX * BLOCK_BYTES];
} user;

void blk_user_reset(void)
{
	memset(&blk_user, 0, sizeof(blk_user));
	blk_user.blocks_left = blk_model.strange ? BLOCKS_STRANGE : BLOCKS_MAX;
	blk_driver.open = false;
	memcpy(user.private_bytes, HOSTILE_CANARY, sizeof(HOSTILE_CANARY) - 1);
	memcpy(user.private_bytes + 64 - (sizeof(HOSTILE_CANARY) - 1), HOSTILE_CANARY,
	       sizeof(HOSTILE_CANARY) - 1);
}

void blk_user_judge(enum status status)
{
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_IO || status == STATUS_BAD_HOST ||
		     status == STATUS_TIMEOUT);
	FUZZ_REQUIRE(!blk_user.dead || status == STATUS_BAD_HOST);
	FUZZ_REQUIRE(status == STATUS_OK || hostile.lied || blk_model.strange || blk_user.dead);
	FUZZ_REQUIRE(status != STATUS_OK || hostile.byte_loaded == 0);
	/* Completed exactly once: nothing of an honest request is left with the device. */
	FUZZ_REQUIRE(status != STATUS_OK || hostile.lied || hostile.pending_count == 0);
	blk_user.dead = blk_user.dead || status == STATUS_BAD_HOST || status == STATUS_TIMEOUT;
}

/* A call that waits has to have the device for itself. */
static bool is_busy(enum status status)
{
	if (blk_user.flight_count == 0) {
		FUZZ_REQUIRE(status != STATUS_BUSY);
		return false;
	}
	FUZZ_REQUIRE(status == STATUS_BUSY);
	return true;
}

uint64_t blk_user_first(struct fuzz_input *input)
{
	return fuzz_u8(input) % (BLK_MODEL_BLOCKS + 2);
}

uint64_t blk_user_count(struct fuzz_input *input)
{
	const uint8_t choice = fuzz_u8(input);
	const uint64_t wanted = choice == UINT8_MAX ? BLK_MODEL_TRANSFER_MAX : TRANSFER_LONG;
	if (choice < 0xf0 || wanted > blk_user.blocks_left) {
		return 1u + choice % 3u;
	}
	blk_user.blocks_left -= wanted;
	return wanted;
}

void blk_user_wrote(uint64_t first, uint64_t count, uint8_t tag, enum status status)
{
	for (uint64_t i = 0; i < count && first + i < BLK_MODEL_BLOCKS; i++) {
		blk_user.model[first + i] = status == STATUS_OK ? tag : UNKNOWN_TAG;
	}
}

void blk_user_read_check(uint64_t first, uint64_t count, const uint8_t *bytes)
{
	for (uint64_t i = 0; i < count && first + i < BLK_MODEL_BLOCKS && !hostile.lied; i++) {
		const uint8_t tag = blk_user.model[first + i];
		FUZZ_REQUIRE(tag == UNKNOWN_TAG ||
			     blk_model_is_content(tag, first + i, bytes + i * BLOCK_BYTES));
	}
}

void blk_user_read(struct fuzz_input *input)
{
	const struct block_device *device = virtio_blk_device(&blk_driver);
	const uint64_t first = blk_user_first(input);
	const uint64_t count = blk_user_count(input);
	uint8_t *out = user.bytes + sizeof(user.bytes) - count * BLOCK_BYTES;
	const enum status status = block_read(device, (struct physical_block){first},
					      (struct block_count){count}, out);
	if (!addr_within(first, count, device->capacity.n)) {
		FUZZ_REQUIRE(status == STATUS_INVALID);
		return;
	}
	if (is_busy(status)) {
		return;
	}
	blk_user_judge(status);
	/* What the device does not claim to have written is not taken. */
	FUZZ_REQUIRE(status != STATUS_OK || hostile.poll_written > 1);
	FUZZ_REQUIRE(status != STATUS_OK || count == BLK_MODEL_TRANSFER_MAX || blk_model.strange ||
		     hostile.poll_written == count * BLOCK_BYTES + 1);
	if (status == STATUS_OK) {
		blk_user_read_check(first, count, out);
	}
}

uint8_t blk_user_tag_next(void)
{
	blk_user.writes = (uint8_t)((blk_user.writes + 1u) % UNKNOWN_TAG);
	return blk_user.writes;
}

/* What blocks may hold after a change that the disk was fit for. */
static void change_judge(uint64_t first, uint64_t count, uint8_t tag, enum status status)
{
	if (!addr_within(first, count, virtio_blk_device(&blk_driver)->capacity.n)) {
		FUZZ_REQUIRE(status == STATUS_INVALID);
		return;
	}
	if (is_busy(status)) {
		return;
	}
	blk_user_judge(status);
	blk_user_wrote(first, count, tag, status);
}

void blk_user_write(struct fuzz_input *input)
{
	const struct block_device *device = virtio_blk_device(&blk_driver);
	const uint64_t first = blk_user_first(input);
	const uint64_t count = blk_user_count(input);
	uint8_t *bytes = user.bytes + sizeof(user.bytes) - count * BLOCK_BYTES;
	const uint8_t tag = blk_user_tag_next();
	for (uint64_t i = 0; i < count; i++) {
		blk_model_content(tag, first + i, bytes + i * BLOCK_BYTES);
	}
	const enum status status = block_write(device, (struct physical_block){first},
					       (struct block_count){count}, bytes);
	if (device->read_only) {
		FUZZ_REQUIRE(status == STATUS_READ_ONLY || status == STATUS_INVALID);
		return;
	}
	change_judge(first, count, tag, status);
}

void blk_user_id(void)
{
	char id[VIRTIO_BLK_ID_BYTES + 1];
	const enum status status = virtio_blk_id_read(&blk_driver, id);
	if (is_busy(status)) {
		return;
	}
	blk_user_judge(status);
	if (status == STATUS_OK) {
		const size_t length = strnlen(id, sizeof(id));
		FUZZ_REQUIRE(length < sizeof(id));
		for (size_t i = 0; i < length; i++) {
			FUZZ_REQUIRE(id[i] >= ' ' && id[i] <= '~');
		}
		FUZZ_REQUIRE(hostile.lied || strcmp(id, "disk?name") == 0);
	}
}

void blk_user_flush(void)
{
	const struct block_device *device = virtio_blk_device(&blk_driver);
	const enum status status = block_flush(device);
	if (!device->has_flush) {
		FUZZ_REQUIRE(status == STATUS_NO_FLUSH);
	} else if (!is_busy(status)) {
		blk_user_judge(status);
	}
}

void blk_user_zeroes(struct fuzz_input *input)
{
	const struct block_device *device = virtio_blk_device(&blk_driver);
	const uint64_t first = blk_user_first(input);
	const uint64_t count = blk_user_count(input);
	const enum status status = virtio_blk_zeroes_write(
		&blk_driver, (struct physical_block){first}, (struct block_count){count});
	if (device->read_only) {
		FUZZ_REQUIRE(status == STATUS_READ_ONLY);
		return;
	}
	if (blk_driver.zeroes_blocks_max == 0) {
		FUZZ_REQUIRE(status == STATUS_UNSUPPORTED);
		return;
	}
	change_judge(first, count, BLK_MODEL_ZERO_TAG, status);
}
