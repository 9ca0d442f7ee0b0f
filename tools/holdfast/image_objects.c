// SPDX-License-Identifier: MIT
/* ls, cat, put, rm. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tools/holdfast/commands.h"
#include "tools/holdfast/host_file.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/object_remove.h"
#include "tools/holdfast/session.h"

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
			(void)printf("%10" PRIu64 " %8" PRIu64 " ", object->size_bytes,
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
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status = store_list(&session.store, listing_add, &listing);
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

static enum status cat_object(struct session *session, const char *name, struct report *report)
{
	struct store_object_info info;
	enum status status = store_stat(&session->store, name, &info);
	if (status != STATUS_OK) {
		return session_explain_object(session, status, name, report);
	}
	size_t size = (size_t)info.size_bytes;
	uint8_t *bytes = malloc(size + 1);
	if (bytes == NULL) {
		return STATUS_NO_MEMORY;
	}
	status = store_read(&session->store, name, 0, bytes, size);
	if (status != STATUS_OK) {
		status = session_explain_object(session, status, name, report);
	} else if (host_file_write(STDOUT_FILENO, bytes, size) != STATUS_OK) {
		status = report_note(report, STATUS_IO, "standard output", "Cannot write: %s.",
				     strerror(errno));
	}
	secure_zero(bytes, size);
	free(bytes);
	return status;
}

enum status image_cat(const struct options *options, struct report *report)
{
	struct session session;
	session_init(&session);
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status = cat_object(&session, options->positional[1], report);
	}
	session_close(&session);
	return status;
}

/* Read at most `size_max` + 1 bytes, so that a longer file is noticed. The caller frees. */
static enum status read_input(const char *path, size_t size_max, uint8_t **bytes, size_t *size,
			      struct report *report)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return report_note(report, STATUS_IO, path, "Cannot open: %s.", strerror(errno));
	}
	enum status status = STATUS_NO_MEMORY;
	*bytes = malloc(size_max + 1);
	if (*bytes != NULL) {
		status = host_file_read(fd, *bytes, size_max + 1, size);
	}
	if (status == STATUS_IO) {
		status = report_note(report, status, path, "Cannot read: %s.", strerror(errno));
	} else if (status == STATUS_OK && *size > size_max) {
		status = report_note(report, STATUS_TOO_LARGE, path,
				     "An object on this volume has at most %zu bytes.", size_max);
	}
	if (!is_stdin) {
		(void)close(fd);
	}
	return status;
}

static enum status put_object(struct session *session, const char *name, const uint8_t *bytes,
			      size_t size, struct report *report)
{
	struct store *store = &session->store;
	enum status status = store_txn_begin(store);
	if (status == STATUS_OK) {
		status = store_txn_write(store, name, 0, bytes, size);
	}
	if (status == STATUS_OK) {
		status = store_txn_resize(store, name, size);
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

enum status image_put(const struct options *options, struct report *report)
{
	struct session session;
	uint8_t *bytes = NULL;
	size_t size = 0;
	session_init(&session);
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_WRITE, report);
	if (status == STATUS_OK) {
		status = read_input(options->positional[2],
				    (size_t)store_object_bytes_max(&session.store), &bytes, &size,
				    report);
	}
	if (status == STATUS_OK) {
		status = put_object(&session, options->positional[1], bytes, size, report);
	}
	if (bytes != NULL) {
		secure_zero(bytes, size);
		free(bytes);
	}
	session_close(&session);
	return status;
}

enum status image_rm(const struct options *options, struct report *report)
{
	struct session session;
	session_init(&session);
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_WRITE, report);
	if (status == STATUS_OK) {
		const char *name = options->positional[1];
		status = session_explain_object(&session, object_remove(&session.store, name), name,
						report);
	}
	session_close(&session);
	return status;
}
