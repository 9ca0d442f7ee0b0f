// SPDX-License-Identifier: MIT
/* The byte stream of a TPM client, cut into commands.
 *
 * Input: operations, one byte each with its operands: feed bytes, let time pass, poll, release,
 * change the generation. Well-formed commands come from an operation of their own, and are compared
 * with what comes out; a small model of the header's rule watches everything else. */
#include "vtpm/frame.h"

#include <string.h>

#include "base/bytes.h"
#include "tests/fuzz/fuzz.h"

#define STREAM_BYTES_MAX   (16u * 1024u)
#define OPERATIONS_MAX     400u
#define CODE_OF_WELLFORMED 0x00000144u

enum operation {
	OP_COMMAND,
	OP_RAW,
	OP_FEED,
	OP_TIME,
	OP_POLL,
	OP_RELEASE,
	OP_GENERATION,
	OP_END
};

/* The stream as its sender sees it, and how far the frame has taken it. */
struct stream {
	uint8_t bytes[STREAM_BYTES_MAX];
	size_t size;
	size_t fed;
	size_t command_at; /* Where the command that is being collected starts. */
	bool out_of_step;
	uint64_t quiet_since_us;
};

struct world {
	struct frame frame;
	struct stream stream;
	uint64_t now_us;
	uint32_t generation;
};

static struct world world;

/* The claimed size of the command at the model's position; 0 if its header is not there yet. */
static uint32_t header_size(const struct stream *stream)
{
	if (stream->fed - stream->command_at < TPM_HEADER_BYTES) {
		return 0;
	}
	return bytes_load_be32(stream->bytes + stream->command_at + 2);
}

static bool size_is_good(uint32_t size)
{
	return size >= TPM_HEADER_BYTES && size <= TPM_COMMAND_BYTES_MAX;
}

static bool command_is_whole(const struct stream *stream)
{
	const uint32_t size = header_size(stream);
	return !stream->out_of_step && size_is_good(size) &&
	       stream->fed - stream->command_at >= size;
}

static void frame_check(void)
{
	const struct stream *stream = &world.stream;
	uint32_t size = 0;
	FUZZ_REQUIRE(world.frame.stored_bytes <= TPM_COMMAND_BYTES_MAX);
	const uint8_t *command = frame_command(&world.frame, &size);
	FUZZ_REQUIRE((command != NULL) == command_is_whole(stream));
	if (command != NULL) {
		/* Exactly the bytes that were sent, and none of the next command. */
		FUZZ_REQUIRE(size == header_size(stream));
		FUZZ_REQUIRE(stream->fed == stream->command_at + size);
		FUZZ_REQUIRE(memcmp(command, stream->bytes + stream->command_at, size) == 0);
	} else if (stream->out_of_step) {
		FUZZ_REQUIRE(world.frame.stored_bytes == 0); /* Nothing is kept of it. */
	} else {
		FUZZ_REQUIRE(world.frame.stored_bytes == stream->fed - stream->command_at);
	}
	/* No authorisation value of an earlier command stays behind. */
	for (uint32_t i = world.frame.stored_bytes; i < TPM_COMMAND_BYTES_MAX; i += 61) {
		FUZZ_REQUIRE(world.frame.bytes[i] == 0);
	}
}

static void stream_append(struct fuzz_input *input, size_t size)
{
	struct stream *stream = &world.stream;
	if (size <= STREAM_BYTES_MAX - stream->size) {
		(void)fuzz_fill(input, stream->bytes + stream->size, size);
		stream->size += size;
	}
}

