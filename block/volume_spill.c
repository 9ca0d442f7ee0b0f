// SPDX-License-Identifier: MIT
/* Transactions of the block profile.
 *
 * Up to 32 KiB go into the record: one write, one flush. What is larger goes to fresh blocks at
 * once, in runs of up to 128 KiB, and the records only say where. Data and records are flushed
 * together; recovery's tail rule (volume_chain.c) undoes a record whose data did not arrive.
 *
 * All room is made before the first block is written (volume_room.c). A checkpoint may run while a
 * transaction is open, but none begins: its superblock's head is never inside a transaction. */
#include <string.h>

#include "base/bytes.h"
#include "base/reader.h"
#include "block/volume_internal.h"
#include "block/volume_tree_internal.h"

enum status volume_block_txn_begin(struct volume *volume)
{
	struct volume_txn *txn = &volume->txn;
	enum status status = volume_room_make(volume);
	if (status == STATUS_OK) {
		txn->cursor = volume->bitmaps.cursor;
		txn->build_taken = volume->bitmaps.build_taken;
		txn->spilled = 0;
		txn->batch.count = 0;
	}
	return status;
}

/* Nothing refers to what was written, so the next transaction may take the same blocks. */
void volume_block_txn_abort(struct volume *volume)
{
	const struct volume_txn *txn = &volume->txn;
	volume_allocate_undo(volume, txn->cursor, txn->build_taken, txn->spilled);
}

/* ---- Space --------------------------------------------------------------------------------- */

static enum status is_hole_now(struct volume *volume, uint32_t logical, bool *is_hole)
{
	const struct volume_map_entry *pending = volume_pending_find(volume, logical);
	struct volume_entry entry;
	if (pending != NULL) {
		*is_hole = pending->kind == VOLUME_MAP_HOLE;
		return STATUS_OK;
	}
	enum status status = volume_tree_find(volume, logical, &entry);
	*is_hole = status == STATUS_OK && entry.physical == 0;
	return status;
}

/* May a block be written? A nearly full volume still overwrites, but does not grow. */
static enum status space_check(struct volume *volume, uint32_t logical)
{
	bool grows = false;
	if (volume_room_has_space(volume, 1, VOLUME_RESERVE_BLOCKS)) {
		return STATUS_OK;
	}
	enum status status = is_hole_now(volume, logical, &grows);
	if (status == STATUS_OK && (grows || !volume_room_has_space(volume, 1, 0))) {
		status = STATUS_NO_SPACE;
	}
	return status;
}

/* ---- Data ---------------------------------------------------------------------------------- */

/* Where ciphertext goes: neighbours on the device, and in the batch. */
struct place {
	uint64_t physical;
	uint32_t count;
	uint8_t *room;
};

/* To where this transaction has put a block already, if that is still in memory, or to fresh places
 * for it and those behind it: `most` at most. */
static enum status place_take(struct volume *volume, uint32_t logical,
			      const struct volume_map_entry *staged, uint32_t most,
			      struct place *place)
{
	enum status status = STATUS_OK;
	if (staged != NULL && staged->kind == VOLUME_MAP_PLACED) {
		uint8_t *room = volume_txn_batch_find(volume, staged->entry.physical);
		if (room != NULL) {
			*place = (struct place){staged->entry.physical, 1, room};
			return STATUS_OK;
		}
	}
	if (!volume_room_has_space(volume, most, VOLUME_RESERVE_BLOCKS)) {
		most = 1;
		status = space_check(volume, logical);
	}
	if (status == STATUS_OK) {
		status = volume_allocate(volume, most, &place->physical, &place->count);
	}
	if (status == STATUS_OK) {
		volume->txn.spilled += place->count;
		status = volume_txn_batch_next(volume, place->physical, place->count, &place->room);
	}
	return status;
}

static void entry_place(struct volume_map *map, struct volume_map_entry *staged,
			const struct volume_entry *entry)
{
	if (staged->kind == VOLUME_MAP_CONTENT) {
		memset(volume_map_content(map, staged), 0, BLOCK_BYTES);
	}
	(void)volume_map_become(map, staged, VOLUME_MAP_PLACED);
	staged->entry = *entry;
}

