// SPDX-License-Identifier: MIT
#include "tools/holdfast/witness_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/holdfast/host_file.h"

/* Others hold the lock for a few fsyncs. After five seconds nobody waits any longer. */
#define LOCK_TRIES    500u
#define LOCK_PAUSE_NS 10000000

/* ---- Reading and replacing ------------------------------------------------------------------- */

static enum status lock_try(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
		return STATUS_OK;
	}
	return errno == EAGAIN || errno == EACCES ? STATUS_AGAIN : STATUS_IO;
}

/* A file that was replaced while we waited is not the one to lock. */
static bool is_still_at(int fd, const char *path)
{
	struct stat ours;
	struct stat there;
	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino &&
	       ours.st_dev == there.st_dev;
}

/* STATUS_AGAIN: not now. */
static enum status open_once(const char *path, int *fd)
{
	int made = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (made < 0) {
		return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
	}
	enum status status = lock_try(made);
	if (status == STATUS_OK && !is_still_at(made, path)) {
		status = STATUS_AGAIN;
	}
	if (status != STATUS_OK) {
		(void)close(made);
		return status;
	}
	*fd = made;
	return STATUS_OK;
}

static enum status open_locked(const char *path, int *fd)
{
	enum status status = STATUS_AGAIN;
	for (uint32_t i = 0; i < LOCK_TRIES && status == STATUS_AGAIN; i++) {
		const struct timespec pause = {.tv_nsec = i == 0 ? 0 : LOCK_PAUSE_NS};
		(void)nanosleep(&pause, NULL);
		status = open_once(path, fd);
	}
	/* Gone is not "knows no volume". */
	if (status == STATUS_NOT_FOUND) {
		return STATUS_NO_DEVICE;
	}
	return status == STATUS_AGAIN ? STATUS_TIMEOUT : status;
}

static enum status table_read(int fd, struct witness_table *table)
{
	char *text = malloc(WITNESS_TEXT_BYTES_MAX + 1);
	size_t size = 0;
	enum status status = STATUS_NO_MEMORY;
	if (text != NULL) {
		status = host_file_read(fd, (uint8_t *)text, WITNESS_TEXT_BYTES_MAX + 1, &size);
	}
	if (status == STATUS_OK) {
		status = size > WITNESS_TEXT_BYTES_MAX ? STATUS_BAD_CONFIG
						       : witness_text_read(text, size, table);
	}
	free(text);
	return status;
}

static enum status text_publish(const char *path, const char *text, size_t size)
{
	char *temporary = NULL;
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		return STATUS_NO_MEMORY;
	}
	enum status status = STATUS_IO;
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd >= 0) {
		status = host_file_write(fd, (const uint8_t *)text, size);
		if (status == STATUS_OK && fsync(fd) != 0) {
			status = STATUS_IO;
		}
		if (status == STATUS_OK && rename(temporary, path) != 0) {
			status = STATUS_IO;
		}
		if (status != STATUS_OK) {
			(void)unlink(temporary);
		} else {
			status = host_file_sync(fd, path);
		}
		(void)close(fd);
	}
	free(temporary);
	return status;
}

static enum status table_publish(const char *path, const struct witness_table *table)
{
	char *text = malloc(WITNESS_TEXT_BYTES_MAX);
	if (text == NULL) {
		return STATUS_NO_MEMORY;
	}
	enum status status = text_publish(path, text, witness_text_write(table, text));
	free(text);
	return status;
}

/* ---- The port -------------------------------------------------------------------------------- */

/* One request: the lock is held from reading to replacing. */
struct request {
	const uint8_t *uuid;
	enum status (*run)(struct request *request, struct witness_table *table);
	uint64_t token;
	const struct witness_mark *from;
	const struct witness_mark *to;
	struct witness_mark mark; /* Answer. */
	bool may_go_back;
	bool changes; /* Set by `run`. */
};

