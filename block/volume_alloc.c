// SPDX-License-Identifier: MIT
/* Free blocks. The durable bitmaps say what the durable state uses; nothing of that is overwritten
 * before its successor is durable. Allocation goes round the device at most once between two
 * checkpoints (struct volume_bitmaps says why), so those bitmaps and one position are enough. What
 * a checkpoint takes and frees is listed, and volume_groups.c works the list off. */
#include <string.h>

#include "base/bytes.h"
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

/* Bitmaps are looked at 64 bits at a time. Bit i of a word is bit i of its bytes, little-endian. */
static uint64_t word_get(const uint8_t *bitmap, uint64_t bit)
{
	return bytes_load_le64(bitmap + bit / 64 * sizeof(uint64_t));
}

/* The bits of reserved blocks and of what lies behind the last group are set. */
void volume_bitmap_blank(const struct volume_geometry *geometry, uint32_t group, uint8_t *bitmap)
{
	uint64_t end = group_blocks(geometry, group);
	memset(bitmap, 0, BLOCK_BYTES);
	for (uint64_t bit = 0; bit < geometry->group_reserved; bit++) {
		bit_set(bitmap, bit);
	}
	for (; end % 8 != 0; end++) {
		bit_set(bitmap, end);
	}
	memset(bitmap + end / 8, 0xff, BLOCK_BYTES - end / 8);
}

/* No instruction for it may be presumed, and no library's function either. */
static uint64_t bits_count(uint64_t word)
{
	word -= word >> 1 & UINT64_C(0x5555555555555555);
	word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
	word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return word * UINT64_C(0x0101010101010101) >> 56;
}

uint64_t volume_bitmap_free_count(const uint8_t *bitmap)
{
	uint64_t free = 0;
	for (uint64_t bit = 0; bit < VOLUME_GROUP_BLOCKS; bit += 64) {
		free += bits_count(~word_get(bitmap, bit));
	}
	return free;
}

/* What a blank bitmap has at both ends, without the blank bitmap: this is asked of each that is
 * read. */
enum status volume_bitmap_check(struct volume *volume, uint32_t group, const uint8_t *bitmap)
{
	const struct volume_geometry *geometry = &volume->geometry;
	uint64_t end = group_blocks(geometry, group);
	bool good = true;
	for (uint64_t bit = 0; bit < geometry->group_reserved; bit++) {
		good = good && bit_get(bitmap, bit);
	}
	for (; end % 64 != 0; end++) {
		good = good && bit_get(bitmap, end);
	}
	for (; end < VOLUME_GROUP_BLOCKS; end += 64) {
		good = good && word_get(bitmap, end) == UINT64_MAX;
	}
	return volume_note(volume, good ? STATUS_OK : STATUS_AUTH_META, VOLUME_LEVEL_BITMAP, group,
			   UINT64_MAX);
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
	bitmaps->late = 0;
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

/* The next bit in [bit, end) that is set, or clear; end if there is none. */
static uint64_t bit_find(const uint8_t *bitmap, bool is_set, uint64_t bit, uint64_t end)
{
	while (bit < end) {
		uint64_t word = word_get(bitmap, bit);
		uint64_t found = (is_set ? word : ~word) >> bit % 64;
		if (found != 0) {
			bit += (uint64_t)__builtin_ctzll(found);
			break;
		}
		bit += 64 - bit % 64;
	}
	return bit < end ? bit : end;
}

/* Go on to the next block that is free, in this group. `*count`: how many are from there on, of
 * `most`; 0: none. */
static enum status seek(struct volume *volume, uint32_t most, uint32_t *count)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	const struct volume_geometry *geometry = &volume->geometry;
	uint64_t offset = bitmaps->cursor - geometry->group_first;
	uint32_t group = (uint32_t)(offset / VOLUME_GROUP_BLOCKS);
	uint64_t bit = offset % VOLUME_GROUP_BLOCKS;
	uint64_t end = group_blocks(geometry, group);
	uint8_t *bitmap = NULL;
	if (bitmaps->left == 0) {
		return STATUS_NO_SPACE;
	}
	enum status status = volume_bitmap_get(volume, group, &bitmap);
	if (status != STATUS_OK) {
		return status;
	}
	if (end - bit > bitmaps->left) {
		end = bit + bitmaps->left;
	}
	uint64_t place = bit_find(bitmap, false, bit, end);
	cursor_advance(volume, place - bit);
	if (end - place > most) {
		end = place + most;
	}
	*count = (uint32_t)(bit_find(bitmap, true, place, end) - place);
	return STATUS_OK;
}

