// SPDX-License-Identifier: MIT
/* Reads. A request is cut into parts: blocks that are neighbours on the device, up to 128 KiB, are
 * one device read, as many at once as the queue is deep. Ciphertext goes straight into the
 * request's own memory and is opened there (the device port fills private memory, so nobody changes
 * it during the pass); if the memory is scattered, it goes by way of a fetch buffer.
 *
 * A block may move while it is read: it is overwritten, a checkpoint lets go of its old place, and
 * that is written again before the read gets there. Nothing is held up to prevent it. What was read
 * then does not open with the entry that was found at the beginning, so the block is looked for
 * again: if its entry is a different one by now, it is read from there, at once and alone; if it is
 * the same, the data is bad. Waiting for the reads instead would put the slowest read before every
 * checkpoint, to prevent what authentication tells anyway. */
#include <string.h>

#include "block/volume_queue_internal.h"
#include "block/volume_tree_internal.h"

/* ---- Where blocks are ---------------------------------------------------------------------- */

/* A look at neighbouring blocks, whose leaves are looked up once. Good until something changes. */
struct window {
	uint32_t logical;
	uint32_t count;
	uint32_t from_tree; /* Blocks from here on have entries; `count`: none. */
	struct volume_entry entries[VOLUME_RUN_BLOCKS];
};

enum place_kind {
	PLACE_HOLE,
	PLACE_MEMORY,
	PLACE_DEVICE,
};

struct place {
	enum place_kind kind;
	const uint8_t *content;
	const struct volume_entry *entry;
};

static void window_begin(struct window *window, uint32_t logical, uint64_t left)
{
	window->logical = logical;
	window->count = left < VOLUME_RUN_BLOCKS ? (uint32_t)left : VOLUME_RUN_BLOCKS;
	window->from_tree = window->count;
}

static enum status pending_place(const struct volume_map *map,
				 const struct volume_map_entry *pending, struct place *place)
{
	*place = (struct place){.kind = PLACE_HOLE};
	switch (pending->kind) {
	case VOLUME_MAP_HOLE: return STATUS_OK;
	case VOLUME_MAP_CONTENT:
		place->kind = PLACE_MEMORY;
		place->content = volume_map_content(map, pending);
		return STATUS_OK;
	case VOLUME_MAP_PLACED:
	case VOLUME_MAP_CARRIED:
		place->kind = PLACE_DEVICE;
		place->entry = &pending->entry;
		return STATUS_OK;
	case VOLUME_MAP_LOST: break;
	}
	return STATUS_AUTH_DATA;
}

/* The newest content of block `i`: what is staged is newer than what is committed. */
static enum status place_find(struct volume *volume, struct window *window, uint32_t i,
			      struct place *place)
{
	const uint32_t logical = window->logical + i;
	const struct volume_map_entry *pending = volume_txn_find(volume, logical);
	if (pending != NULL) {
		return pending_place(&volume->txn.staged, pending, place);
	}
	pending = volume_pending_find(volume, logical);
	if (pending != NULL) {
		return pending_place(&volume->overlay, pending, place);
	}
	if (i < window->from_tree) {
		enum status status = volume_tree_find_many(volume, logical, window->count - i,
							   &window->entries[i]);
		if (status != STATUS_OK) {
			return status;
		}
		window->from_tree = i;
	}
	bool is_hole = window->entries[i].physical == 0;
	*place = (struct place){.kind = is_hole ? PLACE_HOLE : PLACE_DEVICE,
				.entry = &window->entries[i]};
	return STATUS_OK;
}

/* Ciphertext that is in memory because it is on its way to the device. */
static const uint8_t *outgoing_find(const struct volume_queue *queue, uint64_t physical)
{
	const uint8_t *cipher = volume_txn_batch_find(queue->volume, physical);
	return cipher != NULL ? cipher
			      : block_queue_find(&queue->io, (struct physical_block){physical});
}

/* ---- Failing ------------------------------------------------------------------------------- */

static void fail(struct volume_queue *queue, struct volume_request *request, enum status status,
		 uint64_t logical, uint64_t physical)
{
	struct volume *volume = queue->volume;
	request->at = request->count.n; /* Begin no more of it. */
	if (request->status != STATUS_OK) {
		return;
	}
	request->status = status;
	request->failure = (struct volume_failure){
		.status = status,
		.logical = logical,
		.physical = physical,
		.epoch = volume->superblock.epoch,
		.level = VOLUME_LEVEL_DATA,
	};
	(void)volume_note(volume, status, VOLUME_LEVEL_DATA, logical, physical);
}

static void finish_if_done(struct volume_queue *queue, struct volume_request *request)
{
	if (request->at != request->count.n || request->parts != 0 ||
	    request == queue->reads.first) {
		return; /* The first of those is the one that may have been begun in part. */
	}
	if (request->status != STATUS_OK) {
		for (size_t i = 0; i < request->piece_count; i++) {
			memset(request->pieces[i].bytes, 0, request->pieces[i].size_bytes);
		}
	}
	volume_request_finish(queue, request, request->status);
}

