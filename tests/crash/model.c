// SPDX-License-Identifier: MIT
#include "model.h"

#include <string.h>

#include "random_stream.h"

#define CANARY_AT     32u
#define VARIANT_BYTES 24u

/* Bytes that are not zero at the start of a content of this base: short, medium and full contents
 * make records of one, two and three blocks. */
static size_t content_size(uint64_t base)
{
	static const size_t sizes[] = {200, BLOCK_BYTES, 1500};
	return sizes[base % 3];
}

void model_content(uint64_t number, uint8_t out[BLOCK_BYTES])
{
	struct random_stream stream;
	memset(out, 0, BLOCK_BYTES);
	if (number == 0) {
		return;
	}
	uint64_t base = number / MODEL_VARIANTS;
	size_t size = content_size(base);
	random_stream_init(&stream, base * 0xd6e8feb86659fd93u);
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t word = random_stream_next(&stream) | 1;
		memcpy(out + i, &word, sizeof(word));
	}
	memcpy(out + CANARY_AT, MODEL_CANARY, strlen(MODEL_CANARY));
	/* The variant: somewhere in the block, beyond a short content's end as well. */
	size_t at = 64 + (number % MODEL_VARIANTS * 97) % (BLOCK_BYTES - 64 - VARIANT_BYTES);
	random_stream_init(&stream, number);
	for (size_t i = 0; i < VARIANT_BYTES && number % MODEL_VARIANTS != 0; i += 8) {
		uint64_t word = random_stream_next(&stream) | 1;
		memcpy(out + at + i, &word, sizeof(word));
	}
}

bool model_content_equals(uint64_t number, const uint8_t content[BLOCK_BYTES])
{
	uint8_t expected[BLOCK_BYTES];
	model_content(number, expected);
	return memcmp(expected, content, BLOCK_BYTES) == 0;
}
