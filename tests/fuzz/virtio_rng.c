// SPDX-License-Identifier: MIT
/* virtio-rng against the hostile device, with each way to wait.
 *
 * Input: features of the queue, the way to wait and the transport, the length of the program, the
 * program (how many bytes each read asks for; 0 stands for too many), then the device's script. */
#include "virtio/virtio_rng.h"

#include <string.h>

#include "tests/fuzz/hostile.h"
#include "virtio/virtio_device.h"

#define READS_MAX 6u

const size_t hostile_length_at = 1;

/* misbehave: so many bytes fewer. */
static bool serve(const struct hostile_chain *chain, uint32_t *written_bytes)
{
	uint8_t bytes[VIRTIO_RNG_BYTES_MAX];
	const size_t room = hostile_room(chain, true);
	const size_t fewer = hostile.misbehave & UINT8_MAX;
	FUZZ_REQUIRE(hostile.lied || (room > 0 && room <= sizeof(bytes)));
	const size_t gives = room > sizeof(bytes) ? sizeof(bytes) : room;
	hostile.misbehave = 0;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)~i;
	}
	*written_bytes = (uint32_t)hostile_scatter(chain, bytes, gives > fewer ? gives - fewer : 0);
	return true;
}

static void out_check(const uint8_t *out, size_t size, size_t got)
{
	FUZZ_REQUIRE(got >= 1 && got <= size);
	FUZZ_REQUIRE(fuzz_is_stained(out + got, VIRTIO_RNG_BYTES_MAX - got));
	for (size_t i = 0; i < got && !hostile.lied; i++) {
		FUZZ_REQUIRE(out[i] == (uint8_t)~i);
	}
}

static void read_once(const struct virtio_rng_environment *environment, size_t size)
{
	uint8_t out[VIRTIO_RNG_BYTES_MAX];
	size_t got = SIZE_MAX;
	const uint32_t failures_before = hostile.transport.failure_count;
	const bool is_entropy = hostile.transport.device_id == VIRTIO_ID_ENTROPY;
	fuzz_stain(out, sizeof(out));
	hostile_call_begin();
	const enum status status = virtio_rng_read(environment, out, size, &got);
	if (size > VIRTIO_RNG_BYTES_MAX) {
		FUZZ_REQUIRE(status == STATUS_INVALID);
	} else {
		FUZZ_REQUIRE(status == STATUS_OK || hostile.lied);
		/* After a failure it may come back three times, and is not asked after that. */
		FUZZ_REQUIRE((status == STATUS_LIMIT) ==
			     (is_entropy && failures_before > VIRTIO_FAILURES_MAX));
		FUZZ_REQUIRE(status == STATUS_NO_DEVICE || is_entropy);
		FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_LIMIT || status == STATUS_IO ||
			     status == STATUS_TIMEOUT || status == STATUS_BAD_HOST ||
			     status == STATUS_UNSUPPORTED || status == STATUS_NO_MEMORY ||
			     status == STATUS_NO_DEVICE);
	}
	if (status == STATUS_OK) {
		out_check(out, size, got);
	} else {
		FUZZ_REQUIRE(got == SIZE_MAX && fuzz_is_stained(out, sizeof(out)));
	}
	/* Leaked pages may be all that there were. */
	FUZZ_REQUIRE(status != STATUS_NO_MEMORY || hostile.reset_unconfirmed);
	hostile_balance_check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	hostile_reset();
	const uint8_t choice = fuzz_u8(&input);
	hostile.device_id = VIRTIO_ID_ENTROPY;
	hostile.offered = VIRTIO_F_VERSION_1 | hostile_ring_features(choice);
	hostile.is_pci = (choice & 0x40) != 0;
	hostile.serve = serve;
	hostile.lends_once = true;
	const size_t program_size = fuzz_u8(&input);
	struct fuzz_input program = input;
	program.size = program_size < fuzz_left(&input) ? input.at + program_size : input.size;
	input.at = program.size;
	if (hostile_start(input, VIRTIO_RNG_SHARED_PAGES) != STATUS_OK) {
		FUZZ_REQUIRE(hostile.lied);
		return 0;
	}
	hostile_wait_choose(choice >> 4);
	const struct virtio_rng_environment environment = {
		.transport = &hostile.transport,
		.memory = &hostile.memory,
		.clock = &hostile.clock,
	};
	for (unsigned int i = 0; i < READS_MAX && fuzz_left(&program) > 0; i++) {
		const uint8_t asked = fuzz_u8(&program);
		read_once(&environment, asked == 0 ? VIRTIO_RNG_BYTES_MAX + 1 : asked);
	}
	return 0;
}
