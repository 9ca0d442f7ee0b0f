// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>

#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/progress.h"
#include "tools/holdfast/session.h"

struct totals {
	struct store *store;
	uint64_t objects;
	uint64_t bytes;
};

/* Read the whole object: the volume's walk knows blocks, not what the store keeps in them. */
static enum status verify_object(void *context, const struct store_object_info *info)
{
	struct totals *totals = context;
	uint8_t bytes[BLOCK_BYTES];
	enum status status = STATUS_OK;
	for (uint64_t at = 0; at < info->size_bytes && status == STATUS_OK; at += BLOCK_BYTES) {
		uint64_t left = info->size_bytes - at;
		status = store_read(totals->store, info->name, at, bytes,
				    left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES);
	}
	totals->objects++;
	totals->bytes += info->size_bytes;
	return status;
}

static void print_result(const struct totals *totals, const struct volume_info *info, bool as_json)
{
	if (!as_json) {
		(void)printf("OK: %" PRIu64 " objects, %" PRIu64 " bytes, epoch %" PRIu64
			     ", sequence %" PRIu64 "\n",
			     totals->objects, totals->bytes, info->epoch, info->sequence);
		return;
	}
	struct json json;
	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_string(&json, "status", status_name(STATUS_OK));
	json_number(&json, "objects", totals->objects);
	json_number(&json, "object_bytes", totals->bytes);
	json_number(&json, "epoch", info->epoch);
	json_number(&json, "sequence", info->sequence);
	json_close(&json, '}');
	(void)fputc('\n', stdout);
}

static enum status verify_all(struct session *session, struct totals *totals)
{
	struct progress progress;
	progress_init(&progress, "verify");
	enum status status = volume_verify(session->volume, progress_update, &progress);
	progress_end(&progress);
	return status == STATUS_OK ? store_list(&session->store, verify_object, totals) : status;
}

enum status image_verify(const struct options *options, struct report *report)
{
	struct session session;
	struct totals totals = {.store = &session.store};
	struct volume_info info;
	session_init(&session);
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status = session_explain(&session, verify_all(&session, &totals), report);
	}
	if (status == STATUS_OK) {
		volume_info_get(session.volume, &info);
		print_result(&totals, &info, options->json);
	}
	session_close(&session);
	return status;
}