/* ---- Opening ------------------------------------------------------------------------------- */

static bool is_same(const struct volume_entry *a, const struct volume_entry *b)
{
	return a->physical == b->physical && a->session == b->session && a->counter == b->counter;
}

/* Read one block at once and alone. `known`: the entry with which it did not open; if it is still
 * the block's, that failure stands. */
static enum status read_alone(struct volume_queue *queue, uint32_t logical,
			      const struct volume_entry *known, enum status failure, uint8_t *out)
{
	struct volume *volume = queue->volume;
	struct window window;
	struct place place;
	volume_queue_loss_check(queue);
	window_begin(&window, logical, 1);
	enum status status = place_find(volume, &window, 0, &place);
	if (status != STATUS_OK) {
		return status;
	}
	if (known != NULL && place.kind == PLACE_DEVICE && is_same(place.entry, known)) {
		return failure;
	}
	queue->counters.reads_alone++;
	if (place.kind == PLACE_HOLE) {
		memset(out, 0, BLOCK_BYTES);
		return STATUS_OK;
	}
	if (place.kind == PLACE_MEMORY) {
		memcpy(out, place.content, BLOCK_BYTES);
		return STATUS_OK;
	}
	const uint8_t *cipher = outgoing_find(queue, place.entry->physical);
	if (cipher == NULL) {
		status = block_read(volume->device, (struct physical_block){place.entry->physical},
				    (struct block_count){1}, out);
		cipher = out;
	}
	return status == STATUS_OK ? volume_cipher_open(volume, VOLUME_LEVEL_DATA, logical,
							place.entry, cipher, out)
				   : status;
}

/* Open one block of a request; `cipher` may be `out`. */
static void block_open(struct volume_queue *queue, struct volume_request *request, uint32_t logical,
		       const struct volume_entry *entry, const uint8_t *cipher, uint8_t *out)
{
	enum status status =
		volume_cipher_open(queue->volume, VOLUME_LEVEL_DATA, logical, entry, cipher, out);
	if (status != STATUS_OK) {
		status = read_alone(queue, logical, entry, status, out);
	}
	if (status != STATUS_OK) {
		fail(queue, request, status, logical, entry->physical);
	}
}

/* ---- Parts --------------------------------------------------------------------------------- */

static struct volume_part *part_take(struct volume_queue *queue, struct volume_request *request,
				     uint32_t logical)
{
	struct volume_part *part = queue->parts_free;
	if (part != NULL) {
		queue->parts_free = part->next;
		part->request = request;
		part->logical = logical;
		part->count = 0;
		part->piece_index = request->piece_index;
		part->piece_offset = request->piece_offset;
		request->parts++;
	}
	return part;
}

static void part_give_back(struct volume_queue *queue, struct volume_part *part)
{
	struct volume_request *request = part->request;
	part->next = queue->parts_free;
	queue->parts_free = part;
	request->parts--;
	finish_if_done(queue, request);
}

/* What the device has read is in the request's memory, or in that of a fetch. A fetch that failed
 * may have failed because of a block that nobody asked for. */
static void part_open(struct volume_queue *queue, struct volume_part *part,
		      const struct volume_fetch *fetch)
{
	struct volume_request *request = part->request;
	size_t index = part->piece_index;
	size_t offset = part->piece_offset;
	for (uint32_t i = 0; i < part->count && request->status == STATUS_OK; i++) {
		const struct volume_entry *entry = &part->entries[i];
		uint8_t *out = volume_request_bytes(request, index, offset);
		volume_request_advance(request, &index, &offset, 1);
		if (fetch == NULL) {
			block_open(queue, request, part->logical + i, entry, out, out);
			continue;
		}
		if (fetch->io.status == STATUS_OK) {
			block_open(queue, request, part->logical + i, entry,
				   volume_fetch_bytes(fetch, entry), out);
			continue;
		}
		enum status status = read_alone(queue, part->logical + i, NULL, STATUS_OK, out);
		if (status != STATUS_OK) {
			fail(queue, request, status, part->logical + i, entry->physical);
		}
	}
}

void volume_queue_part_done(struct volume_queue *queue, struct volume_part *part)
{
	if (part->io.status == STATUS_OK) {
		part_open(queue, part, NULL);
	} else {
		fail(queue, part->request, part->io.status, part->logical, part->io.first.n);
	}
	part_give_back(queue, part);
}

void volume_queue_part_fetched(struct volume_queue *queue, struct volume_part *part,
			       const struct volume_fetch *fetch)
{
	part_open(queue, part, fetch);
	part_give_back(queue, part);
}

/* ---- Beginning ----------------------------------------------------------------------------- */

/* Blocks from here on that lie behind each other in the request's memory. */
static uint64_t blocks_in_line(const struct volume_request *request)
{
	size_t index = request->piece_index;
	size_t bytes = request->pieces[index].size_bytes - request->piece_offset;
	while (index + 1 < request->piece_count &&
	       bytes < VOLUME_RUN_BLOCKS * (size_t)BLOCK_BYTES &&
	       request->pieces[index + 1].bytes ==
		       request->pieces[index].bytes + request->pieces[index].size_bytes) {
		index++;
		bytes += request->pieces[index].size_bytes;
	}
	return bytes / BLOCK_BYTES;
}

