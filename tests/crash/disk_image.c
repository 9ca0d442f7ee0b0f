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

/* ---- Chunks -------------------------------------------------------------------------------- */

static struct chunk *chunk_new(const struct chunk *from)
{
	struct chunk *chunk = malloc(sizeof(*chunk));
	CHECK(chunk != NULL);
	chunk->references = 1;
	for (size_t i = 0; i < CHUNK_BLOCKS; i++) {
		chunk->pages[i] = from == NULL ? NULL : page_hold(from->pages[i]);
	}
	return chunk;
}

static void chunk_drop(struct chunk *chunk)
{
	if (chunk == NULL || --chunk->references != 0) {
		return;
	}
	for (size_t i = 0; i < CHUNK_BLOCKS; i++) {
		page_drop(chunk->pages[i]);
	}
	free(chunk);
}

static size_t chunk_count(uint64_t blocks)
{
	return (size_t)((blocks + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS);
}

static struct page *page_at(const struct image *image, uint64_t block)
{
	CHECK(block < image->blocks);
	const struct chunk *chunk = image->chunks[block / CHUNK_BLOCKS];
	return chunk == NULL ? NULL : chunk->pages[block % CHUNK_BLOCKS];
}

/* ---- Images -------------------------------------------------------------------------------- */

void image_init(struct image *image, uint64_t blocks)
{
	uint64_t state = 88172645463325252u;
	for (size_t i = 0; i < BLOCK_BYTES; i += sizeof(state)) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		memcpy(noise + i, &state, sizeof(state));
	}
	image->blocks = blocks;
	image->chunks = calloc(chunk_count(blocks), sizeof(struct chunk *));
	CHECK(image->chunks != NULL);
}

void image_copy(struct image *to, const struct image *from)
{
	size_t count = chunk_count(from->blocks);
	to->blocks = from->blocks;
	to->chunks = malloc(count * sizeof(struct chunk *));
	CHECK(to->chunks != NULL);
	for (size_t i = 0; i < count; i++) {
		to->chunks[i] = from->chunks[i];
		if (to->chunks[i] != NULL) {
			to->chunks[i]->references++;
		}
	}
}

void image_fini(struct image *image)
{
	for (size_t i = 0; i < chunk_count(image->blocks); i++) {
		chunk_drop(image->chunks[i]);
	}
	free(image->chunks);
	*image = (struct image){.blocks = 0};
}

bool image_is_written(const struct image *image, uint64_t block)
{
	return page_at(image, block) != NULL;
}

const uint8_t *image_look(const struct image *image, uint64_t block)
{
	const struct page *page = page_at(image, block);
	return page == NULL ? noise : page->bytes;
}

uint8_t *image_edit(struct image *image, uint64_t block)
{
	const uint8_t *old = image_look(image, block);
	struct page *page = page_at(image, block);
	bool is_shared = page == NULL || page->references > 1 ||
			 image->chunks[block / CHUNK_BLOCKS]->references > 1;
	if (is_shared) {
		page = page_new();
		memcpy(page->bytes, old, BLOCK_BYTES);
		image_put(image, block, page);
	}
	return page->bytes;
}

void image_put(struct image *image, uint64_t block, struct page *page)
{
	CHECK(block < image->blocks);
	struct chunk **chunk = &image->chunks[block / CHUNK_BLOCKS];
	if (*chunk == NULL || (*chunk)->references > 1) {
		struct chunk *own = chunk_new(*chunk);
		chunk_drop(*chunk);
		*chunk = own;
	}
	page_drop((*chunk)->pages[block % CHUNK_BLOCKS]);
	(*chunk)->pages[block % CHUNK_BLOCKS] = page;
}

void image_take(struct image *image, uint64_t block, const struct image *from, uint64_t source)
{
	image_put(image, block, page_hold(page_at(from, source)));
}

bool image_block_equals(const struct image *a, const struct image *b, uint64_t block)
{
	return page_at(a, block) == page_at(b, block) ||
	       memcmp(image_look(a, block), image_look(b, block), BLOCK_BYTES) == 0;
}
