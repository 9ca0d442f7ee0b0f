// SPDX-License-Identifier: MIT
/* The bounded reader, instead of base/reader.c: each read gives anything or fails, as reads of a
 * file of any length do. Unit base-reader proves that none leaves the bytes that reader_init() was
 * told of, and here it is asked whether these are there. So a decoder that looks at foreign bytes
 * only through the reader is analysed for all lengths at once. */
#pragma once

#include "base/reader.h"
#include "tests/proofs/eva/entry.h"

/* A file of any length. No byte of it is there: whoever reads it without the reader is noticed. */
static uint8_t any_file[1];
#define ANY_FILE (any_file + sizeof(any_file))

/* Hand files to `take`: none, one of a byte, one as long as `memory`, and then any. */
#define EACH_FILE(take, memory)                                        \
	do {                                                           \
		take(FOREIGN(memory, 0), 0);                           \
		take(FOREIGN(memory, 1), 1);                           \
		take(FOREIGN(memory, sizeof(memory)), sizeof(memory)); \
		take(ANY_FILE, any_u64());                             \
	} while (false)

/* The longest piece that decoders may look into as a whole. */
#define PIECE_BYTES 4096u
static uint8_t any_piece[PIECE_BYTES];

void reader_init(struct reader *reader, const uint8_t *data, size_t size)
{
	/*@ assert bytes_are_there:
	      data == ANY_FILE || size == 0 || \valid_read(data + (0 .. size - 1)); */
	*reader = (struct reader){.data = data, .size = size};
	ANYTHING(any_piece);
}

static bool read_fails(struct reader *reader)
{
	reader->failed = reader->failed || any_bool();
	return reader->failed;
}

const uint8_t *reader_bytes(struct reader *reader, size_t size)
{
	if (read_fails(reader)) {
		return NULL;
	}
	return size > PIECE_BYTES ? any_piece + PIECE_BYTES : FOREIGN(any_piece, size);
}

void reader_copy(struct reader *reader, uint8_t *out, size_t size)
{
	//@ assert room: size == 0 || \valid(out + (0 .. size - 1));
	any_bytes(out, size);
	if (read_fails(reader)) {
		memset(out, 0, size);
	}
}

void reader_skip(struct reader *reader, size_t size)
{
	(void)size, (void)read_fails(reader);
}

uint8_t reader_u8(struct reader *reader)
{
	return read_fails(reader) ? 0 : (uint8_t)any_up_to(UINT8_MAX);
}

uint16_t reader_le16(struct reader *reader)
{
	return read_fails(reader) ? 0 : (uint16_t)any_up_to(UINT16_MAX);
}

uint32_t reader_le32(struct reader *reader)
{
	return read_fails(reader) ? 0 : any_up_to(UINT32_MAX);
}

uint64_t reader_le64(struct reader *reader)
{
	return read_fails(reader) ? 0 : any_u64();
}

uint16_t reader_be16(struct reader *reader)
{
	return reader_le16(reader);
}

uint32_t reader_be32(struct reader *reader)
{
	return reader_le32(reader);
}

size_t reader_left(const struct reader *reader)
{
	return reader->failed ? 0 : any_u64();
}

bool reader_ok(const struct reader *reader)
{
	return !reader->failed;
}
