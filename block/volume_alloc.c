// SPDX-License-Identifier: MIT
/* Free blocks. The durable bitmaps say what the durable state uses; nothing of that is overwritten
 * before its successor is durable. Allocation goes round the device at most once between two
 * checkpoints (struct volume_bitmaps says why), so those bitmaps and one position are enough. What
 * a checkpoint takes and frees is listed, and volume_groups.c works the list off. */
#include <string.h>

#include "block/volume_internal.h"

/* ---- One bitmap ---------------------------------------------------------------------------- */

static void bit_set(uint8_t *bitmap, uint64_t bit)
{
	bitmap[bit / 8] = (uint8_t)(bitmap[bit / 8] | 1u << (bit % 8));
}

static bool bit_get(const uint8_t *bitmap, uint64_t bit)
{
	return (bitmap[bit / 8] >> (bit % 8) & 1) != 0;
}

/* Blocks of a group that are on the device and behind the last group. */
static uint64_t group_blocks(const struct volume_geometry *geometry, uint32_t group)
{
	uint64_t first = volume_bitmap_place(geometry, group, 0);
	uint64_t left = geometry->group_end - first;
	return left < VOLUME_GROUP_BLOCKS ? left : VOLUME_GROUP_BLOCKS;
}

/* The bits of reserved blocks and of what lies behind the last group are set. */
void volume_bitmap_blank(const struct volume_geometry *geometry, uint32_t group, uint8_t *bitmap)
{
	memset(bitmap, 0, BLOCK_BYTES);
	for (uint64_t bit = 0; bit < geometry->group_reserved; bit++) {
		bit_set(bitmap, bit);
	}
	/* Whole bytes at once: this is run for every bitmap that is read. */
	uint64_t end = group_blocks(geometry, group);
	for (; end < VOLUME_GROUP_BLOCKS && end % 8 != 0; end++) {
		bit_set(bitmap, end);
	}
	memset(bitmap + end / 8, 0xff, BLOCK_BYTES - end / 8);
}

uint64_t volume_bitmap_free_count(const uint8_t *bitmap)
{
	uint64_t free = 0;
	for (uint64_t at = 0; at < BLOCK_BYTES; at += sizeof(uint64_t)) {
		uint64_t taken;
		memcpy(&taken, bitmap + at, sizeof(taken));
		if (taken == 0) { /* Most are; and no machine instruction may be presumed. */
			free += 64;
			continue;
		}
		for (uint64_t bits = ~taken; bits != 0; bits &= bits - 1) {
			free++;
		}
	}
	return free;
}

enum status volume_bitmap_check(struct volume *volume, uint32_t group, const uint8_t *bitmap)
{
	uint8_t *blank = volume->build.bitmap;
	volume_bitmap_blank(&volume->geometry, group, blank);
	for (size_t i = 0; i < BLOCK_BYTES; i++) {
		if ((blank[i] & ~bitmap[i]) != 0) {
			return volume_note(volume, STATUS_AUTH_META, VOLUME_LEVEL_BITMAP, group,
					   UINT64_MAX);
		}
	}
	return STATUS_OK;
}

/* ---- The durable bitmaps ------------------------------------------------------------------- */

static enum status bitmap_load(struct volume *volume, uint32_t group, uint8_t *bitmap)
{
	struct volume_entry entry;
	enum status status = volume_group_entry(volume, 0, group, &entry);
	if (status != STATUS_OK) {
		return status;
	}
	if (entry.physical == 0) {
		volume_bitmap_blank(&volume->geometry, group, bitmap);
		return STATUS_OK;
	}
	status = volume_block_open(volume, VOLUME_LEVEL_BITMAP, group, &entry, bitmap);
	return status == STATUS_OK ? volume_bitmap_check(volume, group, bitmap) : status;
}

