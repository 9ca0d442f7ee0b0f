// SPDX-License-Identifier: MIT
/* A file-like view of one object of the store, for the system calls of ring 3.
 *
 * Open reads the whole object into a staging buffer of the caller; reads and writes work on that
 * buffer; sync commits what differs from the committed object as one atomic, durable transaction.
 * Close without sync discards. Because the buffer starts as the committed content and a write that
 * changes nothing is noticed, rewriting a 150 KB object of which one block differs costs one block.
 *
 * A failed sync leaves the object as it was (the store's promise) but the buffer ahead of it, so
 * the handle is then failed for good: every further call on it returns the same status until close.
 *
 * Independent of system-call numbers and errno. One thread. PURE. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "base/units.h"
#include "block/store.h"

#define STORE_FILE_BYTES_MAX  (256u * 1024u)
#define STORE_FILE_BLOCKS_MAX (STORE_FILE_BYTES_MAX / BLOCK_BYTES)

enum store_file_state {
	STORE_FILE_CLOSED, /* To OPEN. */
	STORE_FILE_OPEN,   /* To FAILED, CLOSED. */
	STORE_FILE_FAILED, /* A sync failed. To CLOSED. */
};

struct store_file {
	enum store_file_state state;
	struct store *store;
	char name[STORE_NAME_BYTES_MAX + 1];
	bool writable;
	uint8_t *stage; /* Caller's; bytes from size_bytes to capacity_bytes are zero. */
	uint32_t capacity_bytes;
	uint32_t size_bytes;           /* As staged. */
	uint32_t committed_size_bytes; /* As in the store. */
	bool exists;                   /* In the store. */
	uint64_t changed_blocks;       /* Bit i: block i of the stage may differ from the store. */
	enum status failure;
};

struct store_file_flags {
	bool writable;
	bool create;   /* An absent object is an empty new one, which sync creates. */
	bool truncate; /* Start empty; staged, like everything else. */
};

/* `stage` is borrowed until close; `capacity_bytes` is at most STORE_FILE_BYTES_MAX and bounds the
 * object's size. STATUS_NOT_FOUND only if the store says, authentically, that there is no such
 * object and `create` is not set. STATUS_TOO_LARGE: the object does not fit. STATUS_INVALID: a bad
 * name or capacity, or create or truncate without writable. STATUS_BUSY: `file` is not closed. On
 * any failure `file` stays closed and `stage` is zeroed. */
MUST_CHECK
enum status store_file_open(struct store_file *file, struct store *store, const char *name,
			    struct store_file_flags flags, uint8_t *stage, uint32_t capacity_bytes);

/* Copy from the staged content; *got is less than `size_bytes` only at the end. */
MUST_CHECK
enum status store_file_read(const struct store_file *file, uint64_t offset_bytes, uint8_t *out,
			    size_t size_bytes, size_t *got);

/* Borrow staged content instead, for a caller with a copy routine of its own (user_copy_out). */
MUST_CHECK
enum status store_file_peek(const struct store_file *file, uint64_t offset_bytes, size_t size_bytes,
			    const uint8_t **bytes, size_t *got);

/* Stage a write, whole or not at all; a gap reads as zeroes. STATUS_TOO_LARGE: beyond the
 * capacity. STATUS_READ_ONLY: not opened for writing. */
MUST_CHECK
enum status store_file_write(struct store_file *file, uint64_t offset_bytes, const uint8_t *bytes,
			     size_t size_bytes);

MUST_CHECK
enum status store_file_resize(struct store_file *file, uint64_t size_bytes);

/* Durable when it returns STATUS_OK; costs no device write if nothing differs. */
MUST_CHECK
enum status store_file_sync(struct store_file *file);

/* Discard what is not synced and erase the stage. Harmless on a closed file. */
void store_file_close(struct store_file *file);

/* Remove the object: a durable transaction of its own. The caller makes sure that it is not open
 * (STATUS_BUSY is the caller's to give). STATUS_NOT_FOUND is authentic. */
MUST_CHECK
enum status store_file_remove(struct store *store, const char *name);