static enum status content_seal(struct volume *volume, struct volume_map_entry *staged)
{
	struct volume_map *map = &volume->txn.staged;
	struct volume_entry entry;
	struct place place;
	enum status status = place_take(volume, staged->logical, staged, 1, &place);
	if (status == STATUS_OK) {
		status = volume_block_seal(volume, VOLUME_LEVEL_DATA, staged->logical,
					   place.physical, volume_map_content(map, staged),
					   place.room, &entry);
	}
	if (status == STATUS_OK) {
		entry_place(map, staged, &entry);
	}
	return status;
}

enum status volume_block_txn_seal(struct volume *volume)
{
	const struct volume_map *map = &volume->txn.staged;
	enum status status = STATUS_OK;
	/* Ends with the last content: of what is placed there may be much more. */
	for (uint32_t i = 0;
	     volume_pool_contents(map->pool) != 0 && i < map->count && status == STATUS_OK; i++) {
		struct volume_map_entry *staged = volume_map_at(map, i);
		if (staged->kind == VOLUME_MAP_CONTENT) {
			status = content_seal(volume, staged);
		}
	}
	return status;
}

enum status volume_block_txn_spill(struct volume *volume)
{
	enum status status = volume_block_txn_seal(volume);
	return status == STATUS_OK ? volume_txn_batch_write(volume) : status;
}

/* Blocks from `logical` on that can be placed in one go: the transaction has not changed them yet,
 * and it and its batch have room for them. The first one is not looked at. */
static uint32_t run_length(const struct volume *volume, uint32_t logical, uint32_t most)
{
	const struct volume_map *map = &volume->txn.staged;
	most = smaller(most, volume_txn_batch_room(volume));
	most = smaller(most, map->pool->room - map->count);
	most = smaller(most, volume->geometry.txn_blocks - volume->txn.spilled);
	return most <= 1 ? 1 : 1 + volume_map_gap(map, logical + 1, most - 1);
}

enum status volume_block_txn_place(struct volume *volume, uint32_t logical, const uint8_t *content,
				   uint32_t most, uint32_t *count)
{
	struct volume_map *map = &volume->txn.staged;
	enum status status = volume_room_pace(volume);
	if (status != STATUS_OK) {
		return status;
	}
	struct volume_map_entry *staged = volume_map_find(map, logical);
	struct volume_entry entries[VOLUME_BATCH_BLOCKS];
	struct place place;
	if (volume_txn_is_full(volume) && staged == NULL) {
		return STATUS_TOO_LARGE;
	}
	most = staged == NULL ? run_length(volume, logical, most) : 1;
	status = place_take(volume, logical, staged, most, &place);
	for (uint32_t i = 0; status == STATUS_OK && i < place.count; i++) {
		status = volume_block_seal(volume, VOLUME_LEVEL_DATA, logical + i,
					   place.physical + i, content + (size_t)i * BLOCK_BYTES,
					   place.room + (size_t)i * BLOCK_BYTES, &entries[i]);
	}
	if (status != STATUS_OK) {
		return status;
	}
	/* Only now: an entry that a failure left behind would be a hole. */
	if (staged != NULL) {
		entry_place(map, staged, &entries[0]);
	} else {
		volume_map_place(map, logical, entries, place.count);
	}
	*count = place.count;
	return STATUS_OK;
}

enum status volume_block_txn_space(struct volume *volume, uint32_t logical)
{
	return space_check(volume, logical);
}

/* ---- Records ------------------------------------------------------------------------------- */

/* The longest that may be sealed to less than a block's end. */
#define RECORD_BYTES_INLINE ((size_t)VOLUME_RECORD_GRAINS_MAX * VOLUME_RECORD_GRAIN_BYTES)
STATIC_ASSERT(RECORD_BYTES_INLINE <= VOLUME_RECORD_BLOCKS_INLINE * BLOCK_BYTES &&
		      VOLUME_RECORD_BLOCKS_INLINE + VOLUME_INLINE_BLOCKS <=
			      VOLUME_RECORD_BLOCKS_MAX,
	      "what a record says and carries fits its buffer");

/* The record that is being filled. */
struct filling {
	struct writer writer;
	uint32_t change_count;
	uint32_t appended;      /* Records before this one. */
	size_t limit;           /* Its length, without what it carries. */
	uint32_t carried_block; /* Of the record, where the first that it carries is sealed. */
	uint32_t carried;
	struct volume_map_entry *carries[VOLUME_INLINE_BLOCKS];
};