enum status volume_bitmap_get(struct volume *volume, uint32_t group, uint8_t **bitmap)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	uint32_t room = 0;
	for (uint32_t i = 0; i < bitmaps->cache_size; i++) {
		struct volume_cached_bitmap *cached = &bitmaps->cache[i];
		if (cached->loaded && cached->group == group) {
			cached->used_at = ++volume->clock;
			*bitmap = bitmaps->blocks + (size_t)i * BLOCK_BYTES;
			return STATUS_OK;
		}
		if (bitmaps->cache[room].loaded &&
		    (!cached->loaded || cached->used_at < bitmaps->cache[room].used_at)) {
			room = i;
		}
	}
	struct volume_cached_bitmap *cached = &bitmaps->cache[room];
	uint8_t *block = bitmaps->blocks + (size_t)room * BLOCK_BYTES;
	cached->loaded = false;
	enum status status = bitmap_load(volume, group, block);
	if (status == STATUS_OK) {
		*cached = (struct volume_cached_bitmap){
			.loaded = true, .group = group, .used_at = ++volume->clock};
		*bitmap = block;
	}
	return status;
}

static void round_begin(struct volume *volume, uint64_t cursor)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	bitmaps->cursor = cursor;
	bitmaps->left = volume->geometry.group_end - volume->geometry.group_first;
	bitmaps->held = 0;
}

void volume_bitmaps_reset(struct volume *volume)
{
	memset(volume->bitmaps.cache, 0, sizeof(volume->bitmaps.cache));
	round_begin(volume, volume->geometry.group_first);
	volume->bitmaps.free_count = volume_allocatable_count(&volume->geometry);
}

/* The state profile looks at all of them; in the block profile that would make mounts of large
 * volumes slow, so each is looked at when it is needed. */
enum status volume_bitmaps_load(struct volume *volume)
{
	const struct volume_geometry *geometry = &volume->geometry;
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	if (geometry->profile == VOLUME_PROFILE_BLOCK) {
		round_begin(volume, volume->superblock.cursor);
		bitmaps->free_count = volume->superblock.free_count;
		return STATUS_OK;
	}
	round_begin(volume, geometry->group_first);
	bitmaps->free_count = 0;
	for (uint32_t group = 0; group < geometry->group_count; group++) {
		uint8_t *bitmap = NULL;
		enum status status = volume_bitmap_get(volume, group, &bitmap);
		if (status != STATUS_OK) {
			return status;
		}
		bitmaps->free_count += volume_bitmap_free_count(bitmap);
	}
	return STATUS_OK;
}

uint64_t volume_space_left(const struct volume *volume)
{
	const struct volume_bitmaps *bitmaps = &volume->bitmaps;
	return bitmaps->free_count > bitmaps->held ? bitmaps->free_count - bitmaps->held : 0;
}

/* ---- Taking -------------------------------------------------------------------------------- */

static void cursor_advance(struct volume *volume, uint64_t count)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	bitmaps->cursor += count;
	bitmaps->left -= count;
	if (bitmaps->cursor >= volume->geometry.group_end) {
		bitmaps->cursor -= volume->geometry.group_end - volume->geometry.group_first;
	}
}

/* The next clear bit in [bit, end), by bytes where they are full. */
static uint64_t clear_bit_find(const uint8_t *bitmap, uint64_t bit, uint64_t end)
{
	while (bit < end && bit_get(bitmap, bit)) {
		bit += bit % 8 == 0 && bitmap[bit / 8] == 0xff ? 8 : 1;
	}
	return bit < end ? bit : end;
}

