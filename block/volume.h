// SPDX-License-Identifier: MIT
/* The secure volume: sparse logical blocks of 4 KiB, encrypted, authenticated, crash-safe, in
 * transactions. docs/volume-format.md says what is on the disk; this says how it is used.
 *
 * One caller at a time (the store's lock). All memory comes from the arena given at mount; nothing
 * is allocated later. After any STATUS_AUTH_META, STATUS_TAMPER, STATUS_IO on a write path or a
 * dead device the volume accepts no further writes (volume_is_writable() is false); reads go on as
 * far as they authenticate. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "base/units.h"
#include "block/block_device.h"
#include "block/volume_witness.h"
#include "crypto/aead.h"
#include "crypto/random.h"

#define VOLUME_UUID_BYTES 16u
#define VOLUME_KEY_BYTES  32u
/* Smallest and largest volume of each profile. */
#define VOLUME_STATE_BLOCKS_MIN 2048u               /* 8 MiB */
#define VOLUME_STATE_BLOCKS_MAX 262144u             /* 1 GiB */
#define VOLUME_BLOCK_BLOCKS_MIN 4096u               /* 16 MiB */
#define VOLUME_BLOCK_BLOCKS_MAX (UINT64_C(1) << 32) /* 16 TiB */
/* A volume grows by at least so many: the copies at its new end do not touch those at the old one.
 */
#define VOLUME_GROW_BLOCKS_MIN 4u
/* Blocks that one transaction of the state profile may change: an object of 256 KiB (64 blocks),
 * its metadata and the index, with room for a second small object. */
#define VOLUME_TXN_BLOCKS_MAX 72u
/* Keys that can open one volume. */
#define VOLUME_KEYSLOTS_MAX 8u

enum volume_profile {
	VOLUME_PROFILE_STATE = 1, /* Small objects; everything inline in the log. */
	VOLUME_PROFILE_BLOCK = 2, /* One large block device; bulk data out of line. */
};

enum volume_key_type {
	VOLUME_KEY_RAW = 1,        /* 32 bytes from the platform. */
	VOLUME_KEY_PASSPHRASE = 2, /* PBKDF2. */
	VOLUME_KEY_RECOVERY = 3,   /* 32 bytes that a person keeps. */
};

/* A key that opens (or is to open) a keyslot. Borrowed for the call; never stored. */
struct volume_key {
	enum volume_key_type type;
	const uint8_t *bytes;
	size_t size_bytes; /* 32 for RAW and RECOVERY (else STATUS_NO_KEY), 1..1024 for PASSPHRASE.
			    */
};

/* What is known of a key in use without having it. */
struct volume_keyslot_info {
	uint32_t slot; /* Below VOLUME_KEYSLOTS_MAX; what volume_keyslot_remove() takes. */
	enum volume_key_type type;
	uint32_t key_generation;
	uint32_t iterations; /* PBKDF2; 0 for the other types. */
};

struct volume_recall; /* block/volume_recall.h */

/* What the volume borrows for its whole life. */
struct volume_environment {
	const struct block_device *device;
	const struct aead *aead;
	struct random *random;
	uint8_t *arena; /* 64-byte aligned, private memory, at least volume_arena_bytes(). */
	size_t arena_size_bytes;
	/* Who remembers how far the volume has come; NULL: nobody can be asked. */
	const struct witness *witness;
	const struct clock *clock; /* For policies with a time; NULL: their time is always up. */
	enum volume_witness_decision witness_decision;
	/* What this volume has to be, if it was mounted before and its device reset since; NULL:
	 * nothing is remembered of it. Borrowed for the mount. */
	const struct volume_recall *recall;
};

struct volume_counters {
	uint64_t commits;
	uint64_t checkpoints;
	uint64_t checkpoint_steps;
	uint64_t checkpoint_stalls; /* Transactions that ran a checkpoint to its end. */
	uint64_t log_writes;        /* Device writes that carried log records. */
	uint64_t rehomed_blocks;
	uint64_t witness_advances; /* Of them, those that succeeded. */
};

/* Readable without a key: nothing here is authenticated. */
struct volume_public_info {
	uint8_t uuid[VOLUME_UUID_BYTES];
	uint32_t format_version;
	enum volume_profile profile;
	struct block_count size;
};

