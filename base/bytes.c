// SPDX-License-Identifier: MIT
#include "base/bytes.h"

#include <string.h>

bool bytes_equal_constant_time(const uint8_t *a, const uint8_t *b, size_t size)
{
	unsigned difference = 0;
	/*@ loop invariant 0 <= i <= size;
	    loop invariant difference == 0 <==> (\forall integer j; 0 <= j < i ==> a[j] == b[j]);
	    loop assigns i, difference;
	    loop variant size - i; */
	for (size_t i = 0; i < size; i++) {
		difference |= (unsigned)a[i] ^ b[i];
	}
	return difference == 0;
}

#define STRIDE_BYTES 32u

/*@ requires at + 8 <= SIZE_MAX && \valid_read(bytes + (at .. at + 7));
    assigns \nothing;
    ensures \result == 0 <==> bytes[at] == 0 && bytes[at + 1] == 0 && bytes[at + 2] == 0 &&
	bytes[at + 3] == 0 && bytes[at + 4] == 0 && bytes[at + 5] == 0 && bytes[at + 6] == 0 &&
	bytes[at + 7] == 0; */
static inline uint64_t word_at(const uint8_t *bytes, size_t at)
{
	return bytes_load_le64(bytes + at);
}

//@ assigns \nothing; ensures \result == 0 <==> a == 0 && b == 0;
static inline uint64_t both(uint64_t a, uint64_t b)
{
	return a | b;
}

/*@ requires at + STRIDE_BYTES <= SIZE_MAX;
    requires \valid_read(bytes + (at .. at + STRIDE_BYTES - 1));
    assigns \nothing;
    ensures \result <==>
	(\forall integer i; at <= i < at + STRIDE_BYTES ==> bytes[i] == 0); */
static bool stride_is_zero(const uint8_t *bytes, size_t at)
{
	const uint64_t front = both(word_at(bytes, at), word_at(bytes, at + 8));
	const uint64_t back = both(word_at(bytes, at + 16), word_at(bytes, at + 24));
	return both(front, back) == 0;
}

/* Four words a turn, and no further than it takes: a mount looks at megabytes, a small commit at
 * blocks that mostly begin with something else. */
bool bytes_are_zero(const uint8_t *bytes, size_t size)
{
	size_t at = 0;
	/*@ loop invariant at <= size;
	    loop invariant \forall integer i; 0 <= i < at ==> bytes[i] == 0;
	    loop assigns at;
	    loop variant size - at; */
	for (; size - at >= STRIDE_BYTES; at += STRIDE_BYTES) {
		if (!stride_is_zero(bytes, at)) {
			return false;
		}
	}
	/*@ loop invariant at <= size;
	    loop invariant \forall integer i; 0 <= i < at ==> bytes[i] == 0;
	    loop assigns at;
	    loop variant size - at; */
	for (; at < size; at++) {
		if (bytes[at] != 0) {
			return false;
		}
	}
	return true;
}

void secure_zero(ANY_BYTES *secret, size_t size)
{
	memset(secret, 0, size);
#ifndef __FRAMAC__
	/* Tells the compiler that somebody reads the zeroes, so that it has to write them. */
	__asm__ volatile("" : : "r"(secret) : "memory");
#endif
}
