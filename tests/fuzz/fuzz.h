// SPDX-License-Identifier: MIT
/* What every fuzz target shares: the entry point's declaration, the oracle's macro, and a cursor
 * that turns fuzz bytes into decisions.
 *
 * A target is one file <target>.c with LLVMFuzzerTestOneInput. It is linked twice: with libFuzzer
 * (clang), and with replay_main.c (any compiler), which runs the corpus. It keeps no state from one
 * input to the next, so that an input means the same every time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libFuzzer's hook for a target that knows how to change its inputs, and the change without
 * knowledge that it may fall back on. Both return the new size. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);

/* Of a hostile device: the executions so far, but for the latest, in which it lied. */
extern unsigned long fuzz_lied_count;

_Noreturn void fuzz_fail(const char *condition, const char *file, int line);

/* An oracle: what has to hold whatever the input is. */
#define FUZZ_REQUIRE(condition)                                    \
	do {                                                       \
		if (!(condition)) {                                \
			fuzz_fail(#condition, __FILE__, __LINE__); \
		}                                                  \
	} while (0)

/* Reads past the end give zeroes: a short input is a long one with a quiet end. */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
	size_t at;
};

static inline size_t fuzz_left(const struct fuzz_input *input)
{
	return input->size - input->at;
}

struct fuzz_input fuzz_input_of(const uint8_t *data, size_t size);
uint8_t fuzz_u8(struct fuzz_input *input);
uint16_t fuzz_u16(struct fuzz_input *input);
uint32_t fuzz_u32(struct fuzz_input *input);
uint64_t fuzz_u64(struct fuzz_input *input);
/* Fill `to` from the input, zero-extended; returns how many bytes came from it. */
size_t fuzz_fill(struct fuzz_input *input, uint8_t *to, size_t size);
/* All that is left, in a block of exactly that size, so that ASan sees one byte too many. Ends in
 * free(). */
uint8_t *fuzz_rest(struct fuzz_input *input, size_t *size);
/* The same with a terminator; zero bytes of the input end the text early. */
char *fuzz_rest_text(struct fuzz_input *input);

/* Outputs stay untouched on failure (base/status.h): stain before, look after. */
void fuzz_stain(void *output, size_t size);
bool fuzz_is_stained(const void *output, size_t size);
