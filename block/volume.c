// SPDX-License-Identifier: MIT
/* The volume's memory, its read path, and what it says about itself. */
#include "block/volume.h"

#include <string.h>

#include "base/log.h"
#include "block/volume_internal.h"

#define ARENA_ALIGNMENT 64u

STATIC_ASSERT(sizeof(struct volume) % ARENA_ALIGNMENT == 0,
	      "the struct's alignment is the arena's: its keys ask for that");

/* ---- Arena --------------------------------------------------------------------------------- */

/* Blocks of buffers besides the bitmaps. */
#define BUFFER_BLOCKS                                                               \
	(VOLUME_OVERLAY_BLOCKS + VOLUME_TXN_BLOCKS_MAX + VOLUME_RECORD_BLOCKS_MAX + \
	 VOLUME_BATCH_BLOCKS + VOLUME_NODE_CACHE + VOLUME_TREE_LEVELS + 2u)

/* Groups on a device of this size, or fewer; a volume may be smaller than its device. */
static uint64_t groups_at_most(uint64_t blocks)
{
	uint64_t largest = blocks < VOLUME_STATE_BLOCKS_MAX ? blocks : VOLUME_STATE_BLOCKS_MAX;
	return largest / VOLUME_GROUP_BLOCKS + 1;
}

size_t volume_arena_bytes(struct block_count device_size)
{
	/* Two states of each bitmap. */
	uint64_t blocks = BUFFER_BLOCKS + 2 * groups_at_most(device_size.n);
	return sizeof(struct volume) + (size_t)blocks * BLOCK_BYTES;
}

static uint8_t *carve(uint8_t **at, size_t blocks)
{
	uint8_t *start = *at;
	*at += blocks * BLOCK_BYTES;
	return start;
}

enum status volume_arena_lay_out(const struct volume_environment *environment,
				 struct volume **volume)
{
	uint64_t capacity = environment->device->capacity.n;
	if (environment->arena == NULL || (uintptr_t)environment->arena % ARENA_ALIGNMENT != 0) {
		return STATUS_INVALID;
	}
	if (environment->arena_size_bytes < volume_arena_bytes((struct block_count){capacity})) {
		return STATUS_NO_MEMORY;
	}
	struct volume *made = (struct volume *)(void *)environment->arena;
	memset(made, 0, sizeof(*made));
	made->device = environment->device;
	made->aead = environment->aead;
	made->random = environment->random;
	made->failure = (struct volume_failure){
		.status = STATUS_OK, .logical = UINT64_MAX, .physical = UINT64_MAX};
	uint8_t *at = environment->arena + sizeof(*made);
	size_t bitmap_blocks = (size_t)groups_at_most(capacity);
	made->overlay.content = carve(&at, VOLUME_OVERLAY_BLOCKS);
	made->txn.content = carve(&at, VOLUME_TXN_BLOCKS_MAX);
	made->log.record = carve(&at, VOLUME_RECORD_BLOCKS_MAX);
	made->build.batch.blocks = carve(&at, VOLUME_BATCH_BLOCKS);
	made->build.cursor.nodes = carve(&at, VOLUME_TREE_LEVELS);
	made->node_cache_blocks = carve(&at, VOLUME_NODE_CACHE);
	made->scratch = carve(&at, 1);
	made->base = carve(&at, 1);
	made->bitmaps.now = carve(&at, bitmap_blocks);
	made->bitmaps.next = carve(&at, bitmap_blocks);
	*volume = made;
	return STATUS_OK;
}

void volume_unmount(struct volume *volume)
{
	/* Keys and plaintext both. The arena outlives us, so the compiler cannot drop the memset;
	 * it is some twenty times faster over these megabytes than secure_zero(). */
	size_t bytes = volume_arena_bytes(volume->device->capacity);
	memset(volume, 0, bytes);
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
	uint64_t allocatable = volume->geometry.group_end - volume->geometry.group_first -
			       (uint64_t)volume->geometry.group_count * VOLUME_GROUP_RESERVED;
	*info = (struct volume_info){
		.open = {.format_version = VOLUME_FORMAT_VERSION, .size = {volume->geometry.size}},
		.epoch = volume->superblock.epoch,
		.sequence = volume->log.sequence,
		.key_generation = volume->generation,
		.keyslots_in_use = keyslots,
		.blocks_used = {allocatable - volume->bitmaps.free_count},
		.blocks_free = {volume->bitmaps.free_count},
	};
	memcpy(info->open.uuid, volume->uuid, VOLUME_UUID_BYTES);
}

void volume_counters_get(const struct volume *volume, struct volume_counters *counters)
{
	*counters = volume->counters;
}

struct block_count volume_logical_size(const struct volume *volume)
{
	(void)volume; /* The same for every volume of this profile. */
	return (struct block_count){VOLUME_LOGICAL_BLOCKS};
}

struct block_count volume_slice_size(const struct volume *volume)
{
	(void)volume;
	return (struct block_count){VOLUME_SLICE_BLOCKS};
}

/* ---- Reading ------------------------------------------------------------------------------- */

static enum status read_overlay(struct volume *volume, const struct volume_overlay_entry *entry,
				uint8_t *out, bool *is_hole)
{
	*is_hole = false;
	switch (entry->kind) {
	case VOLUME_OVERLAY_CONTENT:
		memcpy(out, volume_overlay_content(volume, entry), BLOCK_BYTES);
		return STATUS_OK;
	case VOLUME_OVERLAY_HOLE:
		*is_hole = true;
		memset(out, 0, BLOCK_BYTES);
		return STATUS_OK;
	case VOLUME_OVERLAY_LOST: break;
	}
	memset(out, 0, BLOCK_BYTES);
	return STATUS_AUTH_DATA;
}

enum status volume_read_committed(struct volume *volume, uint32_t logical, uint8_t *out,
				  bool *is_hole)
{
	bool hole = false;
	const struct volume_overlay_entry *pending = volume_overlay_find(volume, logical);
	enum status status = STATUS_OK;
	if (pending != NULL) {
		status = read_overlay(volume, pending, out, &hole);
	} else {
		struct volume_entry entry;
		status = volume_tree_find(volume, logical, &entry);
		hole = status == STATUS_OK && entry.physical == 0;
		if (status != STATUS_OK || hole) {
			memset(out, 0, BLOCK_BYTES);
		} else {
			status = volume_block_open(volume, VOLUME_LEVEL_DATA, logical, &entry, out);
		}
	}
	if (status == STATUS_OK && is_hole != NULL) {
		*is_hole = hole;
	}
	return status;
}

enum status volume_read(struct volume *volume, struct logical_block block, uint8_t out[BLOCK_BYTES])
{
	if (block.n >= VOLUME_LOGICAL_BLOCKS) {
		memset(out, 0, BLOCK_BYTES);
		return STATUS_INVALID;
	}
	return volume_read_committed(volume, (uint32_t)block.n, out, NULL);
}
