// SPDX-License-Identifier: MIT
/* The inside of a volume: the functions that its files offer each other, over the struct of
 * volume_state_internal.h. Below: who calls whom, low to high.
 *
 *   volume_format, volume_geometry, volume_entry, volume_record, volume_changes   bytes
 *   volume_keys      keyslots, key derivation
 *   volume_session   sealing and opening under session keys
 *   volume_alloc     free blocks, what a checkpoint takes and frees
 *   volume_groups    bitmaps and the tree of their entries
 *   volume_tree      nodes: lookup, cache, copy-on-write (volume_tree_internal.h)
 *   volume_extent    which blocks hold something
 *   volume_reading   reads of which the slow half needs no lock
 *   volume_map       blocks by logical number: the overlay, and what a transaction stages
 *   volume_pair      blocks kept twice
 *   volume_log       append
 *   volume_chain, volume_replay  find the log's end, apply it
 *   volume_witness, volume_freshness  what the witness knows, when a commit may be acknowledged
 *   volume_spill     data of large transactions, written before their records
 *   volume_room      room for the next transaction, and the pace of a checkpoint that makes it
 *   volume_carried   the blocks that a checkpoint moves from the log to their homes
 *   volume_build     the state that a checkpoint writes, turn by turn
 *   volume_checkpoint, volume_txn, volume_commit, volume_mount, volume_create, volume_keyslots,
 * volume_verify */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume_format.h"
#include "block/volume_record.h"
#include "block/volume_state_internal.h"

/* ---- volume_arena.c, volume.c -------------------------------------------------------------- */

/* A zeroed volume at the start of the arena, with the buffers that are needed before its geometry
 * is known. STATUS_NO_MEMORY: too small. */
MUST_CHECK
enum status volume_arena_begin(const struct volume_environment *environment,
			       struct volume **volume);
/* What a volume of that geometry needs. */
size_t volume_arena_bytes_of(const struct volume_geometry *geometry);
/* The other buffers, for volume->geometry. What they held before is lost. */
MUST_CHECK
enum status volume_arena_lay_out(struct volume *volume);
/* Remember the first failure and end writability where the contract says so. Returns `status`. */
enum status volume_note(struct volume *volume, enum status status, uint32_t level, uint64_t logical,
			uint64_t physical);
/* A failure on the write path: whatever it was, the device's state is no longer known. */
enum status volume_note_write(struct volume *volume, enum status status, uint64_t physical);
/* Where a block's content is: in memory (`content`, borrowed until the next call), on the device
 * (`entry`), or nowhere (both empty: a hole). `sees_staged`: as the running transaction has it. A
 * LOST block is STATUS_AUTH_DATA. */
MUST_CHECK
enum status volume_find(struct volume *volume, uint32_t logical, bool sees_staged,
			const uint8_t **content, struct volume_entry *entry);
/* Read as committed; a LOST or unreadable block is STATUS_AUTH_DATA. `is_hole` may be NULL. */
MUST_CHECK
enum status volume_read_committed(struct volume *volume, uint32_t logical, uint8_t *out,
				  bool *is_hole);

/* ---- volume_keys.c ------------------------------------------------------------------------- */

/* Derive a 32-byte key from the master key of that generation: HKDF with the label, the UUID and
 * the generation. STATUS_AUTH_FAILED: there is no such master key. */
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
/* Find a slot that the key opens, and the master key in it. STATUS_WRONG_KEY: none.
 * STATUS_AUTH_META: one is committed to this key but its content is not what was wrapped. */
MUST_CHECK
enum status volume_keyslots_unlock(struct volume *volume, const struct volume_keyslots *keyslots,
				   const struct volume_key *key, uint32_t *slot_index,
				   struct volume_master *master);

/* ---- volume_session.c ---------------------------------------------------------------------- */

