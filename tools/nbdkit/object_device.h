// SPDX-License-Identifier: MIT
/* An object of the store as a block device with a volatile write cache.
 *
 * Writes are staged in memory, the whole of it one transaction to be: what was written is durable
 * after object_device_flush() returned OK, and not before. When the transaction has no more room it
 * is committed early, so what a crash leaves is always the state after some prefix of the writes,
 * and never less than what was flushed.
 *
 * A commit that fails drops nothing that was accepted: it stays staged, reads see it, and the next
 * flush tries again. Only the request that could not be completed is undone, as far as it was not
 * committed. Where the volume is so full that a commit might be refused, each write is committed
 * before it is accepted, so that NO_SPACE meets the write that is too much. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/store.h"

/* A transaction changes the object's metadata and, when it is made, the index besides. */
#define OBJECT_DEVICE_BLOCKS_MAX (VOLUME_TXN_BLOCKS_MAX - 2u)

/* Caller's storage, about 290 KiB; borrows the store. All fields are the device's own. */
struct object_device {
	struct store *store;
	char name[STORE_NAME_BYTES_MAX + 1];
	uint64_t size_bytes;
	uint32_t staged_count;
	uint32_t accepted_count; /* Of those, staged by requests before the running one. */
	uint64_t staged[OBJECT_DEVICE_BLOCKS_MAX]; /* Which block of the object. */
	uint8_t content[OBJECT_DEVICE_BLOCKS_MAX][BLOCK_BYTES];
};

/* `size_bytes` 0: as large as the object is; STATUS_NOT_FOUND if there is none. Else it is made, or
 * made larger; STATUS_EXISTS if it is larger already: nothing is cut off. */
MUST_CHECK
enum status object_device_open(struct object_device *device, struct store *store, const char *name,
			       uint64_t size_bytes);
/* Erases what is staged; flush before. */
void object_device_close(struct object_device *device);

/* Outside the object: STATUS_INVALID. `out` is zeroed on failure. */
MUST_CHECK
enum status object_device_read(struct object_device *device, uint64_t offset_bytes, uint8_t *out,
			       size_t size_bytes);
MUST_CHECK
enum status object_device_write(struct object_device *device, uint64_t offset_bytes,
				const uint8_t *bytes, size_t size_bytes);
/* The range reads as zeroes; whole blocks of it take no space. Costs nothing where it is so. */
MUST_CHECK
enum status object_device_zero(struct object_device *device, uint64_t offset_bytes,
			       uint64_t size_bytes);
/* How many bytes from `offset_bytes` on, of at most `size_bytes` (1 or more), are alike: in holes,
 * or in blocks that hold something. */
MUST_CHECK
enum status object_device_extent(struct object_device *device, uint64_t offset_bytes,
				 uint64_t size_bytes, uint64_t *extent_bytes, bool *is_hole);
/* Durable: every request that was accepted before. */
MUST_CHECK
enum status object_device_flush(struct object_device *device);
