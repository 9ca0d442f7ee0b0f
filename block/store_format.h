// SPDX-License-Identifier: MIT
/* What the store keeps in its metadata blocks: the index of names (block 0 of slice 0) and one
 * metadata block for each object (block 0 of its slice). docs/volume-format.md, "Objects".
 *
 * The decoders are pure functions on arbitrary bytes. The volume has authenticated what they see,
 * so a malformed block means a defect or a later version, never an outsider's doing; it is an error
 * all the same, for the one thing that must not happen is that a damaged index reads as "no such
 * object". The encoding is canonical: what decodes encodes to the same bytes, so there is exactly
 * one way to write a given content, and reserved bytes cannot carry anything unnoticed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"
#include "base/units.h"

#define STORE_NAME_BYTES_MAX 48u
#define STORE_OBJECTS_MAX    64u
#define STORE_FORMAT_VERSION 1u

/* Index block, little-endian:
 *   0 magic[8] | 8 format:32 | 12 object count:32 | 16 changes:64 | 24 reserved[40]
 *   64 + 56 * i: entry i = { name size:8 | reserved[7] | name[48], zero-padded }
 *   3648 reserved to the end.
 * Entry i belongs to slice i + 1, so no two names can share a slice. A free entry is all zero. */
#define STORE_INDEX_ENTRIES_AT  64u
#define STORE_INDEX_ENTRY_BYTES 56u

/* Object block, little-endian:
 *   0 magic[8] | 8 format:32 | 12 name size:32 | 16 name[48], zero-padded
 *   64 size in bytes:64 | 72 version:64 | 80 reserved to the end.
 * Size and version are neighbours: a commit that changes data changes these 16 bytes besides. */
#define STORE_OBJECT_SIZE_AT 64u

/* name[0] == 0: the slot is free. Always zero-padded, and so terminated. */
struct store_index {
	uint64_t changes; /* Objects created and removed so far; 0: an index never written. */
	char names[STORE_OBJECTS_MAX][STORE_NAME_BYTES_MAX + 1];
};

struct store_object_info {
	char name[STORE_NAME_BYTES_MAX + 1];
	uint64_t size_bytes;
	uint64_t version; /* Commits that changed this object since it was created; at least 1. */
};

/* A sound name is zeroes, or an object's name and zeroes behind it. */
/*@ predicate is_name_byte(integer c) = 'a' <= c <= 'z' || 'A' <= c <= 'Z' || '0' <= c <= '9' ||
      c == '.' || c == '_' || c == '-';
    predicate name_is_sound{L}(char *name) =
      name[0] != '.' && name[STORE_NAME_BYTES_MAX] == 0 &&
      (\forall integer i; 0 <= i < STORE_NAME_BYTES_MAX ==>
	(name[i] == 0 ? name[i + 1] == 0 : is_name_byte(name[i])));
    // Byte i is the terminator, or before it.
    predicate is_in_name{L}(char *name, integer i) =
      0 <= i <= STORE_NAME_BYTES_MAX && (\forall integer j; 0 <= j < i ==> name[j] != 0);
    predicate name_is_readable{L}(char *name) =
      \forall integer i; is_in_name(name, i) ==> \valid_read(name + i);
    predicate names_agree{L}(char *a, char *b) =
      \forall integer i; is_in_name(a, i) ==> a[i] == b[i]; */

/* 1 to STORE_NAME_BYTES_MAX bytes of [A-Za-z0-9._-], not starting with '.'. Looks at no more than
 * STORE_NAME_BYTES_MAX + 1 bytes. */
/*@ requires name_is_readable(name);
    assigns \nothing;
    ensures \result ==> name[0] != 0 && name[0] != '.' && (\forall integer i;
      is_in_name(name, i) && name[i] != 0 ==> is_name_byte(name[i]) && i < STORE_NAME_BYTES_MAX);
    ensures !\result ==> name[0] == 0 || name[0] == '.' || (\exists integer i;
      is_in_name(name, i) && name[i] != 0 && (!is_name_byte(name[i]) || i == STORE_NAME_BYTES_MAX));
 */
bool store_name_valid(const char *name);

/* Byte order: negative, 0 or positive. Looks at no more than STORE_NAME_BYTES_MAX + 1 bytes. */
/*@ requires name_is_readable(a) && name_is_readable(b);
    assigns \nothing;
    ensures \result == 0 <==> names_agree(a, b); */
