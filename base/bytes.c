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
	/*@ loop invariant at <= size;
	    loop invariant seen == 0 <==> (\forall integer i; 0 <= i < at ==> bytes[i] == 0);
	    loop assigns seen, at;
	    loop variant size - at; */
	for (; size - at >= sizeof(seen); at += sizeof(seen)) {
		const uint64_t word = bytes_load_le64(bytes + at);
		/*@ assert word == 0 <==> bytes[at] == 0 && bytes[at + 1] == 0 && bytes[at + 2] == 0
		   && bytes[at + 3] == 0 && bytes[at + 4] == 0 && bytes[at + 5] == 0 && bytes[at +
		   6] == 0 && bytes[at + 7] == 0; */
		seen |= word;
	}
	/*@ loop invariant at <= size;
	    loop invariant seen == 0 <==> (\forall integer i; 0 <= i < at ==> bytes[i] == 0);
	    loop assigns seen, at;
	    loop variant size - at; */
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
