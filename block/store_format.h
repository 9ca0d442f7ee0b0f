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

/* name[0] == 0: the slot is free. Always terminated. */
struct store_index {
	uint64_t changes; /* Objects created and removed so far; 0: an index never written. */
	char names[STORE_OBJECTS_MAX][STORE_NAME_BYTES_MAX + 1];
};

struct store_object_info {
	char name[STORE_NAME_BYTES_MAX + 1];
	uint64_t size_bytes;
	uint64_t version; /* Commits that changed this object since it was created; at least 1. */
};

/* 1 to STORE_NAME_BYTES_MAX bytes of [A-Za-z0-9._-], not starting with '.'. Looks at no more than
 * STORE_NAME_BYTES_MAX + 1 bytes. */
bool store_name_valid(const char *name);

/* Byte order: negative, 0 or positive. Looks at no more than STORE_NAME_BYTES_MAX + 1 bytes. */
int store_name_compare(const char *a, const char *b);

/* `slot_count`: slots that the volume has slices for; a name in a later one is malformed. A block
 * of zeroes is the index of a volume on which nothing was ever stored.
 * STATUS_NEWER_FORMAT, STATUS_AUTH_META (malformed); `index` is then empty. */
MUST_CHECK
enum status store_decode_index(const uint8_t block[BLOCK_BYTES], uint32_t slot_count,
			       struct store_index *index);
void store_encode_index(const struct store_index *index, uint8_t block[BLOCK_BYTES]);

/* `size_bytes_max`: what a slice can hold.
 * STATUS_NEWER_FORMAT, STATUS_AUTH_META (malformed, a hole included); `object` is then all zero. */
MUST_CHECK
enum status store_decode_object(const uint8_t block[BLOCK_BYTES], uint64_t size_bytes_max,
				struct store_object_info *object);
void store_encode_object(const struct store_object_info *object, uint8_t block[BLOCK_BYTES]);
