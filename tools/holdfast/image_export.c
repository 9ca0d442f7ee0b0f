// SPDX-License-Identifier: MIT
/* A plain copy of an object, in a file. */
#include <stdio.h>

#include "tools/holdfast/commands.h"
#include "tools/holdfast/contents.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/output_file.h"
#include "tools/holdfast/progress.h"
#include "tools/holdfast/session.h"

struct export
{
	struct output_file *file;
	struct report *report;
	struct progress progress;
	uint64_t size_bytes;
};

/* A contents_visit. */
static enum status write_piece(void *context, uint64_t offset_bytes, const uint8_t *bytes,
			       size_t size_bytes)
{
	struct export *export = context;
	progress_update(&export->progress, offset_bytes + size_bytes, export->size_bytes);
	return output_file_write(export->file, offset_bytes, bytes, size_bytes, export->report);
}

static enum status copy(struct session *session, const struct store_object_info *info,
			struct output_file *file, struct report *report)
{
	struct export export = {.file = file, .report = report, .size_bytes = info->size_bytes};
	progress_init(&export.progress, "export");
	enum status status = contents_walk(session, info, write_piece, &export);
	progress_end(&export.progress);
	return session_explain(session, status, report);
}

enum status image_export(const struct options *options, struct report *report)
{
	const char *name = options->positional[1];
	struct session session;
	struct output_file file;
	struct store_object_info info;
	session_init(&session);
	session.witness_choice = options->witness;
	output_file_init(&file);
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status = session_explain_object(&session, contents_stat(&session, name, &info),
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
	if (status == STATUS_OK && options->json) {
		struct json json;
		json_result_open(&json, options->positional[0]);
		json_string(&json, "name", name);
		json_string(&json, "file", options->positional[2]);
		json_number(&json, "size_bytes", info.size_bytes);
		json_result_close(&json);
	}
	return status;
}
