// SPDX-License-Identifier: MIT
/* Commits of the state profile: staged blocks are compared with the committed ones, and what
 * differs goes into one record. */
#include <string.h>

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

/* Log what one staged block changes, if anything. */
static enum status staged_encode(struct volume *volume, struct volume_map_entry *staged,
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
	if (staged->kind == VOLUME_MAP_HOLE) {
		if (!was_hole) {
			volume_change_hole_encode(&plan->writer, staged->logical);
			changes = 1;
		}
	} else {
		changes = volume_changes_encode(&plan->writer, staged->logical,
						was_hole ? NULL : base,
						volume_map_content(&volume->txn.staged, staged));
	}
	staged->changed = changes != 0;
	if (!staged->changed) {
		return STATUS_OK;
	}
	plan->change_count += changes;
	plan->blocks++;
	plan->contents += staged->kind == VOLUME_MAP_HOLE ? 0 : 1;
	plan->growth += (was_hole ? 1 : 0) - ((staged->kind == VOLUME_MAP_HOLE) ? 1 : 0);
	return STATUS_OK;
}

static enum status plan_make(struct volume *volume, struct plan *plan)
{
	writer_init(&plan->writer, volume->log.record,
		    (size_t)VOLUME_RECORD_BLOCKS_MAX * BLOCK_BYTES);
	writer_zero(&plan->writer, VOLUME_RECORD_OVERHEAD);
	for (uint32_t i = 0; i < volume->txn.staged.count; i++) {
		enum status status =
			staged_encode(volume, volume_map_at(&volume->txn.staged, i), plan);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return writer_ok(&plan->writer) ? STATUS_OK : STATUS_TOO_LARGE;
}

/* Nodes above the changed blocks: distinct leaves, distinct slices, the root. */
static uint64_t plan_nodes(const struct volume *volume)
{
	const struct volume_map *txn = &volume->txn.staged;
	uint64_t nodes = 1;
	for (uint32_t level = 1; level <= 2; level++) {
		uint32_t shift = level * VOLUME_NODE_SHIFT;
		for (uint32_t i = 0; i < txn->count; i++) {
			bool seen = false;
			for (uint32_t j = 0; j < i && !seen; j++) {
				seen = volume_map_at(txn, j)->logical >> shift ==
				       volume_map_at(txn, i)->logical >> shift;
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
	return need + reserve <= volume_space_left(volume);
}

/* Make sure that ring, overlay and device have room; by a checkpoint if need be. */
static enum status room_make(struct volume *volume, const struct plan *plan)
{
	size_t size_bytes = plan->writer.at;
	uint32_t block_count = (uint32_t)((size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES);
	uint64_t pending = (uint64_t)volume->overlay.count + plan->blocks;
	/* At worst each block is in a leaf and a slice of its own. */
	uint64_t need = volume_checkpoint_need(pending, 2 * pending + 1);
	if (volume_log_has_room(volume, block_count) && pending <= volume->pool.room &&
	    has_space(volume, need, plan)) {
		return STATUS_OK;
	}
	volume->counters.checkpoint_stalls++;
	enum status status = volume_checkpoint_run(volume, false);
	if (status != STATUS_OK) {
		return status;
	}
	need = volume_checkpoint_need(plan->contents, plan_nodes(volume));
	return has_space(volume, need, plan) ? STATUS_OK : STATUS_NO_SPACE;
}

enum status volume_state_txn_write(struct volume *volume)
{
	struct plan plan = {.change_count = 0};
	enum status status = plan_make(volume, &plan);
	if (status != STATUS_OK || plan.change_count == 0) {
		return status;
	}
	status = room_make(volume, &plan);
	if (status == STATUS_OK) {
		status = volume_session_renew(volume);
	}
	if (status == STATUS_OK) {
		status = volume_log_append(volume, plan.writer.at, plan.change_count, 0, true);
	}
	return status;
}

void volume_state_txn_apply(struct volume *volume)
{
	for (uint32_t i = 0; i < volume->txn.staged.count; i++) {
		const struct volume_map_entry *staged = volume_map_at(&volume->txn.staged, i);
		if (!staged->changed) {
			continue;
		}
		struct volume_map *overlay = &volume->overlay;
		struct volume_map_entry *entry =
			volume_map_take(overlay, staged->logical); /* room_make saw to it. */
		(void)volume_map_become(overlay, entry, staged->kind);
		if (staged->kind == VOLUME_MAP_HOLE) {
			continue;
		}
		memcpy(volume_map_content(overlay, entry),
		       volume_map_content(&volume->txn.staged, staged), BLOCK_BYTES);
	}
}
