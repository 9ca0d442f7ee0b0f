// SPDX-License-Identifier: MIT
/* Transactions. Changes are staged as whole blocks; commit compares them with the committed blocks
 * and logs what differs. */
#include <string.h>

#include "base/bytes.h"
#include "base/reader.h"
#include "block/volume_internal.h"

/* What a commit would do, found out before anything is written. */
struct plan {
	struct writer writer; /* Into the record buffer. */
	uint32_t change_count;
	uint32_t contents; /* Changed blocks that are not holes. */
	uint32_t blocks;   /* Changed blocks. */
	int32_t growth;    /* Logical blocks gained less those given up. */
};

static struct volume_staged *staged_find(struct volume *volume, uint32_t logical)
{
	struct volume_txn *txn = &volume->txn;
	for (uint32_t i = 0; i < txn->count; i++) {
		if (txn->staged[i].logical == logical) {
			return &txn->staged[i];
		}
	}
	return NULL;
}

static uint8_t *staged_content(struct volume *volume, const struct volume_staged *staged)
{
	size_t index = (size_t)(staged - volume->txn.staged);
	return volume->txn.content + index * BLOCK_BYTES;
}

/* Find or add. */
static enum status staged_take(struct volume *volume, struct logical_block block,
			       struct volume_staged **staged)
{
	struct volume_txn *txn = &volume->txn;
	if (!txn->open || block.n >= VOLUME_LOGICAL_BLOCKS) {
		return STATUS_INVALID;
	}
	*staged = staged_find(volume, (uint32_t)block.n);
	if (*staged != NULL) {
		return STATUS_OK;
	}
	if (txn->count == VOLUME_TXN_BLOCKS_MAX) {
		return STATUS_TOO_LARGE;
	}
	*staged = &txn->staged[txn->count++];
	**staged = (struct volume_staged){.logical = (uint32_t)block.n};
	return STATUS_OK;
}

enum status volume_txn_begin(struct volume *volume)
{
	if (volume->txn.open) {
		return STATUS_BUSY;
	}
	if (!volume->writable) {
		return STATUS_READ_ONLY;
	}
	volume->txn.open = true;
	volume->txn.count = 0;
	return STATUS_OK;
}

void volume_txn_abort(struct volume *volume)
{
	/* Staged plaintext is not kept longer than needed. */
	memset(volume->txn.content, 0, (size_t)volume->txn.count * BLOCK_BYTES);
	volume->txn.open = false;
	volume->txn.count = 0;
}

enum status volume_txn_put(struct volume *volume, struct logical_block block,
			   const uint8_t content[BLOCK_BYTES])
{
	struct volume_staged *staged = NULL;
	enum status status = staged_take(volume, block, &staged);
	if (status == STATUS_OK) {
		/* A hole reads as zeroes, so zeroes are a hole. */
		staged->is_hole = bytes_are_zero(content, BLOCK_BYTES);
		memcpy(staged_content(volume, staged), content, BLOCK_BYTES);
	}
	return status;
}

enum status volume_txn_discard(struct volume *volume, struct logical_block block)
{
	struct volume_staged *staged = NULL;
	enum status status = staged_take(volume, block, &staged);
	if (status == STATUS_OK) {
		staged->is_hole = true;
		memset(staged_content(volume, staged), 0, BLOCK_BYTES);
	}
	return status;
}

enum status volume_txn_read(struct volume *volume, struct logical_block block,
			    uint8_t out[BLOCK_BYTES])
{
	const struct volume_staged *staged = NULL;
	if (volume->txn.open && block.n < VOLUME_LOGICAL_BLOCKS) {
		staged = staged_find(volume, (uint32_t)block.n);
	}
	if (staged == NULL) {
		return volume_read(volume, block, out);
	}
	memcpy(out, staged_content(volume, staged), BLOCK_BYTES);
	return STATUS_OK;
}

/* ---- Commit -------------------------------------------------------------------------------- */

/* Log what one staged block changes, if anything. */
static enum status staged_encode(struct volume *volume, struct volume_staged *staged,
				 struct plan *plan)
{
	bool was_hole = false;
	const uint8_t *base = volume->base;
	enum status status =
		volume_read_committed(volume, staged->logical, volume->base, &was_hole);
	if (status == STATUS_AUTH_DATA) {
		base = NULL; /* Overwriting a block that is lost heals it. */
	} else if (status != STATUS_OK) {
		return status;
	}
	uint32_t changes = 0;
	if (staged->is_hole) {
		if (!was_hole) {
			volume_change_hole_encode(&plan->writer, staged->logical);
			changes = 1;
		}
	} else {
		changes = volume_changes_encode(&plan->writer, staged->logical,
						was_hole ? NULL : base,
						staged_content(volume, staged));
	}
	staged->changed = changes != 0;
	if (!staged->changed) {
		return STATUS_OK;
	}
	plan->change_count += changes;
	plan->blocks++;
	plan->contents += staged->is_hole ? 0 : 1;
	plan->growth += (was_hole ? 1 : 0) - (staged->is_hole ? 1 : 0);
	return STATUS_OK;
}