/* Begin a session with a fresh salt. STATUS_NO_ENTROPY. */
MUST_CHECK
enum status volume_session_begin(struct volume *volume, uint32_t id);
/* True if its keys are nearly used up. */
bool volume_session_is_worn(const struct volume *volume);
/* Begin another one if they are. Never while a checkpoint runs: its table names one session. */
MUST_CHECK
enum status volume_session_renew(struct volume *volume);
/* Seal one block at `physical`; `entry` says how to find and open it. */
MUST_CHECK
enum status volume_block_seal(struct volume *volume, uint32_t level, uint64_t index,
			      uint64_t physical, const uint8_t *plain, uint8_t *cipher,
			      struct volume_entry *entry);
/* Open one block whose ciphertext is given, in private memory. Not noted. */
MUST_CHECK
enum status volume_cipher_open(struct volume *volume, uint32_t level, uint64_t index,
			       const struct volume_entry *entry, const uint8_t *cipher,
			       uint8_t *out);
/* The key of a session for blocks of a level. Borrowed until the next call. STATUS_AUTH_META: there
 * is no such session. */
MUST_CHECK
enum status volume_key_get(struct volume *volume, uint32_t level, uint32_t session,
			   const struct aead_key **key);
/* Open one data block without the volume. STATUS_AUTH_FAILED. `cipher` may be `out`. */
MUST_CHECK
enum status volume_data_open(const uint8_t uuid[VOLUME_UUID_BYTES], const struct aead_key *key,
			     uint64_t index, const struct volume_entry *entry,
			     const uint8_t *cipher, uint8_t *out);
/* Remember the salt of a session that the log speaks of, so that its blocks can be opened. */
MUST_CHECK
enum status volume_session_learn(struct volume *volume, uint32_t id, uint32_t generation,
				 const uint8_t salt[VOLUME_SALT_BYTES]);
/* Read and open one block. STATUS_AUTH_DATA for level 0, STATUS_AUTH_META above; noted. `out` is
 * zero on failure. */
MUST_CHECK
enum status volume_block_open(struct volume *volume, uint32_t level, uint64_t index,
			      const struct volume_entry *entry, uint8_t *out);
MUST_CHECK
enum status volume_record_seal(struct volume *volume, uint8_t *record, uint32_t block_count,
			       uint32_t sealed_bytes, uint8_t tag[AEAD_TAG_BYTES]);
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

/* ---- volume_alloc.c, volume_groups.c -------------------------------------------------------- */

/* A volume's bitmaps when nothing is allocated. */
void volume_bitmaps_reset(struct volume *volume);
MUST_CHECK
enum status volume_bitmaps_load(struct volume *volume);
/* The durable bitmap of a group, cached. Borrowed until the next call. */
MUST_CHECK
enum status volume_bitmap_get(struct volume *volume, uint32_t group, uint8_t **bitmap);
/* A group's bitmap without a bit for any data, node or table. */
void volume_bitmap_blank(const struct volume_geometry *geometry, uint32_t group, uint8_t *bitmap);
uint64_t volume_bitmap_free_count(const uint8_t *bitmap);
/* STATUS_AUTH_META: a reserved bit is clear. */
MUST_CHECK
enum status volume_bitmap_check(struct volume *volume, uint32_t group, const uint8_t *bitmap);
/* Go on to the next block that is free and was not passed in this round, but not beyond the group:
 * at most one bitmap is read. */
MUST_CHECK
enum status volume_allocate_seek(struct volume *volume, bool *found);
/* Take that block for the log, and what is free behind it: `most` neighbours at most. */
MUST_CHECK
enum status volume_allocate(struct volume *volume, uint32_t most, uint64_t *physical,
			    uint32_t *count);
/* Give back the last `count` blocks that were taken for the log, from `cursor` on; or, if a
 * checkpoint has taken blocks among them, leave them to the next round. */
void volume_allocate_undo(struct volume *volume, uint64_t cursor, uint64_t build_taken,
			  uint32_t count);
