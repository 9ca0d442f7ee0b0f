// SPDX-License-Identifier: MIT
/* The volume's read path, and what it says about itself. */
#include "block/volume.h"

#include <string.h>

#include "base/log.h"
#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"

void volume_unmount(struct volume *volume)
{
	/* Keys and plaintext both. The arena outlives us, so the compiler cannot drop the memset;
	 * it is some twenty times faster over these megabytes than secure_zero(). */
	memset(volume, 0, volume->arena_bytes);
}

/* ---- Failures ------------------------------------------------------------------------------ */

static void remember(struct volume *volume, enum status status, uint32_t level, uint64_t logical,
		     uint64_t physical)
{
	if (volume->failure.status != STATUS_OK) {
		return;
	}
	volume->failure = (struct volume_failure){
		.status = status,
		.logical = logical,
		.physical = physical,
		.epoch = volume->superblock.epoch,
		.level = level,
	};
	log_write(LOG_WARNING, "volume", "%s at level %u, logical %llu, physical %llu",
		  status_name(status), level, (unsigned long long)logical,
		  (unsigned long long)physical);
}

enum status volume_note(struct volume *volume, enum status status, uint32_t level, uint64_t logical,
			uint64_t physical)
{
	if (status == STATUS_OK) {
		return status;
	}
	remember(volume, status, level, logical, physical);
	/* A failed data block fails that block only; a failed read may work next time. */
	if (status == STATUS_AUTH_META || status == STATUS_TAMPER || status == STATUS_BAD_HOST ||
	    status == STATUS_TIMEOUT) {
		volume->writable = false;
	}
	return status;
}

enum status volume_note_write(struct volume *volume, enum status status, uint64_t physical)
{
	if (status != STATUS_OK) {
		remember(volume, status, VOLUME_LEVEL_LOG, UINT64_MAX, physical);
		volume->writable = false;
	}
	return status;
}

bool volume_is_writable(const struct volume *volume)
{
	return volume->writable;
}

void volume_failure_get(const struct volume *volume, struct volume_failure *failure)
{
	*failure = volume->failure;
}

/* ---- Facts --------------------------------------------------------------------------------- */

void volume_info_get(const struct volume *volume, struct volume_info *info)
{
	uint32_t keyslots = 0;
	for (size_t i = 0; i < VOLUME_KEYSLOTS_MAX; i++) {
		keyslots += volume->keyslots.slots[i].type != 0 ? 1u : 0u;
	}
	uint64_t allocatable = volume_allocatable_count(&volume->geometry);
	*info = (struct volume_info){
		.open = {.format_version = VOLUME_FORMAT_VERSION,
			 .profile = volume->geometry.profile,
			 .size = {volume->geometry.size}},
		.epoch = volume->superblock.epoch,
		.sequence = volume->log.sequence,
		.key_generation = volume->master.generation,
		.keyslots_in_use = keyslots,
		.is_growing = volume->geometry.usable != volume->geometry.size,
		.blocks_used = {allocatable - volume_space_left(volume)},
		.blocks_free = {volume_space_left(volume)},
	};
	volume_freshness_get(volume, &info->freshness);
	memcpy(info->open.uuid, volume->uuid, VOLUME_UUID_BYTES);
}

void volume_counters_get(const struct volume *volume, struct volume_counters *counters)
{
	*counters = volume->counters;
}

struct block_count volume_logical_size(const struct volume *volume)
{
	return (struct block_count){volume->geometry.logical_blocks};
}

struct block_count volume_slice_size(const struct volume *volume)
{
	return (struct block_count){volume->geometry.slice_blocks};
}

