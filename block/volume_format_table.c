// SPDX-License-Identifier: MIT
/* The session table to and from bytes: which keys sealed the blocks that are on the disk. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_format.h"

#define TABLE_BYTES(count) (VOLUME_TABLE_HEADER_BYTES + (count)*VOLUME_SESSION_BYTES)

/*@ logic integer id_at{L}(uint8_t *block, integer i) =
      i < 0 ? 0 : le32(block + TABLE_BYTES(i)); */

STATIC_ASSERT(TABLE_BYTES(VOLUME_SESSIONS_MAX) <= BLOCK_BYTES, "a table is one block");

/*@ requires \valid(to + (0 .. VOLUME_SESSION_BYTES - 1)) && \valid_read(row);
    requires \separated(row, to + (0 .. VOLUME_SESSION_BYTES - 1));
    assigns to[0 .. VOLUME_SESSION_BYTES - 1]; */
static void row_encode(uint8_t *to, const struct volume_session_row *row)
{
	bytes_store_le32(to, row->id);
	bytes_store_le32(to + 4, row->generation);
	bytes_store_le32(to + 8, row->live_blocks);
	memcpy(to + 12, row->salt, VOLUME_SALT_BYTES);
}

void volume_table_encode(uint8_t block[BLOCK_BYTES], const struct volume_session_table *table)
{
	memset(block, 0, BLOCK_BYTES);
	bytes_store_le32(block, table->count);
	/*@ loop invariant 0 <= i <= table->count;
	    loop assigns i, block[0 .. BLOCK_BYTES - 1];
	    loop variant table->count - i; */
	for (uint32_t i = 0; i < table->count; i++) {
		row_encode(block + TABLE_BYTES(i), &table->rows[i]);
	}
}

/*@ requires \valid_read(from + (0 .. VOLUME_SESSION_BYTES - 1)) && \valid(row);
    requires \separated(row, from + (0 .. VOLUME_SESSION_BYTES - 1));
    assigns *row;
    ensures row->id == \old(le32(from)); */
static void row_decode(const uint8_t *from, struct volume_session_row *row)
{
	row->id = bytes_load_le32(from);
	row->generation = bytes_load_le32(from + 4);
	row->live_blocks = bytes_load_le32(from + 8);
	memcpy(row->salt, from + 12, VOLUME_SALT_BYTES);
}

/* Ids rise, so that each is there once, and none is 0. */
/*@ requires count <= VOLUME_SESSIONS_MAX && \valid_read(block + (0 .. BLOCK_BYTES - 1));
    assigns \nothing;
    ensures \result ==> (\forall integer i;
      0 <= i < count ==> id_at(block, i - 1) < id_at(block, i)); */
static bool ids_rise(const uint8_t *block, uint32_t count)
{
	uint32_t last = 0;
	/*@ loop invariant 0 <= i <= count;
	    loop invariant last == id_at(block, i - 1);
	    loop invariant \forall integer j; 0 <= j < i ==> id_at(block, j - 1) < id_at(block, j);
	    loop assigns i, last;
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t id = bytes_load_le32(block + TABLE_BYTES(i));
		if (id <= last) {
			return false;
		}
		last = id;
	}
	return true;
}

/*@ requires count <= VOLUME_SESSIONS_MAX && \valid_read(block + (0 .. BLOCK_BYTES - 1));
    requires \valid(rows + (0 .. count - 1));
    requires \separated(rows + (0 .. count - 1), block + (0 .. BLOCK_BYTES - 1));
    assigns rows[0 .. count - 1];
    ensures \forall integer i; 0 <= i < count ==> rows[i].id == id_at{Pre}(block, i); */
static void rows_decode(const uint8_t *block, uint32_t count, struct volume_session_row *rows)
{
	/*@ loop invariant 0 <= i <= count;
	    loop invariant \forall integer k; 0 <= k < BLOCK_BYTES ==>
	      block[k] == \at(block[k], Pre);
	    loop invariant \forall integer j; 0 <= j < i ==> rows[j].id == id_at{Pre}(block, j);
	    loop assigns i, rows[0 .. count - 1];
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *from = block + TABLE_BYTES(i);
		//@ assert le32(from) == id_at{Pre}(block, i);
		row_decode(from, &rows[i]);
	}
}

enum status volume_table_decode(const uint8_t block[BLOCK_BYTES],
				struct volume_session_table *table)
{
	const uint32_t count = bytes_load_le32(block);
	if (count > VOLUME_SESSIONS_MAX ||
	    !bytes_are_zero(block + 4, VOLUME_TABLE_HEADER_BYTES - 4) ||
	    !bytes_are_zero(block + TABLE_BYTES(count), BLOCK_BYTES - TABLE_BYTES(count)) ||
	    !ids_rise(block, count)) {
		return STATUS_AUTH_META;
	}
	table->count = count;
	rows_decode(block, count, table->rows);
	return STATUS_OK;
}
