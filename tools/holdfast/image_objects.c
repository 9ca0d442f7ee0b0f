// SPDX-License-Identifier: MIT
/* ls, cat, rm. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tools/holdfast/commands.h"
#include "tools/holdfast/contents.h"
#include "tools/holdfast/host_file.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/object_remove.h"
#include "tools/holdfast/progress.h"
#include "tools/holdfast/session.h"

/* What is discarded between two steps of the progress bar. */
#define DISCARD_BYTES ((uint64_t)1 << 28)

/* The list is taken first and printed then: half a list would look like a whole one. */
struct listing {
	struct store_object_info objects[STORE_OBJECTS_MAX];
	uint32_t count;
};

static enum status listing_add(void *context, const struct store_object_info *info)
{
	struct listing *listing = context;
	listing->objects[listing->count] = *info;
	listing->count++;
	return STATUS_OK;
}

static void print_listing(const struct listing *listing, bool long_listing)
{
	for (uint32_t i = 0; i < listing->count; i++) {
		const struct store_object_info *object = &listing->objects[i];
		if (long_listing) {
			(void)printf("%14" PRIu64 " %8" PRIu64 " ", object->size_bytes,
				     object->version);
		}
		(void)printf("%s\n", object->name);
	}
}

static void print_listing_json(const struct listing *listing)
{
	struct json json;
	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_string(&json, "status", status_name(STATUS_OK));
	json_open(&json, "objects", '[');
	for (uint32_t i = 0; i < listing->count; i++) {
		json_open(&json, NULL, '{');
		json_string(&json, "name", listing->objects[i].name);
		json_number(&json, "size_bytes", listing->objects[i].size_bytes);
		json_number(&json, "version", listing->objects[i].version);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	(void)fputc('\n', stdout);
}

enum status image_ls(const struct options *options, struct report *report)
{
	struct session session;
	struct listing listing = {.count = 0};
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status = contents_list(&session, listing_add, &listing);
		status = session_explain(&session, status, report);
	}
	session_close(&session);
	if (status == STATUS_OK && options->json) {
		print_listing_json(&listing);
	} else if (status == STATUS_OK) {
		print_listing(&listing, options->long_listing);
	}
	return status;
}

/* ---- cat ----------------------------------------------------------------------------------- */

static enum status note_output(struct report *report)
{
	return report_note(report, STATUS_IO, "standard output", "Cannot write: %s.",
			   strerror(errno));
}

/* Objects fit in memory, so nothing is shown of one that is damaged further on. */
static enum status cat_object(struct session *session, const struct store_object_info *info,
			      struct report *report)
{
	size_t size = (size_t)info->size_bytes;
	uint8_t *bytes = malloc(size + 1);
	if (bytes == NULL) {
		return STATUS_NO_MEMORY;
	}
	enum status status = store_read(&session->store, info->name, 0, bytes, size);
	if (status != STATUS_OK) {
		status = session_explain_object(session, status, info->name, report);
	} else if (host_file_write(STDOUT_FILENO, bytes, size) != STATUS_OK) {
		status = note_output(report);
	}
	secure_zero(bytes, size);
	free(bytes);
	return status;
}

/* A device on its way to standard output. */
struct output {
	uint64_t at;
	bool can_seek; /* A file of our own: holes stay holes. */
	bool failed;
};

static bool stdout_can_seek(void)
{
	struct stat info;
	int flags = fcntl(STDOUT_FILENO, F_GETFL);
	return fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode) && flags >= 0 &&
	       (flags & O_APPEND) == 0;
}

/* Zeroes up to `offset_bytes`. A file's old content there, if there was any, was cut off. */
static enum status fill_up(struct output *output, uint64_t offset_bytes)
{
	static const uint8_t zeroes[64u << 10];
	enum status status = STATUS_OK;
	uint64_t left = offset_bytes - output->at;
	if (output->can_seek && left > 0) {
		status = lseek(STDOUT_FILENO, (off_t)left, SEEK_CUR) < 0 ? STATUS_IO : STATUS_OK;
		left = 0;
	}
	while (left > 0 && status == STATUS_OK) {
		size_t size = left < sizeof(zeroes) ? (size_t)left : sizeof(zeroes);
		status = host_file_write(STDOUT_FILENO, zeroes, size);
		left -= size;
	}
	output->at = offset_bytes;
	output->failed = output->failed || status != STATUS_OK;
	return status;
}

/* A contents_visit. */
static enum status output_add(void *context, uint64_t offset_bytes, const uint8_t *bytes,
			      size_t size_bytes)
{
	struct output *output = context;
	enum status status = fill_up(output, offset_bytes);
	if (status == STATUS_OK) {
		status = host_file_write(STDOUT_FILENO, bytes, size_bytes);
		output->failed = status != STATUS_OK;
		output->at += size_bytes;
	}
	return status;
}

static enum status cat_device(struct session *session, const struct store_object_info *info,
			      struct report *report)
{
	struct output output = {.can_seek = stdout_can_seek()};
	enum status status = contents_walk(session, info, output_add, &output);
	if (status == STATUS_OK) {
		status = fill_up(&output, info->size_bytes);
	}
	if (status == STATUS_OK && output.can_seek) {
		/* A hole at the end is not there before the file has its length. */
		off_t end = lseek(STDOUT_FILENO, 0, SEEK_CUR);
		output.failed = end < 0 || ftruncate(STDOUT_FILENO, end) != 0;
		status = output.failed ? STATUS_IO : STATUS_OK;
	}
	return output.failed ? note_output(report) : session_explain(session, status, report);
}

static enum status cat(struct session *session, const char *name, struct report *report)
{
	struct store_object_info info;
	enum status status = contents_stat(session, name, &info);
	if (status != STATUS_OK) {
		return session_explain_object(session, status, name, report);
	}
	return session_profile(session) == VOLUME_PROFILE_STATE
		       ? cat_object(session, &info, report)
		       : cat_device(session, &info, report);
}

enum status image_cat(const struct options *options, struct report *report)
{
	struct session session;
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status = cat(&session, options->positional[1], report);
	}
	session_close(&session);
	return status;
}

/* ---- rm ------------------------------------------------------------------------------------ */

/* The device itself stays; what it holds goes. */
static enum status discard_all(struct session *session)
{
	struct device *device = &session->device;
	struct progress progress;
	enum status status = STATUS_OK;
	progress_init(&progress, "rm");
	for (uint64_t at = 0; at < device->size_bytes && status == STATUS_OK; at += DISCARD_BYTES) {
		uint64_t left = device->size_bytes - at;
		status = device_zero(device, at, left < DISCARD_BYTES ? left : DISCARD_BYTES);
		progress_update(&progress, at, device->size_bytes);
	}
	progress_end(&progress);
	return status == STATUS_OK ? device_flush(device) : status;
}

static enum status rm(struct session *session, const char *name)
{
	struct store_object_info info;
	if (session_profile(session) == VOLUME_PROFILE_STATE) {
		return object_remove(&session->store, name);
	}
	enum status status = contents_stat(session, name, &info);
	return status == STATUS_OK ? discard_all(session) : status;
}

enum status image_rm(const struct options *options, struct report *report)
{
	struct session session;
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_WRITE, report);
	if (status == STATUS_OK) {
		const char *name = options->positional[1];
		status = session_explain_object(&session, rm(&session, name), name, report);
	}
	session_close(&session);
	if (status == STATUS_OK && options->json) {
		struct json json;
		json_result_open(&json, options->positional[0]);
		json_string(&json, "name", options->positional[1]);
		json_result_close(&json);
	}
	return status;
}
