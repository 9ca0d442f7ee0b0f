// SPDX-License-Identifier: MIT
/* put: a file becomes the content of an object. In the state profile that is one transaction, so
 * the file is read first; the device of the block profile is as large as a disk, so there it
 * streams. */
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
#include "tools/holdfast/object_put.h"
#include "tools/holdfast/progress.h"

#define CHUNK_BYTES ((size_t)1 << 20)

/* The file that is read. */
struct input {
	const char *path;
	int fd;
	bool is_stdin;
	bool is_regular;
	uint64_t size_bytes; /* If it is a regular file. */
};

static enum status input_open(struct input *input, const char *path, struct report *report)
{
	struct stat info;
	bool is_stdin = strcmp(path, "-") == 0;
	*input = (struct input){.path = path,
				.fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC),
				.is_stdin = is_stdin};
	if (input->fd < 0) {
		return report_note(report, STATUS_IO, path, "Cannot open: %s.", strerror(errno));
	}
	/* Standard input may be at any place of a file: it is a stream, whatever it is. */
	if (!is_stdin && fstat(input->fd, &info) == 0 && S_ISREG(info.st_mode)) {
		input->is_regular = true;
		input->size_bytes = (uint64_t)info.st_size;
	}
	return STATUS_OK;
}

static void input_close(const struct input *input)
{
	if (!input->is_stdin && input->fd >= 0) {
		(void)close(input->fd);
	}
}

static enum status input_read(const struct input *input, uint8_t *bytes, size_t size_max,
			      size_t *size, struct report *report)
{
	enum status status = host_file_read(input->fd, bytes, size_max, size);
	return status == STATUS_IO ? report_note(report, status, input->path, "Cannot read: %s.",
						 strerror(errno))
				   : status;
}

static enum status too_large(const struct input *input, uint64_t size_max, struct report *report)
{
	return report_note(report, STATUS_TOO_LARGE, input->path,
			   "An object on this volume has at most %" PRIu64 " bytes.", size_max);
}

/* ---- One transaction ----------------------------------------------------------------------- */

/* At most one byte more than an object holds is read, so that a longer file is noticed. */
static enum status put_object(struct session *session, const char *name, const struct input *input,
			      uint64_t *size_bytes, struct report *report)
{
	size_t size_max = (size_t)store_object_bytes_max(&session->store);
	size_t size = 0;
	uint8_t *bytes = malloc(size_max + 1);
	enum status status = bytes != NULL ? input_read(input, bytes, size_max + 1, &size, report)
					   : STATUS_NO_MEMORY;
	if (status == STATUS_OK && size > size_max) {
		status = too_large(input, size_max, report);
	}
	if (status == STATUS_OK) {
		status = object_put(session, name, bytes, size, report);
	}
	if (bytes != NULL) {
		secure_zero(bytes, size);
		free(bytes);
	}
	*size_bytes = size;
	return status;
}

/* ---- A stream ------------------------------------------------------------------------------ */

/* Bytes from `at` on that are, by whole blocks, all zero, or all not. */
static size_t run_length(const uint8_t *bytes, size_t size, size_t at, bool *is_zero)
{
	size_t end = at;
	while (end < size) {
		size_t piece = size - end < BLOCK_BYTES ? size - end : BLOCK_BYTES;
		bool zero = bytes_are_zero(bytes + end, piece);
		if (end == at) {
			*is_zero = zero;
		} else if (zero != *is_zero) {
			break;
		}
		end += piece;
	}
	return end - at;
}

static enum status chunk_put(struct device *device, uint64_t offset_bytes, const uint8_t *bytes,
			     size_t size)
{
	enum status status = STATUS_OK;
	for (size_t at = 0; at < size && status == STATUS_OK;) {
		bool is_zero = false;
		size_t run = run_length(bytes, size, at, &is_zero);
		status = is_zero ? device_zero(device, offset_bytes + at, run)
				 : device_write(device, offset_bytes + at, bytes + at, run);
		at += run;
	}
	return status;
}

