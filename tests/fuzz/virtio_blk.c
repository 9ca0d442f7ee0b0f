// SPDX-License-Identifier: MIT
/* virtio-blk over virtio-mmio against the hostile device.
 *
 * Input: the configuration (six bytes; zeroes are QEMU's), the length of the program, the program
 * (requests), then the device's script. */
#include "block/virtio_blk.h"

#include <string.h>

#include "tests/fuzz/hostile.h"

#define DISK_BLOCKS  48u
#define TRANSFER_MAX 34u /* Blocks: more than one request. */
#define DEPTH        8u
#define DATA_PAGES   40u
#define POOL_PAGES   (2u + DATA_PAGES + 4u)
#define OPERATIONS   24u
#define CONFIG_BYTES 7u

#define F_SIZE_MAX   ((uint64_t)1 << 1)
#define F_SEG_MAX    ((uint64_t)1 << 2)
#define F_RO         ((uint64_t)1 << 5)
#define F_BLK_SIZE   ((uint64_t)1 << 6)
#define F_FLUSH      ((uint64_t)1 << 9)

enum operation {
	OP_READ,
	OP_WRITE,
	OP_FLUSH,
	OP_ID,
	OP_ACK,
	OP_REOPEN,
	OP_COUNT
};

struct world {
	struct virtio_blk blk;
	bool read_only;
	bool has_flush;
	bool strange;               /* The configuration is not one of an honest device. */
	bool dead;                  /* A call said so: no later one may say otherwise. */
	uint8_t tag[DISK_BLOCKS];   /* What each block of the disk holds, as its owner knows. */
	uint8_t model[DISK_BLOCKS]; /* And as the driver's user knows. */
	uint8_t writes;
};

static struct world world;

/* The user's buffer ends where the array does, and begins behind private bytes. */
static struct {
	uint8_t private_bytes[64];
	uint8_t bytes[TRANSFER_MAX * BLOCK_BYTES];
} user;

/* ---- The device's side ------------------------------------------------------------------------
 */

static void block_content(uint8_t tag, uint64_t block, uint8_t out[BLOCK_BYTES])
{
	memset(out, tag, BLOCK_BYTES);
	out[0] = (uint8_t)block;
	out[BLOCK_BYTES - 1] = (uint8_t)~block;
}

static uint32_t serve_in(const struct hostile_chain *chain, uint64_t sector)
{
	static uint8_t flat[TRANSFER_MAX * BLOCK_BYTES];
	const size_t size = hostile_room(chain, true) - 1;
	const uint64_t first = sector / SECTORS_PER_BLOCK;
	const uint64_t count = size / BLOCK_BYTES;
	if (!addr_within(first, count, DISK_BLOCKS) || count > TRANSFER_MAX) {
		FUZZ_REQUIRE(hostile.lied || world.strange);
		return 0;
	}
	for (uint64_t i = 0; i < count; i++) {
		block_content(world.tag[first + i], first + i, flat + i * BLOCK_BYTES);
	}
	return (uint32_t)hostile_scatter(chain, flat, size);
}

static void serve_out(const struct hostile_chain *chain, uint64_t sector)
{
	static uint8_t flat[16 + TRANSFER_MAX * BLOCK_BYTES];
	uint8_t expected[BLOCK_BYTES];
	const size_t size = hostile_gather(chain, flat, sizeof(flat)) - 16;
	const uint64_t first = sector / SECTORS_PER_BLOCK;
	const uint64_t count = size / BLOCK_BYTES;
	if (!addr_within(first, count, DISK_BLOCKS)) {
		FUZZ_REQUIRE(hostile.lied || world.strange);
		return;
	}
	for (uint64_t i = 0; i < count; i++) {
		world.tag[first + i] = flat[16 + i * BLOCK_BYTES + 1];
		block_content(world.tag[first + i], first + i, expected);
		FUZZ_REQUIRE(hostile.lied ||
			     memcmp(flat + 16 + i * BLOCK_BYTES, expected, BLOCK_BYTES) == 0);
	}
}

/* misbehave: status:8, bytes not to be reported:8, bit 16: do nothing but claim it. */
static bool serve(const struct hostile_chain *chain, uint32_t *written_bytes)
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

