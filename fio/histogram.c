// SPDX-License-Identifier: MIT
#include "fio/histogram.h"

#include <string.h>

#define BUCKET_BITS 6u
#define PER_POWER   (1u << BUCKET_BITS)

/* Below 64 each value has a bucket; above, the leading 1 and the 6 bits behind it choose. */
static uint32_t bucket_of(uint64_t ns)
{
	const uint32_t bits = 64u - (uint32_t)__builtin_clzll(ns | 1u);
	const uint32_t shift = bits > BUCKET_BITS + 1u ? bits - BUCKET_BITS - 1u : 0;
	const uint64_t index = (uint64_t)shift * PER_POWER + (ns >> shift);
	return index < FIO_HISTOGRAM_BUCKETS ? (uint32_t)index : FIO_HISTOGRAM_BUCKETS - 1u;
}

/* The middle of what falls into a bucket. */
static uint64_t bucket_ns(uint32_t index)
{
	if (index < 2u * PER_POWER) {
		return index;
	}
	const uint32_t shift = index / PER_POWER - 1u;
	const uint64_t lead = (uint64_t)(index % PER_POWER) + PER_POWER;
	return (lead << shift) + ((uint64_t)1 << shift) / 2u;
}

void fio_histogram_reset(struct fio_histogram *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
	histogram->min_ns = UINT64_MAX;
}

void fio_histogram_add(struct fio_histogram *histogram, uint64_t ns)
{
	histogram->count++;
	histogram->sum_ns += ns;
	histogram->min_ns = ns < histogram->min_ns ? ns : histogram->min_ns;
	histogram->max_ns = ns > histogram->max_ns ? ns : histogram->max_ns;
	histogram->buckets[bucket_of(ns)]++;
}

uint64_t fio_histogram_mean_ns(const struct fio_histogram *histogram)
{
	return histogram->count == 0 ? 0 : histogram->sum_ns / histogram->count;
}

uint64_t fio_histogram_percentile_ns(const struct fio_histogram *histogram, uint32_t percent_milli)
{
	/* Rounded up: of 10 values the 99th percentile is the last. */
	const uint64_t wanted = (histogram->count * percent_milli + 99999u) / 100000u;
	uint64_t seen = 0;
	for (uint32_t i = 0; i < FIO_HISTOGRAM_BUCKETS && wanted != 0; i++) {
		seen += histogram->buckets[i];
		if (seen >= wanted) {
			const uint64_t ns = bucket_ns(i);
			return ns < histogram->max_ns ? ns : histogram->max_ns;
		}
	}
	return 0;
}
