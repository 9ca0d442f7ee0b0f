// SPDX-License-Identifier: MIT
/* Bitmaps. `now` is what the durable state uses, `next` what the state being built will use. A
 * block is taken only if it is clear in both, and freed only in `next`: what the durable state
 * needs is never overwritten before its successor is durable. */
#include <string.h>

#include "block/volume_internal.h"

static size_t bit_index(const struct volume *volume, uint64_t block)
{
	return (size_t)(block - volume->geometry.group_first);
}

static size_t bitmap_bytes(const struct volume *volume)
{
	return (size_t)volume->geometry.group_count * BLOCK_BYTES;
}

bool volume_bitmap_test(const struct volume *volume, const uint8_t *bitmap, uint64_t block)
{
	size_t bit = bit_index(volume, block);
	return (bitmap[bit / 8] >> (bit % 8) & 1) != 0;
}

void volume_bitmap_set(const struct volume *volume, uint8_t *bitmap, uint64_t block)
{
	size_t bit = bit_index(volume, block);
	bitmap[bit / 8] = (uint8_t)(bitmap[bit / 8] | 1u << (bit % 8));
}

static void bitmap_clear(const struct volume *volume, uint8_t *bitmap, uint64_t block)
{
	size_t bit = bit_index(volume, block);
	bitmap[bit / 8] = (uint8_t)(bitmap[bit / 8] & ~(1u << (bit % 8)));
}

static uint64_t free_count(const struct volume *volume, const uint8_t *bitmap)
{
	uint64_t free = 0;
	for (uint64_t block = volume->geometry.group_first; block < volume->geometry.group_end;
	     block++) {
		free += volume_bitmap_test(volume, bitmap, block) ? 0u : 1u;
	}
	return free;
}

/* The bits of bitmap blocks and of what lies behind the last group are set. */
void volume_bitmaps_reset(struct volume *volume)
{
	const struct volume_geometry *geometry = &volume->geometry;
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	uint64_t end =
		geometry->group_first + (uint64_t)geometry->group_count * VOLUME_GROUP_BLOCKS;
	memset(bitmaps->now, 0, bitmap_bytes(volume));
	for (uint64_t block = geometry->group_first; block < end; block++) {
		if (!volume_is_allocatable(geometry, block)) {
			volume_bitmap_set(volume, bitmaps->now, block);
		}
	}
	bitmaps->cursor = geometry->group_first;
	bitmaps->free_count = free_count(volume, bitmaps->now);
}

static bool reserved_bits_are_set(const struct volume *volume)
{
	const struct volume_geometry *geometry = &volume->geometry;
	uint64_t end =
		geometry->group_first + (uint64_t)geometry->group_count * VOLUME_GROUP_BLOCKS;
	for (uint64_t block = geometry->group_first; block < end; block++) {
		if (!volume_is_allocatable(geometry, block) &&
		    !volume_bitmap_test(volume, volume->bitmaps.now, block)) {
			return false;
		}
	}
	return true;
}

enum status volume_bitmaps_load(struct volume *volume)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	for (uint32_t i = 0; i < volume->geometry.group_count; i++) {
		const struct volume_entry *entry = &volume->superblock.groups[i];
		enum status status = volume_block_open(volume, VOLUME_LEVEL_BITMAP, i, entry,
						       bitmaps->now + (size_t)i * BLOCK_BYTES);
		if (status != STATUS_OK) {
			return status;
		}
	}
	if (!reserved_bits_are_set(volume)) {
		return volume_note(volume, STATUS_AUTH_META, VOLUME_LEVEL_BITMAP, UINT64_MAX,
				   UINT64_MAX);
	}
	bitmaps->cursor = volume->geometry.group_first;
	bitmaps->free_count = free_count(volume, bitmaps->now);
	return STATUS_OK;
}

/* ---- While a checkpoint builds the next state ------------------------------------------------ */

