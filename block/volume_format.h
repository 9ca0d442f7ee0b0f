// SPDX-License-Identifier: MIT
/* What the bytes on a volume mean: layouts, encoders and decoders. docs/volume-format.md is the
 * same in prose, with the reasons.
 *
 * Decoders are pure and total: any bytes give a status, and nothing is read outside the buffer
 * that was given. They check everything that can be checked without a key or a device. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"
#include "base/units.h"
#include "block/volume.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

#define VOLUME_FORMAT_VERSION 1u
#define VOLUME_SALT_BYTES     32u
#define VOLUME_ANCHOR_BYTES   SHA256_BYTES

/* ---- Geometry ------------------------------------------------------------------------------ */

#define VOLUME_RING_BLOCKS     256u   /* 1 MiB: state profile, and the least of the other. */
#define VOLUME_RING_BLOCKS_MAX 16384u /* 64 MiB. */
#define VOLUME_GROUP_BLOCKS    32768u /* One bitmap block's worth. */
#define VOLUME_GROUP_RESERVED  2u     /* A group's first blocks: its bitmap, alternately. */
/* Block profile: and a node of the group tree for each of its heights, alternately too. */
#define VOLUME_GROUP_RESERVED_BLOCK 8u
#define VOLUME_GROUP_COUNT_MAX      131072u /* Block profile. */
#define VOLUME_GROUPS_MAX           16u     /* State profile: the superblock has their entries. */
#define VOLUME_GROUP_LEVELS_MAX     3u
#define VOLUME_TREE_LEVELS          3u /* State profile. */
#define VOLUME_TREE_LEVELS_MAX      5u
#define VOLUME_NODE_ENTRIES         128u
#define VOLUME_NODE_SHIFT           7u
#define VOLUME_SLICE_BLOCKS         (1u << (2u * VOLUME_NODE_SHIFT))
#define VOLUME_LOGICAL_BLOCKS       (1u << (3u * VOLUME_NODE_SHIFT))
#define VOLUME_NOT_A_BLOCK          UINT64_MAX
#define VOLUME_COPIES               2u /* Of each superblock slot and each keyslot area. */

/* Where everything is, and how much a mount must find room for. Of a volume that has never grown it
 * follows from profile and size. */
struct volume_geometry {
	enum volume_profile profile;
	uint64_t size;   /* The second copies are at its end. */
	uint64_t usable; /* The groups end as for this size; less than `size`: it is growing. */
	uint64_t ring_first;
	uint64_t ring_blocks;
	uint64_t group_first; /* First block of group 0. */
	uint64_t group_end;   /* One past the last block of the last group. */
	uint32_t group_count;
	uint32_t group_reserved; /* First blocks of each group. */
	uint32_t group_levels;   /* Of the group tree; 0: the superblock has the entries. */
	uint32_t tree_levels;
	uint64_t logical_blocks;
	uint64_t slice_blocks;
	/* Between two checkpoints: distinct blocks in the log, and those with content inline. */
	uint32_t overlay_blocks;
	uint32_t overlay_contents;
	/* In one transaction: blocks, and those of them that are kept in memory. */
	uint32_t txn_blocks;
	uint32_t txn_contents;
};

/* What the places of things can rely on, whatever the profile and the sizes were. */
/*@ predicate size_is_of(integer profile, integer size) = profile == VOLUME_PROFILE_STATE
	? VOLUME_STATE_BLOCKS_MIN <= size <= VOLUME_STATE_BLOCKS_MAX
	: profile == VOLUME_PROFILE_BLOCK &&
	  VOLUME_BLOCK_BLOCKS_MIN <= size <= VOLUME_BLOCK_BLOCKS_MAX;
    predicate places_are_sound{L}(struct volume_geometry *g) =
      (g->profile == VOLUME_PROFILE_STATE || g->profile == VOLUME_PROFILE_BLOCK) &&
      g->ring_first == 4 && VOLUME_RING_BLOCKS <= g->ring_blocks <= VOLUME_RING_BLOCKS_MAX &&
      g->ring_first + g->ring_blocks == g->group_first && 512 <= g->group_end - g->group_first &&
      g->group_end + 4 <= g->usable <= g->size <= VOLUME_BLOCK_BLOCKS_MAX &&
      0 < g->group_count <= VOLUME_GROUP_COUNT_MAX && 0 < g->group_reserved <= 8 &&
      (g->group_count - 1) * VOLUME_GROUP_BLOCKS + g->group_reserved <
	g->group_end - g->group_first <= g->group_count * VOLUME_GROUP_BLOCKS;
    predicate limits_are_sound{L}(struct volume_geometry *g) =
      g->group_levels <= VOLUME_GROUP_LEVELS_MAX && g->tree_levels <= VOLUME_TREE_LEVELS_MAX &&
      g->logical_blocks <= VOLUME_BLOCK_BLOCKS_MAX;
    predicate geometry_is_sound{L}(struct volume_geometry *g) =
      places_are_sound(g) && limits_are_sound(g);
    predicate is_allocatable{L}(struct volume_geometry *g, integer block) =
      g->group_first <= block < g->group_end &&
      (block - g->group_first) % VOLUME_GROUP_BLOCKS >= g->group_reserved; */