/* Readable after mount: authenticated. */
struct volume_info {
	struct volume_public_info open;
	uint64_t epoch;
	uint64_t sequence; /* Of the last commit. */
	uint32_t key_generation;
	uint32_t keyslots_in_use;
	bool is_growing; /* A grow was interrupted; volume_grow() goes on with it. */
	struct block_count blocks_used;
	struct block_count blocks_free;
	struct volume_freshness_info freshness;
};

/* Where the first failure of this mount was, for messages. level 0 is data; UINT64_MAX: unknown. */
struct volume_failure {
	enum status status;
	uint64_t logical;
	uint64_t physical;
	uint64_t epoch;
	uint32_t level;
};

/* A read whose slow half is still to be done. Caller's storage, and the volume's own fields. */
#define VOLUME_READING_BLOCKS   32u
#define VOLUME_READING_SESSIONS 2u
struct volume_reading {
	const struct block_device *device;
	uint8_t uuid[VOLUME_UUID_BYTES];
	uint8_t *out;
	uint32_t first;
	uint32_t count; /* Blocks of `out`. */
	uint32_t session_count;
	uint32_t sessions[VOLUME_READING_SESSIONS];
	struct aead_key keys[VOLUME_READING_SESSIONS];
	struct {
		uint64_t physical; /* 0: `out` has it already. */
		uint32_t key;
		uint32_t counter;
		uint8_t tag[AEAD_TAG_BYTES];
	} blocks[VOLUME_READING_BLOCKS];
};

struct volume; /* Lives at the start of the arena. */

/* Called now and then by long operations; `done` of `total`. May be NULL. */
typedef void (*volume_progress)(void *context, uint64_t done, uint64_t total);

/* For a volume of the state profile on a device of this size. */
size_t volume_arena_bytes(struct block_count device_size);
/* Likewise for any profile. What is given beyond it becomes node cache. 0: not a size of the
 * profile. In the block profile this does not grow beyond 1 GiB of volume, except for the slow
 * growth of the tree's depth. */
size_t volume_arena_bytes_for(enum volume_profile profile, struct block_count size);

/* The same with that much more for the node cache, as far as a tree of that size can fill it: a
 * random read below a node that is cached is one device read and one block to open, and two of each
 * or more otherwise. A leaf covers 512 KiB of the volume. The state profile takes no more. */
#define VOLUME_NODE_CACHE_BYTES_DEFAULT ((size_t)32 << 20) /* All of a tree of 3 GiB. */
size_t volume_arena_bytes_with(enum volume_profile profile, struct block_count size,
			       size_t cache_bytes);

/* Write a new, empty volume over whatever is on the device. An explicit decision of the caller,
 * never a reaction to a failed mount. The volume is not mounted afterwards. */
MUST_CHECK
enum status volume_create(const struct volume_environment *environment, struct block_count size,
			  const struct volume_key *key, volume_progress progress,
			  void *progress_context);

/* The same for a volume of the given profile. */
MUST_CHECK
enum status volume_create_profile(const struct volume_environment *environment,
				  enum volume_profile profile, struct block_count size,
				  const struct volume_key *key, volume_progress progress,
				  void *progress_context);

struct volume_create_params {
	enum volume_profile profile;
	struct block_count size;
	struct volume_witness_policy witness_policy; /* All zero: open. */
	volume_progress progress;                    /* May be NULL. */
	void *progress_context;
};

/* The same with everything that can be chosen. With a policy other than OPEN the volume mounts for
 * writing once it is enrolled: VOLUME_WITNESS_ENROL. STATUS_INVALID: no such policy. */
MUST_CHECK
enum status volume_create_with(const struct volume_environment *environment,
			       const struct volume_create_params *params,
			       const struct volume_key *key);

/* What anybody can read. STATUS_NOT_A_VOLUME, STATUS_NEWER_FORMAT, STATUS_IO. */
MUST_CHECK
enum status volume_public_info_read(const struct block_device *device,
				    struct volume_public_info *info);

