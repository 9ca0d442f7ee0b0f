// SPDX-License-Identifier: MIT
/* image grow: first the file, then the volume in it. What is interrupted is gone on with by the
 * same command. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/session.h"
#include "tools/holdfast/size.h"

static enum status explain(struct session *session, enum status status, struct report *report)
{
	static const struct {
		enum status status;
		const char *text;
	} texts[] = {
		{STATUS_INVALID, "A volume only grows, and by 16K at least."},
		{STATUS_TOO_LARGE, "A volume of the state profile has 1G at most, one of the block "
				   "profile 16T."},
		{STATUS_TRUNCATED, "The device is smaller than that."},
		{STATUS_BUSY, "Its master key is being rotated; 'holdfast key rotate' ends that."},
	};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		if (texts[i].status == status) {
			return report_note(report, status, session->file.path, "%s", texts[i].text);
		}
	}
	return session_explain(session, status, report);
}

/* Before the file grows for nothing. */
static enum status size_check(const struct session *session, uint64_t blocks)
{
	struct volume_info info;
	uint64_t largest = session_profile(session) == VOLUME_PROFILE_STATE
				   ? VOLUME_STATE_BLOCKS_MAX
				   : VOLUME_BLOCK_BLOCKS_MAX;
	volume_info_get(session->volume, &info);
	if (blocks < info.open.size.n) {
		return STATUS_INVALID;
	}
	return blocks > largest ? STATUS_TOO_LARGE : STATUS_OK;
}

static enum status grow(struct session *session, const struct options *options,
			struct report *report)
{
	struct block_count size = {options->size_bytes / BLOCK_BYTES};
	enum status status = size_check(session, size.n);
	if (status == STATUS_OK) {
		status = file_device_extend(&session->file, options->size_bytes, report);
	}
	if (status == STATUS_OK) {
		status = volume_grow(session->volume, size);
	}
	return explain(session, status, report);
}

static void print_grown(const struct session *session, const struct options *options)
{
	struct volume_info info;
	struct json json;
	char size[SIZE_TEXT_BYTES];
	volume_info_get(session->volume, &info);
	if (options->json) {
		json_init(&json, stdout);
		json_open(&json, NULL, '{');
		json_string(&json, "status", status_name(STATUS_OK));
		json_number(&json, "size_bytes", info.open.size.n * BLOCK_BYTES);
		json_number(&json, "free_bytes", info.blocks_free.n * BLOCK_BYTES);
		json_close(&json, '}');
		(void)fputc('\n', stdout);
		return;
	}
	size_format(info.open.size.n * BLOCK_BYTES, size);
	(void)printf("%s: grown, %s\n", options->positional[0], size);
}

enum status image_grow(const struct options *options, struct report *report)
{
	struct session session;
	session_init(&session);
	session.witness_choice = options->witness;
	/* The larger volume's memory: more than enough, whichever profile it is. */
	struct block_count size = {options->size_bytes / BLOCK_BYTES};
	size_t state = volume_arena_bytes_for(VOLUME_PROFILE_STATE, size);
	size_t block = volume_arena_bytes_for(VOLUME_PROFILE_BLOCK, size);
	session.cache_bytes = state > block ? state : block;
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_WRITE, report);
	if (status == STATUS_OK) {
		status = grow(&session, options, report);
	}
	if (status == STATUS_OK) {
		print_grown(&session, options);
	}
	session_close(&session);
	return status;
}
