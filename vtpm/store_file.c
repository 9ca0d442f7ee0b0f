// SPDX-License-Identifier: MIT
#include "vtpm/store_file.h"

#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/check.h"

STATIC_ASSERT(STORE_FILE_BLOCKS_MAX <= 64, "changed_blocks has one bit a block");

static enum status usable(const struct store_file *file)
{
	switch (file->state) {
	case STORE_FILE_OPEN: return STATUS_OK;
	case STORE_FILE_FAILED: return file->failure;
	case STORE_FILE_CLOSED: return STATUS_INVALID;
	}
	return STATUS_INVALID;
}

/* A name that does not fit is not one of the store's; the store checks the rest. */
static enum status copy_name(char out[STORE_NAME_BYTES_MAX + 1], const char *name)
{
	for (size_t i = 0; i <= STORE_NAME_BYTES_MAX; i++) {
		out[i] = name[i];
		if (name[i] == '\0') {
			return i == 0 ? STATUS_INVALID : STATUS_OK;
		}
	}
	return STATUS_INVALID;
}

/* Bring the committed content into the stage. */
static enum status load(struct store_file *file, bool create)
{
	struct store_object_info info;
	enum status status = store_stat(file->store, file->name, &info);

	if (status == STATUS_NOT_FOUND && create) {
		return STATUS_OK;
	}
	if (status != STATUS_OK) {
		return status;
	}
	if (info.size_bytes > file->capacity_bytes) {
		return STATUS_TOO_LARGE;
	}
	file->exists = true;
	file->committed_size_bytes = (uint32_t)info.size_bytes;
	file->size_bytes = file->committed_size_bytes;
	if (file->size_bytes == 0) {
		return STATUS_OK;
	}
	return store_read(file->store, file->name, 0, file->stage, file->size_bytes);
}

static void reset(struct store_file *file)
{
	if (file->stage != NULL) {
		secure_zero(file->stage, file->capacity_bytes);
	}
	memset(file, 0, sizeof(*file));
	file->state = STORE_FILE_CLOSED;
}

enum status store_file_open(struct store_file *file, struct store *store, const char *name,
			    struct store_file_flags flags, uint8_t *stage, uint32_t capacity_bytes)
{
	enum status status;

	if (file->state != STORE_FILE_CLOSED) {
		return STATUS_BUSY;
	}
	if (capacity_bytes == 0 || capacity_bytes > STORE_FILE_BYTES_MAX ||
	    (!flags.writable && (flags.create || flags.truncate))) {
		return STATUS_INVALID;
	}
	memset(file, 0, sizeof(*file));
	file->store = store;
	file->writable = flags.writable;
	file->stage = stage;
	file->capacity_bytes = capacity_bytes;
	memset(stage, 0, capacity_bytes);
	status = copy_name(file->name, name);
	if (status == STATUS_OK) {
		status = load(file, flags.create);
	}
	if (status != STATUS_OK) {
		reset(file);
		return status;
	}
	file->state = STORE_FILE_OPEN;
	return flags.truncate ? store_file_resize(file, 0) : STATUS_OK;
}

enum status store_file_peek(const struct store_file *file, uint64_t offset_bytes, size_t size_bytes,
			    const uint8_t **bytes, size_t *got)
{
	enum status status = usable(file);
	size_t left;

	if (status != STATUS_OK) {
		return status;
	}
	left = offset_bytes >= file->size_bytes ? 0 : (size_t)(file->size_bytes - offset_bytes);
	*got = size_bytes < left ? size_bytes : left;
	*bytes = left == 0 ? file->stage : file->stage + offset_bytes;
	return STATUS_OK;
}

enum status store_file_read(const struct store_file *file, uint64_t offset_bytes, uint8_t *out,
			    size_t size_bytes, size_t *got)
{
	const uint8_t *bytes = NULL;
	size_t part = 0;
	enum status status = store_file_peek(file, offset_bytes, size_bytes, &bytes, &part);

	if (status != STATUS_OK) {
		return status;
	}
	if (part > 0) {
		memcpy(out, bytes, part);
	}
	*got = part;
	return STATUS_OK;
}

/* Replace bytes of the stage block by block, and note the blocks that really change. */
static void stage_bytes(struct store_file *file, uint32_t offset, const uint8_t *bytes, size_t size)
{
	size_t at = 0;

	while (at < size) {
		size_t into = (offset + at) % BLOCK_BYTES;
		size_t room = BLOCK_BYTES - into;
		size_t part = size - at < room ? size - at : room;
		uint8_t *to = file->stage + offset + at;

		if (memcmp(to, bytes + at, part) != 0) {
			memcpy(to, bytes + at, part);
			file->changed_blocks |= UINT64_C(1) << ((offset + at) / BLOCK_BYTES);
		}
		at += part;
	}
}