/* STATUS_INVALID: not a size of that profile, or no profile. */
/*@ requires \valid(geometry);
    assigns *geometry;
    ensures \result == STATUS_OK ==> geometry_is_sound(geometry) &&
      geometry->profile == profile && geometry->size == geometry->usable == size;
    ensures \result != STATUS_OK ==> \result == STATUS_INVALID; */
MUST_CHECK
enum status volume_geometry_make(uint32_t profile, uint64_t size, struct volume_geometry *geometry);
/* Of a volume that may have grown: it keeps its ring, and while it is growing its groups. */
/*@ requires \valid(geometry);
    assigns *geometry;
    ensures \result == STATUS_OK ==> geometry_is_sound(geometry);
    ensures \result == STATUS_OK ==>
      geometry->profile == profile && geometry->size == size && geometry->usable == usable &&
      geometry->ring_blocks == ring_blocks;
    ensures \result != STATUS_OK ==> \result == STATUS_INVALID; */
MUST_CHECK
enum status volume_geometry_grown(uint32_t profile, uint64_t size, uint64_t usable,
				  uint64_t ring_blocks, struct volume_geometry *geometry);
/* False: profile and size alone do not give this geometry. */
//@ requires \valid_read(geometry); assigns \nothing;
bool volume_geometry_is_plain(const struct volume_geometry *geometry);
/* The largest volume of a profile; 0: no profile. */
//@ assigns \nothing; ensures \forall integer s; size_is_of(profile, s) ==> s <= \result;
uint64_t volume_size_max(uint32_t profile);
/* Copy 0 is near the start of the device, copy 1 at the end of the volume. */
//@ requires size >= 8 && slot < 2; assigns \nothing; ensures \result < 2 || \result < size;
uint64_t volume_superblock_place(uint64_t size, uint32_t slot, uint32_t copy);
//@ requires size >= 8 && area < 2; assigns \nothing; ensures 2 <= \result < size;
uint64_t volume_keyslots_place(uint64_t size, uint32_t area, uint32_t copy);
/* True for a block that may hold data, a node or the session table. */
/*@ requires \valid_read(geometry);
    assigns \nothing;
    ensures \result <==> is_allocatable(geometry, block); */
bool volume_is_allocatable(const struct volume_geometry *geometry, uint64_t block);
/* The same for `count` neighbours. */
/*@ requires \valid_read(geometry);
    assigns \nothing;
    ensures \result ==> block + count <= geometry->group_end &&
      (\forall integer i; 0 <= i < count ==> is_allocatable(geometry, block + i)); */
bool volume_are_allocatable(const struct volume_geometry *geometry, uint64_t block, uint32_t count);
/*@ requires \valid_read(geometry) && geometry_is_sound(geometry);
    requires group <= geometry->group_count && slot <= geometry->group_reserved;
    assigns \nothing;
    ensures \result == geometry->group_first + group * VOLUME_GROUP_BLOCKS + slot;
    ensures group < geometry->group_count ==> \result < geometry->group_end; */
uint64_t volume_bitmap_place(const struct volume_geometry *geometry, uint32_t group, uint32_t slot);
/* Of a node of the group tree; height 1 holds the bitmaps' entries. */
//@ assigns \nothing;
uint64_t volume_group_node_place(const struct volume_geometry *geometry, uint32_t height,
				 uint64_t index, uint32_t slot);
/* Blocks that may hold data, nodes or the table. */
/*@ requires \valid_read(geometry) && places_are_sound(geometry);
    assigns \nothing;
    ensures 500 < \result <= geometry->group_end - geometry->group_first; */
uint64_t volume_allocatable_count(const struct volume_geometry *geometry);

/* ---- Tree entries -------------------------------------------------------------------------- */

