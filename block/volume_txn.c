// SPDX-License-Identifier: MIT
/* Transactions: changes are staged as whole blocks. How they are committed depends on the profile:
 * volume_commit.c, volume_spill.c. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_freshness_internal.h"
#include "block/volume_internal.h"

static bool is_block_profile(const struct volume *volume)
{
	return volume->geometry.profile == VOLUME_PROFILE_BLOCK;
}

enum status volume_txn_begin(struct volume *volume)
{
	if (volume->txn.open) {
		return STATUS_BUSY;
	}
	if (!volume->writable) {
		return STATUS_READ_ONLY;
	}
	enum status status = is_block_profile(volume) ? volume_block_txn_begin(volume) : STATUS_OK;
	if (status == STATUS_OK) {
		volume->txn.open = true;
		volume->txn.failure = STATUS_OK;
	}
	return status;
}

static void txn_close(struct volume *volume)
{
	struct volume_map *staged = &volume->txn.staged;
	/* Staged plaintext is not kept longer than needed. Mostly there is none. */
	const uint32_t looked_at = volume_pool_contents(staged->pool) == 0 ? 0 : staged->count;
	for (uint32_t i = 0; i < looked_at; i++) {
		const struct volume_map_entry *entry = volume_map_at(staged, i);
		if (entry->kind == VOLUME_MAP_CONTENT) {
			memset(volume_map_content(staged, entry), 0, BLOCK_BYTES);
		}
	}
	volume_map_clear(staged);
	volume->txn.open = false;
	volume->txn.writing = false;
}

void volume_txn_abort(struct volume *volume)
{
	if (volume->txn.open && is_block_profile(volume)) {
		volume_block_txn_abort(volume);
	}
	txn_close(volume);
}

/* Find or add, as a block of that kind. */
static enum status staged_take(struct volume *volume, struct logical_block block,
			       enum volume_map_kind kind, struct volume_map_entry **staged)
{
	struct volume_map *map = &volume->txn.staged;
	if (!volume->txn.open || volume->txn.writing ||
	    block.n >= volume->geometry.logical_blocks) {
		return STATUS_INVALID;
	}
	if (volume->txn.failure == STATUS_OK) {
		volume->txn.failure = volume_room_pace(volume);
	}
	if (volume->txn.failure != STATUS_OK) {
		return volume->txn.failure;
	}
	*staged = volume_map_take(map, (uint32_t)block.n);
	if (*staged == NULL) {
		return STATUS_TOO_LARGE;
	}
	if (!volume_map_become(map, *staged, kind)) {
		/* Memory is full: only the block profile has less of it than a transaction. */
		volume->txn.failure = volume_block_txn_spill(volume);
		if (volume->txn.failure != STATUS_OK) {
			return volume->txn.failure;
		}
		(void)volume_map_become(map, *staged, kind);
	}
	return STATUS_OK;
}

enum status volume_txn_put(struct volume *volume, struct logical_block block,
			   const uint8_t content[BLOCK_BYTES])
{
	struct volume_map_entry *staged = NULL;
	/* A hole reads as zeroes, so zeroes are a hole. */
	bool is_hole = bytes_are_zero(content, BLOCK_BYTES);
	enum status status =
		staged_take(volume, block, is_hole ? VOLUME_MAP_HOLE : VOLUME_MAP_CONTENT, &staged);
	if (status == STATUS_OK && !is_hole) {
		memcpy(volume_map_content(&volume->txn.staged, staged), content, BLOCK_BYTES);
	}
	return status;
}

enum status volume_txn_discard(struct volume *volume, struct logical_block block)
{
	struct volume_map_entry *staged = NULL;
	return staged_take(volume, block, VOLUME_MAP_HOLE, &staged);
}

const struct volume_map_entry *volume_txn_find(const struct volume *volume, uint32_t logical)
{
	return volume->txn.open ? volume_map_find(&volume->txn.staged, logical) : NULL;
}

bool volume_txn_is_full(const struct volume *volume)
{
	const struct volume_txn *txn = &volume->txn;
	/* Blocks that are overwritten again and again take space as well. */
	return txn->staged.count == txn->staged.pool->room ||
	       txn->spilled >= volume->geometry.txn_blocks;
}

enum status volume_txn_read(struct volume *volume, struct logical_block block,
			    uint8_t out[BLOCK_BYTES])
{
	enum status status = volume_txn_read_blocks(volume, block, (struct block_count){1}, out);
	if (status == STATUS_INVALID) {
		memset(out, 0, BLOCK_BYTES);
	}
	return status;
}

/* ---- Commit -------------------------------------------------------------------------------- */

static enum status records_write(struct volume *volume)
{
	if (volume->txn.failure != STATUS_OK) {
		return volume->txn.failure;
	}
	if (!volume->writable) {
		return STATUS_READ_ONLY;
	}
	enum status status = volume_freshness_admit(volume);
	if (status == STATUS_OK) {
		status = volume_room_pace(volume);
	}
	if (status != STATUS_OK) {
		return status;
	}
	return is_block_profile(volume) ? volume_block_txn_write(volume)
					: volume_state_txn_write(volume);
}

enum status volume_txn_write(struct volume *volume, bool *needs_flush)
{
	const uint64_t sequence = volume->log.sequence;
	enum status status = records_write(volume);
	*needs_flush = status == STATUS_OK && volume->log.sequence != sequence;
	volume->txn.writing = *needs_flush;
	if (status != STATUS_OK) {
		volume_txn_abort(volume);
	} else if (!*needs_flush) {
		txn_close(volume);
	}
	return status;
}

enum status volume_txn_settle(struct volume *volume, enum status flushed)
{
	enum status status = volume_log_settle(volume, flushed);
	if (status == STATUS_OK) {
		status = volume_freshness_confirm(volume);
	}
	if (status != STATUS_OK) {
		volume_txn_abort(volume);
		return status;
	}
	if (is_block_profile(volume)) {
		volume_block_txn_apply(volume);
	} else {
		volume_state_txn_apply(volume);
	}
	volume->counters.commits++;
	txn_close(volume);
	return STATUS_OK;
}

enum status volume_txn_commit(struct volume *volume)
{
	bool needs_flush = false;
	if (!volume->txn.open || volume->txn.writing) {
		return STATUS_INVALID;
	}
	enum status status = volume_txn_write(volume, &needs_flush);
	return needs_flush ? volume_txn_settle(volume, block_flush(volume->device)) : status;
}
