// SPDX-License-Identifier: MIT
/* What a witness file says: lines of text, one for each volume, and nothing that could be said in
 * two ways. Reading is pure and takes any bytes.
 *
 *     holdfast-witness 1
 *     UUID FENCE SEQUENCE ANCHOR
 *     end COUNT
 *
 * UUID and ANCHOR in lower-case hexadecimal without dashes, numbers in decimal without leading
 * zeroes, volumes by rising UUID, one space, one newline. docs/volume-format.md, "Freshness". */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume_witness.h"

#define WITNESS_TEXT_ROWS_MAX  256u
#define WITNESS_TEXT_BYTES_MAX 40000u /* All rows at their longest, and the two lines around. */

struct witness_row {
	uint8_t uuid[WITNESS_UUID_BYTES];
	uint64_t fence; /* Of the latest opener. */
	struct witness_mark mark;
};

struct witness_table {
	uint32_t count;
	struct witness_row rows[WITNESS_TEXT_ROWS_MAX];
};

/* STATUS_NEWER_FORMAT: a later version. STATUS_BAD_CONFIG: not what this writes. What is in
 * `table` then is of no use. */
MUST_CHECK
enum status witness_text_read(const char *text, size_t size_bytes, struct witness_table *table);
/* Returns how many bytes. */
size_t witness_text_write(const struct witness_table *table, char out[WITNESS_TEXT_BYTES_MAX]);
/* NULL: not there. */
struct witness_row *witness_table_find(struct witness_table *table,
				       const uint8_t uuid[WITNESS_UUID_BYTES]);
/* At its place among the others. NULL: full. The volume is not there yet. */
struct witness_row *witness_table_add(struct witness_table *table,
				      const uint8_t uuid[WITNESS_UUID_BYTES]);
