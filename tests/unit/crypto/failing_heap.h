// SPDX-License-Identifier: MIT
/* calloc() and free() as mbedtls calls them, wrapped at link time: the n-th call fails, and what is
 * live is counted. */
#pragma once

#include <stddef.h>

/* 1 fails the next allocation; 0 fails none. Clears the counters. */
void heap_fail_nth(size_t nth);

/* Since heap_fail_nth(). */
size_t heap_call_count(void);
size_t heap_peak_bytes(void);

/* Blocks now live. */
size_t heap_live_count(void);