int store_name_compare(const char *a, const char *b);

/* No two objects have one name, and changes made them. */
/*@ logic integer objects_before{L}(struct store_index *index, integer end) = end <= 0 ? 0
      : objects_before(index, end - 1) + (index->names[end - 1][0] != 0 ? 1 : 0);
    predicate names_are_sound{L}(struct store_index *index) =
      \forall integer i; 0 <= i < STORE_OBJECTS_MAX ==> name_is_sound(&index->names[i][0]);
    predicate is_known_before{L}(struct store_index *index, integer slot) =
      \exists integer i; 0 <= i < slot && names_agree(&index->names[i][0], &index->names[slot][0]);
    predicate places_are_sound{L}(struct store_index *index, integer slot_count) =
      \forall integer i; 0 <= i < STORE_OBJECTS_MAX && index->names[i][0] != 0 ==>
	i < slot_count && !is_known_before(index, i);
    predicate index_is_empty{L}(struct store_index *index) = index->changes == 0 &&
      (\forall integer i, j; 0 <= i < STORE_OBJECTS_MAX && 0 <= j <= STORE_NAME_BYTES_MAX ==>
	index->names[i][j] == 0);
    predicate index_is_sound{L}(struct store_index *index, integer slot_count) =
      index->changes == 0 ? index_is_empty(index) :
	names_are_sound(index) && places_are_sound(index, slot_count) &&
	objects_before(index, STORE_OBJECTS_MAX) <= index->changes;
    predicate object_is_sound{L}(struct store_object_info *object, integer size_bytes_max) =
      name_is_sound(&object->name[0]) && object->name[0] != 0 && object->version != 0 &&
      object->size_bytes <= size_bytes_max;
    predicate object_is_empty{L}(struct store_object_info *object) =
      object->size_bytes == 0 && object->version == 0 &&
      (\forall integer i; 0 <= i <= STORE_NAME_BYTES_MAX ==> object->name[i] == 0); */

/* `slot_count`: slots that the volume has slices for; a name in a later one is malformed. A block
 * of zeroes is the index of a volume on which nothing was ever stored.
 * STATUS_NEWER_FORMAT, STATUS_AUTH_META (malformed); `index` is then empty. */
/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1)) && \valid(index);
    requires \separated(index, block + (0 .. BLOCK_BYTES - 1));
    assigns *index;
    ensures \result == STATUS_OK ==> index_is_sound(index, slot_count) &&
      (index->changes == 0 || objects_before(index, STORE_OBJECTS_MAX) == le32(block + 12));
    ensures \result != STATUS_OK ==> index_is_empty(index) &&
      (\result == STATUS_AUTH_META || \result == STATUS_NEWER_FORMAT); */
MUST_CHECK
enum status store_decode_index(const uint8_t block[BLOCK_BYTES], uint32_t slot_count,
			       struct store_index *index);
/*@ requires \valid_read(index) && names_are_sound(index) && \valid(block + (0 .. BLOCK_BYTES - 1));
    requires \separated(index, block + (0 .. BLOCK_BYTES - 1));
    assigns block[0 .. BLOCK_BYTES - 1]; */
void store_encode_index(const struct store_index *index, uint8_t block[BLOCK_BYTES]);

/* `size_bytes_max`: what a slice can hold.
 * STATUS_NEWER_FORMAT, STATUS_AUTH_META (malformed, a hole included); all fields of `object` are
 * then zero. */
/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1)) && \valid(object);
    requires \separated(object, block + (0 .. BLOCK_BYTES - 1));
    assigns *object;
    ensures \result == STATUS_OK ==> object_is_sound(object, size_bytes_max);
    ensures \result != STATUS_OK ==> object_is_empty(object) &&
      (\result == STATUS_AUTH_META || \result == STATUS_NEWER_FORMAT); */
MUST_CHECK
enum status store_decode_object(const uint8_t block[BLOCK_BYTES], uint64_t size_bytes_max,
				struct store_object_info *object);
/*@ requires \valid_read(object) && name_is_sound(&object->name[0]);
    requires \valid(block + (0 .. BLOCK_BYTES - 1));
    requires \separated(object, block + (0 .. BLOCK_BYTES - 1));
    assigns block[0 .. BLOCK_BYTES - 1]; */
void store_encode_object(const struct store_object_info *object, uint8_t block[BLOCK_BYTES]);