struct block_count volume_txn_size_max(const struct volume *volume)
{
	return (struct block_count){volume->geometry.txn_blocks};
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* What a map says about a block; `content` stays NULL if that is not in memory. */
static enum status pending_find(const struct volume_map *map,
				const struct volume_map_entry *pending, const uint8_t **content,
				struct volume_entry *entry)
{
	switch (pending->kind) {
	case VOLUME_MAP_CONTENT: *content = volume_map_content(map, pending); return STATUS_OK;
	case VOLUME_MAP_HOLE: return STATUS_OK;
	case VOLUME_MAP_PLACED:
	case VOLUME_MAP_CARRIED: *entry = pending->entry; return STATUS_OK;
	case VOLUME_MAP_LOST: break;
	}
	return STATUS_AUTH_DATA;
}

enum status volume_find(struct volume *volume, uint32_t logical, bool sees_staged,
			const uint8_t **content, struct volume_entry *entry)
{
	const struct volume_map *maps[] = {&volume->txn.staged, &volume->overlay, &volume->frozen};
	*content = NULL;
	*entry = (struct volume_entry){.physical = 0};
	for (size_t i = sees_staged && volume->txn.open ? 0 : 1; i < ARRAY_COUNT(maps); i++) {
		const struct volume_map_entry *pending = volume_map_find(maps[i], logical);
		if (pending != NULL) {
			return pending_find(maps[i], pending, content, entry);
		}
	}
	return volume_tree_find(volume, logical, entry);
}

enum status volume_read_committed(struct volume *volume, uint32_t logical, uint8_t *out,
				  bool *is_hole)
{
	const uint8_t *content = NULL;
	struct volume_entry entry;
	enum status status = volume_find(volume, logical, false, &content, &entry);
	bool hole = status == STATUS_OK && entry.physical == 0 && content == NULL;
	if (status != STATUS_OK || hole) {
		memset(out, 0, BLOCK_BYTES);
	} else if (content != NULL) {
		memcpy(out, content, BLOCK_BYTES);
	} else {
		status = volume_block_open(volume, VOLUME_LEVEL_DATA, logical, &entry, out);
	}
	if (status == STATUS_OK && is_hole != NULL) {
		*is_hole = hole;
	}
	return status;
}

enum status volume_read(struct volume *volume, struct logical_block block, uint8_t out[BLOCK_BYTES])
{
	if (block.n >= volume->geometry.logical_blocks) {
		memset(out, 0, BLOCK_BYTES);
		return STATUS_INVALID;
	}
	return volume_read_committed(volume, (uint32_t)block.n, out, NULL);
}

/* ---- Reading many -------------------------------------------------------------------------- */

/* Neighbours on the device, to be read at once. */
struct run {
	uint32_t logical; /* Of the first. */
	uint32_t count;
	struct volume_entry entries[VOLUME_BATCH_BLOCKS];
};

/* Into the caller's buffer, and opened there: a copy less. On a failure the caller zeroes it. */
static enum status run_read(struct volume *volume, struct run *run, uint8_t *out)
{
	uint64_t first = run->entries[0].physical;
	if (run->count == 0) {
		return STATUS_OK;
	}
	enum status status = block_read(volume->device, (struct physical_block){first},
					(struct block_count){run->count}, out);
	if (status != STATUS_OK) {
		volume_note(volume, status, VOLUME_LEVEL_DATA, run->logical, first);
	}
	for (uint32_t i = 0; i < run->count && status == STATUS_OK; i++) {
		uint8_t *block = out + (size_t)i * BLOCK_BYTES;
		status = volume_cipher_open(volume, VOLUME_LEVEL_DATA, run->logical + i,
					    &run->entries[i], block, block);
		if (status != STATUS_OK) {
			volume_note(volume, status, VOLUME_LEVEL_DATA, run->logical + i, first + i);
		}
	}
	run->count = 0;
	return status;
}

static bool run_takes(const struct run *run, const struct volume_entry *entry)
{
	return run->count == 0 || (run->count < VOLUME_BATCH_BLOCKS &&
				   entry->physical == run->entries[0].physical + run->count);
}

static enum status read_many(struct volume *volume, uint32_t first, size_t count, bool sees_staged,
			     uint8_t *out)
{
	struct run run = {.count = 0};
	enum status status = STATUS_OK;
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		const uint8_t *content = NULL;
		struct volume_entry entry;
		uint32_t logical = first + (uint32_t)i;
		uint8_t *run_out = out + (i - run.count) * BLOCK_BYTES;
		status = volume_find(volume, logical, sees_staged, &content, &entry);
		const uint8_t *cipher = volume_txn_batch_find(volume, entry.physical);
		bool is_on_device = status == STATUS_OK && entry.physical != 0 && cipher == NULL;
		if (status == STATUS_OK && (!is_on_device || !run_takes(&run, &entry))) {
			status = run_read(volume, &run, run_out);
		}
		if (status == STATUS_OK && is_on_device) {
			run.logical = run.count == 0 ? logical : run.logical;
			run.entries[run.count++] = entry;
		} else if (status == STATUS_OK && content != NULL) {
			memcpy(out + i * BLOCK_BYTES, content, BLOCK_BYTES);
		} else if (status == STATUS_OK && cipher != NULL) {
			status = volume_cipher_open(volume, VOLUME_LEVEL_DATA, logical, &entry,
						    cipher, out + i * BLOCK_BYTES);
		}
	}
	return status == STATUS_OK ? run_read(volume, &run, out + (count - run.count) * BLOCK_BYTES)
				   : status;
}

static enum status read_range(struct volume *volume, struct logical_block first,
			      struct block_count count, bool sees_staged, uint8_t *out)
{
	const uint64_t blocks = volume->geometry.logical_blocks;
	if (count.n > blocks || first.n > blocks - count.n) {
		return STATUS_INVALID;
	}
	size_t bytes = (size_t)count.n * BLOCK_BYTES;
	memset(out, 0, bytes);
	enum status status =
		read_many(volume, (uint32_t)first.n, (size_t)count.n, sees_staged, out);
	if (status != STATUS_OK) {
		memset(out, 0, bytes);
	}
	return status;
}

enum status volume_read_blocks(struct volume *volume, struct logical_block first,
			       struct block_count count, uint8_t *out)
{
	return read_range(volume, first, count, false, out);
}

enum status volume_txn_read_blocks(struct volume *volume, struct logical_block first,
				   struct block_count count, uint8_t *out)
{
	return read_range(volume, first, count, true, out);
}
