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

#include "base/bytes.h"
#include "base/compiler.h"

struct reader {
	const uint8_t *data;
	size_t size;
	size_t at;
	bool failed;
};

/*@ predicate reader_is_sound(struct reader *r) =
      r->at <= r->size && \valid_read(r->data + (0 .. r->size - 1));
    // What every read keeps: the bytes, and that failing is for good.
    predicate reader_goes_on{A, B}(struct reader *r) =
      \at(r->data, A) == \at(r->data, B) && \at(r->size, A) == \at(r->size, B) &&
      \at(r->at, A) <= \at(r->at, B) && (\at(r->failed, A) ==> \at(r->failed, B)); */

/*@ requires \valid(reader) && \valid_read(data + (0 .. size - 1));
    assigns *reader;
    ensures reader_is_sound(reader) && !reader->failed && reader->at == 0;
    ensures reader->data == data && reader->size == size; */
void reader_init(struct reader *reader, const uint8_t *data, size_t size);

/*@ requires \valid(reader) && reader_is_sound(reader);
    assigns *reader;
    ensures reader_is_sound(reader) && reader_goes_on{Pre, Post}(reader);
    ensures reader->failed ==> \result == 0;
    ensures !reader->failed ==> reader->at == \old(reader->at) + 1 &&
      \result == reader->data[\old(reader->at)]; */
uint8_t reader_u8(struct reader *reader);
/*@ requires \valid(reader) && reader_is_sound(reader);
    assigns *reader;
    ensures reader_is_sound(reader) && reader_goes_on{Pre, Post}(reader);
    ensures reader->failed ==> \result == 0;
    ensures !reader->failed ==> reader->at == \old(reader->at) + 2 &&
      \result == le16(reader->data + \old(reader->at)); */
uint16_t reader_le16(struct reader *reader);
/*@ requires \valid(reader) && reader_is_sound(reader);
    assigns *reader;
    ensures reader_is_sound(reader) && reader_goes_on{Pre, Post}(reader);
    ensures reader->failed ==> \result == 0;
    ensures !reader->failed ==> reader->at == \old(reader->at) + 4 &&
      \result == le32(reader->data + \old(reader->at)); */
uint32_t reader_le32(struct reader *reader);
/*@ requires \valid(reader) && reader_is_sound(reader);
    assigns *reader;
    ensures reader_is_sound(reader) && reader_goes_on{Pre, Post}(reader);
    ensures reader->failed ==> \result == 0;
    ensures !reader->failed ==> reader->at == \old(reader->at) + 8 &&
      \result == le64(reader->data + \old(reader->at)); */
uint64_t reader_le64(struct reader *reader);
/*@ requires \valid(reader) && reader_is_sound(reader);
    assigns *reader;
    ensures reader_is_sound(reader) && reader_goes_on{Pre, Post}(reader);
    ensures reader->failed ==> \result == 0;
    ensures !reader->failed ==> reader->at == \old(reader->at) + 2 &&
      \result == be16(reader->data + \old(reader->at)); */
uint16_t reader_be16(struct reader *reader);
/*@ requires \valid(reader) && reader_is_sound(reader);
    assigns *reader;
    ensures reader_is_sound(reader) && reader_goes_on{Pre, Post}(reader);
    ensures reader->failed ==> \result == 0;
    ensures !reader->failed ==> reader->at == \old(reader->at) + 4 &&
      \result == be32(reader->data + \old(reader->at)); */
uint32_t reader_be32(struct reader *reader);

/* The next `size` bytes, borrowed; NULL (and failed) if there are fewer. */
/*@ requires \valid(reader) && reader_is_sound(reader);
    assigns *reader;
    ensures reader_is_sound(reader) && reader_goes_on{Pre, Post}(reader);
    ensures reader->failed ==> \result == \null;
    ensures !reader->failed && size > 0 ==> \result != \null;
    ensures !reader->failed ==> \result == reader->data + \old(reader->at) &&
      reader->at == \old(reader->at) + size && \valid_read(\result + (0 .. size - 1)); */
const uint8_t *reader_bytes(struct reader *reader, size_t size);

