// SPDX-License-Identifier: MIT
/* virtio-blk, behind either transport, against the hostile device.
 *
 * Input: the configuration (seven bytes; zeroes are QEMU's without any feature of the queues), the
 * length of the program, the program (requests), then the device's script. */
#include <string.h>

#include "tests/fuzz/blk_user.h"

#define DATA_PAGES 40u
#define POOL_PAGES \
	(1u + DATA_PAGES + BLK_USER_LENT_PAGES + 2u * 3u) /* Control, data, rings with tables. */
#define OPERATIONS 24u
/* Opening costs much; after 4 failures a device is given up for good. */
#define REOPENS_MAX    5u

#define F_SIZE_MAX     ((uint64_t)1 << 1)
#define F_SEG_MAX      ((uint64_t)1 << 2)
#define F_RO           ((uint64_t)1 << 5)
#define F_BLK_SIZE     ((uint64_t)1 << 6)
#define F_FLUSH        ((uint64_t)1 << 9)
#define F_TOPOLOGY     ((uint64_t)1 << 10)
#define F_MQ           ((uint64_t)1 << 12)
#define F_DISCARD      ((uint64_t)1 << 13)
#define F_WRITE_ZEROES ((uint64_t)1 << 14)

enum operation {
	OP_READ,
	OP_WRITE,
	OP_FLUSH,
	OP_ID,
	OP_ACK,
	OP_REOPEN,
	OP_SUBMIT,
	OP_KICK,
	OP_REAP,
	OP_WAIT,
	OP_ZEROES,
	OP_COUNT
};

const size_t hostile_length_at = 7;
static uint8_t reopens;

static enum status open(void)
{
	const struct virtio_blk_environment environment = {
		.transport = &hostile.transport,
		.memory = &hostile.memory,
		.clock = &hostile.clock,
		.depth = BLK_USER_DEPTH,
		.data_pages = DATA_PAGES,
		.queue_count = 2,
		.lent_pages = BLK_USER_LENT_PAGES,
	};
	hostile_call_begin();
	const enum status status = virtio_blk_open(&blk_driver, &environment);
	blk_user.dead = status != STATUS_OK;
	blk_user_loan_begin();
	blk_model.capacity_blocks = blk_driver.block_device.capacity.n;
	FUZZ_REQUIRE(status == STATUS_OK || hostile.lied || blk_model.strange);
	FUZZ_REQUIRE(status != STATUS_OK || hostile.features_confirmed);
	/* Only what is on the list is ever accepted. */
	FUZZ_REQUIRE(status != STATUS_OK ||
		     (hostile.accepted &
		      ~(VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM | VIRTQ_FEATURES |
			F_SIZE_MAX | F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_MQ |
			F_DISCARD | F_WRITE_ZEROES)) == 0);
	return status;
}

static void do_reopen(void)
{
	if (reopens < REOPENS_MAX) {
		reopens++;
		virtio_blk_close(&blk_driver);
		blk_user.dead = true; /* What was in flight ends so. */
		blk_user_drain();
		hostile_balance_check();
		(void)open();
	}
}

static void operation_run(struct fuzz_input *program)
{
	const struct block_device *device = virtio_blk_device(&blk_driver);
	hostile_call_begin();
	switch (fuzz_u8(program) % OP_COUNT) {
	case OP_READ: blk_user_read(program); break;
	case OP_WRITE: blk_user_write(program); break;
	case OP_FLUSH: blk_user_flush(); break;
	case OP_ID: blk_user_id(); break;
	case OP_ACK: virtio_blk_interrupt_ack(&blk_driver); break;
	case OP_SUBMIT: blk_user_submit(program); break;
	case OP_KICK: block_kick(device); break;
	case OP_REAP: (void)blk_user_reap(false); break;
	case OP_WAIT: (void)blk_user_reap(true); break;
	case OP_ZEROES: blk_user_zeroes(program); break;
	default: do_reopen(); break;
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
	/* generation: features of the queues:4, DISCARD and WRITE_ZEROES:1, MQ:1, how to wait:2. */
	hostile.offered |= hostile_ring_features(generation & 0xfu);
	hostile.offered |= (generation & 0x10) != 0 ? F_DISCARD | F_WRITE_ZEROES : 0;
	hostile.offered |= (generation & 0x20) != 0 ? F_MQ : 0;
	hostile.config[8] = 2u << 16;
	hostile.config[9] = 100;
	hostile.config[12] = 30;
	hostile.queues[0].size_max = queue_size == 0 ? 128 : queue_size;
	hostile.queues[1].size_max = hostile.queues[0].size_max;
	hostile.config[0] = BLK_MODEL_BLOCKS * SECTORS_PER_BLOCK - capacity;
	hostile.config[2] = (uint32_t)size_max << 8;
	hostile.config[3] = seg_max == 0 ? 126 : seg_max;
	hostile.config[5] = block_sizes[block_size % 4];
	hostile.generation = generation;
	/* block_size: which one:2, PCI:1. */
	hostile.is_pci = (block_size & 4) != 0;
	blk_model.strange = features != 0 || queue_size != 0 || seg_max != 0 || size_max != 0 ||
			    block_size % 4 != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	hostile_reset();
	hostile.serve = blk_model_serve;
	memset(&blk_model, 0, sizeof(blk_model));
	configure(&input);
	blk_user_reset();
	reopens = 0;
	const size_t program_size = fuzz_u8(&input);
	struct fuzz_input program = input;
	program.size = program_size < fuzz_left(&input) ? input.at + program_size : input.size;
	input.at = program.size;
	const bool is_there = hostile_start(input, POOL_PAGES) == STATUS_OK;
	hostile_wait_choose((uint8_t)(hostile.generation >> 6));
	if (is_there && open() == STATUS_OK) {
		for (unsigned int i = 0; i < OPERATIONS && fuzz_left(&program) > 0; i++) {
			operation_run(&program);
		}
		hostile_call_begin();
		blk_user_drain();
		virtio_blk_close(&blk_driver);
		virtio_blk_close(&blk_driver);
	}
	hostile_balance_check();
	return 0;
}
