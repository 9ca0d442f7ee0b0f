// SPDX-License-Identifier: MIT
#include "tests/unit/vtpm/fake_store.h"

#include <string.h>

#include "base/check.h"

#define OBJECT_COUNT 4
#define OBJECT_BYTES (300u * 1024u)

struct object {
	bool used;
	char name[STORE_NAME_BYTES_MAX + 1];
	uint64_t size;
	uint8_t bytes[OBJECT_BYTES];
};

static struct object committed[OBJECT_COUNT];
static struct object running[OBJECT_COUNT]; /* Of the transaction. */
static bool in_transaction;
static uint64_t fail_in;
static enum status fail_with;
static struct fake_store_counts counts;
static struct fake_store_counts pending;

void fake_store_reset(void)
{
	memset(committed, 0, sizeof(committed));
	memset(&counts, 0, sizeof(counts));
	in_transaction = false;
	fail_in = 0;
}

struct fake_store_counts fake_store_counts(void)
{
	return counts;
}

void fake_store_fail_at(uint64_t n, enum status status)
{
	fail_in = n;
	fail_with = status;
}

static enum status count_call(void)
{
	counts.calls++;
	if (fail_in > 0 && --fail_in == 0) {
		return fail_with;
	}
	return STATUS_OK;
}

static bool name_good(const char *name)
{
	size_t size = strlen(name);

	return size >= 1 && size <= STORE_NAME_BYTES_MAX && name[0] != '.' &&
	       strchr(name, '/') == NULL;
}

static struct object *find(struct object *set, const char *name)
{
	for (int i = 0; i < OBJECT_COUNT; i++) {
		if (set[i].used && strcmp(set[i].name, name) == 0) {
			return &set[i];
		}
	}
	return NULL;
}

static struct object *find_or_make(struct object *set, const char *name)
{
	struct object *object = find(set, name);

	for (int i = 0; i < OBJECT_COUNT && object == NULL; i++) {
		if (!set[i].used) {
			object = &set[i];
			memset(object, 0, sizeof(*object));
			object->used = true;
			memcpy(object->name, name, strlen(name) + 1);
		}
	}
	CHECK(object != NULL);
	return object;
}

const uint8_t *fake_store_content(const char *name, uint64_t *size_bytes)
{
	struct object *object = find(committed, name);

	if (object == NULL) {
		return NULL;
	}
	*size_bytes = object->size;
	return object->bytes;
}

void fake_store_put(const char *name, const uint8_t *bytes, uint64_t size_bytes)
{
	struct object *object = find_or_make(committed, name);

	memcpy(object->bytes, bytes, size_bytes);
	object->size = size_bytes;
}

enum status store_stat(struct store *store, const char *name, struct store_object_info *info)
{
	struct object *object = find(in_transaction ? running : committed, name);
	enum status status = count_call();

	(void)store;
	if (status != STATUS_OK) {
		return status;
	}
	if (!name_good(name)) {
		return STATUS_INVALID;
	}
	if (object == NULL) {
		return STATUS_NOT_FOUND;
	}
	memcpy(info->name, name, strlen(name) + 1);
	info->size_bytes = object->size;
	info->version = 1;
	return STATUS_OK;
}

enum status store_read(struct store *store, const char *name, uint64_t offset_bytes, uint8_t *out,
		       size_t size_bytes)
{
	struct object *object = find(in_transaction ? running : committed, name);
	enum status status = count_call();

	(void)store;
	if (status == STATUS_OK && object == NULL) {
		status = STATUS_NOT_FOUND;
	}
	if (status == STATUS_OK && offset_bytes + size_bytes > object->size) {
		status = STATUS_INVALID;
	}
	if (status != STATUS_OK) {
		memset(out, 0, size_bytes);
		return status;
	}
	memcpy(out, object->bytes + offset_bytes, size_bytes);
	return STATUS_OK;
}

enum status store_txn_begin(struct store *store)
{
	enum status status = count_call();

	(void)store;
	if (status != STATUS_OK) {
		return status;
	}
	if (in_transaction) {
		return STATUS_BUSY;
	}
	memcpy(running, committed, sizeof(running));
	memset(&pending, 0, sizeof(pending));
	in_transaction = true;
	return STATUS_OK;
}

enum status store_txn_write(struct store *store, const char *name, uint64_t offset_bytes,
			    const uint8_t *bytes, size_t size_bytes)
{
	enum status status = count_call();
	struct object *object;

	(void)store;
	CHECK(in_transaction);
	if (status != STATUS_OK) {
		return status;
	}
	object = find_or_make(running, name);
	CHECK(offset_bytes + size_bytes <= OBJECT_BYTES);
	memcpy(object->bytes + offset_bytes, bytes, size_bytes);
	if (offset_bytes + size_bytes > object->size) {
		object->size = offset_bytes + size_bytes;
	}
	pending.writes++;
	pending.bytes_written += size_bytes;
	return STATUS_OK;
}

enum status store_txn_resize(struct store *store, const char *name, uint64_t size_bytes)
{
	enum status status = count_call();
	struct object *object;

	(void)store;
	CHECK(in_transaction);
	if (status != STATUS_OK) {
		return status;
	}
	object = find_or_make(running, name);
	CHECK(size_bytes <= OBJECT_BYTES);
	if (size_bytes < object->size) {
		memset(object->bytes + size_bytes, 0, object->size - size_bytes);
	}
	object->size = size_bytes;
	return STATUS_OK;
}

enum status store_txn_remove(struct store *store, const char *name)
{
	enum status status = count_call();
	struct object *object = find(running, name);

	(void)store;
	CHECK(in_transaction);
	if (status != STATUS_OK) {
		return status;
	}
	if (object == NULL) {
		return STATUS_NOT_FOUND;
	}
	object->used = false;
	return STATUS_OK;
}

enum status store_txn_commit(struct store *store)
{
	enum status status = count_call();

	(void)store;
	CHECK(in_transaction);
	in_transaction = false;
	if (status != STATUS_OK) {
		return status;
	}
	memcpy(committed, running, sizeof(committed));
	counts.commits++;
	counts.writes += pending.writes;
	counts.bytes_written += pending.bytes_written;
	return STATUS_OK;
}

void store_txn_abort(struct store *store)
{
	(void)store;
	in_transaction = false;
	counts.aborts++;
}
