// SPDX-License-Identifier: MIT
/* A plain copy of an object, in a file. */
#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "tools/holdfast/commands.h"
#include "tools/holdfast/output_file.h"
#include "tools/holdfast/progress.h"
#include "tools/holdfast/session.h"

#define CHUNK_BYTES (64u << 10)

static enum status copy(struct session *session, const struct store_object_info *info,
			struct output_file *file, struct report *report)
{
	static uint8_t chunk[CHUNK_BYTES];
	struct progress progress;
	enum status status = STATUS_OK;
	progress_init(&progress, "export");
	for (uint64_t at = 0; at < info->size_bytes && status == STATUS_OK; at += CHUNK_BYTES) {
		uint64_t left = info->size_bytes - at;
		size_t size = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
		status = session_explain(
			session, store_read(&session->store, info->name, at, chunk, size), report);
		if (status == STATUS_OK) {
			status = output_file_write(file, at, chunk, size, report);
		}
		progress_update(&progress, at + size, info->size_bytes);
	}
	progress_end(&progress);
	secure_zero(chunk, sizeof(chunk));
	return status;
}

enum status image_export(const struct options *options, struct report *report)
{
	const char *name = options->positional[1];
	struct session session;
	struct output_file file;
	struct store_object_info info;
	session_init(&session);
	output_file_init(&file);
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status = session_explain_object(&session, store_stat(&session.store, name, &info),
						name, report);
	}
	if (status == STATUS_OK) {
		status = output_file_open(&file, options->positional[2], options->force, report);
	}
	if (status == STATUS_OK) {
		status = copy(&session, &info, &file, report);
	}
	if (status == STATUS_OK) {
		status = output_file_finish(&file, info.size_bytes, report);
	}
	if (status == STATUS_OK) {
		status = output_file_publish(&file, report);
	}
	output_file_close(&file);
	session_close(&session);
	return status;
}
