// SPDX-License-Identifier: MIT
/* A virtqueue in either layout, driven at will, against the hostile device.
 *
 * Input: the queue's size and features and the transport, the length of the program, the program
 * (chains to submit, kicks, polls), then the device's script. A model keeps the set of chains in
 * flight. */
#include "virtio/virtq.h"

#include <string.h>

#include "tests/fuzz/hostile.h"
#include "virtio/virtio_device.h"

#define SEGMENTS_MAX   9u
#define DATA_PAGES     2u
#define POOL_PAGES     12u
#define OPERATIONS     200u
#define TABLES         4u
#define TABLE_SEGMENTS 4u
#define SIZES          9u /* Powers of two; the last one is our limit. */

enum operation {
	OP_SUBMIT,
	OP_POLL,
	OP_KICK,
	OP_STEP,
	OP_PENDING,
	OP_COUNT
};

/* By head; in flight if its serial is the world's. */
struct flight {
	uint64_t of_world;
	uint32_t serial;
	uint32_t order;
	uint32_t writable_bytes;
	uint16_t entries;
	bool in_table;
};

struct world {
	struct virtq queue;
	struct shared_region data;
	uint32_t free_count;
	uint32_t tables_free;
	uint32_t flight_count;
	uint32_t submitted;
	bool poisoned;
};

const size_t hostile_length_at = 1;
static struct world world;
/* Not cleared for each input: that would be most of the work. */
static struct virtq_slot slots[VIRTQ_SIZE_MAX];
static struct flight flights[VIRTQ_SIZE_MAX];
static uint64_t world_number;

static bool serve(const struct hostile_chain *chain, uint32_t *written_bytes)
{
	static const uint8_t bytes[8] = "written";
	*written_bytes = (uint32_t)hostile_scatter(chain, bytes, sizeof(bytes));
	return true;
}

static void submit(struct fuzz_input *input)
{
	struct virtq_segment segments[SEGMENTS_MAX];
	struct virtq_token token;
	const uint16_t count = fuzz_u8(input) % SEGMENTS_MAX;
	const uint16_t writable_from = fuzz_u8(input) % SEGMENTS_MAX;
	const uint8_t shape = fuzz_u8(input);
	uint32_t writable_bytes = 0;
	for (uint16_t i = 0; i < count; i++) {
		const uint32_t length = (shape & 0xf) == 0xf && i == shape >> 4 ? 0 : 16;
		segments[i] = (struct virtq_segment){
			.at = shared_region_addr(&world.data, (size_t)16 * ((size_t)i + count),
						 length),
			.len_bytes = length,
			/* Now and then a readable segment comes behind a writable one. */
			.device_writes = i >= writable_from && shape != 0xfe - i,
		};
		writable_bytes += segments[i].device_writes ? length : 0;
	}
	const enum status status = virtq_chain_submit(&world.queue, segments, count, &token);
	if (world.poisoned) {
		FUZZ_REQUIRE(status == STATUS_BAD_HOST);
		return;
	}
	const bool in_table = count > 1 && count <= TABLE_SEGMENTS && world.tables_free > 0;
	const uint16_t entries = in_table ? (uint16_t)1 : count;
	if (status == STATUS_NO_MEMORY) {
		FUZZ_REQUIRE(entries > world.free_count);
		return;
	}
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(count == 0 || count > world.queue.size || shape >= 0xf);
		return;
	}
	struct flight *flight = &flights[token.head];
	FUZZ_REQUIRE(token.head < world.queue.size && flight->of_world != world_number);
	FUZZ_REQUIRE(count > 0 && entries <= world.free_count);
	*flight = (struct flight){
		.of_world = world_number,
		.serial = token.serial,
		.order = world.submitted,
		.writable_bytes = writable_bytes,
		.entries = entries,
		.in_table = in_table,
	};
	world.free_count -= entries;
	world.tables_free -= in_table ? 1u : 0u;
	world.submitted++;
	world.flight_count++;
}

static void completion_check(struct flight *flight, const struct virtq_token *token,
			     uint32_t written_bytes)
{
	/* Each completes exactly once, no more was written than there was room for, and nothing is
	 * overtaken where the order was agreed upon. */
	FUZZ_REQUIRE(flight->of_world == world_number && flight->serial == token->serial);
	FUZZ_REQUIRE(written_bytes <= flight->writable_bytes);
	FUZZ_REQUIRE(!hostile_has(VIRTIO_F_IN_ORDER) ||
		     flight->order == world.submitted - world.flight_count);
	FUZZ_REQUIRE(hostile.lied ||
		     written_bytes == (flight->writable_bytes < 8 ? flight->writable_bytes : 8));
	flight->of_world = 0;
	world.free_count += flight->entries;
	world.tables_free += flight->in_table ? 1u : 0u;
	world.flight_count--;
}

