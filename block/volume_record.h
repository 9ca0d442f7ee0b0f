// SPDX-License-Identifier: MIT
/* Log records: one record is one transaction, one contiguous device write.
 *
 * A record says what changed as byte ranges, so that the smallest commit fits in one block. Every
 * decoder here is pure and takes any bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/reader.h"
#include "base/status.h"
#include "base/units.h"
#include "block/volume_format.h"

#define VOLUME_RECORD_MAGIC 0x524c4648u /* "HFLR". */
/* Records of the block profile are sealed in units of this; the rest of their last block is not. */
#define VOLUME_RECORD_GRAIN_BYTES  512u
#define VOLUME_RECORD_GRAINS_MAX   255u
#define VOLUME_RECORD_AAD_BYTES    52u
#define VOLUME_RECORD_HEADER_BYTES 68u /* In clear: the above and the tag. */
#define VOLUME_RECORD_BODY_BYTES   64u /* Sealed, before the changes. */
#define VOLUME_RECORD_OVERHEAD     (VOLUME_RECORD_HEADER_BYTES + VOLUME_RECORD_BODY_BYTES)
#define VOLUME_CHANGE_HEADER_BYTES 8u
/* A change's place is its kind in these, and its offset. */
#define VOLUME_CHANGE_KIND_UNIT    4096u
#define VOLUME_EXTENT_HEADER_BYTES 12u /* Place and counter, before the tags. */
#define VOLUME_EXTENT_BYTES(count) \
	(VOLUME_CHANGE_HEADER_BYTES + VOLUME_EXTENT_HEADER_BYTES + (size_t)(count)*AEAD_TAG_BYTES)
#define VOLUME_EXTENT_BLOCKS_MAX 2048u
#define VOLUME_CARRIED_BYTES     20u /* Counter and tag. */
/* One block never costs more than itself and one header: a gap of unchanged bytes splits a range
 * only if that saves something. */
#define VOLUME_CHANGE_BYTES_MAX (VOLUME_CHANGE_HEADER_BYTES + BLOCK_BYTES)
#define VOLUME_RECORD_BYTES_MAX \
	(VOLUME_RECORD_OVERHEAD + VOLUME_TXN_BLOCKS_MAX * VOLUME_CHANGE_BYTES_MAX)
#define VOLUME_RECORD_BLOCKS_MAX  ((VOLUME_RECORD_BYTES_MAX + BLOCK_BYTES - 1) / BLOCK_BYTES)

#define VOLUME_CHAIN_ANCHOR_BYTES 16u /* A record carries the first half of the anchor. */

enum volume_record_flag {
	VOLUME_RECORD_COMMIT = 1, /* Ends a transaction. Always set in the state profile. */
	/* When this was written, no witness had acknowledged the history before it. */
	VOLUME_RECORD_UNANCHORED = 2,
};

/* In clear. What is sealed ends at `sealed_bytes` from the record's beginning: at the end of all
 * its blocks, or at a grain. Carried blocks follow, each sealed by itself. */
struct volume_record_header {
	uint32_t block_count;
	uint32_t sealed_bytes;
	uint32_t generation;
	uint64_t counter; /* The nonce's. */
	uint8_t salt[VOLUME_SALT_BYTES];
	uint8_t tag[AEAD_TAG_BYTES];
};

/* Sealed. */
struct volume_record {
	uint32_t session;
	uint32_t flags;
	uint32_t change_count;
	uint64_t epoch;
	uint64_t sequence;
	uint64_t durable_sequence; /* Highest known to be flushed when this was written. */
	uint8_t previous_tag[AEAD_TAG_BYTES];
	uint8_t anchor[VOLUME_CHAIN_ANCHOR_BYTES]; /* Of the history before this record. */
	uint32_t carried_count;                    /* Not in the body: of its changes. */
};