#define VOLUME_ENTRY_BYTES        32u
#define VOLUME_ENTRY_PHYSICAL_END (UINT64_C(1) << 40) /* Above: flags and reserved bits. */

/* A sealed block: where it is, and what opens it. All zero: a hole. */
struct volume_entry {
	uint64_t physical; /* 40 bits on the disk; 0: hole. */
	uint32_t session;
	uint32_t counter;
	uint8_t tag[AEAD_TAG_BYTES];
};

/*@ requires \valid(to + (0 .. VOLUME_ENTRY_BYTES - 1)) && \valid_read(entry);
    requires \separated(to + (0 .. VOLUME_ENTRY_BYTES - 1), entry);
    assigns to[0 .. VOLUME_ENTRY_BYTES - 1]; */
void volume_entry_encode(uint8_t to[VOLUME_ENTRY_BYTES], const struct volume_entry *entry);
/* STATUS_AUTH_META: flags or reserved bits that this version does not know, or a hole that is not
 * all zero. */
/*@ requires \valid_read(from + (0 .. VOLUME_ENTRY_BYTES - 1)) && \valid(entry);
    requires \separated(from + (0 .. VOLUME_ENTRY_BYTES - 1), entry);
    assigns *entry;
    ensures \result == STATUS_OK ==> entry->physical < VOLUME_ENTRY_PHYSICAL_END;
    ensures \result == STATUS_OK && entry->physical == 0 ==>
      (\forall integer i; 0 <= i < VOLUME_ENTRY_BYTES ==> from[i] == 0);
    ensures \result != STATUS_OK ==> \result == STATUS_AUTH_META; */
MUST_CHECK
enum status volume_entry_decode(const uint8_t from[VOLUME_ENTRY_BYTES], struct volume_entry *entry);
/* The same of neighbours in a node of the tree, from `slot` on; STATUS_AUTH_META also if one points
 * where nothing may be. */
/*@ requires \valid_read(geometry) && \valid_read(node + (0 .. BLOCK_BYTES - 1));
    requires slot + count <= VOLUME_NODE_ENTRIES && \valid(entries + (0 .. count - 1));
    requires \separated(entries + (0 .. count - 1), geometry);
    requires \separated(entries + (0 .. count - 1), node + (0 .. BLOCK_BYTES - 1));
    assigns entries[0 .. count - 1];
    ensures \result == STATUS_OK ==> (\forall integer i; 0 <= i < count ==>
      entries[i].physical == 0 || is_allocatable(geometry, entries[i].physical));
    ensures \result != STATUS_OK ==> \result == STATUS_AUTH_META; */
MUST_CHECK
enum status volume_slots_decode(const struct volume_geometry *geometry, const uint8_t *node,
				uint32_t slot, uint32_t count, struct volume_entry *entries);

/* ---- Superblock ---------------------------------------------------------------------------- */

#define VOLUME_SUPERBLOCK_MAGIC       "HOLDFAST"
#define VOLUME_SUPERBLOCK_AAD_BYTES   96u
#define VOLUME_SUPERBLOCK_BODY_OFFSET 112u
#define VOLUME_SUPERBLOCK_BODY_BYTES  1024u
#define VOLUME_BODY_GROUPS_AT         320u
#define VOLUME_BODY_LIFE_AT           848u /* Behind what the block profile has. */
#define VOLUME_BODY_DOUBT_AT          896u
#define VOLUME_SUPERBLOCK_USED_BYTES  (VOLUME_SUPERBLOCK_BODY_OFFSET + VOLUME_SUPERBLOCK_BODY_BYTES)
/* Features, in the clear header: programs that do not know one answer NEWER_FORMAT. */
#define VOLUME_FEATURE_GROWN    1u  /* The geometry is not the one of a new volume of this size. */
#define VOLUME_FEATURE_ROTATION 2u  /* Two master keys: a rotation is under way. */
#define VOLUME_FEATURE_WITNESS  4u  /* A witness knows of it, or has to. */
#define VOLUME_FEATURE_LATE     8u  /* VOLUME_SUPERBLOCK_LATE is set in the body. */
#define VOLUME_FEATURE_CARRIES  16u /* VOLUME_SUPERBLOCK_CARRIES is set in the body. */
#define VOLUME_FEATURES_KNOWN   31u /* All of these. */

/* In clear, and so only a claim until the body has opened. */
struct volume_superblock_header {
	uint32_t version;
	uint32_t features;
	uint32_t profile;
	uint32_t generation;
	uint8_t uuid[VOLUME_UUID_BYTES];
	uint64_t size;
	uint8_t salt[VOLUME_SALT_BYTES];
	uint8_t tag[AEAD_TAG_BYTES];
};

