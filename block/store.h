// SPDX-License-Identifier: MIT
/* The store: named objects on a volume. An object is a slice of the volume's sparse logical space;
 * a transaction may touch several objects and is there whole or not at all.
 *
 * Names: 1 to STORE_NAME_BYTES_MAX bytes of [A-Za-z0-9._-], not starting with '.'; anything else
 * is STATUS_INVALID. One caller at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/store_format.h"
#include "block/volume.h"

/* Caller's storage (about 8 KiB: not for a small stack); borrows the volume. All fields are the
 * store's own. */
struct store {
	struct volume *volume;
	uint64_t slice_blocks;
	uint32_t slot_count; /* Objects that the volume has slices for. */
	bool in_transaction;
	bool index_loaded;        /* `index` is what the volume, or the transaction, holds. */
	enum status txn_failure;  /* The first change of the transaction that failed part-way. */
	uint64_t txn_touched;     /* Bit i: slot i already has its new version. */
	struct store_index index; /* A copy in private memory, so that a look-up costs no read. */
	bool object_loaded;       /* `object` is what the volume, or the transaction, holds. */
	uint32_t object_slot;     /* Whose metadata it is: the last that was looked up. */
	struct store_object_info object;
	uint8_t block[BLOCK_BYTES]; /* Scratch for one block. */
};

/* Reads the index. STATUS_INVALID: the volume is too small to hold an object. */
MUST_CHECK
enum status store_open(struct store *store, struct volume *volume);

/* Abort what runs and erase the copies. Everything acknowledged is durable already. */
void store_close(struct store *store);

/* Largest object. One transaction changes at most VOLUME_TXN_BLOCKS_MAX blocks, so a larger object
 * than about 70 blocks takes several to write, and several to shrink before it can be removed. */
uint64_t store_object_bytes_max(const struct store *store);

/* STATUS_NOT_FOUND is authentic: the volume knows that there is no such object. Any other failure
 * (I/O, authentication) is another status and must not be taken for absence. */
MUST_CHECK
enum status store_stat(struct store *store, const char *name, struct store_object_info *info);

/* Whose blocks lie in a slice of the volume (volume_slice_size); "" : nobody's, or the store's own
 * in slice 0. For messages. */
const char *store_slice_owner(const struct store *store, uint64_t slice);

/* Call `visit` for each object, in name order. A status other than OK from it ends the walk and is
 * returned. It must not change the store. */
typedef enum status (*store_visit)(void *context, const struct store_object_info *info);
MUST_CHECK
enum status store_list(struct store *store, store_visit visit, void *context);

/* Read [offset, offset + size). Sees the running transaction's changes. STATUS_INVALID beyond the
 * object's end; on any error `out` is zeroed. */
MUST_CHECK
enum status store_read(struct store *store, const char *name, uint64_t offset_bytes, uint8_t *out,
		       size_t size_bytes);

/* How many bytes from `offset` on, of at most `size` (1 or more), are alike: all in holes, which
 * read as zeroes and take no space, or all in blocks that hold something. STATUS_INVALID beyond the
 * object's end. Reads no data. */
MUST_CHECK
enum status store_extent(struct store *store, const char *name, uint64_t offset_bytes,
			 uint64_t size_bytes, uint64_t *extent_bytes, bool *is_hole);

/* Transactions. Outside one, the functions below return STATUS_INVALID. A change that fails before
 * it staged anything (an invalid name, too large, no such object) leaves the transaction usable;
 * one that fails part-way dooms it: every later change and the commit return the same status. */
MUST_CHECK
enum status store_txn_begin(struct store *store);

/* Write within or beyond the object's end (a gap reads as zeroes); creates the object if it is not
 * there. Blocks whose content does not change cost nothing, and a write that changes nothing leaves
 * the version as it is. STATUS_TOO_LARGE: beyond store_object_bytes_max(), or too many blocks for
 * one transaction. STATUS_LIMIT: STORE_OBJECTS_MAX objects exist already. */
MUST_CHECK
enum status store_txn_write(struct store *store, const char *name, uint64_t offset_bytes,
			    const uint8_t *bytes, size_t size_bytes);
/* Grow (with zeroes) or shrink; creates the object if it is not there. */
MUST_CHECK
enum status store_txn_resize(struct store *store, const char *name, uint64_t size_bytes);
MUST_CHECK
enum status store_txn_remove(struct store *store, const char *name);

/* Durable when it returns OK. On an error nothing of the transaction is there, except after
 * STATUS_IO, _TIMEOUT or _BAD_HOST (see volume_txn_commit). It is over in any case. */
MUST_CHECK
enum status store_txn_commit(struct store *store);
void store_txn_abort(struct store *store);
