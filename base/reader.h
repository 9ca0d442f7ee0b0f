// SPDX-License-Identifier: MIT
/* A bounded cursor over foreign bytes that sit in private memory.
 *
 * Errors are sticky: a read past the end returns zero (or NULL) and sets `failed`, so a decoder
 * reads all of its fields and asks reader_ok() once at the end. Nothing is ever read outside
 * [data, data + size). The reader borrows `data`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct reader {
	const uint8_t *data;
	size_t size;
	size_t at;
	bool failed;
};

void reader_init(struct reader *reader, const uint8_t *data, size_t size);

uint8_t reader_u8(struct reader *reader);
uint16_t reader_le16(struct reader *reader);
uint32_t reader_le32(struct reader *reader);
uint64_t reader_le64(struct reader *reader);
uint16_t reader_be16(struct reader *reader);
uint32_t reader_be32(struct reader *reader);

/* The next `size` bytes, borrowed; NULL (and failed) if there are fewer. */
const uint8_t *reader_bytes(struct reader *reader, size_t size);

/* Copy the next `size` bytes; on failure `out` is zeroed. */
void reader_copy(struct reader *reader, uint8_t *out, size_t size);

void reader_skip(struct reader *reader, size_t size);

/* Bytes not yet read; 0 after a failure. */
size_t reader_left(const struct reader *reader);

/* True if no read went past the end. */
MUST_CHECK
bool reader_ok(const struct reader *reader);

/* The mirror image: a bounded cursor that fills a buffer. Writes past the end set `failed` and
 * change nothing. */
struct writer {
	uint8_t *data;
	size_t size;
	size_t at;
	bool failed;
};

void writer_init(struct writer *writer, uint8_t *data, size_t size);
void writer_u8(struct writer *writer, uint8_t value);
void writer_le16(struct writer *writer, uint16_t value);
void writer_le32(struct writer *writer, uint32_t value);
void writer_le64(struct writer *writer, uint64_t value);
void writer_be16(struct writer *writer, uint16_t value);
void writer_be32(struct writer *writer, uint32_t value);
void writer_copy(struct writer *writer, const uint8_t *bytes, size_t size);
void writer_zero(struct writer *writer, size_t size);
MUST_CHECK
bool writer_ok(const struct writer *writer);
