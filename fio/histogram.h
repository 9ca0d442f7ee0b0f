// SPDX-License-Identifier: MIT
/* Latencies in bounded memory: 64 buckets for each power of two, so a percentile is off by less
 * than 1.6 %. */
#pragma once

#include <stdint.h>

#define FIO_HISTOGRAM_BUCKETS 2048u

struct fio_histogram {
	uint64_t count;
	uint64_t sum_ns;
	uint64_t min_ns;
	uint64_t max_ns;
	uint32_t buckets[FIO_HISTOGRAM_BUCKETS];
};

void fio_histogram_reset(struct fio_histogram *histogram);
void fio_histogram_add(struct fio_histogram *histogram, uint64_t ns);
uint64_t fio_histogram_mean_ns(const struct fio_histogram *histogram);
/* The latency that `percent_milli` of 100,000 do not exceed; 0 if there are none. */
uint64_t fio_histogram_percentile_ns(const struct fio_histogram *histogram, uint32_t percent_milli);
