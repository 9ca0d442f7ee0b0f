// SPDX-License-Identifier: MIT
/* Changes and their group commit. What is written is staged in the volume's running transaction:
 * up to eight blocks as they are, to go into the record, and from the ninth on all of them sealed
 * straight from the request's memory into the buffer that is the next device write. Full buffers
 * are sent at once and many are in flight; nobody waits for them but the commit.
 *
 * A commit begins when a flush waits, or when the transaction is full: the rest of the data and the
 * records are sent, and when everything written has completed, one device flush. It ends the wait
 * of all that arrived before it began. Reads go on meanwhile. Changes wait for the end of the
 * commit: that is one flush, and the transaction that it belongs to is still looked into by reads.
 * A full transaction is flushed as well, although recovery would do without: what a mount has to
 * prove by reading it is what was written after the last flush that a record tells of. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_queue_internal.h"
#include "block/volume_tree_internal.h"

static bool is_block_profile(const struct volume *volume)
{
	return volume->geometry.profile == VOLUME_PROFILE_BLOCK;
}

/* ---- Commit -------------------------------------------------------------------------------- */

static void died(struct volume_queue *queue, enum status status)
{
	const struct volume *volume = queue->volume;
	if (queue->dead == STATUS_OK && !volume->writable && !volume->read_only) {
		queue->dead = status;
		queue->lost = status;
	}
}

/* The end of a commit, for all who waited for it. */
static void commit_end(struct volume_queue *queue, struct volume_request_list *waiting,
		       enum status status)
{
	struct volume_request *request = NULL;
	bool is_told = false;
	if (status != STATUS_OK) {
		died(queue, status);
		status = queue->dead != STATUS_OK ? queue->dead : status; /* The first cause. */
		queue->lost = status;
	}
	while ((request = volume_request_take(waiting)) != NULL) {
		bool is_flush = request->kind == VOLUME_REQUEST_FLUSH;
		is_told = is_told || is_flush;
		volume_request_finish(queue, request,
				      is_flush && status == STATUS_OK ? queue->lost : status);
	}
	if (is_told) {
		queue->lost = queue->dead;
	}
}

void volume_queue_loss_check(struct volume_queue *queue)
{
	enum status failure = queue->io.write_failure;
	if (failure == STATUS_OK || queue->dead != STATUS_OK) {
		return;
	}
	failure = volume_note_write(queue->volume, failure, UINT64_MAX);
	volume_txn_abort(queue->volume);
	commit_end(queue, &queue->to_commit, failure);
}

static void commit_begin(struct volume_queue *queue)
{
	struct volume *volume = queue->volume;
	bool needs_flush = false;
	enum status status = STATUS_OK;
	if (volume->txn.open) {
		status = volume_txn_write(volume, &needs_flush);
	}
	if (!needs_flush) {
		commit_end(queue, &queue->to_commit, status);
		return;
	}
	queue->committing = queue->to_commit;
	queue->to_commit = (struct volume_request_list){.first = NULL};
	queue->is_committing = true;
	queue->flush = (struct block_request){.owner = NULL};
	block_queue_flush(&queue->io, &queue->flush);
}

void volume_queue_commit_done(struct volume_queue *queue)
{
	enum status status = volume_txn_settle(queue->volume, queue->flush.status);
	queue->is_committing = false;
	queue->counters.commits += status == STATUS_OK ? 1u : 0u;
	commit_end(queue, &queue->committing, status);
}

/* ---- Staging ------------------------------------------------------------------------------- */

static enum status is_hole_now(struct volume *volume, uint32_t logical, bool *is_hole)
{
	const struct volume_map_entry *pending = volume_txn_find(volume, logical);
	struct volume_entry entry;
	if (pending == NULL) {
		pending = volume_pending_find(volume, logical);
	}
	if (pending != NULL) {
		*is_hole = pending->kind == VOLUME_MAP_HOLE;
		return STATUS_OK;
	}
	enum status status = volume_tree_find(volume, logical, &entry);
	*is_hole = status == STATUS_OK && entry.physical == 0;
	return status;
}

/* What is a hole already takes no room in the transaction. */
static enum status hole_stage(struct volume *volume, uint32_t logical)
{
	bool is_hole = false;
	enum status status = is_hole_now(volume, logical, &is_hole);
	if (status != STATUS_OK || is_hole) {
		return status;
	}
	return volume_txn_discard(volume, (struct logical_block){logical});
}

static bool is_blank(const uint8_t *bytes)
{
	return bytes_are_zero(bytes, BLOCK_BYTES);
}

