// SPDX-License-Identifier: MIT
/* The five string functions that a freestanding compiler may call (C17, 4p6, and GCC's manual), and
 * strlen. Copies move 64-bit words, eight a turn: `rep movsb` is eight times slower under
 * emulation, and a turn for each word costs twice as many instructions. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A word that may alias anything and lie anywhere. */
typedef uint64_t __attribute__((may_alias, aligned(1))) loose_word;

/* A loop that straddles two pages was 11 times slower (sharedmem/shared_access.c says why). */
#define WITHIN_A_PAGE __attribute__((aligned(512)))

#define STRIDE_WORDS  8u
#define STRIDE_BYTES  (STRIDE_WORDS * sizeof(loose_word))

/* Keep the compiler from turning these loops into calls to the functions they implement. */
#if defined(__clang__)
#define NO_LOOP_IDIOM __attribute__((no_builtin("memcpy", "memmove", "memset")))
#else
#define NO_LOOP_IDIOM __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

NO_LOOP_IDIOM WITHIN_A_PAGE void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	uint8_t *out = to;
	const uint8_t *in = from;
	for (; size >= STRIDE_BYTES; size -= STRIDE_BYTES, out += STRIDE_BYTES) {
#pragma GCC unroll 8
		for (size_t i = 0; i < STRIDE_WORDS; i++) {
			((loose_word *)out)[i] = ((const loose_word *)in)[i];
		}
		in += STRIDE_BYTES;
	}
	for (; size >= 8; size -= 8, out += 8, in += 8) {
		*(loose_word *)out = *(const loose_word *)in;
	}
	for (; size > 0; size--) {
		*out++ = *in++;
	}
	return to;
}

NO_LOOP_IDIOM void *memmove(void *to, const void *from, size_t size)
{
	uint8_t *out = to;
	const uint8_t *in = from;
	if (out <= in || out >= in + size) {
		return memcpy(to, from, size);
	}
	while (size > 0) {
		size--;
		out[size] = in[size];
	}
	return to;
}

NO_LOOP_IDIOM WITHIN_A_PAGE void *memset(void *to, int value, size_t size)
{
	uint8_t *out = to;
	const uint64_t word = (uint8_t)value * 0x0101010101010101ull;
	for (; size >= STRIDE_BYTES; size -= STRIDE_BYTES, out += STRIDE_BYTES) {
#pragma GCC unroll 8
		for (size_t i = 0; i < STRIDE_WORDS; i++) {
			((loose_word *)out)[i] = word;
		}
	}
	for (; size >= 8; size -= 8, out += 8) {
		*(loose_word *)out = word;
	}
	for (; size > 0; size--) {
		*out++ = (uint8_t)value;
	}
	return to;
}

NO_LOOP_IDIOM int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *left = a;
	const uint8_t *right = b;
	size_t i = 0;
	while (size - i >= 8 &&
	       *(const loose_word *)(left + i) == *(const loose_word *)(right + i)) {
		i += 8;
	}
	for (; i < size; i++) {
		if (left[i] != right[i]) {
			return left[i] < right[i] ? -1 : 1;
		}
	}
	return 0;
}

NO_LOOP_IDIOM size_t strlen(const char *text)
{
	size_t length = 0;
	while (text[length] != '\0') {
		length++;
	}
	return length;
}

NO_LOOP_IDIOM int strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}