static void command_append(struct fuzz_input *input)
{
	struct stream *stream = &world.stream;
	const uint32_t size =
		TPM_HEADER_BYTES + fuzz_u16(input) % (TPM_COMMAND_BYTES_MAX - TPM_HEADER_BYTES + 1);
	if (size > STREAM_BYTES_MAX - stream->size) {
		return;
	}
	uint8_t *at = stream->bytes + stream->size;
	bytes_store_be16(at, 0x8001);
	bytes_store_be32(at + 2, size);
	bytes_store_be32(at + 6, CODE_OF_WELLFORMED);
	memset(at + TPM_HEADER_BYTES, fuzz_u8(input) | 1, size - TPM_HEADER_BYTES);
	stream->size += size;
}

static void feed(size_t size)
{
	struct stream *stream = &world.stream;
	const size_t left = stream->size - stream->fed;
	const bool held = command_is_whole(stream);
	size_t taken = SIZE_MAX;
	size = size < left ? size : left;
	const enum frame_event event =
		frame_feed(&world.frame, stream->bytes + stream->fed, size, world.now_us, &taken);
	FUZZ_REQUIRE(taken <= size && event != FRAME_MALFORMED);
	FUZZ_REQUIRE(!held || taken == 0);
	if (stream->out_of_step && taken > 0) {
		stream->quiet_since_us = world.now_us;
	}
	stream->fed += taken;
	if (!stream->out_of_step && !held && stream->fed - stream->command_at >= TPM_HEADER_BYTES &&
	    !size_is_good(header_size(stream))) {
		stream->out_of_step = true;
		stream->quiet_since_us = world.now_us;
	}
	FUZZ_REQUIRE((event == FRAME_COMMAND) == command_is_whole(stream));
	/* Bytes are left over only because a command is held. */
	FUZZ_REQUIRE(taken == size || event == FRAME_COMMAND);
}

static void poll(void)
{
	struct stream *stream = &world.stream;
	uint64_t at_us = 0;
	const bool due =
		stream->out_of_step && world.now_us - stream->quiet_since_us >= FRAME_QUIET_US;
	FUZZ_REQUIRE(frame_deadline(&world.frame, &at_us) == stream->out_of_step);
	FUZZ_REQUIRE(!stream->out_of_step || (at_us <= world.now_us) == due);
	const enum frame_event event = frame_poll(&world.frame, world.now_us);
	FUZZ_REQUIRE((event == FRAME_MALFORMED) == due);
	FUZZ_REQUIRE((event == FRAME_COMMAND) == command_is_whole(stream));
	if (due) {
		stream->out_of_step = false;
		stream->command_at = stream->fed;
	}
}

static void release(void)
{
	if (command_is_whole(&world.stream)) {
		world.stream.command_at = world.stream.fed;
	}
	frame_release(&world.frame);
}

static void generation_change(uint32_t generation)
{
	const bool changes = generation != world.generation;
	FUZZ_REQUIRE(frame_set_generation(&world.frame, generation) == changes);
	if (changes) {
		world.generation = generation;
		world.stream.out_of_step = false;
		world.stream.command_at = world.stream.fed;
	}
}

/* What is left arrives in one piece and is answered at once: every command comes out. */
static void drain(void)
{
	struct stream *stream = &world.stream;
	for (unsigned int turns = 0; stream->fed < stream->size; turns++) {
		FUZZ_REQUIRE(turns < STREAM_BYTES_MAX);
		feed(SIZE_MAX);
		frame_check();
		release();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	memset(&world, 0, sizeof(world));
	frame_init(&world.frame, 0);
	for (unsigned int i = 0; i < OPERATIONS_MAX && fuzz_left(&input) > 0; i++) {
		switch (fuzz_u8(&input) % OP_END) {
		case OP_COMMAND: command_append(&input); break;
		case OP_RAW: stream_append(&input, fuzz_u8(&input) % 64); break;
		case OP_FEED: feed(fuzz_u16(&input) % 5000); break;
		case OP_TIME: world.now_us += fuzz_u16(&input); break;
		case OP_POLL: poll(); break;
		case OP_RELEASE: release(); break;
		default: generation_change(fuzz_u8(&input) % 4); break;
		}
		frame_check();
	}
	drain();
	return 0;
}