enum status volume_build_allocate(struct volume *volume, uint64_t *block)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	const struct volume_geometry *geometry = &volume->geometry;
	uint64_t span = geometry->group_end - geometry->group_first;
	for (uint64_t i = 0; i < span; i++) {
		uint64_t at = bitmaps->cursor + i;
		if (at >= geometry->group_end) {
			at -= span;
		}
		if (!volume_bitmap_test(volume, bitmaps->now, at) &&
		    !volume_bitmap_test(volume, bitmaps->next, at)) {
			volume_bitmap_set(volume, bitmaps->next, at);
			bitmaps->cursor =
				at + 1 < geometry->group_end ? at + 1 : geometry->group_first;
			*block = at;
			return STATUS_OK;
		}
	}
	return STATUS_NO_SPACE;
}

void volume_build_free(struct volume *volume, uint64_t block)
{
	bitmap_clear(volume, volume->bitmaps.next, block);
}

static struct volume_session_row *row_for(struct volume *volume, uint32_t session)
{
	struct volume_session_table *table = &volume->build.table;
	struct volume_session_row *row = volume_table_find(table, session);
	if (row != NULL || session != volume->session.id || table->count == VOLUME_SESSIONS_MAX) {
		return row;
	}
	row = &table->rows[table->count++]; /* Ids only grow, so the table stays in order. */
	*row = (struct volume_session_row){
		.id = session,
		.generation = volume->session.generation,
	};
	memcpy(row->salt, volume->session.salt, VOLUME_SALT_BYTES);
	return row;
}

enum status volume_build_count(struct volume *volume, uint32_t session, int32_t change)
{
	struct volume_session_row *row = row_for(volume, session);
	if (row == NULL) {
		/* Our own session without room is a limit; an unknown one is damage. */
		return session == volume->session.id ? STATUS_NO_SPACE : STATUS_AUTH_META;
	}
	int64_t live = (int64_t)row->live_blocks + change;
	if (live < 0 || live > UINT32_MAX) {
		return STATUS_AUTH_META;
	}
	row->live_blocks = (uint32_t)live;
	return STATUS_OK;
}

/* A bitmap moves if its bits changed or if the session that sealed it is to go. */
static bool bitmap_moves(const struct volume *volume, uint32_t group)
{
	const size_t at = (size_t)group * BLOCK_BYTES;
	const struct volume_entry *entry = &volume->superblock.groups[group];
	return entry->physical == 0 || entry->session == volume->build.victim ||
	       memcmp(volume->bitmaps.now + at, volume->bitmaps.next + at, BLOCK_BYTES) != 0;
}

static enum status bitmap_write(struct volume *volume, uint32_t group)
{
	struct volume_entry *entry = &volume->build.superblock.groups[group];
	uint64_t first = volume_bitmap_place(&volume->geometry, group, 0);
	uint64_t other =
		entry->physical == first ? volume_bitmap_place(&volume->geometry, group, 1) : first;
	uint8_t *room = NULL;
	enum status status = STATUS_OK;
	if (entry->physical != 0) {
		status = volume_build_count(volume, entry->session, -1);
	}
	if (status == STATUS_OK) {
		status = volume_build_count(volume, volume->session.id, 1);
	}
	if (status == STATUS_OK) {
		status = volume_batch_next(volume, other, &room);
	}
	if (status == STATUS_OK) {
		status = volume_block_seal(volume, VOLUME_LEVEL_BITMAP, group, other,
					   volume->bitmaps.next + (size_t)group * BLOCK_BYTES, room,
					   entry);
	}
	return status;
}

enum status volume_build_bitmaps(struct volume *volume)
{
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < volume->geometry.group_count && status == STATUS_OK; i++) {
		if (bitmap_moves(volume, i)) {
			status = bitmap_write(volume, i);
		}
	}
	return status;
}

void volume_bitmaps_accept(struct volume *volume)
{
	memcpy(volume->bitmaps.now, volume->bitmaps.next, bitmap_bytes(volume));
	volume->bitmaps.free_count = free_count(volume, volume->bitmaps.now);
}