/* Authenticate, recover, and be ready. Writes nothing to the device; the first commit does.
 * `read_only` also allows devices without FLUSH or without write access.
 * `failure` (may be NULL) says where a failed mount failed.
 * Errors: NOT_A_VOLUME, NEWER_FORMAT, WRONG_KEY, NO_KEY, TRUNCATED, AUTH_META, TAMPER, NO_FLUSH,
 * READ_ONLY, NO_ENTROPY, IO, BAD_HOST, TIMEOUT, NO_MEMORY (arena too small).
 * ROLLBACK and FORK from what is remembered of it (`recall`), and from the witness, which may say
 * NOT_ENROLLED and UNANCHORED as well. A read-only mount asks it too,
 * but does without one that cannot be asked; volume_info says so. */
MUST_CHECK
enum status volume_mount(const struct volume_environment *environment, const struct volume_key *key,
			 bool read_only, struct volume **volume, struct volume_failure *failure);

/* Forget all keys. Writes nothing: everything acknowledged is durable already. */
void volume_unmount(struct volume *volume);

bool volume_is_writable(const struct volume *volume);
void volume_info_get(const struct volume *volume, struct volume_info *info);
void volume_counters_get(const struct volume *volume, struct volume_counters *counters);
void volume_failure_get(const struct volume *volume, struct volume_failure *failure);

/* Number of logical blocks, and of logical blocks in one object's slice (a power of two). A volume
 * of the block profile is one device, and its only slice is all of it. */
struct block_count volume_logical_size(const struct volume *volume);
struct block_count volume_slice_size(const struct volume *volume);
/* Blocks that one transaction may change: VOLUME_TXN_BLOCKS_MAX in the state profile, 256 to 4,096
 * in the block profile. */
struct block_count volume_txn_size_max(const struct volume *volume);

/* Read one logical block as last committed. A hole reads as zeroes. Unverified plaintext is never
 * released: on an error `out` is zeroed. */
MUST_CHECK
enum status volume_read(struct volume *volume, struct logical_block block,
			uint8_t out[BLOCK_BYTES]);

/* Read neighbouring blocks; those that are neighbours on the device are read at once. On an error
 * all of `out` is zeroed. STATUS_INVALID: outside the volume; `out` is untouched. */
MUST_CHECK
enum status volume_read_blocks(struct volume *volume, struct logical_block first,
			       struct block_count count, uint8_t *out);

/* Read neighbouring blocks, at most VOLUME_READING_BLOCKS, as the running transaction has them, in
 * two halves: the first finds out where they are, and calls of it are serialised like all others;
 * the second reads and opens them, and may run beside anything but volume_unmount(). The device has
 * to take calls from several threads then. STATUS_AGAIN, of either half: it has to be done with
 * volume_txn_read_blocks(), whose answer counts; a checkpoint may have given the blocks' places to
 * others meanwhile, and that looks like damage. After the first half returned OK the second has to
 * be called. `out` is zeroed on failure. */
MUST_CHECK
enum status volume_read_begin(struct volume *volume, struct logical_block first,
			      struct block_count count, uint8_t *out,
			      struct volume_reading *reading);
MUST_CHECK
enum status volume_read_end(struct volume_reading *reading);

/* How many blocks from `first` on, of at most `most` (1 or more), are alike: all holes, or all not.
 * As the running transaction has it, if there is one. Reads nodes, but no data: a block that is
 * lost counts as data. Missing subtrees are passed at once. STATUS_INVALID: outside the volume. */
MUST_CHECK
enum status volume_extent(struct volume *volume, struct logical_block first,
			  struct block_count most, struct block_count *count, bool *is_hole);

/* A transaction stages changes in memory; nothing reaches the device before commit. One at a time
 * (STATUS_BUSY). */
MUST_CHECK
enum status volume_txn_begin(struct volume *volume);

/* Stage new content. Only what differs is written: content equal to the committed block costs
 * nothing, and trailing or unchanged parts are not logged where the record format allows it.
 * Staging the same block again replaces it. STATUS_TOO_LARGE beyond volume_txn_size_max().
 *
 * Block profile: content is not compared; beyond 32 KiB it goes to fresh blocks on the device at
 * once, 128 KiB at a time, and becomes part of the volume with the commit. STATUS_NO_SPACE,
 * STATUS_IO and others then come from here; the transaction can only be aborted after that. */
