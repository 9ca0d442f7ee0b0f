// SPDX-License-Identifier: MIT
/* The inside of a volume: one struct in the caller's arena, and what it is made of. The functions
 * that the volume's files offer each other are in volume_internal.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/block_queue.h"
#include "block/volume.h"
#include "block/volume_deltas_internal.h"
#include "block/volume_format.h"
#include "block/volume_nonce.h"
#include "block/volume_record.h"
#include "crypto/hash.h"

static inline uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

#define VOLUME_NODE_CACHE_STATE 16u
#define VOLUME_NODE_CACHE_BLOCK 256u
#define VOLUME_NODE_CACHE_WAYS  16u
#define VOLUME_NODE_CACHE_HINTS 8u /* A power of two, more than the data's tree has levels. */
/* Bitmaps in memory: all of them in the state profile. */
#define VOLUME_GROUP_CACHE  VOLUME_GROUPS_MAX
#define VOLUME_KEY_CACHE    4u
#define VOLUME_BATCH_BLOCKS 32u
/* Blocks that only transactions which do not grow the volume may use: a full volume can always
 * shrink and overwrite. */
#define VOLUME_RESERVE_BLOCKS 128u
/* Up to this much content goes into the record itself: one write, one flush. */
#define VOLUME_INLINE_BLOCKS 8u
/* Records that only refer to data are cut at the first length, others (content, discards) at the
 * second. */
#define VOLUME_RECORD_BLOCKS_CUT    4u
#define VOLUME_RECORD_BLOCKS_INLINE 32u

/* Above this many sessions a checkpoint re-seals the blocks of the one with the fewest. */
#define VOLUME_SESSIONS_SOFT (VOLUME_SESSIONS_MAX - 28u)

STATIC_ASSERT(VOLUME_BATCH_BLOCKS == BLOCK_QUEUE_WRITE_BLOCKS, "a batch is one write of the queue");
STATIC_ASSERT(VOLUME_RECORD_BLOCKS_MAX <= VOLUME_RING_BLOCKS / 2, "the largest record fits");

/* Levels for messages and for authenticated data. 1 to 5 are nodes; the root's is the geometry's
 * tree_levels. */
enum volume_level {
	VOLUME_LEVEL_DATA = 0,
	VOLUME_LEVEL_LEAF = 1,
	VOLUME_LEVEL_BITMAP = 0x100,
	VOLUME_LEVEL_TABLE = 0x101,
	VOLUME_LEVEL_SUPERBLOCK = 0x102,
	VOLUME_LEVEL_KEYSLOTS = 0x103,
	VOLUME_LEVEL_LOG = 0x104,
	VOLUME_LEVEL_GROUPS = 0x110, /* Plus the height, from 1. */
};

