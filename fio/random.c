// SPDX-License-Identifier: MIT
#include "fio/random.h"

/* Fixed point with 32 bits behind the point. */
#define ONE        (UINT64_C(1) << 32)
#define SHARE_BITS 26u

uint64_t fio_random_next(struct fio_random *random)
{
	random->state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = random->state;
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t fio_random_below(struct fio_random *random, uint64_t limit)
{
	/* The bias of a remainder is limit / 2^64: not measurable for a disk. */
	return fio_random_next(random) % limit;
}

/* 2^(-part / 2^32) of 2^SHARE_BITS, for a part below 2^32: by the parabola through 1, 2^-0.5 and
 * 0.5, which is off by less than 0.3 %. */
static uint64_t half_power(uint32_t part)
{
	const uint64_t p = part >> 12; /* 20 bits. */
	const uint64_t linear = 704195u * p >> 20;
	const uint64_t square = (179907u * p >> 20) * p >> 20;
	return ((UINT64_C(1) << 20) - linear + square) << (SHARE_BITS - 20u);
}

/* 2^exponent of 2^SHARE_BITS; the exponent has 32 bits behind the point. */
static uint64_t power(int64_t exponent)
{
	/* exponent = up - part, with 0 <= part < 1 */
	const int64_t up = (exponent + (int64_t)ONE - 1) / (int64_t)ONE -
			   (exponent + (int64_t)ONE - 1 < 0 ? 1 : 0);
	const uint32_t part = (uint32_t)(uint64_t)(up * (int64_t)ONE - exponent);
	const uint64_t value = half_power(part);
	if (up >= 0) {
		return up < 32 ? value << up : UINT64_MAX >> 8;
	}
	return up > -(int64_t)SHARE_BITS ? value >> -up : 0;
}

/* Group r holds the ranks from 2^r to 2^(r+1) - 1, counted from 1, or as many as there are. They
 * weigh about as much as the one at its geometric middle: 2^r * 2^(-theta * (r + 0.5)) together. */
void fio_zipf_init(struct fio_zipf *zipf, uint64_t count, uint32_t theta_milli)
{
	uint64_t sum = 0;
	*zipf = (struct fio_zipf){.count = count};
	for (uint32_t range = 0; range < FIO_ZIPF_RANGES && count >> range != 0; range++) {
		const uint64_t begin = UINT64_C(1) << range;
		const uint64_t members = begin <= count - begin ? begin : count - begin + 1;
		const int64_t middle =
			(int64_t)range * (int64_t)ONE + (range == 0 ? 0 : (int64_t)ONE / 2);
		const int64_t exponent =
			(int64_t)range * (int64_t)ONE - middle / 1000 * (int64_t)theta_milli;
		/* The last group may be cut short; 1/256 of it is exact enough. */
		const uint64_t part = members >= begin ? 256 : members / (begin / 256 + 1);
		sum += power(exponent) / 256 * part + 1;
		zipf->shares[range] = sum;
		zipf->ranges = range + 1;
	}
}

uint64_t fio_zipf_next(const struct fio_zipf *zipf, struct fio_random *random)
{
	const uint64_t pick = fio_random_below(random, zipf->shares[zipf->ranges - 1] + 1);
	uint32_t range = 0;
	while (range + 1 < zipf->ranges && zipf->shares[range] < pick) {
		range++;
	}
	const uint64_t begin = UINT64_C(1) << range;
	const uint64_t end = begin * 2 <= zipf->count ? begin * 2 : zipf->count + 1;
	const uint64_t rank = begin + fio_random_below(random, end - begin) - 1;
	/* Neighbouring ranks are not neighbours on the disk. */
	struct fio_random spread = {rank};
	return fio_random_next(&spread) % zipf->count;
}
