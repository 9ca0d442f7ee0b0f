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

/* By words: a mount looks at megabytes of it. */
bool bytes_are_zero(const uint8_t *bytes, size_t size)
{
	uint64_t seen = 0;
	size_t at = 0;
	for (; size - at >= sizeof(seen); at += sizeof(seen)) {
		uint64_t word;
		memcpy(&word, bytes + at, sizeof(word));
		seen |= word;
	}
	for (; at < size; at++) {
		seen |= bytes[at];
	}
	return seen == 0;
}

void secure_zero(ANY_BYTES *secret, size_t size)
{
	memset(secret, 0, size);
#ifndef __FRAMAC__
	/* Tells the compiler that somebody reads the zeroes, so that it has to write them. */
	__asm__ volatile("" : : "r"(secret) : "memory");
#endif
}
