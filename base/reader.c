// SPDX-License-Identifier: MIT
#include "base/reader.h"

#include <string.h>

#include "base/bytes.h"

void reader_init(struct reader *reader, const uint8_t *data, size_t size)
{
	*reader = (struct reader){.data = data, .size = size};
}

const uint8_t *reader_bytes(struct reader *reader, size_t size)
{
	if (reader->failed || size > reader->size - reader->at) {
		reader->failed = true;
		return NULL;
	}
	const uint8_t *bytes = reader->data + reader->at;
	reader->at += size;
	return bytes;
}

uint8_t reader_u8(struct reader *reader)
{
	const uint8_t *bytes = reader_bytes(reader, 1);
	return bytes == NULL ? 0 : bytes[0];
}

uint16_t reader_le16(struct reader *reader)
{
	const uint8_t *bytes = reader_bytes(reader, 2);
	return bytes == NULL ? 0 : bytes_load_le16(bytes);
}

uint32_t reader_le32(struct reader *reader)
{
	const uint8_t *bytes = reader_bytes(reader, 4);
	return bytes == NULL ? 0 : bytes_load_le32(bytes);
}

uint64_t reader_le64(struct reader *reader)
{
	const uint8_t *bytes = reader_bytes(reader, 8);
	return bytes == NULL ? 0 : bytes_load_le64(bytes);
}

uint16_t reader_be16(struct reader *reader)
{
	const uint8_t *bytes = reader_bytes(reader, 2);
	return bytes == NULL ? 0 : bytes_load_be16(bytes);
}

uint32_t reader_be32(struct reader *reader)
{
	const uint8_t *bytes = reader_bytes(reader, 4);
	return bytes == NULL ? 0 : bytes_load_be32(bytes);
}

void reader_copy(struct reader *reader, uint8_t *out, size_t size)
{
	const uint8_t *bytes = reader_bytes(reader, size);
	if (bytes == NULL) {
		memset(out, 0, size);
		//@ assert reader->failed || size == 0;
		return;
	}
	memcpy(out, bytes, size);
	//@ assert !reader->failed && bytes == reader->data + \at(reader->at, Pre);
}

void reader_skip(struct reader *reader, size_t size)
{
	(void)reader_bytes(reader, size);
}

size_t reader_left(const struct reader *reader)
{
	return reader->failed ? 0 : reader->size - reader->at;
}

bool reader_ok(const struct reader *reader)
{
	return !reader->failed;
}