/* Blocks from the first on, which is not blank, up to the next one that is. */
static uint32_t solid_count(const uint8_t *bytes, uint32_t most)
{
	uint32_t count = 1;
	while (count < most && !is_blank(bytes + (size_t)count * BLOCK_BYTES)) {
		count++;
	}
	return count;
}

/* Stage at least one block, `most` at most. */
static enum status content_stage(struct volume *volume, uint32_t logical, const uint8_t *bytes,
				 uint32_t most, uint32_t *count)
{
	const struct logical_block block = {logical};
	const uint32_t contents = volume_pool_contents(&volume->txn.pool);
	*count = 1;
	if (!is_block_profile(volume)) {
		return volume_txn_put(volume, block, bytes);
	}
	if (is_blank(bytes)) {
		return hole_stage(volume, logical);
	}
	enum status status = STATUS_OK;
	if (volume->txn.spilled == 0 && contents < VOLUME_INLINE_BLOCKS) {
		status = volume_block_txn_space(volume, logical);
		return status == STATUS_OK ? volume_txn_put(volume, block, bytes) : status;
	}
	if (contents != 0) {
		status = volume_block_txn_seal(volume);
	}
	return status == STATUS_OK ? volume_block_txn_place(volume, logical, bytes,
							    solid_count(bytes, most), count)
				   : status;
}

/* Blocks from here on that are neighbours in the request's memory; no more than one write takes. */
static uint32_t blocks_in_piece(const struct volume_request *request)
{
	size_t bytes = request->pieces[request->piece_index].size_bytes - request->piece_offset;
	return bytes < VOLUME_RUN_BLOCKS * BLOCK_BYTES ? (uint32_t)(bytes / BLOCK_BYTES)
						       : VOLUME_RUN_BLOCKS;
}

static enum status blocks_stage(struct volume_queue *queue, struct volume_request *request)
{
	struct volume *volume = queue->volume;
	const uint32_t logical = (uint32_t)(request->first.n + request->at);
	uint32_t count = 1;
	enum status status = STATUS_OK;
	if (volume_txn_is_full(volume)) {
		return STATUS_AGAIN;
	}
	if (request->kind == VOLUME_REQUEST_WRITE) {
		status = content_stage(
			volume, logical,
			volume_request_bytes(request, request->piece_index, request->piece_offset),
			blocks_in_piece(request), &count);
		volume_request_advance(request, &request->piece_index, &request->piece_offset,
				       count);
	} else {
		status = hole_stage(volume, logical);
	}
	request->at += count;
	return status;
}

static enum status change_stage(struct volume_queue *queue, struct volume_request *request)
{
	struct volume *volume = queue->volume;
	enum status status = STATUS_OK;
	if (queue->dead != STATUS_OK) {
		return queue->dead;
	}
	if (!volume->txn.open) {
		status = volume_txn_begin(volume);
	}
	while (status == STATUS_OK && request->at < request->count.n) {
		status = blocks_stage(queue, request);
	}
	return status;
}

static void change_fail(struct volume_queue *queue, struct volume_request *request,
			enum status status)
{
	died(queue, status);
	request->failure = (struct volume_failure){
		.status = status,
		.logical = request->first.n + request->at,
		.physical = UINT64_MAX,
		.epoch = queue->volume->superblock.epoch,
		.level = VOLUME_LEVEL_DATA,
	};
	volume_request_finish(queue, request, status);
}

/* Returns false once nothing more can be begun. */
static bool change_begin(struct volume_queue *queue)
{
	struct volume_request *request = queue->changes.first;
	if (request->kind == VOLUME_REQUEST_FLUSH) {
		volume_request_append(&queue->to_commit, volume_request_take(&queue->changes));
		return true;
	}
	enum status status = change_stage(queue, request);
	if (status == STATUS_AGAIN) {
		commit_begin(queue);
		return !queue->is_committing;
	}
	(void)volume_request_take(&queue->changes);
	if (status != STATUS_OK) {
		change_fail(queue, request, status);
	} else if (request->fua) {
		volume_request_append(&queue->to_commit, request);
	} else {
		volume_request_finish(queue, request, STATUS_OK);
	}
	return true;
}

void volume_queue_changes_begin(struct volume_queue *queue)
{
	volume_queue_loss_check(queue);
	if (queue->is_committing) {
		return;
	}
	while (queue->changes.first != NULL && change_begin(queue)) {
		/* Ends: each turn takes a request away, or empties the full transaction. */
	}
	if (!queue->is_committing && queue->to_commit.first != NULL) {
		commit_begin(queue);
	}
}
