// SPDX-License-Identifier: MIT
/* Fetch buffers, and reading ahead into them.
 *
 * They hold ciphertext with the entries that it was fetched for, not verified plaintext: a read
 * finds a block's current entry first and takes from a buffer only what that very entry describes.
 * So nothing has to be invalidated when blocks are overwritten, discarded or moved, a stale buffer
 * cannot be read, and no plaintext lies about that nobody asked for.
 *
 * Requests of a full run or more are one device read for each 128 KiB by themselves and are not
 * read ahead of. */
#include <string.h>

#include "block/volume_queue_internal.h"
#include "block/volume_tree_internal.h"

/* Requests that continue each other before anything is read ahead. */
#define HITS_BEFORE 2u
/* How far to read ahead: 256 KiB. */
#define BLOCKS_AHEAD (2u * VOLUME_RUN_BLOCKS)
/* Shorter runs are not worth a buffer. */
#define RUN_BLOCKS_MIN 8u

/* ---- Buffers ------------------------------------------------------------------------------- */

struct volume_fetch *volume_fetch_find(struct volume_queue *queue, const struct volume_entry *entry)
{
	for (size_t i = 0; i < queue->fetches_used; i++) {
		struct volume_fetch *fetch = &queue->fetches[i];
		uint64_t at = entry->physical - fetch->entries[0].physical;
		if (at < fetch->count && fetch->entries[at].session == entry->session &&
		    fetch->entries[at].counter == entry->counter) {
			fetch->used_at = ++queue->clock;
			return fetch;
		}
	}
	return NULL;
}

const uint8_t *volume_fetch_bytes(const struct volume_fetch *fetch,
				  const struct volume_entry *entry)
{
	return fetch->bytes + (entry->physical - fetch->entries[0].physical) * BLOCK_BYTES;
}

static struct volume_fetch *fetch_take(struct volume_queue *queue)
{
	struct volume_fetch *oldest = NULL;
	for (size_t i = 0; i < VOLUME_QUEUE_FETCHES; i++) {
		struct volume_fetch *fetch = &queue->fetches[i];
		if (fetch->state != VOLUME_FETCH_UNDER_WAY &&
		    (oldest == NULL || fetch->used_at < oldest->used_at)) {
			oldest = fetch;
		}
	}
	return oldest;
}

struct volume_fetch *volume_fetch_begin(struct volume_queue *queue,
					const struct volume_entry *entries, uint32_t count)
{
	struct volume_fetch *fetch = fetch_take(queue);
	if (fetch == NULL) {
		return NULL;
	}
	if (fetch == &queue->fetches[queue->fetches_used]) {
		queue->fetches_used++;
	}
	fetch->state = VOLUME_FETCH_UNDER_WAY;
	fetch->waiting = NULL;
	fetch->used_at = ++queue->clock;
	fetch->count = count;
	memcpy(fetch->entries, entries, count * sizeof(*entries));
	fetch->io = (struct block_request){
		.first = {entries[0].physical},
		.count = {count},
		.bytes = fetch->bytes,
		.owner = queue->fetches,
	};
	block_queue_read(&queue->io, &fetch->io);
	return fetch;
}

void volume_queue_fetch_done(struct volume_queue *queue, struct volume_fetch *fetch)
{
	struct volume_part *part = fetch->waiting;
	fetch->state = VOLUME_FETCH_THERE;
	fetch->waiting = NULL;
	while (part != NULL) {
		struct volume_part *next = part->next; /* The part is given back. */
		volume_queue_part_fetched(queue, part, fetch);
		part = next;
	}
	if (fetch->io.status != STATUS_OK) {
		fetch->state = VOLUME_FETCH_EMPTY;
		fetch->count = 0;
		fetch->used_at = 0;
	}
}

/* ---- Streams ------------------------------------------------------------------------------- */

/* Blocks from `first` on that are worth one fetch: neighbours on the device, in the tree or the
 * log. Returns how far it looked; *count may be 0. */
static uint32_t run_find(struct volume_queue *queue, uint32_t first, uint32_t most,
			 struct volume_entry *entries, uint32_t *count)
{
	struct volume *volume = queue->volume;
	uint32_t looked = 0;
	*count = 0;
	if (volume_tree_find_many(volume, first, most, entries) != STATUS_OK) {
		return most; /* Whoever reads there is told. */
	}
	for (; looked < most; looked++) {
		const uint32_t logical = first + looked;
		const struct volume_map_entry *pending = volume_txn_find(volume, logical);
		struct volume_entry entry = entries[looked];
		if (pending == NULL) {
			pending = volume_pending_find(volume, logical);
		}
		if (pending != NULL) {
			entry.physical = 0;
		}
		if (pending != NULL &&
		    (pending->kind == VOLUME_MAP_PLACED || pending->kind == VOLUME_MAP_CARRIED)) {
			entry = pending->entry;
		}
		bool is_there = entry.physical != 0 &&
				volume_txn_batch_find(volume, entry.physical) == NULL &&
				block_queue_find(&queue->io,
						 (struct physical_block){entry.physical}) == NULL &&
				volume_fetch_find(queue, &entry) == NULL;
		bool fits = *count == 0 || entry.physical == entries[0].physical + *count;
		if (*count != 0 && (!is_there || !fits)) {
			return looked;
		}
		if (is_there) {
			entries[(*count)++] = entry;
		}
	}
	return looked;
}

static void fetch_ahead(struct volume_queue *queue, struct volume_stream *stream)
{
	const uint64_t end = queue->volume->geometry.logical_blocks;
	struct volume_entry entries[VOLUME_RUN_BLOCKS];
	uint64_t most = end - stream->fetched;
	uint32_t count = 0;
	if (most > VOLUME_RUN_BLOCKS) {
		most = VOLUME_RUN_BLOCKS;
	}
	stream->fetched +=
		run_find(queue, (uint32_t)stream->fetched, (uint32_t)most, entries, &count);
	if (count >= RUN_BLOCKS_MIN && volume_fetch_begin(queue, entries, count) != NULL) {
		queue->counters.reads_ahead++;
	}
}

static struct volume_stream *stream_find(struct volume_queue *queue, uint64_t first)
{
	struct volume_stream *oldest = &queue->streams[0];
	for (size_t i = 0; i < VOLUME_QUEUE_STREAMS; i++) {
		struct volume_stream *stream = &queue->streams[i];
		if (stream->used_at != 0 && stream->next == first) {
			stream->hits++;
			return stream;
		}
		if (stream->used_at < oldest->used_at) {
			oldest = stream;
		}
	}
	*oldest = (struct volume_stream){.hits = 0};
	return oldest;
}

void volume_readahead_note(struct volume_queue *queue, uint64_t first, uint64_t count)
{
	const uint64_t blocks = queue->volume->geometry.logical_blocks;
	struct volume_stream *stream = stream_find(queue, first);
	stream->next = first + count;
	stream->used_at = ++queue->clock;
	if (stream->fetched < stream->next) {
		stream->fetched = stream->next;
	}
	if (stream->hits < HITS_BEFORE || count >= VOLUME_RUN_BLOCKS) {
		return;
	}
	const uint64_t target = stream->next + BLOCKS_AHEAD;
	/* Whole runs only, or each request would fetch a little. */
	while (stream->fetched + VOLUME_RUN_BLOCKS <= target && stream->fetched < blocks) {
		fetch_ahead(queue, stream);
	}
}
