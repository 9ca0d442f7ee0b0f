// SPDX-License-Identifier: MIT
/* Helpers of the crypto tests: hexadecimal vectors, repeatable pseudo-random input, what this
 * host's CPU can run. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "crypto/aead_internal.h"

/* Decode `hex` into `out`; returns the size. Fails the test if it does not fit or is malformed. */
size_t hex_decode(uint8_t *out, size_t out_size_bytes, const char *hex);

/* `bytes` must equal `hex`, in length too. */
void assert_hex(const uint8_t *bytes, size_t size_bytes, const char *hex);

/* A repeatable sequence (splitmix64): test input, nothing secret. */
uint64_t sequence_next(uint64_t *state);
void sequence_fill(uint64_t *state, uint8_t *out, size_t size_bytes);
/* 0 .. limit - 1. */
size_t sequence_below(uint64_t *state, size_t limit);

/* Everything that this host's CPU has, wide vectors wanted. */
struct aead_platform host_platform(void);

/* How many rows of aead_implementations this host can run: the first so many. */
size_t host_implementation_count(void);