enum status volume_allocate_seek(struct volume *volume, bool *found)
{
	uint32_t count = 0;
	enum status status = seek(volume, 1, &count);
	*found = count != 0;
	return status;
}

/* Take neighbours: at least one, `most` at most. */
static enum status allocate(struct volume *volume, uint32_t most, uint64_t *physical,
			    uint32_t *count)
{
	uint32_t found = 0;
	while (found == 0) { /* Each turn passes a group, or ends. */
		enum status status = seek(volume, most, &found);
		if (status != STATUS_OK) {
			return status;
		}
	}
	*physical = volume->bitmaps.cursor;
	*count = found;
	cursor_advance(volume, found);
	volume->bitmaps.held += found;
	return STATUS_OK;
}

enum status volume_allocate(struct volume *volume, uint32_t most, uint64_t *physical,
			    uint32_t *count)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	enum status status = allocate(volume, most, physical, count);
	if (status != STATUS_OK) {
		return status;
	}
	if (bitmaps->late == 0) {
		bitmaps->late_cursor = *physical;
		bitmaps->late_left = bitmaps->left + *count;
	}
	bitmaps->late += *count;
	bitmaps->log_taken += *count;
	return STATUS_OK;
}

/* The way back. */
static void cursor_retreat(struct volume *volume, uint64_t cursor)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	uint64_t span = volume->geometry.group_end - volume->geometry.group_first;
	uint64_t back = bitmaps->cursor >= cursor ? bitmaps->cursor - cursor
						  : bitmaps->cursor + span - cursor;
	bitmaps->cursor = cursor;
	bitmaps->left += back;
}

void volume_allocate_undo(struct volume *volume, uint64_t cursor, uint64_t build_taken,
			  uint32_t count)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	if (count != 0 && bitmaps->build_taken == build_taken) {
		cursor_retreat(volume, cursor);
		bitmaps->held -= count;
		bitmaps->late -= count;
	}
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
			uint32_t taken_count = 0;
			enum status status = volume_allocate(volume, 1, &taken, &taken_count);
			if (status != STATUS_OK) {
				/* No writer of ours takes what is in use. */
				return status == STATUS_NO_SPACE ? STATUS_AUTH_META : status;
			}
		}
	}
	return STATUS_OK;
}

/* ---- While a checkpoint builds the next state ------------------------------------------------ */

static enum status delta_note(struct volume *volume, uint64_t physical, uint32_t count, bool frees)
{
	const uint64_t offset = physical - volume->geometry.group_first;
	return volume_deltas_note(&volume->build.deltas, offset, count, frees) ? STATUS_OK
									       : STATUS_NO_MEMORY;
}

enum status volume_build_take(struct volume *volume, uint64_t physical, uint32_t count)
{
	return delta_note(volume, physical, count, false);
}

enum status volume_build_free(struct volume *volume, uint64_t physical, uint32_t count)
{
	return delta_note(volume, physical, count, true);
}

/* Entries from the first on that are neighbours on the device. */
static uint32_t neighbours(const struct volume_entry *entries, uint32_t most)
{
	uint32_t count = 1;
	while (count < most && entries[count].physical == entries[0].physical + count) {
		count++;
	}
	return count;
}

