// SPDX-License-Identifier: MIT
#include "tools/holdfast/object_remove.h"

#include <stdint.h>

/* The object's metadata and the index change as well. */
#define STEP_BLOCKS (VOLUME_TXN_BLOCKS_MAX - 2u)

static enum status shrink(struct store *store, const char *name, uint64_t size_bytes)
{
	enum status status = store_txn_begin(store);
	if (status == STATUS_OK) {
		status = store_txn_resize(store, name, size_bytes);
	}
	if (status == STATUS_OK) {
		status = store_txn_commit(store);
	}
	store_txn_abort(store);
	return status;
}

static enum status remove_at_once(struct store *store, const char *name)
{
	enum status status = store_txn_begin(store);
	if (status == STATUS_OK) {
		status = store_txn_remove(store, name);
	}
	if (status == STATUS_OK) {
		status = store_txn_commit(store);
	}
	store_txn_abort(store);
	return status;
}

enum status object_remove(struct store *store, const char *name)
{
	struct store_object_info info;
	enum status status = remove_at_once(store, name);
	if (status != STATUS_TOO_LARGE) {
		return status;
	}
	status = store_stat(store, name, &info);
	uint64_t blocks =
		status == STATUS_OK ? (info.size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES : 0;
	while (status == STATUS_OK && blocks > STEP_BLOCKS) {
		blocks -= STEP_BLOCKS;
		status = shrink(store, name, blocks * BLOCK_BYTES);
	}
	return status == STATUS_OK ? remove_at_once(store, name) : status;
}