/* As a replayed record says: it took these blocks. */
MUST_CHECK
enum status volume_allocate_again(struct volume *volume, uint64_t physical, uint32_t count);
/* Blocks that can be taken, if everything in the log is given up. */
uint64_t volume_space_left(const struct volume *volume);
/* Note that the next state has, or no longer has, these neighbouring blocks. */
MUST_CHECK
enum status volume_build_take(struct volume *volume, uint64_t physical, uint32_t count);
MUST_CHECK
enum status volume_build_free(struct volume *volume, uint64_t physical, uint32_t count);
/* The same of the blocks that entries name; holes name none. */
MUST_CHECK
enum status volume_build_take_all(struct volume *volume, const struct volume_entry *entries,
				  uint32_t count);
MUST_CHECK
enum status volume_build_free_all(struct volume *volume, const struct volume_entry *entries,
				  uint32_t count);
/* Allocate neighbours and note them: at least one, `most` at most. */
MUST_CHECK
enum status volume_build_allocate(struct volume *volume, uint32_t most, uint64_t *physical,
				  uint32_t *count);
MUST_CHECK
enum status volume_build_allocate_one(struct volume *volume, uint64_t *physical);
/* Count a block sealed by a session in the new table. */
MUST_CHECK
enum status volume_build_count(struct volume *volume, uint32_t session, int32_t change);
/* Seal the changed bitmaps, and the nodes above them, into their other places: one of them in each
 * call. The list of what was taken and freed is in order. */
void volume_build_bitmaps_begin(struct volume *volume);
MUST_CHECK
enum status volume_build_bitmaps(struct volume *volume, bool *done);
/* Where the round of the epoch to come begins: goes into its superblock. */
void volume_build_round(struct volume *volume);
/* The build failed: nothing refers to what it took. */
void volume_build_give_up(struct volume *volume);
void volume_bitmaps_accept(struct volume *volume);
/* Entry of a group's bitmap (height 0) or of a node of the group tree under the durable root; a
 * hole: nothing was ever allocated there. */
MUST_CHECK
enum status volume_group_entry(struct volume *volume, uint32_t height, uint64_t index,
			       struct volume_entry *entry);
MUST_CHECK
enum status volume_group_node_entry(struct volume *volume, const uint8_t *node, uint32_t height,
				    uint64_t index, uint32_t slot, struct volume_entry *entry);

/* Room for one block at `physical` in the batch; writes the batch out when it cannot grow. */
MUST_CHECK
enum status volume_batch_next(struct volume *volume, uint64_t physical, uint8_t **room);
/* The same for `count` blocks: no more than there is room for. */
MUST_CHECK
enum status volume_batch_run(struct volume *volume, uint64_t physical, uint32_t count,
			     uint8_t **room);
/* How many blocks the next ones there may be. */
uint32_t volume_batch_room(const struct volume *volume);
MUST_CHECK
enum status volume_batch_write(struct volume *volume);
/* The same for the batch of the running transaction. */
MUST_CHECK
enum status volume_txn_batch_next(struct volume *volume, uint64_t physical, uint32_t count,
				  uint8_t **room);
uint32_t volume_txn_batch_room(const struct volume *volume);
MUST_CHECK
enum status volume_txn_batch_write(struct volume *volume);
/* What will be written to a block; NULL: it is not in the batch. */
uint8_t *volume_txn_batch_find(const struct volume *volume, uint64_t physical);

/* ---- volume_map.c -------------------------------------------------------------------------- */

void volume_pool_reset(struct volume_pool *pool);
/* An empty map over slots of any content. */
void volume_map_init(struct volume_map *map, struct volume_pool *pool);
/* Gives its entries back; of two maps in one pool, the older one. */
void volume_map_clear(struct volume_map *map);
/* The map becomes `older`, and is empty itself. */
void volume_map_freeze(struct volume_map *map, struct volume_map *older);
/* NULL: not there. */
struct volume_map_entry *volume_map_find(const struct volume_map *map, uint32_t logical);
/* What the log says of a block, if anything: in the overlay, or frozen. */
const struct volume_map_entry *volume_pending_find(const struct volume *volume, uint32_t logical);
/* Find or add (as a hole). NULL: full. */
struct volume_map_entry *volume_map_take(struct volume_map *map, uint32_t logical);
/* How many blocks from `logical` on are not there; `most` at most. */
uint32_t volume_map_gap(const struct volume_map *map, uint32_t logical, uint32_t most);
/* Add blocks that are not there, from `logical` on, as PLACED. The pool has room for them. */
void volume_map_place(struct volume_map *map, uint32_t logical, const struct volume_entry *entries,
		      uint32_t count);
