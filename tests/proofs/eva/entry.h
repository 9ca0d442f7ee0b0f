// SPDX-License-Identifier: MIT
/* What the entry programs of EVA share. Each is a main() that hands arbitrary bytes to a decoder as
 * it ships and uses what it accepts as its callers do. Read by Frama-C only, never compiled. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"
#include "crypto/hash.h"

/* Any bytes at all. */
/*@ assigns bytes[0 .. size - 1] \from bytes[0 .. size - 1];
    ensures \initialized(bytes + (0 .. size - 1)); */
void any_bytes(uint8_t *bytes, size_t size);

#define ANYTHING(object) any_bytes((uint8_t *)&(object), sizeof(object))

/*@ assigns \result \from least, most;
    ensures least <= \result <= most; */
uint64_t any_within(uint64_t least, uint64_t most);

static inline uint64_t any_u64(void)
{
	return any_within(0, UINT64_MAX);
}

static inline uint32_t any_up_to(uint32_t most)
{
	return (uint32_t)any_within(0, most);
}

static inline bool any_bool(void)
{
	return any_within(0, 1) != 0;
}

static inline struct phys_range any_range(void)
{
	return (struct phys_range){{any_u64()}, any_u64()};
}

/* Foreign bytes of one length, which end where `memory` ends: whoever reads one more is noticed. */
#define FOREIGN(memory, size) ((memory) + (sizeof(memory) - (size)))

/* Hand each length to `take`: those up to `fixed`, where a decoder's fixed fields end, one by one,
 * and all others at once. */
#define EACH_LENGTH(take, fixed, memory)                               \
	do {                                                           \
		/*@ loop unroll 4096; */                               \
		for (size_t length = 0; length <= (fixed); length++) { \
			take(length);                                  \
		}                                                      \
		take(any_within((fixed) + 1, sizeof(memory)));         \
	} while (0)

/* Foreign bytes never reach a CHECK. */
void check_failed(const char *expression, const char *file, int line)
{
	(void)expression, (void)file, (void)line;
	//@ assert a_check_is_reached: \false;
	for (;;) {
	}
}

/* A digest is anything, and the library may fail. */
enum status hash_sha256(const struct hash_input *inputs, size_t input_count,
			uint8_t digest[SHA256_BYTES])
{
	(void)inputs, (void)input_count;
	any_bytes(digest, SHA256_BYTES);
	return any_bool() ? STATUS_OK : STATUS_IO;
}

/* base/bytes.c is proved by WP (unit base-bytes), loops and all; here is what it asks for. */
bool bytes_are_zero(const uint8_t *bytes, size_t size)
{
	(void)bytes, (void)size;
	//@ assert bytes_are_there: size == 0 || \valid_read(bytes + (0 .. size - 1));
	return any_bool();
}

bool bytes_equal_constant_time(const uint8_t *a, const uint8_t *b, size_t size)
{
	(void)a, (void)b, (void)size;
	//@ assert bytes_are_there: size == 0 || \valid_read(a + (0 .. size - 1));
	//@ assert others_are_there: size == 0 || \valid_read(b + (0 .. size - 1));
	return any_bool();
}

void secure_zero(ANY_BYTES *secret, size_t size)
{
	memset(secret, 0, size);
}