MUST_CHECK
enum status volume_txn_put(struct volume *volume, struct logical_block block,
			   const uint8_t content[BLOCK_BYTES]);
/* Stage a hole. */
MUST_CHECK
enum status volume_txn_discard(struct volume *volume, struct logical_block block);

/* As volume_read, but sees this transaction's own changes. */
MUST_CHECK
enum status volume_txn_read(struct volume *volume, struct logical_block block,
			    uint8_t out[BLOCK_BYTES]);
/* As volume_read_blocks, but sees this transaction's own changes. */
MUST_CHECK
enum status volume_txn_read_blocks(struct volume *volume, struct logical_block first,
				   struct block_count count, uint8_t *out);

/* True if the transaction can stage so many more blocks, whatever they are, without
 * STATUS_TOO_LARGE or STATUS_NO_SPACE. Block profile. */
bool volume_txn_has_room(const struct volume *volume, struct block_count count);

/* All or nothing, durable when it returns OK: one device write and one flush for up to 32 KiB of
 * changes. A larger one of the block profile: its data in writes of up to 128 KiB, its records,
 * one flush. A transaction that changes nothing writes nothing. On an error the transaction is
 * gone; whether it survives a crash is undecided only if the volume is no longer writable. That is
 * so after STATUS_IO, _TIMEOUT and _BAD_HOST of the device, and after STATUS_UNANCHORED or _FORK
 * where the policy is strict: the disk has the transaction then, the witness may not. */
MUST_CHECK
enum status volume_txn_commit(struct volume *volume);
void volume_txn_abort(struct volume *volume);

/* Move the log's content to its homes and release the ring. Happens by itself when needed. */
MUST_CHECK
enum status volume_checkpoint(struct volume *volume);

/* The same in steps, while transactions go on (block profile; STATUS_UNSUPPORTED otherwise).
 * Transactions begin one when it is due, and run steps of it at the pace at which they use up the
 * room that is left, so nobody has to call these; who has time to spare may.
 *
 * Begin: what is committed by now is to be moved; nothing happens if one runs already, or if there
 * is nothing to move. STATUS_BUSY: a transaction is open.
 * Step: about one device call, and a bounded amount of work; also while a transaction is open.
 * `*done`: no checkpoint runs any more. After an error the volume is as before, and the next step
 * begins again, unless the volume is no longer writable. */
MUST_CHECK
enum status volume_checkpoint_begin(struct volume *volume);
MUST_CHECK
enum status volume_checkpoint_step(struct volume *volume, bool *done);
bool volume_checkpoint_is_running(const struct volume *volume);

/* The same even if nothing changed, so that the epoch is a new one: what is committed from now on
 * cannot be taken for the continuation of another copy of this volume. */
MUST_CHECK
enum status volume_epoch_begin(struct volume *volume);

/* Let the volume take up `size` blocks of its device, which has them already. What is stored stays
 * where it is; the volume stays mounted, and volume_logical_size() (block profile) or the free
 * space (state profile) is larger afterwards. After a crash or an error it is of its old size or of
 * the new one; where it was interrupted half-way, the same call goes on, and does nothing for a
 * volume of that size already. A volume that has grown keeps its ring, so it may need less memory
 * than a new one; for a larger one the arena has to be as large as volume_arena_bytes_for() says.
 * STATUS_INVALID: smaller than it is, or larger by fewer than VOLUME_GROW_BLOCKS_MIN.
 * STATUS_TRUNCATED: larger than the device. STATUS_TOO_LARGE:
 * beyond the profile. STATUS_NO_MEMORY: beyond the arena. STATUS_BUSY: a transaction is open, a
 * request queue is attached, or a
 * rotation of the master key is under way. */
MUST_CHECK
enum status volume_grow(struct volume *volume, struct block_count size);

/* Walk and authenticate everything reachable, check bitmap == reachability. Stops at the first
 * failure; see volume_failure_get(). */
MUST_CHECK
enum status volume_verify(struct volume *volume, volume_progress progress, void *progress_context);