/* ---- The user's side --------------------------------------------------------------------------
 */

/* What a request's status may be, and what it means for later ones. */
static void status_judge(enum status status)
{
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_IO || status == STATUS_BAD_HOST ||
		     status == STATUS_TIMEOUT);
	FUZZ_REQUIRE(!world.dead || status == STATUS_BAD_HOST);
	FUZZ_REQUIRE(status == STATUS_OK || hostile.lied || world.strange || world.dead);
	FUZZ_REQUIRE(status != STATUS_OK || hostile.byte_loaded == 0);
	/* Completed exactly once: nothing of an honest request is left with the device. */
	FUZZ_REQUIRE(status != STATUS_OK || hostile.lied || hostile.pending_count == 0);
	world.dead = world.dead || status == STATUS_BAD_HOST || status == STATUS_TIMEOUT;
}

static uint64_t count_from(struct fuzz_input *input)
{
	const uint8_t count = fuzz_u8(input);
	return count >= 0xf0 ? TRANSFER_MAX : 1u + count % 3u;
}

static void do_read(const struct block_device *device, struct fuzz_input *input)
{
	uint8_t expected[BLOCK_BYTES];
	const uint64_t first = fuzz_u8(input) % (DISK_BLOCKS + 2);
	const uint64_t count = count_from(input);
	uint8_t *out = user.bytes + sizeof(user.bytes) - count * BLOCK_BYTES;
	const enum status status = block_read(device, (struct physical_block){first},
					      (struct block_count){count}, out);
	if (!addr_within(first, count, device->capacity.n)) {
		FUZZ_REQUIRE(status == STATUS_INVALID);
		return;
	}
	status_judge(status);
	/* What the device does not claim to have written is not taken. */
	FUZZ_REQUIRE(status != STATUS_OK || hostile.poll_written > 1);
	FUZZ_REQUIRE(status != STATUS_OK || count == TRANSFER_MAX || world.strange ||
		     hostile.poll_written == count * BLOCK_BYTES + 1);
	for (uint64_t i = 0; i < count && status == STATUS_OK && !hostile.lied; i++) {
		if (first + i < DISK_BLOCKS) {
			block_content(world.model[first + i], first + i, expected);
			FUZZ_REQUIRE(memcmp(out + i * BLOCK_BYTES, expected, BLOCK_BYTES) == 0);
		}
	}
}

static void do_write(const struct block_device *device, struct fuzz_input *input)
{
	const uint64_t first = fuzz_u8(input) % (DISK_BLOCKS + 2);
	const uint64_t count = count_from(input);
	uint8_t *bytes = user.bytes + sizeof(user.bytes) - count * BLOCK_BYTES;
	const uint8_t tag = ++world.writes;
	for (uint64_t i = 0; i < count; i++) {
		block_content(tag, first + i, bytes + i * BLOCK_BYTES);
	}
	const enum status status = block_write(device, (struct physical_block){first},
					       (struct block_count){count}, bytes);
	if (device->read_only) {
		FUZZ_REQUIRE(status == STATUS_READ_ONLY || status == STATUS_INVALID);
		return;
	}
	if (!addr_within(first, count, device->capacity.n)) {
		FUZZ_REQUIRE(status == STATUS_INVALID);
		return;
	}
	status_judge(status);
	for (uint64_t i = 0; i < count && first + i < DISK_BLOCKS; i++) {
		world.model[first + i] = tag;
	}
}

static void do_id(void)
{
	char id[VIRTIO_BLK_ID_BYTES + 1];
	const enum status status = virtio_blk_id_read(&world.blk, id);
	status_judge(status);
	if (status == STATUS_OK) {
		const size_t length = strnlen(id, sizeof(id));
		FUZZ_REQUIRE(length < sizeof(id));
		for (size_t i = 0; i < length; i++) {
			FUZZ_REQUIRE(id[i] >= ' ' && id[i] <= '~');
		}
		FUZZ_REQUIRE(hostile.lied || strcmp(id, "disk?name") == 0);
	}
}

