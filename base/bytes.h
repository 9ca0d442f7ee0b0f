// SPDX-License-Identifier: MIT
/* Integers to and from bytes, and the three byte-string operations that libc gets wrong for us
 * (a comparison in constant time, an erase that survives optimisation, a zero test). Pointers need
 * no alignment. On-disk and virtio data are little-endian, TPM data big-endian. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

/* Inline, since entries, nonces and additional data are made of them for every block. Products and
 * remainders rather than shifts: the prover then needs no bit-vector reasoning. A store becomes one
 * instruction all the same. A load does with clang only, and gcc spends 28 on it, so where memory
 * is little-endian the words are copied: BYTES_ARE_SUMMED is what the prover, who does not look
 * into a copy, and other machines get. The unit test holds one against the other. The copy is the
 * compiler's own: a freestanding one calls memcpy() for as little as a word. */
#if defined(__FRAMAC__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#define BYTES_ARE_SUMMED 1
#else
#define BYTES_ARE_SUMMED 0
#endif

/*@ logic integer le16{L}(uint8_t *p) = p[0] + p[1] * 0x100;
    logic integer le32{L}(uint8_t *p) = le16(p) + le16(p + 2) * 0x10000;
    logic integer le64{L}(uint8_t *p) = le32(p) + le32(p + 4) * 0x100000000;
    logic integer be16{L}(uint8_t *p) = p[1] + p[0] * 0x100;
    logic integer be32{L}(uint8_t *p) = be16(p + 2) + be16(p) * 0x10000; */

//@ requires \valid_read(from + (0 .. 1)); assigns \nothing; ensures \result == le16(from);
static inline uint16_t bytes_load_le16(const uint8_t *from)
{
	return (uint16_t)(from[0] + from[1] * 256u);
}

//@ requires \valid_read(from + (0 .. 3)); assigns \nothing; ensures \result == le32(from);
static inline uint32_t bytes_load_le32(const uint8_t *from)
{
#if BYTES_ARE_SUMMED
	return from[0] + from[1] * 256u + from[2] * 65536u + from[3] * 16777216u;
#else
	uint32_t value = 0;
	__builtin_memcpy(&value, from, sizeof(value));
	return value;
#endif
}

//@ requires \valid_read(from + (0 .. 7)); assigns \nothing; ensures \result == le64(from);
static inline uint64_t bytes_load_le64(const uint8_t *from)
{
#if BYTES_ARE_SUMMED
	return bytes_load_le32(from) + bytes_load_le32(from + 4) * (uint64_t)0x100000000u;
#else
	uint64_t value = 0;
	__builtin_memcpy(&value, from, sizeof(value));
	return value;
#endif
}

//@ requires \valid_read(from + (0 .. 1)); assigns \nothing; ensures \result == be16(from);
static inline uint16_t bytes_load_be16(const uint8_t *from)
{
	return (uint16_t)(from[0] * 256u + from[1]);
}

//@ requires \valid_read(from + (0 .. 3)); assigns \nothing; ensures \result == be32(from);
static inline uint32_t bytes_load_be32(const uint8_t *from)
{
	return from[0] * 16777216u + from[1] * 65536u + from[2] * 256u + from[3];
}

//@ requires \valid(to + (0 .. 1)); assigns to[0 .. 1]; ensures le16(to) == value;
static inline void bytes_store_le16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value % 256u);
	to[1] = (uint8_t)(value / 256u);
}

//@ requires \valid(to + (0 .. 3)); assigns to[0 .. 3]; ensures le32(to) == value;
static inline void bytes_store_le32(uint8_t *to, uint32_t value)
{
	bytes_store_le16(to, (uint16_t)(value % 65536u));
	bytes_store_le16(to + 2, (uint16_t)(value / 65536u));
}

//@ requires \valid(to + (0 .. 7)); assigns to[0 .. 7]; ensures le64(to) == value;
static inline void bytes_store_le64(uint8_t *to, uint64_t value)
{
	bytes_store_le32(to, (uint32_t)(value % 0x100000000u));
	bytes_store_le32(to + 4, (uint32_t)(value / 0x100000000u));
}

//@ requires \valid(to + (0 .. 1)); assigns to[0 .. 1]; ensures be16(to) == value;
static inline void bytes_store_be16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value / 256u);
	to[1] = (uint8_t)(value % 256u);
}

//@ requires \valid(to + (0 .. 3)); assigns to[0 .. 3]; ensures be32(to) == value;
static inline void bytes_store_be32(uint8_t *to, uint32_t value)
{
	bytes_store_be16(to, (uint16_t)(value / 65536u));
	bytes_store_be16(to + 2, (uint16_t)(value % 65536u));
}

/* Time depends on `size` only: for tags, MACs and keys. */
/*@ requires \valid_read(a + (0 .. size - 1)) && \valid_read(b + (0 .. size - 1));
    assigns \nothing;
    ensures \result <==> (\forall integer i; 0 <= i < size ==> a[i] == b[i]); */
bool bytes_equal_constant_time(const uint8_t *a, const uint8_t *b, size_t size);

/* Time depends on where the first byte is that is not zero. */
/*@ requires \valid_read(bytes + (0 .. size - 1));
    assigns \nothing;
    ensures \result <==> (\forall integer i; 0 <= i < size ==> bytes[i] == 0); */
bool bytes_are_zero(const uint8_t *bytes, size_t size);

/* Erase a secret. The compiler may not drop it. */
/*@ requires \valid(secret + (0 .. size - 1));
    assigns secret[0 .. size - 1];
    ensures \forall integer i; 0 <= i < size ==> secret[i] == 0; */
void secure_zero(ANY_BYTES *secret, size_t size);