/* Something wrong that a survey found. */
enum volume_fault_kind {
	VOLUME_FAULT_COPY, /* One of two copies is bad. The next checkpoint repairs it. */
	VOLUME_FAULT_DATA, /* One block is lost. Overwriting or discarding it ends the fault. */
	VOLUME_FAULT_NODE, /* So are all blocks below a node. */
	VOLUME_FAULT_META, /* Space accounting: contents are safe, but not to be written. */
};

struct volume_fault {
	enum volume_fault_kind kind;
	struct volume_failure where;
	/* What cannot be read because of it, for DATA and NODE. */
	uint64_t first_logical;
	uint64_t logical_count;
};

typedef void (*volume_fault_visit)(void *context, const struct volume_fault *fault);

/* As volume_verify, but goes on behind each fault and calls `visit` for it. OK: there is none;
 * otherwise the first one's status, or what ended the survey (BUSY, a device that died). After
 * faults in the metadata the volume is no longer writable: meant for a read-only mount. */
MUST_CHECK
enum status volume_survey(struct volume *volume, volume_fault_visit visit, void *visit_context,
			  volume_progress progress, void *progress_context);

/* Keyslots. Each change is durable when it returns OK, and after a crash done or not done. After an
 * error it may have been made all the same: volume_keyslots_list() says whether it was; if the
 * volume is no longer writable, only the next mount can tell. */

/* The keyslots in use, in the order of their slots; returns how many. */
uint32_t volume_keyslots_list(const struct volume *volume,
			      struct volume_keyslot_info out[VOLUME_KEYSLOTS_MAX]);
/* STATUS_EXISTS: that key opens the volume already. STATUS_LIMIT: no slot is free. */
MUST_CHECK
enum status volume_key_add(struct volume *volume, const struct volume_key *key);
/* STATUS_WRONG_KEY: it opens no slot. STATUS_INVALID: it is the last one. */
MUST_CHECK
enum status volume_key_remove(struct volume *volume, const struct volume_key *key);
/* Put `key` in the place of `old`, in one step: there is no moment at which both or neither open
 * the volume. STATUS_WRONG_KEY: `old` opens no slot. STATUS_EXISTS: `key` opens one. */
MUST_CHECK
enum status volume_key_change(struct volume *volume, const struct volume_key *old,
			      const struct volume_key *key);
/* Rotation of the master key, while the volume is in use. A key of generation g+1 is drawn; the
 * keyslots that `keys` open are wrapped anew, and open the volume from now on. The other slots
 * cannot be: with `drop_others` they are given up, without STATUS_NO_KEY comes before anything is
 * changed, and `missing_slots` has a bit for each of them (set in both cases). STATUS_BUSY: a
 * transaction is open, or a rotation or a grow is under way. STATUS_WRONG_KEY: one of `keys` opens
 * no slot. STATUS_LIMIT: there is no next generation. After another error the rotation may have
 * begun all the same: volume_key_rotation_get() says so. */
MUST_CHECK
enum status volume_key_rotate_begin(struct volume *volume, const struct volume_key *keys,
				    size_t key_count, bool drop_others, uint32_t *missing_slots);
/* A bounded part of what a rotation has to do: seal anew what is sealed under generation g, then
 * overwrite what is left of it in unused blocks. Between steps the volume can be read and written,
 * unmounted, and lose its power: steps go on where the last one was durable. `*done`: the old key
 * is gone from the volume. STATUS_NO_SPACE: there is no room for one block; the volume goes on, and
 * so does the rotation when there is. STATUS_IO: a block could not be read; likewise, and
 * overwriting or discarding it helps. A block that does not authenticate goes on being
 * STATUS_AUTH_DATA. STATUS_BUSY: a transaction is open. */
MUST_CHECK
enum status volume_key_rotate_step(struct volume *volume, bool *done);

struct volume_rotation_info {
	bool is_running; /* volume_key_rotate_step() has something to do. */
	uint64_t done;   /* Of `total`. */
	uint64_t total;
};
void volume_key_rotation_get(const struct volume *volume, struct volume_rotation_info *info);

/* Remove a key that is lost. STATUS_NOT_FOUND: not in use. STATUS_INVALID: it is the last one. */
MUST_CHECK
enum status volume_keyslot_remove(struct volume *volume, uint32_t slot);
