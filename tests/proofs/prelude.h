// SPDX-License-Identifier: MIT
/* What the provers read before each source: what of C17 their front end does not know, and
 * <string.h> instead of Frama-C's own. Its contracts are about `char`, which the typed memory model
 * keeps apart from uint8_t; these are about bytes, and assumed: arch/string.c and the C library
 * fulfil them, and are tested. Other objects than bytes do not pass here (a warning, which fails
 * the proof): they are assigned. */
#pragma once

#ifdef __FRAMAC__

#include <stddef.h>
#include <stdint.h>

#define _Alignas(bytes)

/*@ requires \valid(to + (0 .. size - 1)) && \valid_read(from + (0 .. size - 1));
    requires \separated(to + (0 .. size - 1), from + (0 .. size - 1));
    assigns to[0 .. size - 1];
    ensures \forall integer i; 0 <= i < size ==> to[i] == \old(from[i]); */
void memcpy(uint8_t *to, const uint8_t *from, size_t size);

/*@ requires \valid(to + (0 .. size - 1)) && 0 <= value <= 255;
    assigns to[0 .. size - 1];
    ensures \forall integer i; 0 <= i < size ==> to[i] == value; */
void memset(uint8_t *to, int value, size_t size);

/*@ requires \valid_read(a + (0 .. size - 1)) && \valid_read(b + (0 .. size - 1));
    assigns \nothing;
    ensures \result == 0 <==> (\forall integer i; 0 <= i < size ==> a[i] == b[i]); */
int memcmp(const uint8_t *a, const uint8_t *b, size_t size);

/*@ assigns \nothing; */
size_t strlen(const char *text);

//@ assigns \nothing;
void __atomic_thread_fence(int order);

#endif
