// SPDX-License-Identifier: MIT
#include "base/reader.h"

#include <string.h>

#include "base/bytes.h"

void writer_init(struct writer *writer, uint8_t *data, size_t size)
{
	*writer = (struct writer){.data = data, .size = size};
}

/* The place for the next `size` bytes; NULL (and failed) if they do not fit. */
/*@ requires \valid(writer) && writer_is_sound(writer);
    assigns writer->at, writer->failed;
    ensures writer_is_sound(writer) && writer->at >= \old(writer->at);
    ensures \old(writer->failed) ==> writer->failed;
    ensures \result != \null ==> \result == writer->data + \old(writer->at) &&
      writer->at == \old(writer->at) + size; */
static uint8_t *take(struct writer *writer, size_t size)
{
	if (writer->failed || size > writer->size - writer->at) {
		writer->failed = true;
		return NULL;
	}
	uint8_t *place = writer->data + writer->at;
	writer->at += size;
	return place;
}

void writer_u8(struct writer *writer, uint8_t value)
{
	uint8_t *place = take(writer, 1);
	if (place != NULL) {
		place[0] = value;
	}
}

void writer_le16(struct writer *writer, uint16_t value)
{
	uint8_t *place = take(writer, 2);
	if (place != NULL) {
		bytes_store_le16(place, value);
	}
}

void writer_le32(struct writer *writer, uint32_t value)
{
	uint8_t *place = take(writer, 4);
	if (place != NULL) {
		bytes_store_le32(place, value);
	}
}

void writer_le64(struct writer *writer, uint64_t value)
{
	uint8_t *place = take(writer, 8);
	if (place != NULL) {
		bytes_store_le64(place, value);
	}
}

void writer_be16(struct writer *writer, uint16_t value)
{
	uint8_t *place = take(writer, 2);
	if (place != NULL) {
		bytes_store_be16(place, value);
	}
}

void writer_be32(struct writer *writer, uint32_t value)
{
	uint8_t *place = take(writer, 4);
	if (place != NULL) {
		bytes_store_be32(place, value);
	}
}

void writer_copy(struct writer *writer, const uint8_t *bytes, size_t size)
{
	uint8_t *place = take(writer, size);
	if (place != NULL && size > 0) {
		memcpy(place, bytes, size);
	}
}

void writer_zero(struct writer *writer, size_t size)
{
	uint8_t *place = take(writer, size);
	if (place != NULL) {
		memset(place, 0, size);
	}
}

bool writer_ok(const struct writer *writer)
{
	return !writer->failed;
}