static enum status plan_make(struct volume *volume, struct plan *plan)
{
	writer_init(&plan->writer, volume->log.record,
		    (size_t)VOLUME_RECORD_BLOCKS_MAX * BLOCK_BYTES);
	writer_zero(&plan->writer, VOLUME_RECORD_OVERHEAD);
	for (uint32_t i = 0; i < volume->txn.count; i++) {
		enum status status = staged_encode(volume, &volume->txn.staged[i], plan);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return writer_ok(&plan->writer) ? STATUS_OK : STATUS_TOO_LARGE;
}

/* Nodes above the changed blocks: distinct leaves, distinct slices, the root. */
static uint64_t plan_nodes(const struct volume *volume)
{
	const struct volume_txn *txn = &volume->txn;
	uint64_t nodes = 1;
	for (uint32_t level = 1; level <= 2; level++) {
		uint32_t shift = level * VOLUME_NODE_SHIFT;
		for (uint32_t i = 0; i < txn->count; i++) {
			bool seen = false;
			for (uint32_t j = 0; j < i && !seen; j++) {
				seen = txn->staged[j].logical >> shift ==
				       txn->staged[i].logical >> shift;
			}
			nodes += seen ? 0u : 1u;
		}
	}
	return nodes;
}

/* A checkpoint must always be possible, so the space it takes is there before the commit. */
static bool has_space(const struct volume *volume, uint64_t need, const struct plan *plan)
{
	/* What grows leaves a reserve; what shrinks or overwrites may use it. */
	uint64_t reserve = plan->growth > 0 ? VOLUME_RESERVE_BLOCKS : 0;
	return need + reserve <= volume->bitmaps.free_count;
}

/* Make sure that ring, overlay and device have room; by a checkpoint if need be. */
static enum status room_make(struct volume *volume, const struct plan *plan)
{
	size_t size_bytes = plan->writer.at;
	uint32_t block_count = (uint32_t)((size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES);
	uint64_t pending = (uint64_t)volume->overlay.count + plan->blocks;
	/* At worst each block is in a leaf and a slice of its own. */
	uint64_t need = volume_checkpoint_need(pending, 2 * pending + 1);
	if (volume_log_has_room(volume, block_count) && pending <= VOLUME_OVERLAY_BLOCKS &&
	    has_space(volume, need, plan)) {
		return STATUS_OK;
	}
	enum status status = volume_checkpoint_run(volume, false);
	if (status != STATUS_OK) {
		return status;
	}
	need = volume_checkpoint_need(plan->contents, plan_nodes(volume));
	return has_space(volume, need, plan) ? STATUS_OK : STATUS_NO_SPACE;
}

static void overlay_apply(struct volume *volume)
{
	for (uint32_t i = 0; i < volume->txn.count; i++) {
		const struct volume_staged *staged = &volume->txn.staged[i];
		if (!staged->changed) {
			continue;
		}
		struct volume_overlay_entry *entry =
			volume_overlay_take(volume, staged->logical); /* room_make saw to it. */
		entry->kind = staged->is_hole ? VOLUME_OVERLAY_HOLE : VOLUME_OVERLAY_CONTENT;
		memcpy(volume_overlay_content(volume, entry), staged_content(volume, staged),
		       BLOCK_BYTES);
	}
}

static enum status commit(struct volume *volume)
{
	struct plan plan = {.change_count = 0};
	if (!volume->writable) {
		return STATUS_READ_ONLY;
	}
	enum status status = plan_make(volume, &plan);
	if (status != STATUS_OK || plan.change_count == 0) {
		return status;
	}
	status = room_make(volume, &plan);
	if (status == STATUS_OK) {
		status = volume_session_renew(volume);
	}
	if (status == STATUS_OK) {
		status = volume_log_append(volume, plan.writer.at, plan.change_count);
	}
	if (status == STATUS_OK) {
		overlay_apply(volume);
		volume->counters.commits++;
	}
	return status;
}

enum status volume_txn_commit(struct volume *volume)
{
	if (!volume->txn.open) {
		return STATUS_INVALID;
	}
	enum status status = commit(volume);
	volume_txn_abort(volume);
	return status;
}