/* The next byte from `at` on that is in no hole of the file, in whole blocks; its end, if there is
 * none; `at`, where nobody can tell. */
static uint64_t next_data(const struct input *input, uint64_t at)
{
	off_t found = input->is_regular ? lseek(input->fd, (off_t)at, SEEK_DATA) : -1;
	if (found < 0) {
		return input->is_regular && errno == ENXIO ? input->size_bytes : at;
	}
	uint64_t data = (uint64_t)found / BLOCK_BYTES * BLOCK_BYTES;
	return lseek(input->fd, (off_t)data, SEEK_SET) < 0 ? at : data;
}

static enum status stream(struct session *session, const struct input *input, uint8_t *chunk,
			  uint64_t *size_bytes, struct report *report)
{
	struct device *device = &session->device;
	const uint64_t total = input->is_regular ? input->size_bytes : device->size_bytes;
	struct progress progress;
	enum status status = STATUS_OK;
	uint64_t at = 0;
	size_t size = 1; /* Of the last chunk; 0: that was the end. */
	progress_init(&progress, "put");
	while (status == STATUS_OK && size > 0) {
		uint64_t data = next_data(input, at);
		if (data > at) {
			status = session_explain(session, device_zero(device, at, data - at),
						 report);
			at = data;
		}
		if (status == STATUS_OK) {
			status = input_read(input, chunk, CHUNK_BYTES, &size, report);
		}
		if (status == STATUS_OK && size > device->size_bytes - at) {
			status = too_large(input, device->size_bytes, report);
		}
		if (status == STATUS_OK) {
			status = session_explain(session, chunk_put(device, at, chunk, size),
						 report);
			at += size;
		}
		progress_update(&progress, at, total);
	}
	progress_end(&progress);
	*size_bytes = at;
	return status;
}

/* What the file leaves over becomes zeroes: the device's content is the file, as an object's is. */
static enum status put_device(struct session *session, const struct input *input,
			      uint64_t *size_bytes, struct report *report)
{
	struct device *device = &session->device;
	if (input->is_regular && input->size_bytes > device->size_bytes) {
		return too_large(input, device->size_bytes, report); /* Nothing is changed yet. */
	}
	uint8_t *chunk = malloc(CHUNK_BYTES);
	enum status status = chunk != NULL ? stream(session, input, chunk, size_bytes, report)
					   : STATUS_NO_MEMORY;
	if (status == STATUS_OK) {
		status = device_zero(device, *size_bytes, device->size_bytes - *size_bytes);
		if (status == STATUS_OK) {
			status = device_flush(device);
		}
		status = session_explain(session, status, report);
	}
	if (chunk != NULL) {
		secure_zero(chunk, CHUNK_BYTES);
	}
	free(chunk);
	return status;
}

static enum status put(struct session *session, const char *name, const struct input *input,
		       uint64_t *size_bytes, struct report *report)
{
	struct store_object_info info;
	if (session_profile(session) == VOLUME_PROFILE_STATE) {
		return put_object(session, name, input, size_bytes, report);
	}
	enum status status =
		session_explain_object(session, contents_stat(session, name, &info), name, report);
	return status == STATUS_OK ? put_device(session, input, size_bytes, report) : status;
}

enum status image_put(const struct options *options, struct report *report)
{
	const char *name = options->positional[1];
	struct session session;
	struct input input = {.fd = -1};
	uint64_t size_bytes = 0;
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_WRITE, report);
	if (status == STATUS_OK) {
		status = input_open(&input, options->positional[2], report);
	}
	if (status == STATUS_OK) {
		status = put(&session, name, &input, &size_bytes, report);
	}
	input_close(&input);
	session_close(&session);
	if (status == STATUS_OK && options->json) {
		struct json json;
		json_result_open(&json, options->positional[0]);
		json_string(&json, "name", name);
		json_number(&json, "size_bytes", size_bytes);
		json_result_close(&json);
	}
	return status;
}
