// SPDX-License-Identifier: MIT
/* The bounce pages of virtio-blk: a pool that was acquired at open.
 *
 * Pages are taken one by one and need not be neighbours, so that a few long requests and many short
 * ones share one pool without fragmenting it; neighbours go into one segment. The search goes
 * round, starting behind the last page taken, which mostly finds neighbours. */
#include "block/virtio_blk_internal.h"

#include "base/check.h"

#define POISON_BYTE 0xa5u

bool virtio_blk_pages_take(struct virtio_blk *blk, uint32_t count, uint16_t *first)
{
	CHECK(count > 0 && count <= blk->data_pages);
	if (blk->free_pages < count) {
		return false;
	}
	if (blk->free_pages == blk->data_pages) {
		blk->page_hint = 0; /* Nothing in flight: all neighbours, whatever was before. */
	}
	uint16_t last = VIRTIO_BLK_NONE;
	uint16_t page = blk->page_hint;
	for (uint32_t found = 0; found < count;) {
		const uint16_t here = page;
		page = (uint16_t)(page + 1u == blk->data_pages ? 0 : page + 1u);
		if (blk->page_taken[here]) {
			continue;
		}
		blk->page_taken[here] = true;
		blk->page_next[here] = VIRTIO_BLK_NONE;
		if (last == VIRTIO_BLK_NONE) {
			*first = here;
		} else {
			blk->page_next[last] = here;
		}
		last = here;
		found++;
	}
	blk->page_hint = page;
	blk->free_pages = (uint16_t)(blk->free_pages - count);
	return true;
}

void virtio_blk_pages_give(struct virtio_blk *blk, uint16_t first)
{
	for (uint16_t page = first; page != VIRTIO_BLK_NONE; page = blk->page_next[page]) {
		CHECK(blk->page_taken[page]);
		blk->page_taken[page] = false;
		blk->free_pages++;
	}
}

/* Where the data of a piece in place begins. */
static size_t place_of(const struct virtio_blk_piece *piece)
{
	return piece->job->work.place_offset + piece->offset_blocks * BLOCK_BYTES;
}

/* Segments as they are put together. */
struct segment_list {
	struct virtq_segment *segments;
	uint16_t count;
	bool device_writes;
};

/* [at, at + size) of a region goes on where the last segment ends, or begins another. */
static bool bytes_append(const struct virtio_blk *blk, const struct shared_region *region,
			 size_t at, uint32_t size_bytes, struct segment_list *list)
{
	while (size_bytes > 0) {
		const struct shared_addr here = shared_region_addr(region, at, size_bytes);
		struct virtq_segment *last =
			list->count > 0 ? &list->segments[list->count - 1] : NULL;
		if (last == NULL || last->at.raw + last->len_bytes != here.raw ||
		    last->len_bytes == blk->segment_bytes_max) {
			if (list->count == blk->segments_max) {
				return false;
			}
			last = &list->segments[list->count];
			*last = (struct virtq_segment){.at = here,
						       .device_writes = list->device_writes};
			list->count++;
		}
		const uint32_t room = blk->segment_bytes_max - last->len_bytes;
		const uint32_t taken = size_bytes < room ? size_bytes : room;
		last->len_bytes += taken;
		at += taken;
		size_bytes -= taken;
	}
	return true;
}

static bool pages_append(const struct virtio_blk *blk, const struct virtio_blk_piece *piece,
			 struct segment_list *list)
{
	uint32_t left = piece->data_bytes;
	for (uint16_t page = piece->first_page; left > 0; page = blk->page_next[page]) {
		const uint32_t here = left < PAGE_BYTES ? left : (uint32_t)PAGE_BYTES;
		if (!bytes_append(blk, &blk->data, page * PAGE_BYTES, here, list)) {
			return false;
		}
		left -= here;
	}
	return true;
}

bool virtio_blk_data_segments(const struct virtio_blk *blk, const struct virtio_blk_piece *piece,
			      bool device_writes, struct virtq_segment *segments, uint16_t *count)
{
	struct segment_list list = {.segments = segments, .device_writes = device_writes};
	const bool fits =
		piece->job->work.is_in_place
			? bytes_append(blk, &blk->lent, place_of(piece), piece->data_bytes, &list)
			: pages_append(blk, piece, &list);
	*count = list.count;
	return fits;
}

/* What is in place stays there. */
void virtio_blk_data_out(const struct virtio_blk *blk, const struct virtio_blk_piece *piece)
{
	const struct virtio_blk_work *work = &piece->job->work;
	if (work->is_in_place) {
		return;
	}
	const uint8_t *bytes = work->bytes + piece->offset_blocks * BLOCK_BYTES;
	uint32_t done = 0;
	for (uint16_t page = piece->first_page; done < piece->data_bytes;
	     page = blk->page_next[page]) {
		shared_copy_out(&blk->data, page * PAGE_BYTES, bytes + done, PAGE_BYTES);
		done += (uint32_t)PAGE_BYTES;
	}
}

/* So that a device that writes nothing cannot present an earlier transfer as this one. What is in
 * place is believed by nobody. */
void virtio_blk_data_poison(const struct virtio_blk *blk, const struct virtio_blk_piece *piece)
{
	for (uint16_t page = piece->first_page; page != VIRTIO_BLK_NONE;
	     page = blk->page_next[page]) {
		shared_fill(&blk->data, page * PAGE_BYTES, POISON_BYTE, PAGE_BYTES);
	}
}

void virtio_blk_data_in(const struct virtio_blk *blk, const struct virtio_blk_piece *piece)
{
	const struct virtio_blk_work *work = &piece->job->work;
	if (work->is_in_place) {
		return;
	}
	uint8_t *bytes = work->bytes + piece->offset_blocks * BLOCK_BYTES;
	uint32_t done = 0;
	for (uint16_t page = piece->first_page; done < piece->data_bytes;
	     page = blk->page_next[page]) {
		const uint32_t left = piece->data_bytes - done;
		const uint32_t here = left < PAGE_BYTES ? left : (uint32_t)PAGE_BYTES;
		shared_copy_in(bytes + done, &blk->data, page * PAGE_BYTES, here);
		done += here;
	}
}

size_t virtio_blk_lent_bytes(const struct virtio_blk *blk)
{
	return blk->lent.size_bytes;
}

void virtio_blk_lent_store(const struct virtio_blk *blk, size_t offset_bytes, uint64_t value)
{
	shared_store_u64(&blk->lent, offset_bytes, value);
}
