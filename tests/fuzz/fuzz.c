// SPDX-License-Identifier: MIT
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAIN 0x5a

unsigned long fuzz_lied_count;

_Noreturn void fuzz_fail(const char *condition, const char *file, int line)
{
	(void)fprintf(stderr, "%s:%d: oracle violated: %s\n", file, line, condition);
	abort();
}

struct fuzz_input fuzz_input_of(const uint8_t *data, size_t size)
{
	return (struct fuzz_input){.data = data, .size = size};
}

uint8_t fuzz_u8(struct fuzz_input *input)
{
	return input->at < input->size ? input->data[input->at++] : 0;
}

uint16_t fuzz_u16(struct fuzz_input *input)
{
	const uint16_t low = fuzz_u8(input);
	return (uint16_t)(low | fuzz_u8(input) << 8);
}

uint32_t fuzz_u32(struct fuzz_input *input)
{
	const uint32_t low = fuzz_u16(input);
	return low | (uint32_t)fuzz_u16(input) << 16;
}

uint64_t fuzz_u64(struct fuzz_input *input)
{
	const uint64_t low = fuzz_u32(input);
	return low | (uint64_t)fuzz_u32(input) << 32;
}

size_t fuzz_fill(struct fuzz_input *input, uint8_t *to, size_t size)
{
	const size_t left = fuzz_left(input);
	const size_t count = left < size ? left : size;
	if (count > 0) {
		memcpy(to, input->data + input->at, count);
	}
	memset(to + count, 0, size - count);
	input->at += count;
	return count;
}

uint8_t *fuzz_rest(struct fuzz_input *input, size_t *size)
{
	*size = fuzz_left(input);
	uint8_t *copy = malloc(*size > 0 ? *size : 1);
	FUZZ_REQUIRE(copy != NULL);
	(void)fuzz_fill(input, copy, *size);
	return copy;
}

char *fuzz_rest_text(struct fuzz_input *input)
{
	const size_t size = fuzz_left(input);
	char *text = malloc(size + 1);
	FUZZ_REQUIRE(text != NULL);
	(void)fuzz_fill(input, (uint8_t *)text, size);
	text[size] = '\0';
	return text;
}

void fuzz_stain(void *output, size_t size)
{
	memset(output, STAIN, size);
}

bool fuzz_is_stained(const void *output, size_t size)
{
	const uint8_t *bytes = output;
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != STAIN) {
			return false;
		}
	}
	return true;
}