static void filling_begin(struct volume *volume, struct filling *filling)
{
	filling->limit = volume->txn.spilled != 0 ? VOLUME_RECORD_BLOCKS_CUT * BLOCK_BYTES
						  : RECORD_BYTES_INLINE;
	writer_init(&filling->writer, volume->log.record, filling->limit);
	writer_zero(&filling->writer, VOLUME_RECORD_OVERHEAD);
	/* Behind anything that a record with some has to say; they move up once its length is
	 * known. A block alone, as most commits have, is said in one, and carried right behind
	 * that. */
	filling->carried_block = volume->txn.staged.count == 1 ? 1 : VOLUME_RECORD_BLOCKS_INLINE;
	filling->change_count = 0;
	filling->carried = 0;
}

static uint8_t *carried_at(const struct volume *volume, const struct filling *filling, uint32_t i)
{
	return volume->log.record + (size_t)(filling->carried_block + i) * BLOCK_BYTES;
}

static size_t filling_left(const struct filling *filling)
{
	return filling->limit - filling->writer.at;
}

static enum status filling_append(struct volume *volume, struct filling *filling, bool commits)
{
	const uint32_t sealed_blocks = volume_record_sealed_blocks((uint32_t)filling->writer.at);
	if (sealed_blocks != filling->carried_block) {
		memmove(volume->log.record + (size_t)sealed_blocks * BLOCK_BYTES,
			carried_at(volume, filling, 0), (size_t)filling->carried * BLOCK_BYTES);
	}
	enum status status = volume_log_append(volume, filling->writer.at, filling->change_count,
					       filling->carried, commits);
	if (status == STATUS_OK) {
		const uint64_t place = volume_log_carried_place(volume, filling->carried);
		for (uint32_t i = 0; i < filling->carried; i++) {
			filling->carries[i]->entry.physical = place + i;
		}
		filling->appended++;
		filling_begin(volume, filling);
	}
	return status;
}

/* How many entries from `first` on one extent can say. */
static uint32_t extent_count(const struct volume_map *map, uint32_t first, size_t room)
{
	const struct volume_map_entry *start = volume_map_at(map, first);
	uint32_t count = 1;
	uint32_t most = VOLUME_EXTENT_BLOCKS_MAX;
	while (first + count < map->count && count < most &&
	       VOLUME_EXTENT_BYTES(count + 1) <= room) {
		const struct volume_map_entry *next = volume_map_at(map, first + count);
		if (next->kind != VOLUME_MAP_PLACED || next->logical != start->logical + count ||
		    next->entry.physical != start->entry.physical + count ||
		    next->entry.counter != start->entry.counter + count) {
			break;
		}
		count++;
	}
	return count;
}

/* What follows an extent's change: room for all of it is asked for at once. */
static void extent_tags(struct writer *writer, const struct volume_map *map, uint32_t first,
			uint32_t count)
{
	uint8_t *tags = writer->data + writer->at;
	writer_zero(writer, (size_t)count * AEAD_TAG_BYTES);
	if (!writer_ok(writer)) {
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		memcpy(tags + (size_t)i * AEAD_TAG_BYTES, volume_map_at(map, first + i)->entry.tag,
		       AEAD_TAG_BYTES);
	}
}

/* Content that takes fewer bytes than this goes into the record as it is; more is sealed for good,
 * and carried. */
#define CARRIED_FROM_BYTES (BLOCK_BYTES / 2)

/* Seal the block as it will be in its home, and say so. */
static enum status content_carry(struct volume *volume, struct filling *filling,
				 struct volume_map_entry *staged)
{
	enum status status =
		volume_block_seal(volume, VOLUME_LEVEL_DATA, staged->logical, 0,
				  volume_map_content(&volume->txn.staged, staged),
				  carried_at(volume, filling, filling->carried), &staged->entry);
	if (status == STATUS_OK) {
		volume_change_carried_encode(&filling->writer, staged->logical,
					     staged->entry.counter, staged->entry.tag);
		staged->is_carried = true;
		filling->carries[filling->carried++] = staged;
		filling->change_count++;
	}
	return status;
}

