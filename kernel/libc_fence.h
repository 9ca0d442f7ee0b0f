// SPDX-License-Identifier: MIT
/* The heap behind calloc() and free(), for the archives alone: equal slots, no growth. One random
 * generator holds two of them, each MAC or key derivation two more while it runs. */
#pragma once

#include <stddef.h>

#define FENCE_HEAP_SLOTS      16u
#define FENCE_HEAP_SLOT_BYTES 256u

/* NULL if all slots are taken or one is too small. Zeroed. */
void *calloc(size_t count, size_t size);

/* NULL is ignored; anything else that is not a slot is a broken invariant. Erases the slot. */
void free(void *memory);