/* Blocks before those that are carried. */
//@ requires sealed_bytes <= UINT32_MAX - BLOCK_BYTES; assigns \nothing;
static inline uint32_t volume_record_sealed_blocks(uint32_t sealed_bytes)
{
	return (sealed_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

/* Where in the ring a record goes, if the one before it ends at `offset`: there, or to the ring's
 * start if it does not fit before the end. */
/*@ requires offset < ring_blocks && 0 < block_count <= ring_blocks <= VOLUME_RING_BLOCKS_MAX;
    assigns \nothing;
    ensures \result == (offset + block_count <= ring_blocks ? offset : 0); */
static inline uint32_t volume_record_offset(uint32_t ring_blocks, uint32_t offset,
					    uint32_t block_count)
{
	return offset + block_count <= ring_blocks ? offset : 0;
}

enum volume_change_kind {
	VOLUME_CHANGE_PATCH = 0, /* Bytes over the content so far. */
	VOLUME_CHANGE_FRESH = 1, /* The block becomes zeroes, then bytes over it. */
	VOLUME_CHANGE_HOLE = 2,  /* The block becomes a hole; no bytes. */
	/* Neighbouring blocks were sealed into neighbouring places (block profile). */
	VOLUME_CHANGE_EXTENT = 3,
	/* The block was sealed into the record's own end (block profile). */
	VOLUME_CHANGE_CARRIED = 4,
};

struct volume_change {
	enum volume_change_kind kind;
	uint32_t logical;
	uint32_t offset;
	uint32_t size_bytes;
	const uint8_t *bytes; /* Borrowed from the record. EXTENT, CARRIED: the tags. */
	/* EXTENT and CARRIED only. */
	uint64_t physical; /* CARRIED: 0; who knows where the record is knows where that is. */
	uint32_t counter;  /* Of the first block; the others follow. */
	uint32_t count;
};

/*@ predicate sealed_is_sound(integer blocks, integer sealed) =
      sealed == blocks * BLOCK_BYTES ||
      (0 < sealed < blocks * BLOCK_BYTES && sealed % VOLUME_RECORD_GRAIN_BYTES == 0 &&
       sealed <= VOLUME_RECORD_GRAINS_MAX * VOLUME_RECORD_GRAIN_BYTES); */
/*@ requires \valid(to + (0 .. VOLUME_RECORD_HEADER_BYTES - 1)) && \valid_read(header);
    requires \separated(to + (0 .. VOLUME_RECORD_HEADER_BYTES - 1), header);
    requires 1 <= header->block_count <= VOLUME_RECORD_BLOCKS_MAX;
    requires sealed_is_sound(header->block_count, header->sealed_bytes);
    assigns to[0 .. VOLUME_RECORD_HEADER_BYTES - 1]; */
void volume_record_header_encode(uint8_t *to, const struct volume_record_header *header);
/* STATUS_NOT_FOUND: no record starts here. */
/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1)) && \valid(header);
    requires \separated(block + (0 .. BLOCK_BYTES - 1), header);
    assigns *header;
    ensures \result == STATUS_OK ==> 1 <= header->block_count <= VOLUME_RECORD_BLOCKS_MAX &&
      sealed_is_sound(header->block_count, header->sealed_bytes) && header->counter > 0;
    ensures \result != STATUS_OK ==> \result == STATUS_NOT_FOUND; */
MUST_CHECK
enum status volume_record_header_decode(const uint8_t block[BLOCK_BYTES],
					struct volume_record_header *header);
/*@ requires \valid(to + (0 .. VOLUME_RECORD_BODY_BYTES - 1)) && \valid_read(record);
    requires \separated(to + (0 .. VOLUME_RECORD_BODY_BYTES - 1), record);
    requires record->flags <= UINT16_MAX && record->change_count <= UINT16_MAX;
    assigns to[0 .. VOLUME_RECORD_BODY_BYTES - 1]; */
void volume_record_body_encode(uint8_t to[VOLUME_RECORD_BODY_BYTES],
			       const struct volume_record *record);
/* `body` is all of the opened text. Checks every change and the padding as well. STATUS_AUTH_META:
 * no writer of this format wrote that. */
/*@ predicate record_is_sound{L}(struct volume_record *r) =
      0 < r->session && r->flags <= 3 && 0 < r->sequence && r->durable_sequence < r->sequence; */
/*@ requires \valid_read(geometry) && \valid(record);
    requires \valid_read(body + (0 .. size_bytes - 1));
    requires \separated(record, geometry, body + (0 .. size_bytes - 1));
    assigns *record;
    ensures \result == STATUS_OK ==> record_is_sound(record);
    ensures \result != STATUS_OK ==> \result == STATUS_AUTH_META; */
MUST_CHECK
enum status volume_record_body_decode(const struct volume_geometry *geometry, const uint8_t *body,
				      size_t size_bytes, struct volume_record *record);

