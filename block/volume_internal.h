// SPDX-License-Identifier: MIT
/* The inside of a volume: one struct in the caller's arena, and the functions that the volume's
 * files offer each other. Below: who calls whom, low to high.
 *
 *   volume_format, volume_geometry, volume_record   bytes
 *   volume_keys      keyslots, key derivation
 *   volume_session   sealing and opening under session keys
 *   volume_alloc     bitmaps
 *   volume_tree      nodes: lookup, cache, copy-on-write
 *   volume_overlay   what the log holds and the tree does not yet
 *   volume_pair      blocks kept twice
 *   volume_log       append, replay
 *   volume_checkpoint, volume_txn, volume_mount, volume_create, volume_keyslots, volume_verify */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume.h"
#include "block/volume_format.h"
#include "block/volume_record.h"

/* Distinct blocks that the log may hold between two checkpoints. Part of the format: a mount must
 * find room for what an earlier one wrote. */
#define VOLUME_OVERLAY_BLOCKS 256u
#define VOLUME_OVERLAY_SLOTS  512u /* Hash slots: at most half full. */
#define VOLUME_NODE_CACHE     16u
#define VOLUME_KEY_CACHE      4u
#define VOLUME_BATCH_BLOCKS   32u
/* Blocks that only transactions which do not grow the volume may use: a full volume can always
 * shrink and overwrite. */
#define VOLUME_RESERVE_BLOCKS 128u
/* A checkpoint starts once this much of the ring is in use. */
#define VOLUME_RING_LIMIT (VOLUME_RING_BLOCKS / 2u)
/* Above this many sessions a checkpoint re-seals the blocks of the one with the fewest. */
#define VOLUME_SESSIONS_SOFT (VOLUME_SESSIONS_MAX - 28u)
/* Seals under one session key (NIST SP 800-38D, section 8.3, asks for at most 2^32). A new session
 * is drawn when fewer than the margin are left. */
#define VOLUME_SEALS_MAX    UINT32_MAX
#define VOLUME_SEALS_MARGIN (1u << 20)

STATIC_ASSERT(VOLUME_RECORD_BLOCKS_MAX <= VOLUME_RING_LIMIT, "the largest record fits");
STATIC_ASSERT(VOLUME_TXN_BLOCKS_MAX <= VOLUME_OVERLAY_BLOCKS, "the largest transaction fits");

/* Levels for messages and for authenticated data. 1 to 3 are nodes. */
enum volume_level {
	VOLUME_LEVEL_DATA = 0,
	VOLUME_LEVEL_LEAF = 1,
	VOLUME_LEVEL_ROOT = VOLUME_TREE_LEVELS,
	VOLUME_LEVEL_BITMAP = 0x100,
	VOLUME_LEVEL_TABLE = 0x101,
	VOLUME_LEVEL_SUPERBLOCK = 0x102,
	VOLUME_LEVEL_KEYSLOTS = 0x103,
	VOLUME_LEVEL_LOG = 0x104,
};

/* First word of every nonce; keeps the uses of one key apart. */
enum volume_domain {
	VOLUME_DOMAIN_LOG = 1,
	VOLUME_DOMAIN_NODE = 2,
	VOLUME_DOMAIN_DATA = 3,
	VOLUME_DOMAIN_SUPERBLOCK = 4,
	VOLUME_DOMAIN_KEYSLOT = 5,
};

/* The session that seals what this mount writes. */
struct volume_session {
	bool ready;
	uint32_t id;
	uint32_t generation;
	uint8_t salt[VOLUME_SALT_BYTES];
	uint64_t log_seals;
	uint64_t node_seals;
	uint64_t data_seals;
	struct aead_key log_key;
	struct aead_key node_key;
	struct aead_key data_key;
};

/* Keys that open what earlier sessions wrote. */
struct volume_session_keys {
	uint32_t id; /* 0: free. */
	uint64_t used_at;
	struct aead_key node_key;
	struct aead_key data_key;
};

/* The log key of one salt, kept between records. */
struct volume_log_key {
	bool ready;
	uint32_t generation;
	uint8_t salt[VOLUME_SALT_BYTES];
	struct aead_key key;
};

/* A block that is kept twice. Writes go to one place, flush, then to the other, flush: at any
 * moment one of them is whole, so two bad copies are never the work of a crash. */
struct volume_pair {
	uint64_t places[VOLUME_COPIES];
	bool needs_heal; /* The copies differ: write `good` over the other before anything else. */
	uint32_t good;
};

enum volume_overlay_kind {
	VOLUME_OVERLAY_CONTENT,
	VOLUME_OVERLAY_HOLE,
	/* A logged patch whose base no longer authenticates. Reads fail, checkpoints are refused.
	 */
	VOLUME_OVERLAY_LOST,
};