/* How far a rotation of the master key is. Each phase has a cursor of its own. */
enum volume_rotation {
	VOLUME_ROTATION_NONE = 0,
	VOLUME_ROTATION_TREE = 1,   /* Re-seals data and nodes; next logical block. */
	VOLUME_ROTATION_GROUPS = 2, /* Re-seals bitmaps and nodes of the group tree; next group. */
	VOLUME_ROTATION_ERASE = 3,  /* Overwrites what nothing refers to; next physical block. */
};

/* Block profile: records behind the log head may carry the epoch before this one. They were
 * committed while the checkpoint ran. */
#define VOLUME_SUPERBLOCK_LATE 1u
/* Block profile: records behind the log head may carry sealed blocks, and be sealed in part. */
#define VOLUME_SUPERBLOCK_CARRIES 2u

/* The sealed body. */
struct volume_superblock {
	uint32_t generation; /* In the header: of the master key that seals the body. */
	uint64_t epoch;
	struct volume_geometry geometry;
	/* Log head: where the first record of this epoch goes, and what it has to continue. */
	uint32_t log_offset;
	uint64_t log_sequence;
	uint8_t log_tag[AEAD_TAG_BYTES];
	uint8_t anchor[VOLUME_ANCHOR_BYTES];
	struct volume_entry tree;
	struct volume_entry table;
	struct volume_entry
		groups[VOLUME_GROUPS_MAX]; /* Block profile: [0] is the group tree's root. */
	/* Block profile: where allocation goes on, and how many blocks are free. */
	uint64_t cursor;
	uint64_t free_count;
	/* The session that wrote this superblock; it seals the session table. */
	uint32_t session;
	uint32_t session_generation;
	uint8_t session_salt[VOLUME_SALT_BYTES];
	uint32_t next_session;
	uint64_t keyslot_epoch;
	uint8_t keyslot_digest[SHA256_BYTES];
	/* The freshness witness: what it acknowledged last (zero: nothing), what was sent to it
	 * without an answer (zero: nothing), and the policy. */
	uint64_t witness_sequence;
	uint8_t witness_anchor[VOLUME_ANCHOR_BYTES];
	uint64_t witness_doubt_sequence;
	uint8_t witness_doubt_anchor[VOLUME_ANCHOR_BYTES];
	struct volume_witness_policy witness_policy;
	uint32_t flags;        /* VOLUME_SUPERBLOCK_. */
	uint64_t sweep_cursor; /* Key rotation: where it goes on. */
	enum volume_rotation rotation;
	uint8_t previous_key[VOLUME_KEY_BYTES]; /* Generation g-1, while a rotation is under way. */
};

/* What a mount can rely on once the body has opened. Each bitmap's entry is in one of its group's
 * own two places; only the group tree's root is there instead where there is such a tree. */
/*@ predicate rotation_is_sound{L}(struct volume_superblock *s) =
      s->rotation == VOLUME_ROTATION_NONE ? s->sweep_cursor == 0 :
      s->rotation == VOLUME_ROTATION_TREE ? s->sweep_cursor <= s->geometry.logical_blocks :
      s->rotation == VOLUME_ROTATION_GROUPS ? s->sweep_cursor <= s->geometry.group_count :
      s->rotation == VOLUME_ROTATION_ERASE && s->sweep_cursor <= s->geometry.group_end;
    predicate marks_are_sound{L}(struct volume_superblock *s) =
      policy_is_sane(&s->witness_policy) &&
      (s->witness_doubt_sequence == 0 || s->witness_doubt_sequence > s->witness_sequence);
    predicate fields_are_sound{L}(struct volume_superblock *s) =
      s->epoch > 0 && s->log_offset < s->geometry.ring_blocks && s->keyslot_epoch > 0 &&
      0 < s->session < s->next_session && marks_are_sound(s) && rotation_is_sound(s) &&
      s->flags <= (s->geometry.profile == VOLUME_PROFILE_BLOCK ? 3 : 0) &&
      s->free_count <= s->geometry.group_end - s->geometry.group_first &&
      (s->geometry.profile == VOLUME_PROFILE_STATE ||
       s->geometry.group_first <= s->cursor < s->geometry.group_end);
    predicate group_is_sound{L}(struct volume_superblock *s, integer i) =
      s->geometry.group_levels != 0 ? (i == 0 || s->groups[i].physical == 0) :
      i >= s->geometry.group_count ? s->groups[i].physical == 0 :
      0 <= s->groups[i].physical - (s->geometry.group_first + i * VOLUME_GROUP_BLOCKS) <= 1;
    predicate entries_are_sound{L}(struct volume_superblock *s) =
      (\forall integer i; 0 <= i < VOLUME_GROUPS_MAX ==> group_is_sound(s, i)) &&
      is_allocatable(&s->geometry, s->table.physical) &&
      (s->tree.physical == 0 || is_allocatable(&s->geometry, s->tree.physical));
    predicate superblock_is_sound{L}(struct volume_superblock *s) =
      geometry_is_sound(&s->geometry) && fields_are_sound(s) && entries_are_sound(s); */

