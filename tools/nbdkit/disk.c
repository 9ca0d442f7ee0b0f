// SPDX-License-Identifier: MIT
#include "tools/nbdkit/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "tools/holdfast/contents.h"

#define READING_BYTES ((size_t)VOLUME_READING_BLOCKS * BLOCK_BYTES)

/* Mostly it is held for less time than going to sleep takes: wait for it awake for a moment. */
static void lock_init(struct disk *disk)
{
	pthread_mutexattr_t attributes;
	CHECK(pthread_mutexattr_init(&attributes) == 0);
	CHECK(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP) == 0);
	CHECK(pthread_mutex_init(&disk->lock, &attributes) == 0);
	(void)pthread_mutexattr_destroy(&attributes);
}

static void lock(struct disk *disk)
{
	CHECK(pthread_mutex_lock(&disk->lock) == 0);
}

static void unlock(struct disk *disk)
{
	CHECK(pthread_mutex_unlock(&disk->lock) == 0);
}

/* ---- Open and close ------------------------------------------------------------------------ */

static enum status open_device(struct disk *disk, const char *name, uint64_t size_bytes)
{
	struct store_object_info info;
	enum status status = contents_stat(disk->session, name != NULL ? name : DEVICE_NAME, &info);
	if (status == STATUS_OK && size_bytes != 0) {
		status = STATUS_INVALID;
	}
	if (status == STATUS_OK) {
		disk->size_bytes = info.size_bytes;
	}
	return status;
}

static enum status open_object(struct disk *disk, const char *name, uint64_t size_bytes)
{
	if (name == NULL) {
		return STATUS_INVALID;
	}
	disk->object = malloc(sizeof(*disk->object));
	if (disk->object == NULL) {
		return STATUS_NO_MEMORY;
	}
	memset(disk->object, 0, sizeof(*disk->object));
	enum status status =
		object_device_open(disk->object, &disk->session->store, name, size_bytes);
	disk->size_bytes = disk->object->size_bytes;
	return status;
}

enum status disk_open(struct disk *disk, struct session *session, const char *name,
		      uint64_t size_bytes)
{
	*disk = (struct disk){.session = session,
			      .is_device = session_profile(session) == VOLUME_PROFILE_BLOCK};
	lock_init(disk);
	return disk->is_device ? open_device(disk, name, size_bytes)
			       : open_object(disk, name, size_bytes);
}

/* The session closes the device. */
void disk_close(struct disk *disk)
{
	if (disk->object != NULL) {
		object_device_close(disk->object);
		free(disk->object);
		disk->object = NULL;
	}
	(void)pthread_mutex_destroy(&disk->lock);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static enum status read_locked(struct disk *disk, uint64_t offset_bytes, uint8_t *out,
			       size_t size_bytes)
{
	lock(disk);
	enum status status =
		disk->is_device ? device_read(&disk->session->device, offset_bytes, out, size_bytes)
				: object_device_read(disk->object, offset_bytes, out, size_bytes);
	unlock(disk);
	return status;
}

/* The second half of each piece is without the lock. */
static enum status read_unlocked(struct disk *disk, uint64_t offset_bytes, uint8_t *out,
				 size_t size_bytes)
{
	struct volume_reading reading;
	lock(disk);
	enum status status =
		device_read_begin(&disk->session->device, offset_bytes, out, size_bytes, &reading);
	unlock(disk);
	if (status == STATUS_OK) {
		status = volume_read_end(&reading);
	}
	return status == STATUS_AGAIN ? read_locked(disk, offset_bytes, out, size_bytes) : status;
}

enum status disk_read(struct disk *disk, uint64_t offset_bytes, uint8_t *out, size_t size_bytes)
{
	if (!disk->is_device) {
		return read_locked(disk, offset_bytes, out, size_bytes);
	}
	enum status status = STATUS_OK;
	for (size_t done = 0; done < size_bytes && status == STATUS_OK; done += READING_BYTES) {
		size_t left = size_bytes - done;
		status = read_unlocked(disk, offset_bytes + done, out + done,
				       left < READING_BYTES ? left : READING_BYTES);
	}
	if (status != STATUS_OK) {
		memset(out, 0, size_bytes);
	}
	return status;
}

/* ---- Changing ------------------------------------------------------------------------------ */

enum status disk_write(struct disk *disk, uint64_t offset_bytes, const uint8_t *bytes,
		       size_t size_bytes)
{
	lock(disk);
	enum status status =
		disk->is_device
			? device_write(&disk->session->device, offset_bytes, bytes, size_bytes)
			: object_device_write(disk->object, offset_bytes, bytes, size_bytes);
	unlock(disk);
	return status;
}

enum status disk_zero(struct disk *disk, uint64_t offset_bytes, uint64_t size_bytes)
{
	lock(disk);
	enum status status = disk->is_device
				     ? device_zero(&disk->session->device, offset_bytes, size_bytes)
				     : object_device_zero(disk->object, offset_bytes, size_bytes);
	unlock(disk);
	return status;
}

static enum status flush_locked(struct disk *disk)
{
	return disk->is_device ? device_flush(&disk->session->device)
			       : object_device_flush(disk->object);
}

enum status disk_flush(struct disk *disk)
{
	lock(disk);
	enum status status = flush_locked(disk);
	unlock(disk);
	return status;
}

/* What is being written is committed first: the volume does not ask in the middle of that. */
enum status disk_witness_sync(struct disk *disk)
{
	struct volume_freshness_info info;
	enum status status = STATUS_OK;
	lock(disk);
	volume_freshness_get(disk->session->volume, &info);
	if (info.freshness != VOLUME_FRESHNESS_ANCHORED) {
		status = flush_locked(disk);
		if (status == STATUS_OK) {
			status = volume_witness_sync(disk->session->volume);
		}
	}
	unlock(disk);
	return status;
}

/* ---- Looking ------------------------------------------------------------------------------- */

enum status disk_extent(struct disk *disk, uint64_t offset_bytes, uint64_t size_bytes,
			uint64_t *extent_bytes, bool *is_hole)
{
	lock(disk);
	enum status status = disk->is_device
				     ? device_extent(&disk->session->device, offset_bytes,
						     size_bytes, extent_bytes, is_hole)
				     : object_device_extent(disk->object, offset_bytes, size_bytes,
							    extent_bytes, is_hole);
	unlock(disk);
	return status;
}

bool disk_damage_find(struct disk *disk, uint64_t offset_bytes, uint64_t size_bytes,
		      uint64_t *damaged_at)
{
	uint8_t bytes[BLOCK_BYTES];
	uint64_t at = offset_bytes - offset_bytes % BLOCK_BYTES;
	bool found = false;
	for (; at < offset_bytes + size_bytes && at < disk->size_bytes && !found;
	     at += BLOCK_BYTES) {
		uint64_t left = disk->size_bytes - at;
		found = read_locked(disk, at, bytes,
				    left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES) ==
			STATUS_AUTH_DATA;
		*damaged_at = at;
	}
	secure_zero(bytes, sizeof(bytes));
	return found;
}