struct volume_overlay_entry {
	uint32_t logical;
	enum volume_overlay_kind kind;
};

struct volume_overlay {
	uint32_t count;
	struct volume_overlay_entry entries[VOLUME_OVERLAY_BLOCKS];
	uint16_t slots[VOLUME_OVERLAY_SLOTS]; /* Entry index + 1; 0: empty. */
	uint8_t *content;                     /* VOLUME_OVERLAY_BLOCKS blocks. */
};

struct volume_staged {
	uint32_t logical;
	bool is_hole;
	bool changed; /* Set by commit: differs from the committed block. */
};

struct volume_txn {
	bool open;
	uint32_t count;
	struct volume_staged staged[VOLUME_TXN_BLOCKS_MAX];
	uint8_t *content; /* VOLUME_TXN_BLOCKS_MAX blocks. */
};

/* Where the next record goes and what it continues. */
struct volume_log {
	uint32_t offset; /* In the ring. */
	uint32_t used;   /* Blocks since the head, skipped ones included. */
	uint64_t sequence;
	uint64_t durable_sequence;
	uint8_t tag[AEAD_TAG_BYTES];
	uint8_t anchor[VOLUME_ANCHOR_BYTES];
	uint8_t *record; /* VOLUME_RECORD_BLOCKS_MAX blocks. */
};

struct volume_cached_node {
	struct volume_entry entry; /* Identity; physical 0: free. */
	uint32_t level;
	uint64_t index;
	uint64_t used_at;
};

struct volume_bitmaps {
	uint64_t free_count; /* Of `now`. */
	uint64_t cursor;     /* Next fit: a block on the device. */
	uint8_t *now;        /* group_count blocks: a set bit is a block that may not be taken. */
	uint8_t *next;       /* Likewise, after the running checkpoint. */
};

/* Writes to neighbouring blocks, gathered into one. */
struct volume_batch {
	uint64_t first;
	uint32_t count;
	uint8_t *blocks; /* VOLUME_BATCH_BLOCKS blocks. */
};

/* One path from the root, being changed by a checkpoint. Index 0 is the leaf level. */
struct volume_cursor {
	bool loaded[VOLUME_TREE_LEVELS];
	bool dirty[VOLUME_TREE_LEVELS];
	uint64_t index[VOLUME_TREE_LEVELS];
	uint8_t *nodes; /* VOLUME_TREE_LEVELS blocks. */
};

/* The state that a checkpoint builds beside the current one. */
struct volume_build {
	struct volume_superblock superblock;
	struct volume_session_table table;
	struct volume_batch batch;
	struct volume_cursor cursor;
	uint32_t victim; /* Session whose blocks are re-sealed; 0: none. */
};

struct volume {
	const struct block_device *device;
	const struct aead *aead;
	struct random *random;
	bool read_only;
	bool writable;
	struct volume_geometry geometry;
	uint8_t uuid[VOLUME_UUID_BYTES];
	uint8_t master_key[VOLUME_KEY_BYTES];
	uint32_t generation;
	uint8_t anchor_key[SHA256_BYTES];

	struct volume_superblock superblock; /* As last made durable. */
	struct volume_session_table table;   /* Likewise. */
	struct volume_keyslots keyslots;     /* Likewise. */
	uint8_t keyslots_digest[SHA256_BYTES];
	uint32_t keyslots_area; /* Where they are. */
	struct volume_pair superblock_pairs[2];
	struct volume_pair keyslots_pairs[2];

	struct volume_session session;
	struct volume_session_keys key_cache[VOLUME_KEY_CACHE];
	struct volume_log_key log_key;
	uint64_t clock; /* Of the caches: counts uses. */

	struct volume_log log;
	struct volume_overlay overlay;
	struct volume_txn txn;
	struct volume_bitmaps bitmaps;
	struct volume_build build;
	struct volume_cached_node node_cache[VOLUME_NODE_CACHE];
	uint8_t *node_cache_blocks;
	uint8_t *scratch; /* One block: ciphertext, or a pair's block. */
	uint8_t *base;    /* One block: the content before a change. */

	struct volume_counters counters;
	struct volume_failure failure;
};

/* ---- volume.c ------------------------------------------------------------------------------ */

/* Lay a zeroed volume and its buffers out in the arena. STATUS_NO_MEMORY: too small. */
MUST_CHECK
enum status volume_arena_lay_out(const struct volume_environment *environment,
				 struct volume **volume);
/* Remember the first failure and end writability where the contract says so. Returns `status`. */
enum status volume_note(struct volume *volume, enum status status, uint32_t level, uint64_t logical,
			uint64_t physical);
