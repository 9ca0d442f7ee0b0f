// SPDX-License-Identifier: MIT
/* tpm import and export: a volume's TPM from and to the state folder of swtpm. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/swtpm_state.h"
#include "tools/holdfast/tpm_object.h"
#include "tools/holdfast/tpm_process.h"
#include "tools/holdfast/whole_file.h"

/* One more than is allowed, so that a longer file is noticed. */
#define FILE_BYTES_MAX  (SWTPM_STATE_HEADER_BYTES + TPM_STATE_BYTES_MAX + 1)
#define SWTPM_LOCK_FILE ".lock"

static void print_done(const struct options *options, const char *what, size_t state_bytes)
{
	if (options->json) {
		struct json json;
		json_result_open(&json, options->positional[0]);
		json_string(&json, "folder", options->positional[1]);
		json_number(&json, "state_bytes", state_bytes);
		json_result_close(&json);
	} else {
		(void)printf("%s: %s %s, %zu bytes of state\n", options->positional[0], what,
			     options->positional[1], state_bytes);
	}
}

/* swtpm holds a POSIX lock on this file while it runs; older ones have none. */
static enum status check_unused(const char *folder, struct report *report)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char *path = NULL;
	enum status status = whole_file_path(folder, SWTPM_LOCK_FILE, &path);
	if (status != STATUS_OK) {
		return status;
	}
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) {
		status = report_note(report, STATUS_BUSY, folder,
				     "A running swtpm uses it; stop that first.");
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	free(path);
	return status;
}

static enum status decode(const char *path, const uint8_t *file, size_t file_bytes,
			  const uint8_t **state, size_t *state_bytes, struct report *report)
{
	if (file_bytes == FILE_BYTES_MAX) {
		return report_note(report, STATUS_TOO_LARGE, path,
				   "A TPM's state has at most %zu bytes.", TPM_STATE_BYTES_MAX);
	}
	enum status status = swtpm_state_decode(file, file_bytes, state, state_bytes);
	if (status == STATUS_UNSUPPORTED) {
		return report_note(report, status, path,
				   "It is encrypted with a key of swtpm's, or wrapped for a "
				   "migration; only plain states are taken.");
	}
	if (status == STATUS_NEWER_FORMAT) {
		return report_note(report, status, path,
				   "Written by a later swtpm, in a format that is not known "
				   "here.");
	}
	return status == STATUS_OK ? status
				   : report_note(report, status, path,
						 "Damaged, or not a state file of swtpm.");
}

/* What is stored is what was read. The run only shows that libtpms can live with it. */
static enum status validate(const uint8_t *state, size_t state_bytes, struct report *report)
{
	struct tpm_exchange *exchange = tpm_exchange_make();
	if (exchange == NULL) {
		return STATUS_NO_MEMORY;
	}
	memcpy(exchange->state, state, state_bytes);
	exchange->state_bytes = state_bytes;
	enum status status = tpm_process_run(exchange, NULL, NULL, report);
	tpm_exchange_free(exchange);
	return status;
}

static enum status import(const struct options *options, const char *path, uint8_t *file,
			  struct report *report)
{
	const uint8_t *state = NULL;
	size_t state_bytes = 0;
	size_t file_bytes = 0;
	enum status status = check_unused(options->positional[1], report);
	if (status == STATUS_OK) {
		status = whole_file_read(path, file, FILE_BYTES_MAX, &file_bytes, STATUS_NOT_FOUND,
					 report);
	}
	if (status == STATUS_OK) {
		status = decode(path, file, file_bytes, &state, &state_bytes, report);
	}
	if (status == STATUS_OK) {
		status = validate(state, state_bytes, report);
	}
	if (status == STATUS_OK) {
		status = tpm_object_store(options, state, state_bytes, report);
	}
	if (status == STATUS_OK) {
		print_done(options, "imported from", state_bytes);
	}
	return status;
}

enum status tpm_import(const struct options *options, struct report *report)
{
	char *path = NULL;
	uint8_t *file = malloc(FILE_BYTES_MAX);
	enum status status =
		file != NULL ? whole_file_path(options->positional[1], SWTPM_STATE_FILE, &path)
			     : STATUS_NO_MEMORY;
	if (status == STATUS_OK) {
		status = import(options, path, file, report);
	}
	if (file != NULL) {
		secure_zero(file, FILE_BYTES_MAX);
	}
	free(file);
	free(path);
	return status;
}

/* ---- Export -------------------------------------------------------------------------------- */

static enum status write_folder(const struct options *options, const uint8_t *state,
				size_t state_bytes, struct report *report)
{
	const char *folder = options->positional[1];
	const size_t size = SWTPM_STATE_HEADER_BYTES + state_bytes;
	char *path = NULL;
	if (mkdir(folder, S_IRWXU) != 0 && errno != EEXIST) {
		return report_note(report, STATUS_IO, folder, "Cannot create: %s.",
				   strerror(errno));
	}
	enum status status = check_unused(folder, report);
	if (status == STATUS_OK) {
		status = whole_file_path(folder, SWTPM_STATE_FILE, &path);
	}
	uint8_t *bytes = malloc(size);
	if (status == STATUS_OK && bytes == NULL) {
		status = STATUS_NO_MEMORY;
	}
	if (status == STATUS_OK) {
		swtpm_state_header(bytes, state_bytes);
		memcpy(bytes + SWTPM_STATE_HEADER_BYTES, state, state_bytes);
		status = whole_file_write(path, bytes, size, S_IRUSR | S_IWUSR, options->force,
					  report);
		secure_zero(bytes, size);
	}
	free(bytes);
	free(path);
	return status;
}

enum status tpm_export(const struct options *options, struct report *report)
{
	uint8_t *state = NULL;
	size_t state_bytes = 0;
	enum status status = tpm_object_load(options, &state, &state_bytes, report);
	if (status == STATUS_OK) {
		status = write_folder(options, state, state_bytes, report);
		secure_zero(state, state_bytes);
		free(state);
	}
	if (status == STATUS_OK) {
		print_done(options, "exported to", state_bytes);
	}
	return status;
}
