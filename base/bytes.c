// SPDX-License-Identifier: MIT
#include "base/bytes.h"

#include <string.h>

/* Sums of products rather than shifts: the compiler makes one load or store of them either way, and
 * the prover needs no bit-vector reasoning. */

uint16_t bytes_load_le16(const uint8_t *from)
{
	return (uint16_t)(from[0] + from[1] * 256u);
}

uint32_t bytes_load_le32(const uint8_t *from)
{
	return from[0] + from[1] * 256u + from[2] * 65536u + from[3] * 16777216u;
}

uint64_t bytes_load_le64(const uint8_t *from)
{
	return bytes_load_le32(from) + bytes_load_le32(from + 4) * (uint64_t)0x100000000u;
}

uint16_t bytes_load_be16(const uint8_t *from)
{
	return (uint16_t)(from[0] * 256u + from[1]);
}

uint32_t bytes_load_be32(const uint8_t *from)
{
	return from[0] * 16777216u + from[1] * 65536u + from[2] * 256u + from[3];
}

void bytes_store_le16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value % 256u);
	to[1] = (uint8_t)(value / 256u);
}

void bytes_store_le32(uint8_t *to, uint32_t value)
{
	bytes_store_le16(to, (uint16_t)(value % 65536u));
	bytes_store_le16(to + 2, (uint16_t)(value / 65536u));
}

void bytes_store_le64(uint8_t *to, uint64_t value)
{
	bytes_store_le32(to, (uint32_t)(value % 0x100000000u));
	bytes_store_le32(to + 4, (uint32_t)(value / 0x100000000u));
}

void bytes_store_be16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value / 256u);
	to[1] = (uint8_t)(value % 256u);
}

void bytes_store_be32(uint8_t *to, uint32_t value)
{
	bytes_store_be16(to, (uint16_t)(value / 65536u));
	bytes_store_be16(to + 2, (uint16_t)(value % 65536u));
}

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