static enum status entries_note(struct volume *volume, const struct volume_entry *entries,
				uint32_t count, bool frees)
{
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < count && status == STATUS_OK;) {
		const bool is_hole = entries[i].physical == 0;
		const uint32_t run = is_hole ? 1 : neighbours(entries + i, count - i);
		if (!is_hole) {
			status = frees ? volume_build_free(volume, entries[i].physical, run)
				       : volume_build_take(volume, entries[i].physical, run);
		}
		i += run;
	}
	return status;
}

enum status volume_build_take_all(struct volume *volume, const struct volume_entry *entries,
				  uint32_t count)
{
	return entries_note(volume, entries, count, false);
}

enum status volume_build_free_all(struct volume *volume, const struct volume_entry *entries,
				  uint32_t count)
{
	return entries_note(volume, entries, count, true);
}

enum status volume_build_allocate(struct volume *volume, uint32_t most, uint64_t *physical,
				  uint32_t *count)
{
	enum status status = allocate(volume, most, physical, count);
	if (status == STATUS_OK) {
		volume->build.taken += *count;
		volume->bitmaps.build_taken += *count;
		status = volume_build_take(volume, *physical, *count);
	}
	return status;
}

enum status volume_build_allocate_one(struct volume *volume, uint64_t *physical)
{
	uint32_t count = 0;
	return volume_build_allocate(volume, 1, physical, &count);
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

/* ---- When the next state is the durable one -------------------------------------------------- */

void volume_build_round(struct volume *volume)
{
	const struct volume_bitmaps *bitmaps = &volume->bitmaps;
	bool is_begun = bitmaps->late != 0;
	volume->build.round_cursor = is_begun ? bitmaps->late_cursor : bitmaps->cursor;
	volume->build.round_left = is_begun ? bitmaps->late_left : bitmaps->left;
}

void volume_build_give_up(struct volume *volume)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	const struct volume_build *build = &volume->build;
	if (bitmaps->log_taken == build->from_log_taken) {
		bitmaps->cursor = build->from_cursor;
		bitmaps->left = build->from_left;
		bitmaps->held -= build->taken;
	} else {
		bitmaps->late += build->taken; /* Among what the log took: the next round's. */
	}
}

/* The cached bitmap of a group; NULL: it is not cached. */
static uint8_t *bitmap_cached(struct volume *volume, uint32_t group)
{
	const struct volume_bitmaps *bitmaps = &volume->bitmaps;
	for (uint32_t i = 0; i < bitmaps->cache_size; i++) {
		if (bitmaps->cache[i].loaded && bitmaps->cache[i].group == group) {
			return bitmaps->blocks + (size_t)i * BLOCK_BYTES;
		}
	}
	return NULL;
}

/* The list once more, this time to the bitmaps in memory. Returns how many blocks became free that
 * the new round has passed already. */
static uint64_t deltas_accept(struct volume *volume, uint64_t round_passed)
{
	const struct volume_deltas *deltas = &volume->build.deltas;
	const struct volume_geometry *geometry = &volume->geometry;
	const uint64_t span = geometry->group_end - geometry->group_first;
	const uint64_t round = volume->build.round_cursor - geometry->group_first;
	uint64_t passed = 0;
	for (size_t i = 0; i < deltas->count; i++) {
		const struct volume_delta delta = volume_delta_decode(deltas->all[i]);
		uint8_t *bitmap = bitmap_cached(volume, delta.group);
		if (bitmap != NULL) {
			(void)volume_delta_apply(&delta, bitmap); /* It did in the copy. */
		}
		passed += delta.frees ? volume_delta_passed(&delta, round, span, round_passed) : 0;
	}
	return passed;
}

void volume_bitmaps_accept(struct volume *volume)
{
	struct volume_bitmaps *bitmaps = &volume->bitmaps;
	const uint64_t passed = volume->build.round_left - bitmaps->left;
	bitmaps->held = bitmaps->late + deltas_accept(volume, passed);
	bitmaps->free_count = volume->build.free_count;
	bitmaps->left = volume->geometry.group_end - volume->geometry.group_first - passed;
}
