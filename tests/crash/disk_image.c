// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "disk.h"
#include "disk_internal.h"

static uint8_t noise[BLOCK_BYTES];
/* Pages that nobody uses, kept for the next one who wants one. */
static struct page *spare;

struct page *page_new(void)
{
	struct page *page = spare;
	if (page != NULL) {
		spare = page->next;
	} else {
		page = malloc(sizeof(*page));
		CHECK(page != NULL);
	}
	page->references = 1;
	return page;
}

struct page *page_hold(struct page *page)
{
	if (page != NULL) {
		page->references++;
	}
	return page;
}

void page_drop(struct page *page)
{
	if (page != NULL && --page->references == 0) {
		page->next = spare;
		spare = page;
	}
}

void image_init(struct image *image, uint64_t blocks)
{
	uint64_t state = 88172645463325252u;
	for (size_t i = 0; i < BLOCK_BYTES; i += sizeof(state)) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		memcpy(noise + i, &state, sizeof(state));
	}
	image->blocks = blocks;
	image->pages = calloc(blocks, sizeof(struct page *));
	CHECK(image->pages != NULL);
}

void image_copy(struct image *to, const struct image *from)
{
	to->blocks = from->blocks;
	to->pages = malloc(from->blocks * sizeof(struct page *));
	CHECK(to->pages != NULL);
	for (uint64_t i = 0; i < from->blocks; i++) {
		to->pages[i] = page_hold(from->pages[i]);
	}
}

void image_fini(struct image *image)
{
	for (uint64_t i = 0; i < image->blocks; i++) {
		page_drop(image->pages[i]);
	}
	free(image->pages);
	*image = (struct image){.blocks = 0};
}

const uint8_t *image_look(const struct image *image, uint64_t block)
{
	CHECK(block < image->blocks);
	return image->pages[block] == NULL ? noise : image->pages[block]->bytes;
}

uint8_t *image_edit(struct image *image, uint64_t block)
{
	const uint8_t *old = image_look(image, block);
	struct page *page = image->pages[block];
	if (page == NULL || page->references > 1) {
		page = page_new();
		memcpy(page->bytes, old, BLOCK_BYTES);
		image_put(image, block, page);
	}
	return page->bytes;
}

void image_put(struct image *image, uint64_t block, struct page *page)
{
	CHECK(block < image->blocks);
	page_drop(image->pages[block]);
	image->pages[block] = page;
}

void image_take(struct image *image, uint64_t block, const struct image *from, uint64_t source)
{
	CHECK(source < from->blocks);
	image_put(image, block, page_hold(from->pages[source]));
}

bool image_block_equals(const struct image *a, const struct image *b, uint64_t block)
{
	return a->pages[block] == b->pages[block] ||
	       memcmp(image_look(a, block), image_look(b, block), BLOCK_BYTES) == 0;
}