/* Take over what a transaction has made of its blocks. The pool has room for all of that. */
void volume_map_merge(struct volume_map *map, const struct volume_map *newer);
/* Change the kind; CONTENT takes room in the pool. False: there is none. */
bool volume_map_become(struct volume_map *map, struct volume_map_entry *entry,
		       enum volume_map_kind kind);
uint8_t *volume_map_content(const struct volume_map *map, const struct volume_map_entry *entry);
/* Content blocks in use, by all maps of a pool. */
uint32_t volume_pool_contents(const struct volume_pool *pool);
/* Entries that were added one after the other, of neighbours below one leaf. More than one only if
 * all are on the device, and either PLACED or CARRIED; VOLUME_BATCH_BLOCKS at most. */
struct volume_run {
	uint32_t logical; /* The first. */
	uint32_t index;
	uint32_t count;
};
/* The map's runs, as numbers that volume_sort() brings into the order of logical blocks, which
 * begin at bit VOLUME_MAP_ORDER_SHIFT; returns how many. */
#define VOLUME_MAP_ORDER_SHIFT 32u
uint32_t volume_map_order(const struct volume_map *map, uint64_t *order);
struct volume_run volume_run_decode(uint64_t number);
/* The `count` entries that the log carries, in its order from `head` on: the index is below bit
 * VOLUME_MAP_ORDER_SHIFT. */
void volume_map_order_carried(const struct volume_map *map, const struct volume_geometry *geometry,
			      uint32_t head, uint64_t *order, uint32_t count);

/* ---- volume_sort.c ------------------------------------------------------------------------- */

/* By the bits from `shift` up; numbers that are alike in them stay in the order in which they are,
 * or, without scratch memory, may come into the order of all bits. Each call moves `turns` numbers,
 * until it returns true. `count`: below 2^32. `scratch`: room for as many, or NULL. */
void volume_sort_begin(struct volume_sorter *sorter, uint64_t *numbers, size_t count,
		       uint64_t *scratch, uint32_t shift);
bool volume_sort(struct volume_sorter *sorter, size_t turns);

/* ---- volume_pair.c ------------------------------------------------------------------------- */

void volume_pairs_init(struct volume *volume);
/* Write `block` to both places, flushed one after the other. */
MUST_CHECK
enum status volume_pair_write(struct volume *volume, const struct volume_pair *pair,
			      const uint8_t *block);
/* One of them. */
MUST_CHECK
enum status volume_pair_copy_write(struct volume *volume, const struct volume_pair *pair,
				   uint32_t copy, const uint8_t *block);
/* Make the copies of every pair equal again. */
MUST_CHECK
enum status volume_pairs_heal(struct volume *volume);
/* Of one pair that needs it; `*done`: none did. */
MUST_CHECK
enum status volume_pairs_heal_one(struct volume *volume, bool *done);

/* ---- volume_log.c, volume_chain.c, volume_replay.c ------------------------------------------- */

/* True if a record of that many blocks fits before the next checkpoint. */
bool volume_log_has_room(const struct volume *volume, uint32_t block_count);
/* May records be sealed as far as they go, and carry blocks? */
bool volume_log_carries(const struct volume *volume);
/* Seal and write the record whose changes are in the record buffer, the first `size_bytes` of it.
 * Behind the last block that these reach lie `carried` blocks, each sealed already. */
MUST_CHECK
enum status volume_log_append(struct volume *volume, size_t size_bytes, uint32_t change_count,
			      uint32_t carried, bool commits);