static enum status request_run(struct witness_file *file, struct request *request)
{
	struct witness_table *table = malloc(sizeof(*table));
	int fd = -1;
	enum status status =
		table != NULL ? open_locked(file->path, &fd) : (enum status)STATUS_NO_MEMORY;
	if (status == STATUS_OK) {
		status = table_read(fd, table);
	}
	if (status == STATUS_OK) {
		status = request->run(request, table);
	}
	if (status == STATUS_OK && request->changes) {
		status = table_publish(file->path, table);
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	free(table);
	return status;
}

static bool marks_equal(const struct witness_mark *a, const struct witness_mark *b)
{
	return a->sequence == b->sequence &&
	       memcmp(a->anchor, b->anchor, WITNESS_ANCHOR_BYTES) == 0;
}

static enum status peek_run(struct request *request, struct witness_table *table)
{
	const struct witness_row *row = witness_table_find(table, request->uuid);
	if (row == NULL) {
		return STATUS_NOT_FOUND;
	}
	request->mark = row->mark;
	return STATUS_OK;
}

static enum status open_run(struct request *request, struct witness_table *table)
{
	struct witness_row *row = witness_table_find(table, request->uuid);
	if (row == NULL) {
		return STATUS_NOT_FOUND;
	}
	if (row->fence == UINT64_MAX) {
		return STATUS_LIMIT;
	}
	request->mark = row->mark;
	request->token = ++row->fence;
	request->changes = true;
	return STATUS_OK;
}

static enum status advance_run(struct request *request, struct witness_table *table)
{
	struct witness_row *row = witness_table_find(table, request->uuid);
	if (row == NULL || row->fence != request->token) {
		return STATUS_FORK;
	}
	if (marks_equal(&row->mark, request->to)) {
		return STATUS_OK;
	}
	if (!marks_equal(&row->mark, request->from) ||
	    (!request->may_go_back && request->to->sequence <= request->from->sequence)) {
		return STATUS_FORK;
	}
	row->mark = *request->to;
	request->changes = true;
	return STATUS_OK;
}

static enum status enrol_run(struct request *request, struct witness_table *table)
{
	if (witness_table_find(table, request->uuid) != NULL) {
		return STATUS_EXISTS;
	}
	struct witness_row *row = witness_table_add(table, request->uuid);
	if (row == NULL) {
		return STATUS_LIMIT;
	}
	row->fence = 1;
	row->mark = *request->to;
	request->token = row->fence;
	request->changes = true;
	return STATUS_OK;
}

static enum status file_peek(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
			     struct witness_mark *mark)
{
	struct request request = {.uuid = uuid, .run = peek_run};
	enum status status = request_run(context, &request);
	if (status == STATUS_OK) {
		*mark = request.mark;
	}
	return status;
}

static enum status file_open(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
			     struct witness_mark *mark, uint64_t *token)
{
	struct request request = {.uuid = uuid, .run = open_run};
	enum status status = request_run(context, &request);
	if (status == STATUS_OK) {
		*mark = request.mark;
		*token = request.token;
	}
	return status;
}

static enum status file_advance(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
				uint64_t token, const struct witness_mark *from,
				const struct witness_mark *to)
{
	struct request request = {
		.uuid = uuid, .run = advance_run, .token = token, .from = from, .to = to};
	return request_run(context, &request);
}

static enum status file_replace(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
				uint64_t token, const struct witness_mark *from,
				const struct witness_mark *to)
{
	struct request request = {.uuid = uuid,
				  .run = advance_run,
				  .token = token,
				  .from = from,
				  .to = to,
				  .may_go_back = true};
	return request_run(context, &request);
}

static enum status file_enrol(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
			      const struct witness_mark *mark, uint64_t *token)
{
	struct request request = {.uuid = uuid, .run = enrol_run, .to = mark};
	enum status status = request_run(context, &request);
	if (status == STATUS_OK) {
		*token = request.token;
	}
	return status;
}

static const struct witness_ops file_ops = {
	.peek = file_peek,
	.open = file_open,
	.advance = file_advance,
	.enrol = file_enrol,
	.replace = file_replace,
};

/* ---- Life ------------------------------------------------------------------------------------ */

static enum status explain(enum status status, const char *path, struct report *report)
{
	if (status == STATUS_OK) {
		return status;
	}
	if (status == STATUS_NO_DEVICE) {
		return report_note(report, STATUS_NOT_FOUND, path,
				   "There is no such witness; 'holdfast witness init' makes one.");
	}
	if (status == STATUS_BAD_CONFIG) {
		return report_note(report, status, path,
				   "This is no witness file, or a damaged one. It is not changed.");
	}
	return status == STATUS_IO ? report_note(report, status, path,
						 "Cannot use the witness: "
						 "%s.",
						 strerror(errno))
				   : report_note(report, status, path, "%s", status_advice(status));
}

enum status witness_file_read(const char *path, struct witness_table *table, struct report *report)
{
	char *real = realpath(path, NULL);
	int fd = -1;
	enum status status = errno == ENOENT ? STATUS_NO_DEVICE : STATUS_IO;
	if (real != NULL) {
		status = open_locked(real, &fd);
	}
	if (status == STATUS_OK) {
		status = table_read(fd, table);
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	free(real);
	return explain(status, path, report);
}

enum status witness_file_open(struct witness_file *file, const char *path, struct report *report)
{
	struct witness_table *table = malloc(sizeof(*table));
	enum status status =
		table != NULL ? witness_file_read(path, table, report) : STATUS_NO_MEMORY;
	free(table);
	if (status != STATUS_OK) {
		return status;
	}
	file->path = realpath(path, NULL);
	file->port = (struct witness){.ops = &file_ops, .context = file};
	return file->path != NULL ? STATUS_OK : explain(STATUS_IO, path, report);
}

void witness_file_close(struct witness_file *file)
{
	free(file->path);
	*file = (struct witness_file){.path = NULL};
}

enum status witness_file_make(const char *path, struct report *report)
{
	const struct witness_table empty = {.count = 0};
	if (access(path, F_OK) == 0) {
		return STATUS_OK;
	}
	return explain(table_publish(path, &empty), path, report);
}
