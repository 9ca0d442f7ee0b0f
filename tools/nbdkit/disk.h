// SPDX-License-Identifier: MIT
/* What the plugin serves: the device of a volume of the block profile, or an object of one of the
 * state profile. Both are disks with a volatile write cache (device.h, object_device.h say what
 * that promises); this is the lock around them.
 *
 * Any thread may call any function. One lock covers volume, store and staging area, so a flush
 * makes durable what was acknowledged on every connection, and every connection reads what any of
 * them wrote: that is what NBD_FLAG_CAN_MULTI_CONN promises. Reads of a device wait for the disk
 * and decrypt outside the lock. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/holdfast/session.h"
#include "tools/nbdkit/object_device.h"

/* Caller's storage; borrows the session. All fields are the disk's own. */
struct disk {
	pthread_mutex_t lock;
	struct session *session;
	uint64_t size_bytes;
	bool is_device;
	struct object_device *object; /* From the heap; NULL: a device, or not open. */
};

/* `name` NULL: the device. `size_bytes` is object_device_open()'s, and has to be 0 for a device.
 * Statuses of contents_stat() and object_device_open(); STATUS_INVALID: `name` is missing, or the
 * size is not to be chosen. disk_close() ends it, after a failed call as well. */
MUST_CHECK
enum status disk_open(struct disk *disk, struct session *session, const char *name,
		      uint64_t size_bytes);
/* Forgets what is staged; flush before. */
void disk_close(struct disk *disk);

MUST_CHECK
enum status disk_read(struct disk *disk, uint64_t offset_bytes, uint8_t *out, size_t size_bytes);
MUST_CHECK
enum status disk_write(struct disk *disk, uint64_t offset_bytes, const uint8_t *bytes,
		       size_t size_bytes);
MUST_CHECK
enum status disk_zero(struct disk *disk, uint64_t offset_bytes, uint64_t size_bytes);
MUST_CHECK
enum status disk_flush(struct disk *disk);
/* Let the witness have all that was written, if it does not; a disk that changes nothing asks
 * nobody. Statuses of disk_flush() and volume_witness_sync(). */
MUST_CHECK
enum status disk_witness_sync(struct disk *disk);
MUST_CHECK
enum status disk_extent(struct disk *disk, uint64_t offset_bytes, uint64_t size_bytes,
			uint64_t *extent_bytes, bool *is_hole);

/* After STATUS_AUTH_DATA of a request: the offset of the first block in its range that cannot be
 * read. False: there is none any more. */
bool disk_damage_find(struct disk *disk, uint64_t offset_bytes, uint64_t size_bytes,
		      uint64_t *damaged_at);