/* Where the last record's carried blocks are: the first of so many. */
uint64_t volume_log_carried_place(const struct volume *volume, uint32_t carried);
/* What was appended is durable, if the flush after it says so. */
MUST_CHECK
enum status volume_log_settle(struct volume *volume, enum status flushed);
/* Take over a record, of that epoch, which is now part of the history. */
MUST_CHECK
enum status volume_log_extend(struct volume *volume, uint32_t offset, uint32_t block_count,
			      uint64_t epoch, const uint8_t tag[AEAD_TAG_BYTES]);
/* Bring the overlay up to the last committed transaction; STATUS_TAMPER if the ring knows of later
 * ones. */
MUST_CHECK
enum status volume_log_replay(struct volume *volume);
/* Apply an opened record, whose first block is `place`, to the overlay. */
MUST_CHECK
enum status volume_record_apply(struct volume *volume, uint64_t place,
				const struct volume_record_header *header,
				const struct volume_record *record);
/* Tail rule: open all that the record refers to. STATUS_NOT_FOUND: something does not. */
MUST_CHECK
enum status volume_record_prove(struct volume *volume, uint64_t place,
				const struct volume_record_header *header,
				const struct volume_record *record);

/* ---- volume_room.c --------------------------------------------------------------------------- */

/* Block profile. Make room for the largest transaction: by a checkpoint in the background while
 * there is some, by running it to its end when there is none. */
MUST_CHECK
enum status volume_room_make(struct volume *volume);
/* Run as much of the checkpoint as is due. Its failure is the transaction's only if nothing can be
 * written any more. */
MUST_CHECK
enum status volume_room_pace(struct volume *volume);
/* Free blocks remain once `more` (not 0) are taken and the checkpoint after that has had its own.
 */
bool volume_room_has_space(const struct volume *volume, uint64_t more, uint64_t reserve);
/* Nodes above so many blocks, at worst. */
uint64_t volume_room_nodes(const struct volume *volume, uint64_t blocks);
/* By how much; 0: by none, or not at all. What commits have before a checkpoint must end. */
uint64_t volume_room_slack(const struct volume *volume);

/* ---- volume_spill.c, volume_commit.c --------------------------------------------------------- */

MUST_CHECK
enum status volume_block_txn_begin(struct volume *volume);
/* Seal all staged content out of line; what fills a batch is written. */
MUST_CHECK
enum status volume_block_txn_seal(struct volume *volume);
/* The same, and write it. */
MUST_CHECK
enum status volume_block_txn_spill(struct volume *volume);
/* Seal blocks out of line without staging their content: at least one, `most` at most, as many as
 * are dealt with in one go. Not for zeroes, which are a hole. STATUS_TOO_LARGE: the transaction is
 * full. On an error nothing is staged. */
MUST_CHECK
enum status volume_block_txn_place(struct volume *volume, uint32_t logical, const uint8_t *content,
				   uint32_t most, uint32_t *count);
/* STATUS_NO_SPACE: there is no room to write this block. */
MUST_CHECK
enum status volume_block_txn_space(struct volume *volume, uint32_t logical);
/* Write data and records. */
MUST_CHECK
enum status volume_block_txn_write(struct volume *volume);
/* They are durable: the overlay takes over what was staged. */
void volume_block_txn_apply(struct volume *volume);
void volume_block_txn_abort(struct volume *volume);
MUST_CHECK
enum status volume_state_txn_write(struct volume *volume);
void volume_state_txn_apply(struct volume *volume);

/* ---- volume_txn.c -------------------------------------------------------------------------- */

/* What the running transaction makes of a block; NULL: nothing. */
const struct volume_map_entry *volume_txn_find(const struct volume *volume, uint32_t logical);
/* No further block fits. */
bool volume_txn_is_full(const struct volume *volume);
/* A commit in two halves, for those who wait for the flush between them themselves. The first
 * writes everything; if nothing needs a flush, or on an error, the transaction is over. */
MUST_CHECK
enum status volume_txn_write(struct volume *volume, bool *needs_flush);
/* The second: the flush ended like this. */
MUST_CHECK
enum status volume_txn_settle(struct volume *volume, enum status flushed);

/* ---- volume_grow.c ------------------------------------------------------------------------- */