/* Returns what the queue said. */
static enum status poll(void)
{
	struct virtq_token token;
	uint32_t written_bytes = UINT32_MAX;
	const uint16_t taken_before = world.queue.used_index;
	const enum status status = virtq_used_poll(&world.queue, &token, &written_bytes);
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_AGAIN || status == STATUS_BAD_HOST);
	FUZZ_REQUIRE(!world.poisoned || status == STATUS_BAD_HOST);
	FUZZ_REQUIRE(virtq_is_poisoned(&world.queue) == (status == STATUS_BAD_HOST));
	if (status == STATUS_BAD_HOST) {
		FUZZ_REQUIRE(hostile.lied && world.queue.lie != VIRTQ_LIE_NONE);
		FUZZ_REQUIRE(!virtq_used_pending(&world.queue));
		world.poisoned = true;
	} else if (status == STATUS_OK) {
		/* The device may not claim more completions than there are chains. */
		FUZZ_REQUIRE(!hostile.poll_index_loaded ||
			     (uint16_t)(hostile.poll_index - taken_before) <= world.flight_count);
		FUZZ_REQUIRE(token.head < world.queue.size);
		completion_check(&flights[token.head], &token, written_bytes);
	}
	return status;
}

static void books_check(void)
{
	FUZZ_REQUIRE(world.queue.free_count == world.free_count);
	FUZZ_REQUIRE(world.queue.chains_in_flight == world.flight_count);
}

/* Honest claims only; but the look itself may meet the first lie. */
static void pending_check(void)
{
	const bool claimed = virtq_used_pending(&world.queue);
	FUZZ_REQUIRE(!claimed || world.flight_count > 0 || hostile.lied);
}

static void program_run(struct fuzz_input *program)
{
	for (unsigned int i = 0; i < OPERATIONS && fuzz_left(program) > 0; i++) {
		hostile_call_begin();
		switch (fuzz_u8(program) % OP_COUNT) {
		case OP_SUBMIT: submit(program); break;
		case OP_POLL: (void)poll(); break;
		case OP_KICK: virtq_kick(&world.queue); break;
		case OP_STEP: hostile.clock.relax(NULL); break;
		default:
			virtq_interrupts_want(&world.queue, (fuzz_u8(program) & 1) != 0);
			pending_check();
			break;
		}
		books_check();
	}
}

/* An honest device finishes everything; a lying one ends the queue, or time passes. */
static void drain(void)
{
	hostile_call_begin();
	virtq_kick_always(&world.queue);
	for (unsigned int turns = 0; world.flight_count > 0 && turns < 1000; turns++) {
		const enum status status = poll();
		books_check();
		if (status == STATUS_BAD_HOST) {
			return;
		}
		if (status == STATUS_AGAIN && hostile_is_still()) {
			break; /* What is in flight stays there: the device lost it. */
		}
		if (status == STATUS_AGAIN) {
			hostile.clock.relax(NULL);
		}
	}
	FUZZ_REQUIRE(world.flight_count == 0 || hostile.lied);
	if (world.flight_count == 0) {
		const enum status status = poll(); /* May itself meet a lie. */
		FUZZ_REQUIRE(status == STATUS_AGAIN || hostile.lied);
	}
}

static void queue_run(struct virtio_device *device, struct fuzz_input *program)
{
	const unsigned int exponent = program->data[0] % SIZES;
	const struct virtq_config config = {
		.size = (uint16_t)(exponent + 1 < SIZES ? 1u << exponent : VIRTQ_SIZE_MAX),
		.table_count = TABLES,
		.table_segments = TABLE_SEGMENTS,
		.slots = slots,
	};
	if (virtio_device_queue_open(device, &config, &world.queue) != STATUS_OK ||
	    virtio_device_start(device) != STATUS_OK) {
		FUZZ_REQUIRE(hostile.lied);
		return;
	}
	world.free_count = world.queue.size;
	world.tables_free = world.queue.table_count;
	FUZZ_REQUIRE(world.tables_free <= TABLES);
	program_run(program);
	drain();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct virtio_device_wish wish = {
		.device_id = VIRTIO_ID_BLOCK,
		.allowed_features = VIRTQ_FEATURES,
	};
	struct fuzz_input input = fuzz_input_of(data, size);
	struct virtio_device device;
	if (size < 2) {
		return 0;
	}
	memset(&world, 0, sizeof(world));
	world_number++;
	hostile_reset();
	hostile.device_id = VIRTIO_ID_BLOCK;
	hostile.offered = VIRTIO_F_VERSION_1 | hostile_ring_features(data[0] / SIZES);
	hostile.is_pci = (data[0] / SIZES & 0x10) != 0;
	hostile.queues[0].size_max = VIRTQ_SIZE_MAX;
	hostile.serve = serve;
	const size_t program_size = data[1] < size - 2 ? data[1] : size - 2;
	struct fuzz_input program = fuzz_input_of(data, program_size + 2);
	program.at = 2;
	input.at = program.size;
	if (hostile_start(input, POOL_PAGES) != STATUS_OK ||
	    virtio_device_open(&device, &hostile.transport, &hostile.memory, &hostile.clock,
			       &wish) != STATUS_OK) {
		FUZZ_REQUIRE(hostile.lied);
		return 0;
	}
	FUZZ_REQUIRE(sharedmem_region_acquire(&hostile.memory, DATA_PAGES, &world.data) ==
		     STATUS_OK);
	queue_run(&device, &program);
	virtio_device_stop(&device);
	virtio_device_queue_close(&device, &world.queue);
	virtio_device_region_return(&device, &world.data);
	hostile_balance_check();
	return 0;
}