enum status volume_allocate(struct volume *volume, uint64_t *physical)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	const struct volume_geometry *geometry = &volume->geometry;
	while (bitmaps->left > 0) { /* Each turn passes at least one block. */
		uint64_t offset = bitmaps->cursor - geometry->group_first;
		uint32_t group = (uint32_t)(offset / VOLUME_GROUP_BLOCKS);
		uint64_t bit = offset % VOLUME_GROUP_BLOCKS;
		uint64_t end = group_blocks(geometry, group);
		uint8_t *bitmap = NULL;
		enum status status = volume_bitmap_get(volume, group, &bitmap);
		if (status != STATUS_OK) {
			return status;
		}
		if (end - bit > bitmaps->left) {
			end = bit + bitmaps->left;
		}
		uint64_t found = clear_bit_find(bitmap, bit, end);
		if (found < end) {
			*physical = bitmaps->cursor + (found - bit);
			cursor_advance(volume, found - bit + 1);
			return STATUS_OK;
		}
		cursor_advance(volume, end - bit);
	}
	return STATUS_NO_SPACE;
}

/* True if this round has not come to a block yet. */
static bool is_ahead(const struct volume *volume, uint64_t physical)
{
	const struct volume_bitmaps *bitmaps = &volume->bitmaps;
	uint64_t span = volume->geometry.group_end - volume->geometry.group_first;
	uint64_t distance = physical >= bitmaps->cursor ? physical - bitmaps->cursor
							: physical + span - bitmaps->cursor;
	return distance < bitmaps->left;
}

/* The writer took these blocks, and maybe some before them: those that nothing refers to any more,
 * and those that its transaction speaks of later. */
enum status volume_allocate_again(struct volume *volume, uint64_t physical, uint32_t count)
{
	for (uint64_t at = physical; at < physical + count; at++) {
		while (is_ahead(volume, at)) { /* Each turn leaves less ahead. */
			uint64_t taken = 0;
			enum status status = volume_allocate(volume, &taken);
			if (status != STATUS_OK) {
				/* No writer of ours takes what is in use. */
				return status == STATUS_NO_SPACE ? STATUS_AUTH_META : status;
			}
			volume->bitmaps.held++;
		}
	}
	return STATUS_OK;
}

/* ---- While a checkpoint builds the next state ------------------------------------------------ */

/* What is taken sorts before what is freed, for a block that the same checkpoint takes and then
 * gives up again. */
static enum status delta_note(struct volume *volume, uint64_t physical, bool frees)
{
	struct volume_deltas *deltas = &volume->build.deltas;
	if (deltas->count == deltas->room) {
		return STATUS_NO_MEMORY;
	}
	deltas->all[deltas->count++] = physical << 1 | (frees ? 1u : 0u);
	return STATUS_OK;
}

enum status volume_build_take(struct volume *volume, uint64_t physical)
{
	return delta_note(volume, physical, false);
}

enum status volume_build_free(struct volume *volume, uint64_t physical)
{
	return delta_note(volume, physical, true);
}

enum status volume_build_allocate(struct volume *volume, uint64_t *physical)
{
	enum status status = volume_allocate(volume, physical);
	if (status == STATUS_OK) {
		volume->build.taken++;
		status = volume_build_take(volume, *physical);
	}
	return status;
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

/* The list once more, this time to the bitmaps in memory. */
void volume_bitmaps_accept(struct volume *volume)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	const struct volume_deltas *deltas = &volume->build.deltas;
	for (size_t i = 0; i < deltas->count; i++) {
		uint64_t offset = (deltas->all[i] >> 1) - volume->geometry.group_first;
		uint64_t bit = offset % VOLUME_GROUP_BLOCKS;
		for (uint32_t c = 0; c < bitmaps->cache_size; c++) {
			if (bitmaps->cache[c].loaded &&
			    bitmaps->cache[c].group == offset / VOLUME_GROUP_BLOCKS) {
				uint8_t *byte = bitmaps->blocks + (size_t)c * BLOCK_BYTES + bit / 8;
				*byte = (uint8_t)((deltas->all[i] & 1) != 0
							  ? *byte & ~(1u << (bit % 8))
							  : *byte | 1u << (bit % 8));
			}
		}
	}
	bitmaps->free_count = volume->build.free_count;
	round_begin(volume, bitmaps->cursor);
}