/* What a grow adds to the checkpoint that ends it: higher trees, free blocks. */
MUST_CHECK
enum status volume_grow_build(struct volume *volume);
/* Clear the bits of the group that becomes longer. */
void volume_grow_bitmap(const struct volume *volume, uint32_t group, uint8_t *bitmap);

/* ---- volume_rotate.c ----------------------------------------------------------------------- */

/* Is what this session sealed to be sealed anew by the running checkpoint? */
bool volume_session_is_stale(struct volume *volume, uint32_t session);
/* Set the running checkpoint's sweep to the rotation's. */
void volume_rotate_build_begin(struct volume *volume);
/* What the next superblock says of a rotation. */
void volume_rotate_fill(struct volume *volume, struct volume_superblock *next);
/* Overwrite blocks that nothing refers to, VOLUME_BATCH_BLOCKS at most. No transaction is open. */
MUST_CHECK
enum status volume_blocks_erase(struct volume *volume, uint64_t first, uint64_t count);

/* ---- volume_keyslots.c --------------------------------------------------------------------- */

/* Find the slot that a key opens. STATUS_WRONG_KEY: none. */
MUST_CHECK
enum status volume_keyslot_of(struct volume *volume, const struct volume_key *key, uint32_t *slot);
/* Write keyslots to the area that is not in use, and a superblock that names it. */
MUST_CHECK
enum status volume_keyslots_write(struct volume *volume, struct volume_keyslots *keyslots);

/* ---- volume_build.c ------------------------------------------------------------------------- */

/* Begin to build the next state; again, if it failed. */
void volume_build_begin(struct volume *volume);
/* A device call at most, or two where a bitmap is read and written. */
MUST_CHECK
enum status volume_build_turn(struct volume *volume);
/* Move the next blocks that the log carries, of which there are some, to their homes: those that
 * one read reaches. volume_carried.c. */
MUST_CHECK
enum status volume_build_move(struct volume *volume);
/* On to the next phase. */
void volume_build_phase_end(struct volume *volume);
/* Blocks that a checkpoint of `contents` blocks and `nodes` nodes takes before it frees any. */
uint64_t volume_checkpoint_need(uint64_t contents, uint64_t nodes);
/* Blocks that the one that runs still takes, at most. */
uint64_t volume_checkpoint_rest(const struct volume *volume);
/* How far it is, of `scale`. */
uint64_t volume_checkpoint_progress(const struct volume *volume, uint64_t scale);

/* ---- volume_checkpoint.c ------------------------------------------------------------------- */

/* Like volume_checkpoint(); `always` writes even if nothing changed. */
MUST_CHECK
enum status volume_checkpoint_run(struct volume *volume, bool always);
/* End the checkpoint that runs, if one does. */
MUST_CHECK
enum status volume_checkpoint_finish(struct volume *volume);

/* ---- volume_sight.c, volume_identify.c ------------------------------------------------------- */

/* The four blocks at one end of a volume. */
#define VOLUME_SIZES_MAX 4u

/* Where second copies may be: at the end of each of these sizes. A volume that is growing has two.
 */
struct volume_sizes {
	uint64_t all[VOLUME_SIZES_MAX];
	uint32_t count;
};

/* What the clear headers claim. */
struct volume_sighting {
	bool ours;                 /* Something of ours was seen. */
	bool newer;                /* Intact, of a later version. */
	bool io;                   /* A read failed. */
	bool too_large;            /* An intact header says more than the device has. */
	struct volume_sizes sizes; /* That fit the device. */
	bool known;                /* `info` is. */
	struct volume_public_info info;
};

/* Look at the clear headers. Reads through `scratch` (one block). */
MUST_CHECK
enum status volume_sight(const struct block_device *device, uint8_t *scratch,
			 struct volume_sighting *sighting);
/* Find the keyslot area and the superblock that count: sets the identity, the master keys, the
 * geometry, and where the pairs are. */
MUST_CHECK
enum status volume_identify(struct volume *volume, const struct volume_sighting *sighting,
			    const struct volume_key *key);