/* What a block's content changes. Bytes, where that is short: a patch needs its base, which only
 * the log itself is sure to have, behind the head of the epoch to come if a checkpoint runs;
 * without one bytes that are not zero count. */
static enum status content_encode(struct volume *volume, struct filling *filling,
				  struct volume_map_entry *staged)
{
	const uint8_t *content = volume_map_content(&volume->txn.staged, staged);
	const struct volume_map_entry *pending = volume_map_find(&volume->overlay, staged->logical);
	const bool has_base = pending != NULL && pending->kind == VOLUME_MAP_CONTENT;
	const uint8_t *base = has_base ? volume_map_content(&volume->overlay, pending) : NULL;
	const struct writer before = filling->writer;
	const bool may_carry = volume_log_carries(volume);
	/* Mostly it is not short, which one look at a half tells. */
	if (may_carry && !has_base &&
	    !bytes_are_zero(content + BLOCK_BYTES - CARRIED_FROM_BYTES, CARRIED_FROM_BYTES)) {
		return content_carry(volume, filling, staged);
	}
	uint32_t changes = volume_changes_encode(&filling->writer, staged->logical, base, content);
	if (may_carry && filling->writer.at - before.at >= CARRIED_FROM_BYTES) {
		filling->writer = before;
		return content_carry(volume, filling, staged);
	}
	filling->change_count += changes;
	return STATUS_OK;
}

/* Write down what entry `at` changes, and those behind it that go into the same extent. */
static enum status entry_encode(struct volume *volume, struct filling *filling, uint32_t *at)
{
	struct volume_map *map = &volume->txn.staged;
	struct volume_map_entry *staged = volume_map_at(map, *at);
	bool is_hole = false;
	uint32_t count = 1;
	enum status status = STATUS_OK;
	if (staged->kind == VOLUME_MAP_PLACED) {
		count = extent_count(map, *at, filling_left(filling));
		volume_change_extent_encode(&filling->writer, staged->logical,
					    staged->entry.physical, staged->entry.counter, count);
		extent_tags(&filling->writer, map, *at, count);
		filling->change_count++;
	} else if (staged->kind == VOLUME_MAP_CONTENT) {
		status = space_check(volume, staged->logical);
		if (status == STATUS_OK) {
			status = content_encode(volume, filling, staged);
		}
	} else {
		status = is_hole_now(volume, staged->logical, &is_hole);
		if (status == STATUS_OK && !is_hole) {
			volume_change_hole_encode(&filling->writer, staged->logical);
			filling->change_count++;
		}
	}
	*at += count;
	return status;
}

static enum status records_append(struct volume *volume)
{
	const struct volume_map *map = &volume->txn.staged;
	struct filling filling = {.appended = 0};
	enum status status = STATUS_OK;
	filling_begin(volume, &filling);
	for (uint32_t at = 0; at < map->count && status == STATUS_OK;) {
		size_t need = volume_map_at(map, at)->kind == VOLUME_MAP_CONTENT
				      ? VOLUME_CHANGE_BYTES_MAX
				      : VOLUME_EXTENT_BYTES(1);
		if (filling_left(&filling) < need) {
			status = filling_append(volume, &filling, false);
		}
		if (status == STATUS_OK) {
			status = entry_encode(volume, &filling, &at);
		}
	}
	if (status == STATUS_OK && filling.change_count != 0) {
		status = filling_append(volume, &filling, true);
	}
	if (filling.appended == 0) {
		return status;
	}
	/* Records without an end would be continued by the next transaction's. */
	return volume_note_write(volume, status, UINT64_MAX);
}

void volume_block_txn_apply(struct volume *volume)
{
	volume_map_merge(&volume->overlay, &volume->txn.staged); /* begin saw to the room. */
}

enum status volume_block_txn_write(struct volume *volume)
{
	const struct volume_map *map = &volume->txn.staged;
	uint32_t contents = volume_pool_contents(map->pool);
	enum status status = STATUS_OK;
	if (volume->txn.spilled != 0 || contents > VOLUME_INLINE_BLOCKS) {
		status = volume_block_txn_spill(volume);
	}
	return status == STATUS_OK ? records_append(volume) : status;
}
