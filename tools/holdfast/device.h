// SPDX-License-Identifier: MIT
/* A volume of the block profile as what it is: one disk, in bytes, with a volatile write cache.
 *
 * Writes are staged in the volume's transaction, so all that is written between two flushes is one
 * commit; what was written is durable after device_flush() returned OK, and not before. A
 * transaction without room for more is committed early: a crash leaves the state after some prefix
 * of the writes, never less than what was flushed.
 *
 * A request that fails for itself (a block that does not authenticate, a full volume) loses nothing
 * that was accepted before. If accepted writes are lost all the same, because the device failed
 * under them, there is no state that a client could go on from without knowing: every request fails
 * from then on. The next mount has what was flushed.
 *
 * One caller at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume.h"

/* What the one object of such a volume is called. */
#define DEVICE_NAME "device"

/* Caller's storage; borrows the volume. All fields are the device's own. */
struct device {
	struct volume *volume;
	uint64_t size_bytes;
	enum status lost; /* Why accepted writes are gone; OK: they are not. */
	bool is_staging;  /* A transaction is open. */
	uint8_t block[BLOCK_BYTES];
};

void device_init(struct device *device, struct volume *volume);
/* Forgets what is staged; flush before. */
void device_close(struct device *device);

/* Outside the device: STATUS_INVALID. `out` is zeroed on failure. */
MUST_CHECK
enum status device_read(struct device *device, uint64_t offset_bytes, uint8_t *out,
			size_t size_bytes);
/* The first half of a read, of which volume_read_end() is the other, and needs no lock.
 * STATUS_AGAIN: only device_read() can do it. */
MUST_CHECK
enum status device_read_begin(struct device *device, uint64_t offset_bytes, uint8_t *out,
			      size_t size_bytes, struct volume_reading *reading);
/* STATUS_NO_SPACE meets the write that is too much. A failed write leaves its range undefined. */
MUST_CHECK
enum status device_write(struct device *device, uint64_t offset_bytes, const uint8_t *bytes,
			 size_t size_bytes);
/* The range reads as zeroes; whole blocks of it take no space. Costs nothing where it is so. */
MUST_CHECK
enum status device_zero(struct device *device, uint64_t offset_bytes, uint64_t size_bytes);
/* Durable: every request that was accepted before. */
MUST_CHECK
enum status device_flush(struct device *device);
/* How many bytes from `offset_bytes` on, of at most `size_bytes` (1 or more), are alike: in holes,
 * or in blocks that hold something. */
MUST_CHECK
enum status device_extent(struct device *device, uint64_t offset_bytes, uint64_t size_bytes,
			  uint64_t *extent_bytes, bool *is_hole);