struct volume_master {
	uint32_t generation;
	uint8_t key[VOLUME_KEY_BYTES];
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

enum volume_map_kind {
	VOLUME_MAP_HOLE,
	VOLUME_MAP_CONTENT, /* In memory. */
	VOLUME_MAP_PLACED,  /* On the device: sealed, not yet in the tree. */
	/* The same, but in the log, in the record that speaks of it. A checkpoint moves it. */
	VOLUME_MAP_CARRIED,
	/* A logged patch whose base no longer authenticates. Reads fail, and go on failing. */
	VOLUME_MAP_LOST,
};

struct volume_map_entry {
	struct volume_entry entry; /* PLACED and CARRIED. */
	uint64_t home;             /* CARRIED: where the running checkpoint has put it. */
	enum volume_map_kind kind;
	uint32_t logical;
	uint32_t content; /* Index into the map's content; CONTENT. */
	bool changed;     /* Transactions of the state profile: differs from the committed block. */
	bool is_carried; /* Transactions of the block profile: sealed into the record as `entry`. */
};

/* What maps are made of: entries, which go out and come back in order, round and round; and content
 * blocks. The overlay's two maps share one, so that both together never hold more than a mount has
 * room for. */
struct volume_pool {
	uint32_t room;
	uint32_t taken;
	uint32_t carried; /* Entries that are CARRIED. */
	uint32_t contents_room;
	uint32_t contents_free;
	struct volume_map_entry *entries;
	uint32_t *free_list; /* Of the content. */
	uint8_t *content;    /* contents_room blocks. */
};

/* Blocks by logical number. Only grows until it is emptied; content that is no longer needed goes
 * back to its pool at once. */
struct volume_map {
	struct volume_pool *pool;
	uint32_t first; /* Of its entries in the pool. */
	uint32_t count;
	uint32_t slot_mask;
	uint32_t *slots; /* Index into the pool's entries + 1; 0: empty. */
};

/* Where in the pool entry `index` is, in the order in which they were added. */
static inline uint32_t volume_map_place_of(const struct volume_map *map, uint32_t index)
{
	uint32_t at = map->first + index; /* Both below the room, which is far below 2^31. */
	return at < map->pool->room ? at : at - map->pool->room;
}

static inline struct volume_map_entry *volume_map_at(const struct volume_map *map, uint32_t index)
{
	return &map->pool->entries[volume_map_place_of(map, index)];
}

/* Writes to neighbouring blocks, gathered into one. */
struct volume_batch {
	uint64_t first;
	uint32_t count;
	uint8_t *blocks; /* VOLUME_BATCH_BLOCKS blocks. */
};

struct volume_txn {
	bool open;
	enum status failure; /* Of an earlier step: it can only be aborted. */
	struct volume_pool pool;
	struct volume_map staged;
	/* Block profile: where allocation was at the beginning, and what a checkpoint had taken. */
	uint64_t cursor;
	uint64_t build_taken;
	uint32_t spilled;          /* Blocks that were taken, and sealed out of line. */
	struct volume_batch batch; /* Of those, what is not written yet. */
	bool writing;              /* Its records are on the way: nothing may be staged any more. */
};

/* Where the next record goes and what it continues. */
struct volume_log {
	uint32_t offset; /* In the ring. */
	uint32_t used;   /* Blocks since the head, skipped ones included. */
	uint64_t epoch;  /* Of the last record that was replayed: epochs never fall. */
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

struct volume_cached_bitmap {
	bool loaded;
	uint32_t group;
	uint64_t used_at;
};

/* Allocation is next-fit and never looks back: in one epoch it goes round the device at most once.
 * So a block that was taken and given up again before a checkpoint is not taken twice, which is
 * what recovery to any point of the log needs, and no second bitmap has to say so.
 *
 * A round begins with the first block that was taken for the log of its epoch, which is behind the
 * head that the epoch's superblock names: while a checkpoint runs, blocks are taken both for it and
 * for the log of the epoch to come. */
struct volume_bitmaps {
	uint64_t free_count; /* Of the durable state. */
	uint64_t held;       /* Free in it, and passed in this round. */
	uint64_t cursor;     /* Next candidate. */
	uint64_t left;       /* Candidates before the round is over. */
	/* Of those that are held: taken for the log since a checkpoint last froze the overlay, and
	 * where the round was at the first of them. */
	uint64_t late;
	uint64_t late_cursor;
	uint64_t late_left;
	/* Blocks taken since the mount, for the log and by checkpoints. */
	uint64_t log_taken;
	uint64_t build_taken;
	struct volume_cached_bitmap cache[VOLUME_GROUP_CACHE];
	uint8_t *blocks; /* VOLUME_GROUP_CACHE, or as many as there are groups: durable bitmaps. */
	uint32_t cache_size;
};

/* One path from the root, being changed by a checkpoint. Index 0 is the leaf level. */
struct volume_cursor {
	bool loaded[VOLUME_TREE_LEVELS_MAX];
	bool dirty[VOLUME_TREE_LEVELS_MAX];
	uint64_t index[VOLUME_TREE_LEVELS_MAX];
	uint8_t *nodes; /* VOLUME_TREE_LEVELS_MAX blocks. */
};

/* Likewise for the group tree. Index 0 is height 1. */
struct volume_group_cursor {
	bool loaded[VOLUME_GROUP_LEVELS_MAX];
	bool dirty[VOLUME_GROUP_LEVELS_MAX];
	uint64_t index[VOLUME_GROUP_LEVELS_MAX];
	uint8_t *nodes; /* VOLUME_GROUP_LEVELS_MAX blocks. */
};

enum volume_sort_stage {
	VOLUME_SORT_COUNT,  /* Of each digit. */
	VOLUME_SORT_PLACE,  /* By the digit. */
	VOLUME_SORT_RETURN, /* From the scratch memory. */
	VOLUME_SORT_HEAP,
	VOLUME_SORT_DONE,
};

#define VOLUME_SORT_DIGIT_BITS 8u
#define VOLUME_SORT_DIGITS     (1u << VOLUME_SORT_DIGIT_BITS)

struct volume_sorter {
	enum volume_sort_stage stage;
	uint32_t shift; /* Of the digit. */
	uint64_t *numbers;
	size_t count;
	size_t at; /* HEAP: what lies from here on is in its place. */
	uint64_t *from;
	uint64_t *to;
	uint64_t differs; /* Bits that are not the same in all. */
	size_t roots;     /* HEAP: still to be made heaps. */
	uint32_t places[VOLUME_SORT_DIGITS];
};

/* What a checkpoint is doing; in this order. */
enum volume_phase {
	VOLUME_PHASE_IDLE,
	VOLUME_PHASE_HEAL,       /* Copies that differ become equal. */
	VOLUME_PHASE_SORT_LOG,   /* What the log carries, by its place there, */
	VOLUME_PHASE_MOVE,       /* is copied to free blocks. */
	VOLUME_PHASE_SORT,       /* What is frozen, by logical number. */
	VOLUME_PHASE_REHOME,     /* It goes to its homes; so do the nodes above it ... */
	VOLUME_PHASE_LEAVE,      /* ... of which the last path is in memory, ... */
	VOLUME_PHASE_SETTLE,     /* ... and some may be in the batch. */
	VOLUME_PHASE_SWEEP,      /* Blocks of a session that is to go. */
	VOLUME_PHASE_SWEPT,      /* The last path again. */
	VOLUME_PHASE_TABLE,      /* The session table gets a place. */
	VOLUME_PHASE_SORT_DELTA, /* What was taken and freed, by place. */
	VOLUME_PHASE_BITMAPS,
	VOLUME_PHASE_TABLE_SEAL,
	VOLUME_PHASE_TABLE_WRITE,
	VOLUME_PHASE_FLUSH,
	VOLUME_PHASE_SUPERBLOCK,
	VOLUME_PHASE_COPY_0,
	VOLUME_PHASE_COPY_1,
	VOLUME_PHASE_ACCEPT,
};

/* The sweep of a session's blocks: where it is, also from one checkpoint to the next. */
struct volume_sweep {
	uint32_t victim; /* Session whose blocks are re-sealed; 0: none. */
	uint32_t slot;   /* In the leaf. */
	uint64_t at;     /* Logical block. */
	uint32_t budget; /* Turns that are left in this checkpoint. */
};

/* What a checkpoint does for a rotation of the master key. */
enum volume_rotates {
	VOLUME_ROTATES_NOT,
	VOLUME_ROTATES_BEGIN, /* The first superblock under the new key. */
	VOLUME_ROTATES_STEP,
};

/* The state that a checkpoint builds beside the current one. */
struct volume_build {
	enum volume_phase phase;
	/* Somebody waits for its end, and nothing is committed before that: it does all that it can
	 * do. */
	bool is_patient;
	/* When the overlay was frozen: the log, content in memory, room that commits had then. */
	struct volume_log head;
	uint32_t contents;
	uint32_t carried;
	uint64_t slack;
	uint64_t need; /* Blocks that it takes at most. */
	struct volume_superblock superblock;
	struct volume_session_table table;
	struct volume_batch batch;
	struct volume_cursor cursor;
	struct volume_group_cursor groups;
	struct volume_deltas deltas;
	struct volume_sorter sorter;
	struct volume_sweep sweep;
	uint64_t *order; /* Of the frozen map's carried entries, then of its runs. */
	uint32_t run;    /* The next one. */
	uint8_t *bitmap; /* One block: the group that is being changed; then the superblock. */
	size_t done;     /* Carried blocks, then entries, then deltas, that are worked off. */
	uint32_t group;
	uint64_t table_place;
	uint64_t free_count;
	uint64_t taken; /* Blocks taken so far. */
	/* Allocation when the build began, for the case that it fails. */
	uint64_t from_cursor;
	uint64_t from_left;
	uint64_t from_log_taken;
	/* The round of the epoch to come. */
	uint64_t round_cursor;
	uint64_t round_left;
	enum volume_rotates rotates;
	uint64_t erased_to; /* Rotation: unused blocks before this one have been overwritten. */
	/* Groups whose bitmaps are looked at, changed or not. */
	uint32_t visit_first;
	uint32_t visit_end;
	/* A grow: blocks of what was the last group that become free. */
	bool grows;
	uint64_t grows_from;
	uint64_t grows_to;
};

/* What is known of the witness, and what it is to know. volume_freshness.c. */
struct volume_witness_state {
	const struct witness *witness; /* NULL: there is none. */
	const struct clock *clock;
	enum volume_witness_decision decision;
	struct volume_witness_policy policy;
	enum status answer; /* Its last word; STATUS_NO_DEVICE: nobody was asked. */
	bool is_open;       /* `token` is this mount's. */
	bool is_on_chain;   /* The replay came past `remembered`. */
	uint64_t token;
	struct witness_mark remembered;   /* What the witness said when it was opened. */
	struct witness_mark acknowledged; /* The latest that it is known to have. */
	struct witness_mark doubt;        /* Sent, and no answer. */
	struct witness_mark recovered;    /* Where this mount began. */
	struct witness_mark committed;    /* The last commit: durable on the disk. */
	uint64_t commits_behind;          /* Since `acknowledged`; never fewer than there are. */
	uint64_t behind_since_us;         /* By the clock, the first of them in this mount. */
};

struct volume {
	const struct block_device *device;
	/* While a request queue is attached: `device` is its face, and batches are buffers of its.
	 * NULL otherwise. */
	struct block_queue *io;
	const struct aead *aead;
	struct random *random;
	bool read_only;
	bool writable;
	struct volume_geometry geometry;
	uint8_t uuid[VOLUME_UUID_BYTES];
	struct volume_master master;
	struct volume_master previous; /* Generation 0: there is none. */
	/* A rotation began, or ended, and the other area, or slot, is still what it was before. */
	bool area_is_stale;
	bool slot_is_stale;
	struct hmac_key anchor_key;

