// SPDX-License-Identifier: MIT
/* The checker's dice: splitmix64 (Steele, Lea, Flood 2014). Small, fast, and the same everywhere,
 * so that a seed names a run. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct random_stream {
	uint64_t state;
};

static inline void random_stream_init(struct random_stream *stream, uint64_t seed)
{
	stream->state = seed;
}

static inline uint64_t random_stream_next(struct random_stream *stream)
{
	uint64_t z = stream->state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 .. below - 1. */
static inline uint64_t random_stream_below(struct random_stream *stream, uint64_t below)
{
	return random_stream_next(stream) % below;
}

/* True one time in `times`; never if that is 0. */
static inline bool random_stream_one_in(struct random_stream *stream, uint64_t times)
{
	return times != 0 && random_stream_below(stream, times) == 0;
}