/* A failure on the write path: whatever it was, the device's state is no longer known. */
enum status volume_note_write(struct volume *volume, enum status status, uint64_t physical);
/* Read as committed; a LOST or unreadable block is STATUS_AUTH_DATA. `is_hole` may be NULL. */
MUST_CHECK
enum status volume_read_committed(struct volume *volume, uint32_t logical, uint8_t *out,
				  bool *is_hole);

/* ---- volume_keys.c ------------------------------------------------------------------------- */

/* Derive a 32-byte key: HKDF with the label, the UUID and the generation. */
MUST_CHECK
enum status volume_key_derive(const struct volume *volume, const uint8_t salt[VOLUME_SALT_BYTES],
			      uint32_t generation, const char *label, uint8_t out[SHA256_BYTES]);
/* The same, expanded for the AEAD. */
MUST_CHECK
enum status volume_key_expand(const struct volume *volume, const uint8_t salt[VOLUME_SALT_BYTES],
			      uint32_t generation, const char *label, struct aead_key *key);
MUST_CHECK
enum status volume_anchor_key_derive(struct volume *volume);
/* STATUS_NO_KEY: wrong length. */
MUST_CHECK
enum status volume_key_check(const struct volume_key *key);
/* Fill a slot with the master key, wrapped. */
MUST_CHECK
enum status volume_keyslot_wrap(struct volume *volume, const struct volume_key *key,
				struct volume_keyslot *slot);
/* Find a slot that the key opens; sets the master key and its generation. STATUS_WRONG_KEY: none.
 * STATUS_AUTH_META: one is committed to this key but its content is not what was wrapped. */
MUST_CHECK
enum status volume_keyslots_unlock(struct volume *volume, const struct volume_keyslots *keyslots,
				   const struct volume_key *key, uint32_t *slot_index);

/* ---- volume_session.c ---------------------------------------------------------------------- */

/* Begin a session with a fresh salt. STATUS_NO_ENTROPY. */
MUST_CHECK
enum status volume_session_begin(struct volume *volume, uint32_t id);
/* Begin another one if this one's keys are nearly used up. */
MUST_CHECK
enum status volume_session_renew(struct volume *volume);
/* Seal one block at `physical`; `entry` says how to find and open it. */
MUST_CHECK
enum status volume_block_seal(struct volume *volume, uint32_t level, uint64_t index,
			      uint64_t physical, const uint8_t *plain, uint8_t *cipher,
			      struct volume_entry *entry);
/* Read and open one block. STATUS_AUTH_DATA for level 0, STATUS_AUTH_META above; noted. `out` is
 * zero on failure. */
MUST_CHECK
enum status volume_block_open(struct volume *volume, uint32_t level, uint64_t index,
			      const struct volume_entry *entry, uint8_t *out);
MUST_CHECK
enum status volume_record_seal(struct volume *volume, uint8_t *record, uint32_t block_count,
			       uint8_t tag[AEAD_TAG_BYTES]);
/* Open in place. STATUS_AUTH_FAILED: not authentic. */
MUST_CHECK
enum status volume_record_open(struct volume *volume, const struct volume_record_header *header,
			       uint8_t *record);
/* The row of a session; NULL if there is none. */
struct volume_session_row *volume_table_find(struct volume_session_table *table, uint32_t id);
/* Seal or open a superblock's body in `block`, whose header part is filled in. */
MUST_CHECK
enum status volume_superblock_seal(struct volume *volume, const struct volume_superblock *from,
				   uint8_t block[BLOCK_BYTES]);
MUST_CHECK
enum status volume_superblock_open(struct volume *volume, const uint8_t block[BLOCK_BYTES],
				   struct volume_superblock *superblock);

/* ---- volume_alloc.c ------------------------------------------------------------------------ */

/* A volume's bitmaps when nothing is allocated. */
void volume_bitmaps_reset(struct volume *volume);
MUST_CHECK
enum status volume_bitmaps_load(struct volume *volume);
/* Take a block that neither the current nor the new state uses. */
MUST_CHECK
enum status volume_build_allocate(struct volume *volume, uint64_t *block);
void volume_build_free(struct volume *volume, uint64_t block);
/* Count a block sealed by a session in the new table. */
MUST_CHECK
enum status volume_build_count(struct volume *volume, uint32_t session, int32_t change);
/* Seal the changed bitmaps into their other slots. */
MUST_CHECK
enum status volume_build_bitmaps(struct volume *volume);
void volume_bitmaps_accept(struct volume *volume);
bool volume_bitmap_test(const struct volume *volume, const uint8_t *bitmap, uint64_t block);
void volume_bitmap_set(const struct volume *volume, uint8_t *bitmap, uint64_t block);

