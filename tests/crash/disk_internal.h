// SPDX-License-Identifier: MIT
/* What the disk's two sources share. */
#pragma once

#include <stdint.h>

#include "base/units.h"
#include "disk.h"

struct page {
	uint32_t references;
	struct page *next; /* Of the spare pages. */
	uint8_t bytes[BLOCK_BYTES];
};

#define CHUNK_BLOCKS 64u

struct chunk {
	uint32_t references;
	struct page *pages[CHUNK_BLOCKS]; /* NULL: never written. */
};

struct page *page_new(void);
struct page *page_hold(struct page *page);
void page_drop(struct page *page);
/* Takes over the caller's reference. */
void image_put(struct image *image, uint64_t block, struct page *page);
