// SPDX-License-Identifier: MIT
/* virtio-blk over virtio-mmio against the hostile device.
 *
 * Input: the configuration (seven bytes; zeroes are QEMU's without any feature of the queues), the
 * length of the program, the program (requests), then the device's script. */
#include "block/virtio_blk.h"

#include <string.h>

#include "tests/fuzz/blk_model.h"

#define DEPTH          6u /* Of the device; the user tries more. */
#define FLIGHTS        8u
#define DATA_PAGES     40u
#define POOL_PAGES     (1u + DATA_PAGES + 2u * 3u) /* Control, data, rings with tables. */
#define OPERATIONS     24u
#define TRANSFER_LONG  6u    /* Blocks; of a device that takes short requests, several pieces. */
#define UNKNOWN_TAG    0xfeu /* Of a write that failed: nobody knows. */

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

/* A request in flight, with memory of its own. */
struct flight {
	struct block_request request;
	bool in_flight;
	uint8_t tag;
};

struct world {
	bool dead;                       /* A call said so: no later one may say otherwise. */
	uint8_t model[BLK_MODEL_BLOCKS]; /* The tag of each block, as the driver's user knows it. */
	uint8_t writes;
	struct flight flights[FLIGHTS];
	uint32_t flight_count;
};

const size_t hostile_length_at = 7;
static struct world world;
static struct virtio_blk blk; /* Opened anew each time: not cleared here, for it is large. */

/* The user's buffer ends where the array does, and begins behind private bytes. */
static struct {
	uint8_t private_bytes[64];
	uint8_t bytes[BLK_MODEL_TRANSFER_MAX * BLOCK_BYTES];
} user;
static uint8_t flight_bytes[FLIGHTS][BLK_MODEL_TRANSFER_MAX * BLOCK_BYTES];

/* ---- The user's side --------------------------------------------------------------------------
 */

/* What a request's status may be, and what it means for later ones. */
static void status_judge(enum status status)
{
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_IO || status == STATUS_BAD_HOST ||
		     status == STATUS_TIMEOUT);
	FUZZ_REQUIRE(!world.dead || status == STATUS_BAD_HOST);
	FUZZ_REQUIRE(status == STATUS_OK || hostile.lied || blk_model.strange || world.dead);
	FUZZ_REQUIRE(status != STATUS_OK || hostile.byte_loaded == 0);
	/* Completed exactly once: nothing of an honest request is left with the device. */
	FUZZ_REQUIRE(status != STATUS_OK || hostile.lied || hostile.pending_count == 0);
	world.dead = world.dead || status == STATUS_BAD_HOST || status == STATUS_TIMEOUT;
}

/* A call that waits has to have the device for itself. */
static bool is_busy(enum status status)
{
	if (world.flight_count == 0) {
		FUZZ_REQUIRE(status != STATUS_BUSY);
		return false;
	}
	FUZZ_REQUIRE(status == STATUS_BUSY);
	return true;
}

static uint64_t count_from(struct fuzz_input *input)
{
	const uint8_t count = fuzz_u8(input);
	if (count == UINT8_MAX) {
		return BLK_MODEL_TRANSFER_MAX;
	}
	return count >= 0xf0 ? TRANSFER_LONG : 1u + count % 3u;
}

static void model_set(uint64_t first, uint64_t count, uint8_t tag)
{
	for (uint64_t i = 0; i < count && first + i < BLK_MODEL_BLOCKS; i++) {
		world.model[first + i] = tag;
	}
}

/* What an honest device gave is what was written. */
static void model_check(uint64_t first, uint64_t count, const uint8_t *bytes)
{
	for (uint64_t i = 0; i < count && first + i < BLK_MODEL_BLOCKS && !hostile.lied; i++) {
		const uint8_t tag = world.model[first + i];
		FUZZ_REQUIRE(tag == UNKNOWN_TAG ||
			     blk_model_is_content(tag, first + i, bytes + i * BLOCK_BYTES));
	}
}

static void do_read(const struct block_device *device, struct fuzz_input *input)
{
	const uint64_t first = fuzz_u8(input) % (BLK_MODEL_BLOCKS + 2);
	const uint64_t count = count_from(input);
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
	status_judge(status);
	/* What the device does not claim to have written is not taken. */
	FUZZ_REQUIRE(status != STATUS_OK || hostile.poll_written > 1);
	FUZZ_REQUIRE(status != STATUS_OK || count == BLK_MODEL_TRANSFER_MAX || blk_model.strange ||
		     hostile.poll_written == count * BLOCK_BYTES + 1);
	if (status == STATUS_OK) {
		model_check(first, count, out);
	}
}

static uint8_t tag_next(void)
{
	world.writes = (uint8_t)((world.writes + 1u) % UNKNOWN_TAG);
	return world.writes;
}

