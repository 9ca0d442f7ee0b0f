// SPDX-License-Identifier: MIT
#include "tools/holdfast/object_put.h"

enum status object_put(struct session *session, const char *name, const uint8_t *bytes,
		       size_t size_bytes, struct report *report)
{
	struct store *store = &session->store;
	enum status status = store_txn_begin(store);
	if (status == STATUS_OK) {
		status = store_txn_write(store, name, 0, bytes, size_bytes);
	}
	if (status == STATUS_OK) {
		status = store_txn_resize(store, name, size_bytes);
	}
	if (status == STATUS_OK) {
		status = store_txn_commit(store);
	}
	store_txn_abort(store);
	if (status == STATUS_TOO_LARGE) {
		return report_note(report, status, name,
				   "More than one transaction can change (about %u KiB).",
				   (VOLUME_TXN_BLOCKS_MAX - 2) * BLOCK_BYTES / 1024);
	}
	return session_explain_object(session, status, name, report);
}
