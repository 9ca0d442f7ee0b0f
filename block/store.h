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
#include "block/volume.h"

#define STORE_NAME_BYTES_MAX 48u
#define STORE_OBJECTS_MAX    64u

struct store_object_info {
	char name[STORE_NAME_BYTES_MAX + 1];
	uint64_t size_bytes;
	uint64_t version; /* Commits that changed this object. */
};

/* Caller's storage; borrows the volume. */
struct store {
	struct volume *volume;
	bool in_transaction;
};

MUST_CHECK
enum status store_open(struct store *store, struct volume *volume);

/* STATUS_NOT_FOUND is authentic: the volume knows that there is no such object. Any other failure
 * (I/O, authentication) is another status and must not be taken for absence. */
MUST_CHECK
enum status store_stat(struct store *store, const char *name, struct store_object_info *info);

/* Call `visit` for each object, in name order. A status other than OK from it ends the walk and is
 * returned. */
typedef enum status (*store_visit)(void *context, const struct store_object_info *info);
MUST_CHECK
enum status store_list(struct store *store, store_visit visit, void *context);

/* Read [offset, offset + size). Sees the running transaction's changes. STATUS_INVALID beyond the
 * object's end; on any error `out` is zeroed. */
MUST_CHECK
enum status store_read(struct store *store, const char *name, uint64_t offset_bytes, uint8_t *out,
		       size_t size_bytes);

MUST_CHECK
enum status store_txn_begin(struct store *store);

/* Write within or beyond the object's end (a gap reads as zeroes); creates the object if it is not
 * there. Blocks whose content does not change cost nothing. */
MUST_CHECK
enum status store_txn_write(struct store *store, const char *name, uint64_t offset_bytes,
			    const uint8_t *bytes, size_t size_bytes);
/* Grow (with zeroes) or shrink; creates the object if it is not there. */
MUST_CHECK
enum status store_txn_resize(struct store *store, const char *name, uint64_t size_bytes);
MUST_CHECK
enum status store_txn_remove(struct store *store, const char *name);

/* Durable when it returns OK. */
MUST_CHECK
enum status store_txn_commit(struct store *store);
void store_txn_abort(struct store *store);