static void do_write(const struct block_device *device, struct fuzz_input *input)
{
	const uint64_t first = fuzz_u8(input) % (BLK_MODEL_BLOCKS + 2);
	const uint64_t count = count_from(input);
	uint8_t *bytes = user.bytes + sizeof(user.bytes) - count * BLOCK_BYTES;
	const uint8_t tag = tag_next();
	for (uint64_t i = 0; i < count; i++) {
		blk_model_content(tag, first + i, bytes + i * BLOCK_BYTES);
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
	if (is_busy(status)) {
		return;
	}
	status_judge(status);
	model_set(first, count, status == STATUS_OK ? tag : UNKNOWN_TAG);
}

static void do_id(void)
{
	char id[VIRTIO_BLK_ID_BYTES + 1];
	const enum status status = virtio_blk_id_read(&blk, id);
	if (is_busy(status)) {
		return;
	}
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

static void do_zeroes(const struct block_device *device, struct fuzz_input *input)
{
	const uint64_t first = fuzz_u8(input) % (BLK_MODEL_BLOCKS + 2);
	const uint64_t count = count_from(input);
	const enum status status = virtio_blk_zeroes_write(&blk, (struct physical_block){first},
							   (struct block_count){count});
	if (device->read_only) {
		FUZZ_REQUIRE(status == STATUS_READ_ONLY);
		return;
	}
	if (blk.zeroes_blocks_max == 0) {
		FUZZ_REQUIRE(status == STATUS_UNSUPPORTED);
		return;
	}
	if (!addr_within(first, count, device->capacity.n)) {
		FUZZ_REQUIRE(status == STATUS_INVALID);
		return;
	}
	if (is_busy(status)) {
		return;
	}
	status_judge(status);
	model_set(first, count, status == STATUS_OK ? BLK_MODEL_ZERO_TAG : UNKNOWN_TAG);
}

/* ---- Requests in flight -----------------------------------------------------------------------
 */

/* Two requests for one block, one of them a write, have no order. */
static bool overlaps(const struct block_request *request)
{
	for (size_t i = 0; i < FLIGHTS; i++) {
		const struct block_request *other = &world.flights[i].request;
		if (world.flights[i].in_flight &&
		    request->first.n < other->first.n + other->count.n &&
		    other->first.n < request->first.n + request->count.n &&
		    (request->kind != BLOCK_REQUEST_READ || other->kind != BLOCK_REQUEST_READ)) {
			return true;
		}
	}
	return false;
}

/* What the device refuses to take, and why. */
static enum status refusal(const struct block_device *device, const struct block_request *request)
{
	const bool changes =
		request->kind == BLOCK_REQUEST_WRITE || request->kind == BLOCK_REQUEST_DISCARD;
	if (device->queue == NULL) {
		return STATUS_UNSUPPORTED;
	}
	if (request->kind == BLOCK_REQUEST_FLUSH && !device->has_flush) {
		return STATUS_NO_FLUSH;
	}
	if (changes && device->read_only) {
		return STATUS_READ_ONLY;
	}
	if (request->kind != BLOCK_REQUEST_FLUSH &&
	    !addr_within(request->first.n, request->count.n, device->capacity.n)) {
		return STATUS_INVALID;
	}
	if (request->kind == BLOCK_REQUEST_DISCARD && blk.discard_blocks_max == 0) {
		return STATUS_UNSUPPORTED;
	}
	if (world.dead) {
		return STATUS_BAD_HOST;
	}
	return STATUS_OK;
}

/* The request's memory ends where the array does. */
static void flight_prepare(struct flight *flight, struct fuzz_input *input)
{
	static const enum block_request_kind kinds[] = {BLOCK_REQUEST_READ, BLOCK_REQUEST_WRITE,
							BLOCK_REQUEST_FLUSH, BLOCK_REQUEST_DISCARD};
	const size_t which = (size_t)(flight - world.flights);
	const uint64_t first = fuzz_u8(input) % (BLK_MODEL_BLOCKS + 2);
	const enum block_request_kind kind = kinds[fuzz_u8(input) % 4];
	const uint64_t count = kind == BLOCK_REQUEST_FLUSH ? 0 : count_from(input);
	uint8_t *bytes = flight_bytes[which] + sizeof(flight_bytes[which]) - count * BLOCK_BYTES;
	flight->request = (struct block_request){
		.kind = kind,
		.status = STATUS_AGAIN,
		.first = {first},
		.count = {count},
		.bytes = bytes,
		.owner = flight,
	};
	if (kind == BLOCK_REQUEST_WRITE) {
		flight->tag = tag_next();
		for (uint64_t i = 0; i < count; i++) {
			blk_model_content(flight->tag, first + i, bytes + i * BLOCK_BYTES);
		}
	}
}

/* A lie may be found out at any time, and is then known here only when a request is reaped; so may
 * a completion, so the device may have room again although none was reaped. */
static void refusal_check(enum status status, enum status expected)
{
	FUZZ_REQUIRE(
		status == expected || (status == STATUS_BAD_HOST && hostile.lied) ||
		(status == STATUS_BUSY && expected == STATUS_OK && world.flight_count >= DEPTH));
}

static void do_submit(const struct block_device *device, struct fuzz_input *input)
{
	size_t which = 0;
	while (which + 1 < FLIGHTS && world.flights[which].in_flight) {
		which++;
	}
	struct flight *flight = &world.flights[which];
	if (flight->in_flight) {
		return;
	}
	flight_prepare(flight, input);
	if (overlaps(&flight->request)) {
		return;
	}
	const enum status expected = refusal(device, &flight->request);
	const enum status status = block_submit(device, &flight->request);
	refusal_check(status, expected);
	flight->in_flight = status == STATUS_OK;
	world.flight_count += status == STATUS_OK ? 1 : 0;
}

static void flight_judge(const struct flight *flight)
{
	const struct block_request *request = &flight->request;
	const enum status status = request->status;
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_IO || status == STATUS_BAD_HOST ||
		     status == STATUS_TIMEOUT);
	FUZZ_REQUIRE(status == STATUS_OK || hostile.lied || blk_model.strange || world.dead);
	world.dead = world.dead || status == STATUS_BAD_HOST || status == STATUS_TIMEOUT;
	const uint64_t first = request->first.n;
	const uint64_t count = request->count.n;
	if (request->kind == BLOCK_REQUEST_WRITE) {
		model_set(first, count, status == STATUS_OK ? flight->tag : UNKNOWN_TAG);
	} else if (request->kind == BLOCK_REQUEST_READ && status == STATUS_OK) {
		model_check(first, count, request->bytes);
	} else if (request->kind == BLOCK_REQUEST_READ) {
		FUZZ_REQUIRE(request->bytes[0] == 0);
		FUZZ_REQUIRE(request->bytes[count * BLOCK_BYTES - 1] == 0);
	}
}

/* True if one was reaped. */
static bool do_reap(const struct block_device *device, bool wait)
{
	struct block_request *done = NULL;
	const enum status status = block_reap(device, wait, &done);
	if (device->queue == NULL) { /* The last open failed early. */
		FUZZ_REQUIRE(status == STATUS_UNSUPPORTED && world.flight_count == 0);
		return false;
	}
	if (status == STATUS_AGAIN) {
		FUZZ_REQUIRE(!wait || world.flight_count == 0);
		return false;
	}
	FUZZ_REQUIRE(status == STATUS_OK);
	struct flight *flight = done->owner;
	FUZZ_REQUIRE(flight->in_flight && done == &flight->request); /* Each exactly once. */
	flight->in_flight = false;
	world.flight_count--;
	flight_judge(flight);
	return true;
}

/* Everything in flight ends; it was started by a kick, or is found by a knock. */
static void drain(const struct block_device *device)
{
	while (do_reap(device, true)) {
		hostile_call_begin();
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
		.queue_count = 2,
	};
	hostile_call_begin();
	const enum status status = virtio_blk_open(&blk, &environment);
	world.dead = status != STATUS_OK;
	blk_model.capacity_blocks = blk.block_device.capacity.n;
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

static void operation_run(struct fuzz_input *program)
{
	const struct block_device *device = virtio_blk_device(&blk);
	enum status status;
	hostile_call_begin();
	switch (fuzz_u8(program) % OP_COUNT) {
	case OP_READ: do_read(device, program); break;
	case OP_WRITE: do_write(device, program); break;
	case OP_FLUSH:
		status = block_flush(device);
		if (device->has_flush && !is_busy(status)) {
			status_judge(status);
		} else if (!device->has_flush) {
			FUZZ_REQUIRE(status == STATUS_NO_FLUSH);
		}
		break;
	case OP_ID: do_id(); break;
	case OP_ACK: virtio_blk_interrupt_ack(&blk); break;
	case OP_SUBMIT: do_submit(device, program); break;
	case OP_KICK: block_kick(device); break;
	case OP_REAP: (void)do_reap(device, false); break;
	case OP_WAIT: (void)do_reap(device, true); break;
	case OP_ZEROES: do_zeroes(device, program); break;
	default:
		virtio_blk_close(&blk);
		world.dead = true; /* What was in flight ends so. */
		drain(device);
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
	blk_model.strange = features != 0 || queue_size != 0 || seg_max != 0 || size_max != 0 ||
			    block_size != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	memset(&world, 0, sizeof(world));
	blk.open = false;
	memcpy(user.private_bytes, HOSTILE_CANARY, sizeof(HOSTILE_CANARY) - 1);
	memcpy(user.private_bytes + 64 - (sizeof(HOSTILE_CANARY) - 1), HOSTILE_CANARY,
	       sizeof(HOSTILE_CANARY) - 1);
	hostile_reset();
	hostile.serve = blk_model_serve;
	memset(&blk_model, 0, sizeof(blk_model));
	configure(&input);
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
		drain(virtio_blk_device(&blk));
		virtio_blk_close(&blk);
		virtio_blk_close(&blk);
	}
	hostile_balance_check();
	return 0;
}