/*@ predicate header_is_sound{L}(struct volume_superblock_header *h) =
      1 <= h->version <= VOLUME_FORMAT_VERSION && h->features <= VOLUME_FEATURES_KNOWN &&
      (h->profile == VOLUME_PROFILE_STATE || h->profile == VOLUME_PROFILE_BLOCK);
    // `block` as it was at A, `h` as it is at B.
    predicate header_is_of{A, B}(struct volume_superblock_header *h, uint8_t *block) =
      \at(h->version, B) == le32{A}(block + 8) && \at(h->features, B) == le32{A}(block + 12) &&
      \at(h->size, B) == le64{A}(block + 32) && \at(h->profile, B) == le32{A}(block + 40) &&
      \at(h->generation, B) == le32{A}(block + 44); */

/* Fill the header part and zero the rest of the block. */
/*@ requires \valid(block + (0 .. BLOCK_BYTES - 1)) && \valid_read(header);
    requires \separated(header, block + (0 .. BLOCK_BYTES - 1));
    assigns block[0 .. BLOCK_BYTES - 1]; */
MUST_CHECK
enum status volume_superblock_header_encode(uint8_t block[BLOCK_BYTES],
					    const struct volume_superblock_header *header);
/* STATUS_NOT_A_VOLUME: neither the magic nor the checksum is ours. STATUS_AUTH_META: ours, but
 * damaged. STATUS_NEWER_FORMAT: intact, of a later version. */
/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1)) && \valid(header);
    requires \separated(header, block + (0 .. BLOCK_BYTES - 1));
    assigns *header;
    ensures \result == STATUS_OK ==> header_is_sound(header) && header_is_of{Pre, Post}(header,
   block); */
MUST_CHECK
enum status volume_superblock_header_decode(const uint8_t block[BLOCK_BYTES],
					    struct volume_superblock_header *header);
/* What the header has to say about this body. */
//@ requires \valid_read(superblock); assigns \nothing;
uint32_t volume_superblock_features(const struct volume_superblock *superblock);
void volume_superblock_body_encode(uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES],
				   const struct volume_superblock *superblock);
/* `profile` and `size` as the header says. STATUS_AUTH_META: no writer of this format wrote that,
 * and all fields of `superblock` are zero. */
/*@ requires \valid_read(body + (0 .. VOLUME_SUPERBLOCK_BODY_BYTES - 1)) && \valid(superblock);
    requires \separated(superblock, body + (0 .. VOLUME_SUPERBLOCK_BODY_BYTES - 1));
    assigns *superblock;
    ensures \result == STATUS_OK ==> superblock_is_sound(superblock) &&
      superblock->geometry.profile == profile && superblock->geometry.size == size;
    ensures \result != STATUS_OK ==> \result == STATUS_AUTH_META; */
MUST_CHECK
enum status volume_superblock_body_decode(const uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES],
					  uint32_t profile, uint64_t size,
					  struct volume_superblock *superblock);

/* ---- Keyslots ------------------------------------------------------------------------------ */

#define VOLUME_KEYSLOTS_MAGIC         "HOLDKEYS"
#define VOLUME_KEYSLOT_BYTES          256u
#define VOLUME_KEYSLOT_BOUND_BYTES    48u /* type .. salt: what the commitment covers. */
#define VOLUME_KEYSLOT_AAD_BYTES      80u /* The above and the commitment. */
#define VOLUME_KEYSLOTS_DIGEST_OFFSET (BLOCK_BYTES - SHA256_BYTES)
#define VOLUME_PBKDF2_ITERATIONS      210000u
#define VOLUME_PBKDF2_ITERATIONS_MIN  10000u
#define VOLUME_PBKDF2_ITERATIONS_MAX  10000000u /* A planted slot must not hang the boot. */