/* Add to a part the blocks from block `i` of the window on that go with what it has: neighbours on
 * the device, all of one fetch or all of none, and not on their way there. */
static void part_grow(struct volume_queue *queue, struct window *window, uint32_t i,
		      const struct volume_fetch *fetch, struct volume_part *part)
{
	struct place place;
	for (; i < window->count && place_find(queue->volume, window, i, &place) == STATUS_OK;
	     i++) {
		if (place.kind != PLACE_DEVICE ||
		    place.entry->physical != part->entries[0].physical + part->count ||
		    volume_fetch_find(queue, place.entry) != fetch ||
		    outgoing_find(queue, place.entry->physical) != NULL) {
			break;
		}
		part->entries[part->count++] = *place.entry;
	}
}

static void part_send(struct volume_queue *queue, struct volume_part *part)
{
	const uint64_t in_line = blocks_in_line(part->request);
	if (part->count > in_line) {
		struct volume_fetch *fetch = volume_fetch_begin(queue, part->entries, part->count);
		if (fetch != NULL) {
			part->next = fetch->waiting;
			fetch->waiting = part;
			return;
		}
		part->count = (uint32_t)in_line;
	}
	part->io = (struct block_request){
		.first = {part->entries[0].physical},
		.count = {part->count},
		.bytes = volume_request_bytes(part->request, part->piece_index, part->piece_offset),
		.owner = queue->parts,
	};
	block_queue_read(&queue->io, &part->io);
}

/* Begin with block `i` of the window, which is on the device. Returns how many blocks that were; 0:
 * no room. */
static uint32_t device_begin(struct volume_queue *queue, struct volume_request *request,
			     struct window *window, uint32_t i, const struct volume_entry *entry)
{
	const uint32_t logical = window->logical + i;
	uint8_t *out = volume_request_bytes(request, request->piece_index, request->piece_offset);
	const uint8_t *cipher = outgoing_find(queue, entry->physical);
	struct volume_fetch *fetch = NULL;
	if (cipher == NULL) {
		fetch = volume_fetch_find(queue, entry);
		cipher = fetch != NULL && fetch->state == VOLUME_FETCH_THERE
				 ? volume_fetch_bytes(fetch, entry)
				 : NULL;
	}
	if (cipher != NULL) {
		block_open(queue, request, logical, entry, cipher, out);
		return 1;
	}
	struct volume_part *part = part_take(queue, request, logical);
	if (part == NULL) {
		return 0;
	}
	part->entries[part->count++] = *entry;
	part_grow(queue, window, i + 1, fetch, part);
	if (fetch != NULL) {
		part->next = fetch->waiting;
		fetch->waiting = part;
	} else {
		part_send(queue, part);
	}
	return part->count;
}

/* Returns how many blocks were begun; 0: no room, or the request has failed. */
static uint32_t blocks_begin(struct volume_queue *queue, struct volume_request *request,
			     struct window *window, uint32_t i)
{
	struct place place;
	enum status status = place_find(queue->volume, window, i, &place);
	if (status != STATUS_OK) {
		fail(queue, request, status, window->logical + i, UINT64_MAX);
		return 0;
	}
	if (place.kind == PLACE_DEVICE) {
		return device_begin(queue, request, window, i, place.entry);
	}
	uint8_t *out = volume_request_bytes(request, request->piece_index, request->piece_offset);
	if (place.kind == PLACE_MEMORY) {
		memcpy(out, place.content, BLOCK_BYTES);
	} else {
		memset(out, 0, BLOCK_BYTES);
	}
	return 1;
}

/* Returns true once all of the request was begun. */
static bool read_begin(struct volume_queue *queue, struct volume_request *request)
{
	struct window window;
	while (request->at < request->count.n) { /* Each turn begins some, or ends it. */
		window_begin(&window, (uint32_t)(request->first.n + request->at),
			     request->count.n - request->at);
		for (uint32_t i = 0; i < window.count && request->at < request->count.n;) {
			uint32_t begun = blocks_begin(queue, request, &window, i);
			if (request->at == request->count.n) {
				break; /* It failed. */
			}
			if (begun == 0) {
				return false;
			}
			request->at += begun;
			volume_request_advance(request, &request->piece_index,
					       &request->piece_offset, begun);
			i += begun;
		}
	}
	return true;
}

void volume_queue_reads_begin(struct volume_queue *queue)
{
	while (queue->reads.first != NULL) { /* Each turn takes one away or ends it. */
		struct volume_request *request = queue->reads.first;
		if (!read_begin(queue, request)) {
			return;
		}
		(void)volume_request_take(&queue->reads);
		if (request->status == STATUS_OK) {
			volume_readahead_note(queue, request->first.n, request->count.n);
		}
		finish_if_done(queue, request);
	}
}
