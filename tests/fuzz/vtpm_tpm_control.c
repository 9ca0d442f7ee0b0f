// SPDX-License-Identifier: MIT
/* The TPM control port. Input: pieces of a stream, each with a byte of length and a byte whose bit
 * 0 says that it is doubtful and bit 1 that another client came before it. Whatever comes: the
 * stream stays within its storage, a message is one by its own header, and what a decoder accepts
 * is in range. Replies are decoded as well, as the host program does. */
#include "vtpm/tpm_control_stream.h"

#include <string.h>

#include "base/bytes.h"
#include "tests/fuzz/fuzz.h"

#define INSTANCE 0u

static struct tpm_control_stream stream;

static void check_request(size_t size)
{
	struct tpm_control_request request;
	const enum tpm_control_result result =
		tpm_control_decode_request(stream.bytes, size, INSTANCE, &request);
	FUZZ_REQUIRE(result != TPM_CONTROL_BAD_FRAME);
	FUZZ_REQUIRE(size == TPM_CONTROL_HEADER_BYTES + request.header.body_bytes);
	if (result != TPM_CONTROL_OK) {
		return;
	}
	FUZZ_REQUIRE(request.command >= TPM_CONTROL_HELLO &&
		     request.command <= TPM_CONTROL_BUFFER_SIZE);
	FUZZ_REQUIRE(request.header.instance == INSTANCE);
	FUZZ_REQUIRE(request.locality <= TPM_CONTROL_LOCALITY_MAX);
	FUZZ_REQUIRE((request.flags & ~TPM_CONTROL_POWER_FLAGS) == 0);
	if (request.byte_count > 0) {
		FUZZ_REQUIRE(request.bytes == stream.bytes + TPM_CONTROL_HEADER_BYTES &&
			     TPM_CONTROL_HEADER_BYTES + request.byte_count == size);
	}
}

static void check_bodies(const uint8_t *body, size_t size)
{
	struct tpm_control_hello hello;
	struct tpm_control_status status;
	struct tpm_control_counters counters;
	struct tpm_control_buffer_size sizes;
	uint8_t again[64];
	if (tpm_control_decode_hello(body, size, &hello)) {
		FUZZ_REQUIRE(tpm_control_encode_hello(again, &hello) <= size);
	}
	if (tpm_control_decode_status(body, size, &status)) {
		FUZZ_REQUIRE(tpm_control_encode_status(again, &status) == size);
		FUZZ_REQUIRE(memcmp(again, body, 5) == 0);
	}
	if (tpm_control_decode_counters(body, size, &counters)) {
		FUZZ_REQUIRE(tpm_control_encode_counters(again, &counters) == size);
		FUZZ_REQUIRE(memcmp(again, body, size) == 0);
	}
	if (tpm_control_decode_buffer_size(body, size, &sizes)) {
		FUZZ_REQUIRE(sizes.size_bytes >= sizes.min_bytes &&
			     sizes.size_bytes <= sizes.max_bytes);
	}
}

/* Doubtful pieces come as they are; others are cut as the kernel reads them. */
static void feed(const uint8_t *bytes, size_t size, bool doubtful)
{
	for (size_t at = 0; at < size;) {
		const size_t wanted = tpm_control_stream_wanted(&stream);
		if (wanted == 0) {
			return;
		}
		const size_t part = !doubtful && size - at > wanted ? wanted : size - at;
		const enum tpm_control_event event =
			tpm_control_stream_feed(&stream, bytes + at, part, doubtful);
		FUZZ_REQUIRE(stream.used_bytes <= TPM_CONTROL_MESSAGE_BYTES_MAX);
		FUZZ_REQUIRE(!doubtful || event != TPM_CONTROL_OUT_OF_STEP);
		const size_t message = tpm_control_stream_message(&stream);
		FUZZ_REQUIRE((event == TPM_CONTROL_MESSAGE) == (message != 0));
		if (message != 0) {
			check_request(message);
			check_bodies(stream.bytes + TPM_CONTROL_HEADER_BYTES,
				     message - TPM_CONTROL_HEADER_BYTES);
			tpm_control_stream_release(&stream);
			FUZZ_REQUIRE(stream.used_bytes == 0 &&
				     bytes_are_zero(stream.bytes, sizeof(stream.bytes)));
		}
		at += part;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0;
	tpm_control_stream_init(&stream, TPM_CONTROL_MAGIC_REQUEST);
	while (size - at > 2) {
		const size_t part = data[at] < size - at - 2 ? data[at] : size - at - 2;
		const uint8_t how = data[at + 1];
		if ((how & 2) != 0) {
			tpm_control_stream_reset(&stream);
		}
		feed(data + at + 2, part, (how & 1) != 0);
		at += 2 + part;
	}
	return 0;
}