/* Room for one block at `physical` in the batch; writes the batch out when it cannot grow. */
MUST_CHECK
enum status volume_batch_next(struct volume *volume, uint64_t physical, uint8_t **room);
MUST_CHECK
enum status volume_batch_write(struct volume *volume);

/* ---- volume_tree.c, volume_cursor.c --------------------------------------------------------- */

/* The entry of a logical block under the durable root; a hole if there is none. */
MUST_CHECK
enum status volume_tree_find(struct volume *volume, uint32_t logical, struct volume_entry *entry);
/* A node's content, from the cache or the device. Borrowed until the next call. */
MUST_CHECK
enum status volume_node_get(struct volume *volume, uint32_t level, uint64_t index,
			    const struct volume_entry *entry, const uint8_t **node);
/* Decode one entry of a node and check where it points. */
MUST_CHECK
enum status volume_node_entry(struct volume *volume, const uint8_t *node, uint32_t level,
			      uint64_t index, uint32_t slot, struct volume_entry *entry);

void volume_cursor_begin(struct volume *volume);
/* Bring the path to a logical block's leaf into memory; written paths that are left behind go to
 * the batch. */
MUST_CHECK
enum status volume_cursor_seek(struct volume *volume, uint32_t logical);
/* Replace (content NULL: by a hole) the block that was sought. */
MUST_CHECK
enum status volume_cursor_put(struct volume *volume, uint32_t logical, const uint8_t *content);
/* Make the block that was sought unreadable for good, until it is overwritten: its tag becomes one
 * that nothing matches. */
MUST_CHECK
enum status volume_cursor_spoil(struct volume *volume, uint32_t logical);
/* Write what is left, root included. */
MUST_CHECK
enum status volume_cursor_end(struct volume *volume);
/* Re-seal every block and node of the victim session. */
MUST_CHECK
enum status volume_cursor_sweep(struct volume *volume);

/* ---- volume_overlay.c ---------------------------------------------------------------------- */

void volume_overlay_clear(struct volume *volume);
/* NULL: not in the overlay. */
struct volume_overlay_entry *volume_overlay_find(struct volume *volume, uint32_t logical);
/* Find or add. NULL: full. */
struct volume_overlay_entry *volume_overlay_take(struct volume *volume, uint32_t logical);
uint8_t *volume_overlay_content(struct volume *volume, const struct volume_overlay_entry *entry);
/* Indices in rising logical order. */
void volume_overlay_sort(const struct volume *volume, uint16_t order[VOLUME_OVERLAY_BLOCKS]);

/* ---- volume_pair.c ------------------------------------------------------------------------- */

void volume_pairs_init(struct volume *volume);
/* Write `block` to both places, flushed one after the other. */
MUST_CHECK
enum status volume_pair_write(struct volume *volume, const struct volume_pair *pair,
			      const uint8_t *block);
/* Make the copies of every pair equal again. */
MUST_CHECK
enum status volume_pairs_heal(struct volume *volume);

/* ---- volume_log.c, volume_replay.c ---------------------------------------------------------- */

/* True if a record of that many blocks fits before the next checkpoint. */
bool volume_log_has_room(const struct volume *volume, uint32_t block_count);
/* Seal and write the record whose changes are in the record buffer; flush. */
MUST_CHECK
enum status volume_log_append(struct volume *volume, size_t size_bytes, uint32_t change_count);
/* Take over the tag of a record that is now part of the history. */
MUST_CHECK
enum status volume_log_extend(struct volume *volume, uint32_t offset, uint32_t block_count,
			      const uint8_t tag[AEAD_TAG_BYTES]);
/* Bring the overlay up to the last committed transaction; STATUS_TAMPER if the ring knows of later
 * ones. */
MUST_CHECK
enum status volume_log_replay(struct volume *volume);

/* ---- volume_checkpoint.c ------------------------------------------------------------------- */

/* Like volume_checkpoint(); `always` writes even if nothing changed. */
MUST_CHECK
enum status volume_checkpoint_run(struct volume *volume, bool always);
/* Blocks that a checkpoint of `contents` blocks and `nodes` nodes takes before it frees any. */
uint64_t volume_checkpoint_need(uint64_t contents, uint64_t nodes);

/* ---- volume_mount.c ------------------------------------------------------------------------ */

/* What the clear headers claim. */
struct volume_sighting {
	bool ours;     /* Something of ours was seen. */
	bool newer;    /* Intact, of a later version. */
	bool io;       /* A read failed. */
	uint64_t size; /* 0: unknown. */
	struct volume_public_info info;
};

/* Look at the clear headers. Reads through `scratch` (one block). */
MUST_CHECK
enum status volume_sight(const struct block_device *device, uint8_t *scratch,
			 struct volume_sighting *sighting);