/*@ predicate change_is_extent{L}(struct volume_geometry *g, struct volume_change *c) =
      g->profile == VOLUME_PROFILE_BLOCK && 0 < c->count <= 4096 &&
      0 < c->counter && c->counter + c->count <= UINT32_MAX &&
      c->logical + c->count <= g->logical_blocks &&
      \valid_read(c->bytes + (0 .. c->count * AEAD_TAG_BYTES - 1)) &&
      (\forall integer i; 0 <= i < c->count ==> is_allocatable(g, c->physical + i));
    predicate change_is_carried{L}(struct volume_geometry *g, struct volume_change *c) =
      g->profile == VOLUME_PROFILE_BLOCK && c->count == 1 && 0 < c->counter &&
      \valid_read(c->bytes + (0 .. AEAD_TAG_BYTES - 1));
    predicate change_is_sound{L}(struct volume_geometry *g, struct volume_change *c) =
      VOLUME_CHANGE_PATCH <= c->kind <= VOLUME_CHANGE_CARRIED && c->logical < g->logical_blocks &&
      (c->kind == VOLUME_CHANGE_EXTENT ? change_is_extent{L}(g, c) :
	c->kind == VOLUME_CHANGE_CARRIED ? change_is_carried{L}(g, c) :
	c->offset + c->size_bytes <= BLOCK_BYTES &&
	\valid_read(c->bytes + (0 .. c->size_bytes - 1))) &&
      (c->kind == VOLUME_CHANGE_HOLE ==> c->offset == 0 && c->size_bytes == 0); */

/* Walk the changes of a body: `reader` starts behind the fixed part (volume_changes_begin). */
/*@ requires \valid(reader) && \valid_read(body + (0 .. size_bytes - 1));
    requires \separated(reader, body + (0 .. size_bytes - 1));
    assigns *reader;
    ensures reader_is_sound(reader) && reader->data == body && reader->size == size_bytes; */
void volume_changes_begin(struct reader *reader, const uint8_t *body, size_t size_bytes);
/*@ requires \valid_read(geometry) && \valid(change);
    requires \valid(reader) && reader_is_sound(reader);
    requires \separated(reader, change, geometry, reader->data + (0 .. reader->size - 1));
    assigns *reader, *change;
    ensures reader_is_sound(reader);
    ensures reader_goes_on{Pre, Post}(reader);
    ensures \result == STATUS_OK ==> change_is_sound(geometry, change);
    ensures \result != STATUS_OK ==> \result == STATUS_AUTH_META; */
MUST_CHECK
enum status volume_change_decode(const struct volume_geometry *geometry, struct reader *reader,
				 struct volume_change *change);
/* Apply one PATCH or FRESH to a block's content. */
/*@ requires \valid_read(change) && \valid(content + (0 .. BLOCK_BYTES - 1));
    requires change->offset + change->size_bytes <= BLOCK_BYTES;
    requires \valid_read(change->bytes + (0 .. change->size_bytes - 1));
    requires \separated(content + (0 .. BLOCK_BYTES - 1), change,
      change->bytes + (0 .. change->size_bytes - 1));
    assigns content[0 .. BLOCK_BYTES - 1];
    ensures \forall integer i; 0 <= i < change->size_bytes ==>
      content[change->offset + i] == change->bytes[i]; */
void volume_change_apply(const struct volume_change *change, uint8_t content[BLOCK_BYTES]);

/* Append what turns `base` into `content`; `base` NULL: unknown or a hole. Writes at most
 * VOLUME_CHANGE_BYTES_MAX bytes. Returns the number of changes; 0 if nothing differs. */
uint32_t volume_changes_encode(struct writer *writer, uint32_t logical, const uint8_t *base,
			       const uint8_t content[BLOCK_BYTES]);
void volume_change_hole_encode(struct writer *writer, uint32_t logical);
/* A block that lies at the record's end. */
void volume_change_carried_encode(struct writer *writer, uint32_t logical, uint32_t counter,
				  const uint8_t tag[AEAD_TAG_BYTES]);
/* Begin an extent whose tags (count of them) the caller writes next. */
void volume_change_extent_encode(struct writer *writer, uint32_t logical, uint64_t physical,
				 uint32_t counter, uint32_t count);
