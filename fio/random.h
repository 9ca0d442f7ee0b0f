// SPDX-License-Identifier: MIT
/* Which block comes next: without floating point, and repeatable by its seed. Not for secrets. */
#pragma once

#include <stdint.h>

#define FIO_ZIPF_RANGES 40u

/* splitmix64 (Steele, Lea, Flood 2014): one word of state. */
struct fio_random {
	uint64_t state;
};

uint64_t fio_random_next(struct fio_random *random);

/* Uniform in [0, limit); limit is not 0. */
uint64_t fio_random_below(struct fio_random *random, uint64_t limit);

/* Zipf over [0, count): rank k has a weight of (k + 1)^-theta. Ranks are grouped by powers of two,
 * within a group all weigh the same: what is hot and what is not is right to a few percent. Ranks
 * are then spread over the range, as fio does. `count` is at most 2^32. */
struct fio_zipf {
	uint64_t count;
	uint32_t ranges;
	uint64_t shares[FIO_ZIPF_RANGES]; /* Running sums. */
};

void fio_zipf_init(struct fio_zipf *zipf, uint64_t count, uint32_t theta_milli);
uint64_t fio_zipf_next(const struct fio_zipf *zipf, struct fio_random *random);