static enum status may_write(const struct store_file *file)
{
	enum status status = usable(file);

	if (status != STATUS_OK) {
		return status;
	}
	return file->writable ? STATUS_OK : STATUS_READ_ONLY;
}

enum status store_file_write(struct store_file *file, uint64_t offset_bytes, const uint8_t *bytes,
			     size_t size_bytes)
{
	enum status status = may_write(file);

	if (status != STATUS_OK) {
		return status;
	}
	if (!addr_within(offset_bytes, size_bytes, file->capacity_bytes)) {
		return STATUS_TOO_LARGE;
	}
	stage_bytes(file, (uint32_t)offset_bytes, bytes, size_bytes);
	/* As on Linux, writing nothing does not grow a file. */
	if (size_bytes > 0 && offset_bytes + size_bytes > file->size_bytes) {
		file->size_bytes = (uint32_t)(offset_bytes + size_bytes);
	}
	return STATUS_OK;
}

enum status store_file_resize(struct store_file *file, uint64_t size_bytes)
{
	enum status status = may_write(file);
	uint32_t old;

	if (status != STATUS_OK) {
		return status;
	}
	if (size_bytes > file->capacity_bytes) {
		return STATUS_TOO_LARGE;
	}
	old = file->size_bytes;
	/* Zero what is cut off, as the object may grow again before the sync. The blocks count as
	 * changed only if they held something. */
	for (uint32_t at = (uint32_t)size_bytes; at < old; at++) {
		if (file->stage[at] != 0) {
			file->stage[at] = 0;
			file->changed_blocks |= UINT64_C(1) << (at / BLOCK_BYTES);
		}
	}
	file->size_bytes = (uint32_t)size_bytes;
	return STATUS_OK;
}

/* Write the changed blocks that lie within the staged size, neighbours together. */
static enum status write_changes(struct store_file *file)
{
	uint32_t block_count = (file->size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
	uint32_t first = 0;

	while (first < block_count) {
		uint32_t end = first;
		uint32_t end_bytes;
		enum status status;

		while (end < block_count && (file->changed_blocks >> end & 1) != 0) {
			end++;
		}
		if (end == first) {
			first++;
			continue;
		}
		end_bytes = end * BLOCK_BYTES;
		end_bytes = end_bytes < file->size_bytes ? end_bytes : file->size_bytes;
		status = store_txn_write(file->store, file->name, first * BLOCK_BYTES,
					 file->stage + first * BLOCK_BYTES,
					 end_bytes - first * BLOCK_BYTES);
		if (status != STATUS_OK) {
			return status;
		}
		first = end;
	}
	return STATUS_OK;
}

/* Inside a transaction. The size first: it creates the object, and it makes a later growth over a
 * cut tail start from zeroes, which is what the stage holds. */
static enum status write_difference(struct store_file *file)
{
	if (!file->exists || file->size_bytes != file->committed_size_bytes) {
		enum status status = store_txn_resize(file->store, file->name, file->size_bytes);

		if (status != STATUS_OK) {
			return status;
		}
	}
	return write_changes(file);
}

static enum status commit(struct store_file *file)
{
	enum status status = store_txn_begin(file->store);

	if (status != STATUS_OK) {
		return status;
	}
	status = write_difference(file);
	if (status != STATUS_OK) {
		store_txn_abort(file->store);
		return status;
	}
	return store_txn_commit(file->store);
}

enum status store_file_sync(struct store_file *file)
{
	enum status status = usable(file);

	if (status != STATUS_OK) {
		return status;
	}
	if (file->exists && file->changed_blocks == 0 &&
	    file->size_bytes == file->committed_size_bytes) {
		return STATUS_OK;
	}
	status = commit(file);
	if (status != STATUS_OK) {
		file->failure = status;
		file->state = STORE_FILE_FAILED;
		return status;
	}
	file->exists = true;
	file->committed_size_bytes = file->size_bytes;
	file->changed_blocks = 0;
	return STATUS_OK;
}

void store_file_close(struct store_file *file)
{
	if (file->state != STORE_FILE_CLOSED) {
		reset(file);
	}
}

enum status store_file_remove(struct store *store, const char *name)
{
	enum status status = store_txn_begin(store);

	if (status != STATUS_OK) {
		return status;
	}
	status = store_txn_remove(store, name);
	if (status != STATUS_OK) {
		store_txn_abort(store);
		return status;
	}
	return store_txn_commit(store);
}