	struct volume_superblock superblock; /* As last made durable. */
	/* The build's superblock may be on the device, at least in part. */
	bool superblock_in_doubt;
	struct volume_session_table table; /* Likewise. */
	struct volume_keyslots keyslots;   /* Likewise. */
	uint8_t keyslots_digest[SHA256_BYTES];
	uint32_t keyslots_area; /* Where they are. */
	struct volume_pair superblock_pairs[2];
	struct volume_pair keyslots_pairs[2];

	struct volume_session session;
	struct volume_session_keys key_cache[VOLUME_KEY_CACHE];
	struct volume_log_key log_key;
	uint64_t clock; /* Of the caches: counts uses. */
	uint64_t
		transfers; /* Device calls for blocks, so that a step knows when it has made one. */

	struct volume_log log;
	struct volume_witness_state freshness;
	/* What the log holds and the tree does not yet: since the head of the epoch to come, and,
	 * while a checkpoint moves it to the tree, before that. Lookups go in this order. */
	struct volume_pool pool;
	struct volume_map overlay;
	struct volume_map frozen;
	struct volume_txn txn;
	struct volume_bitmaps bitmaps;
	struct volume_build build;
	struct volume_cached_node *node_cache;
	uint8_t *node_cache_blocks;
	uint32_t node_cache_sets;                        /* Each of VOLUME_NODE_CACHE_WAYS. */
	size_t node_cache_last[VOLUME_NODE_CACHE_HINTS]; /* By level: the node that was found last.
							  */
	uint8_t *ring_taken; /* A bit for each block of the ring, during replay. */
	size_t arena_bytes;
	uint8_t *scratch; /* One block: ciphertext, or a pair's block. */
	uint8_t *base;    /* One block: the content before a change. */

	struct volume_counters counters;
	struct volume_failure failure;
};