/* Copy the next `size` bytes; on failure `out` is zeroed. */
/*@ requires \valid(reader) && reader_is_sound(reader) && \valid(out + (0 .. size - 1));
    requires \separated(reader, out + (0 .. size - 1), reader->data + (0 .. reader->size - 1));
    assigns *reader, out[0 .. size - 1];
    ensures reader_is_sound(reader) && reader_goes_on{Pre, Post}(reader);
    ensures !reader->failed ==> reader->at == \old(reader->at) + size;
    ensures \forall integer i; 0 <= i < size ==>
      out[i] == (reader->failed ? 0 : reader->data[\old(reader->at) + i]); */
void reader_copy(struct reader *reader, uint8_t *out, size_t size);

/*@ requires \valid(reader) && reader_is_sound(reader);
    assigns *reader;
    ensures reader_is_sound(reader) && reader_goes_on{Pre, Post}(reader);
    ensures !reader->failed ==> reader->at == \old(reader->at) + size; */
void reader_skip(struct reader *reader, size_t size);

/* Bytes not yet read; 0 after a failure. */
/*@ requires \valid_read(reader) && reader_is_sound(reader);
    assigns \nothing;
    ensures \result == (reader->failed ? 0 : reader->size - reader->at); */
size_t reader_left(const struct reader *reader);

/* True if no read went past the end. */
/*@ requires \valid_read(reader);
    assigns \nothing;
    ensures \result <==> !reader->failed; */
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

/*@ predicate writer_is_sound(struct writer *w) =
      w->at <= w->size && \valid(w->data + (0 .. w->size - 1)) &&
      \separated(w, w->data + (0 .. w->size - 1)); */

/*@ requires \valid(writer) && \valid(data + (0 .. size - 1));
    requires \separated(writer, data + (0 .. size - 1));
    assigns *writer;
    ensures writer_is_sound(writer) && writer->data == data && writer->size == size; */
void writer_init(struct writer *writer, uint8_t *data, size_t size);
/*@ requires \valid(writer) && writer_is_sound(writer);
    assigns writer->at, writer->failed, writer->data[0 .. writer->size - 1];
    ensures writer_is_sound(writer) && writer->at >= \old(writer->at); */
void writer_u8(struct writer *writer, uint8_t value);
/*@ requires \valid(writer) && writer_is_sound(writer);
    assigns writer->at, writer->failed, writer->data[0 .. writer->size - 1];
    ensures writer_is_sound(writer) && writer->at >= \old(writer->at); */
void writer_le16(struct writer *writer, uint16_t value);
/*@ requires \valid(writer) && writer_is_sound(writer);
    assigns writer->at, writer->failed, writer->data[0 .. writer->size - 1];
    ensures writer_is_sound(writer) && writer->at >= \old(writer->at); */
void writer_le32(struct writer *writer, uint32_t value);
/*@ requires \valid(writer) && writer_is_sound(writer);
    assigns writer->at, writer->failed, writer->data[0 .. writer->size - 1];
    ensures writer_is_sound(writer) && writer->at >= \old(writer->at); */
void writer_le64(struct writer *writer, uint64_t value);
/*@ requires \valid(writer) && writer_is_sound(writer);
    assigns writer->at, writer->failed, writer->data[0 .. writer->size - 1];
    ensures writer_is_sound(writer) && writer->at >= \old(writer->at); */
void writer_be16(struct writer *writer, uint16_t value);
/*@ requires \valid(writer) && writer_is_sound(writer);
    assigns writer->at, writer->failed, writer->data[0 .. writer->size - 1];
    ensures writer_is_sound(writer) && writer->at >= \old(writer->at); */
void writer_be32(struct writer *writer, uint32_t value);
/*@ requires \valid(writer) && writer_is_sound(writer);
    requires \valid_read(bytes + (0 .. size - 1));
    requires \separated(bytes + (0 .. size - 1), writer, writer->data + (0 .. writer->size - 1));
    assigns writer->at, writer->failed, writer->data[0 .. writer->size - 1];
    ensures writer_is_sound(writer) && writer->at >= \old(writer->at); */
void writer_copy(struct writer *writer, const uint8_t *bytes, size_t size);
/*@ requires \valid(writer) && writer_is_sound(writer);
    assigns writer->at, writer->failed, writer->data[0 .. writer->size - 1];
    ensures writer_is_sound(writer) && writer->at >= \old(writer->at); */
void writer_zero(struct writer *writer, size_t size);
//@ requires \valid_read(writer); assigns \nothing; ensures \result <==> !writer->failed;
MUST_CHECK
bool writer_ok(const struct writer *writer);