static enum status open(void)
{
	const struct virtio_blk_environment environment = {
		.transport = &hostile.transport,
		.memory = &hostile.memory,
		.clock = &hostile.clock,
		.depth = DEPTH,
		.data_pages = DATA_PAGES,
	};
	hostile_call_begin();
	const enum status status = virtio_blk_open(&world.blk, &environment);
	world.dead = status != STATUS_OK;
	FUZZ_REQUIRE(status == STATUS_OK || hostile.lied || world.strange);
	FUZZ_REQUIRE(status != STATUS_OK || hostile.features_confirmed);
	/* Only what is on the list is ever accepted. */
	FUZZ_REQUIRE(status != STATUS_OK ||
		     (hostile.accepted & ~(VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM |
					   VIRTQ_FEATURES | F_SIZE_MAX | F_SEG_MAX | F_RO |
					   F_BLK_SIZE | F_FLUSH | 1u << 10 | 7u << 12)) == 0);
	return status;
}

static void operation_run(struct fuzz_input *program)
{
	const struct block_device *device = virtio_blk_device(&world.blk);
	enum status status;
	hostile_call_begin();
	switch (fuzz_u8(program) % OP_COUNT) {
	case OP_READ: do_read(device, program); break;
	case OP_WRITE: do_write(device, program); break;
	case OP_FLUSH:
		status = block_flush(device);
		if (device->has_flush) {
			status_judge(status);
		} else {
			FUZZ_REQUIRE(status == STATUS_NO_FLUSH);
		}
		break;
	case OP_ID: do_id(); break;
	case OP_ACK: virtio_blk_interrupt_ack(&world.blk); break;
	default:
		virtio_blk_close(&world.blk);
		hostile_balance_check();
		(void)open();
		break;
	}
}

/* Zeroes describe a device as QEMU's; `strange` says that open may well refuse it. */
static void configure(struct fuzz_input *input)
{
	static const uint32_t block_sizes[] = {512, 4096, 1024, 0};
	const uint8_t features = fuzz_u8(input);
	const uint8_t queue_size = fuzz_u8(input);
	const uint8_t seg_max = fuzz_u8(input);
	const uint8_t size_max = fuzz_u8(input);
	const uint8_t capacity = fuzz_u8(input);
	const uint8_t block_size = fuzz_u8(input);
	const uint8_t generation = fuzz_u8(input);
	hostile.device_id = VIRTIO_ID_BLOCK;
	hostile.offered = VIRTIO_F_VERSION_1 | F_SEG_MAX | F_FLUSH | F_BLK_SIZE;
	hostile.offered ^= (uint64_t)features << 1;
	hostile.queues[0].size_max = queue_size == 0 ? 128 : queue_size;
	hostile.config[0] = DISK_BLOCKS * SECTORS_PER_BLOCK - capacity;
	hostile.config[2] = (uint32_t)size_max << 8;
	hostile.config[3] = seg_max == 0 ? 126 : seg_max;
	hostile.config[5] = block_sizes[block_size % 4];
	hostile.generation = generation;
	world.strange = features != 0 || queue_size != 0 || seg_max != 0 || size_max != 0 ||
			block_size != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	memset(&world, 0, sizeof(world));
	memcpy(user.private_bytes, HOSTILE_CANARY, sizeof(HOSTILE_CANARY) - 1);
	memcpy(user.private_bytes + 64 - (sizeof(HOSTILE_CANARY) - 1), HOSTILE_CANARY,
	       sizeof(HOSTILE_CANARY) - 1);
	hostile_reset();
	hostile.serve = serve;
	configure(&input);
	const size_t program_size = fuzz_u8(&input);
	struct fuzz_input program = input;
	program.size = program_size < fuzz_left(&input) ? input.at + program_size : input.size;
	input.at = program.size;
	if (hostile_start(input, POOL_PAGES) == STATUS_OK && open() == STATUS_OK) {
		for (unsigned int i = 0; i < OPERATIONS && fuzz_left(&program) > 0; i++) {
			operation_run(&program);
		}
		virtio_blk_close(&world.blk);
		virtio_blk_close(&world.blk);
	}
	hostile_balance_check();
	return 0;
}