struct volume_keyslot {
	uint32_t type; /* enum volume_key_type; 0: free. */
	uint32_t generation;
	uint32_t iterations; /* PBKDF2; 0 for the other types. */
	uint8_t salt[VOLUME_SALT_BYTES];
	uint8_t commitment[SHA256_BYTES];
	uint8_t wrapped[VOLUME_KEY_BYTES];
	uint8_t tag[AEAD_TAG_BYTES];
};

struct volume_keyslots {
	uint8_t uuid[VOLUME_UUID_BYTES];
	uint64_t size; /* Of the volume, so that the copies at its end can be found. */
	enum volume_profile profile;
	uint64_t epoch;
	struct volume_keyslot slots[VOLUME_KEYSLOTS_MAX];
};

/*@ predicate keyslot_is_sound{L}(struct volume_keyslot *s) =
      s->type == VOLUME_KEY_PASSPHRASE
	? VOLUME_PBKDF2_ITERATIONS_MIN <= s->iterations <= VOLUME_PBKDF2_ITERATIONS_MAX
	: (s->type == 0 || s->type == VOLUME_KEY_RAW || s->type == VOLUME_KEY_RECOVERY) &&
	  s->iterations == 0;
    predicate keyslots_are_sound{L}(struct volume_keyslots *k) =
      k->epoch > 0 && (k->profile == VOLUME_PROFILE_STATE || k->profile == VOLUME_PROFILE_BLOCK) &&
      (\forall integer i; 0 <= i < VOLUME_KEYSLOTS_MAX ==> keyslot_is_sound(&k->slots[i])); */
void volume_keyslot_encode(uint8_t to[VOLUME_KEYSLOT_BYTES], const struct volume_keyslot *slot);
MUST_CHECK
enum status volume_keyslots_encode(uint8_t block[BLOCK_BYTES],
				   const struct volume_keyslots *keyslots,
				   uint8_t digest[SHA256_BYTES]);
/* Statuses as volume_superblock_header_decode. The digest is unkeyed: it tells accidents from a
 * wrong key; the superblock's copy of it is what binds. */
MUST_CHECK
enum status volume_keyslots_decode(const uint8_t block[BLOCK_BYTES],
				   struct volume_keyslots *keyslots, uint8_t digest[SHA256_BYTES]);

/* ---- Session table ------------------------------------------------------------------------- */

#define VOLUME_SESSION_BYTES      44u
#define VOLUME_TABLE_HEADER_BYTES 16u
#define VOLUME_SESSIONS_MAX       ((BLOCK_BYTES - VOLUME_TABLE_HEADER_BYTES) / VOLUME_SESSION_BYTES)

struct volume_session_row {
	uint32_t id;
	uint32_t generation;
	uint32_t live_blocks; /* Data, nodes and bitmaps on the disk that it sealed. */
	uint8_t salt[VOLUME_SALT_BYTES];
};

struct volume_session_table {
	uint32_t count;
	struct volume_session_row rows[VOLUME_SESSIONS_MAX];
};

/* Each session is there once. */
/*@ predicate table_is_sound{L}(struct volume_session_table *t) =
      t->count <= VOLUME_SESSIONS_MAX && (\forall integer i; 0 <= i < t->count ==>
	(i == 0 ? 0 : t->rows[i - 1].id) < t->rows[i].id); */

/*@ requires \valid(block + (0 .. BLOCK_BYTES - 1)) && \valid_read(table);
    requires table->count <= VOLUME_SESSIONS_MAX;
    requires \separated(table, block + (0 .. BLOCK_BYTES - 1));
    assigns block[0 .. BLOCK_BYTES - 1]; */
void volume_table_encode(uint8_t block[BLOCK_BYTES], const struct volume_session_table *table);
/* STATUS_AUTH_META: no writer of this format wrote that; `table` is then as it was. */
/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1)) && \valid(table);
    requires \separated(table, block + (0 .. BLOCK_BYTES - 1));
    assigns *table;
    ensures \result == STATUS_OK ==> table_is_sound(table);
    ensures \result != STATUS_OK ==>
      \result == STATUS_AUTH_META && table->count == \old(table->count) &&
      (\forall integer i; 0 <= i < VOLUME_SESSIONS_MAX ==>
	table->rows[i] == \old(table->rows[i])); */
MUST_CHECK
enum status volume_table_decode(const uint8_t block[BLOCK_BYTES],
				struct volume_session_table *table);
