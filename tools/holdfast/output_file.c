// SPDX-License-Identifier: MIT
#include "tools/holdfast/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/units.h"
#include "tools/holdfast/file_lock_internal.h"
#include "tools/holdfast/host_file.h"

static enum status note(struct report *report, const struct output_file *file, const char *what)
{
	return report_note(report, STATUS_IO, file->name, "%s: %s.", what, strerror(errno));
}

void output_file_init(struct output_file *file)
{
	*file = (struct output_file){.fd = -1, .replaced_fd = -1};
}

/* Something is at the place: may it be replaced? A lock keeps a VM from starting on it meanwhile.
 */
static enum status take_replaced(struct output_file *file, bool force, struct report *report)
{
	struct stat info;
	if (fstat(file->replaced_fd, &info) != 0) {
		return note(report, file, "Cannot examine");
	}
	if (!S_ISREG(info.st_mode)) {
		return report_note(report, STATUS_NO_DEVICE, file->name,
				   "Not a regular file; name a new file.");
	}
	if (!force) {
		return report_note(report, STATUS_EXISTS, file->name,
				   "Not replaced; choose another name, or --force.");
	}
	enum status status = file_lock_take(file->replaced_fd, FILE_ACCESS_WRITE);
	if (status == STATUS_BUSY) {
		return report_note(report, status, file->name,
				   "A running VM or another holdfast uses it; stop that first.");
	}
	return status == STATUS_OK ? status : note(report, file, "Cannot lock");
}

static enum status find_place(struct output_file *file, bool force, struct report *report)
{
	file->replaced_fd = open(file->name, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (file->replaced_fd < 0 && errno == ENOENT) {
		file->path = strdup(file->name);
		return file->path != NULL ? STATUS_OK : STATUS_NO_MEMORY;
	}
	if (file->replaced_fd < 0) {
		return errno == EISDIR ? report_note(report, STATUS_NO_DEVICE, file->name,
						     "A directory; name a new file.")
				       : note(report, file, "Cannot open");
	}
	enum status status = take_replaced(file, force, report);
	if (status == STATUS_OK) {
		file->path = realpath(file->name, NULL);
		status = file->path != NULL ? STATUS_OK : note(report, file, "Cannot resolve");
	}
	return status;
}

enum status output_file_open(struct output_file *file, const char *name, bool force,
			     struct report *report)
{
	char *temporary = NULL;
	file->name = name;
	enum status status = find_place(file, force, report);
	if (status != STATUS_OK) {
		return status;
	}
	if (asprintf(&temporary, "%s.XXXXXX", file->path) < 0) {
		return STATUS_NO_MEMORY;
	}
	file->fd = mkostemp(temporary, O_CLOEXEC);
	if (file->fd < 0) {
		free(temporary);
		return note(report, file, "Cannot create");
	}
	file->temporary = temporary;
	return STATUS_OK;
}

/* Blocks from `at` on that are, or are not, all zero. */
static size_t run_length(const uint8_t *bytes, size_t size, size_t at, bool zero)
{
	size_t end = at;
	while (end < size) {
		size_t piece = size - end < BLOCK_BYTES ? size - end : BLOCK_BYTES;
		if (bytes_are_zero(bytes + end, piece) != zero) {
			break;
		}
		end += piece;
	}
	return end - at;
}

enum status output_file_write(struct output_file *file, uint64_t offset_bytes, const uint8_t *bytes,
			      size_t size_bytes, struct report *report)
{
	size_t at = 0;
	while (at < size_bytes) {
		at += run_length(bytes, size_bytes, at, true);
		size_t run = run_length(bytes, size_bytes, at, false);
		if (lseek(file->fd, (off_t)(offset_bytes + at), SEEK_SET) < 0 ||
		    host_file_write(file->fd, bytes + at, run) != STATUS_OK) {
			return note(report, file, "Cannot write");
		}
		at += run;
	}
	return STATUS_OK;
}

enum status output_file_finish(struct output_file *file, uint64_t size_bytes, struct report *report)
{
	if (ftruncate(file->fd, (off_t)size_bytes) != 0 || fsync(file->fd) != 0) {
		return note(report, file, "Cannot write");
	}
	return STATUS_OK;
}

enum status output_file_publish(struct output_file *file, struct report *report)
{
	unsigned int flags = file->replaced_fd < 0 ? RENAME_NOREPLACE : 0u;
	if (renameat2(AT_FDCWD, file->temporary, AT_FDCWD, file->path, flags) != 0) {
		return errno == EEXIST ? report_note(report, STATUS_EXISTS, file->name,
						     "Somebody else made it meanwhile.")
				       : note(report, file, "Cannot rename");
	}
	free(file->temporary);
	file->temporary = NULL;
	return host_file_sync(file->fd, file->path) == STATUS_OK
		       ? STATUS_OK
		       : note(report, file, "Cannot sync");
}

void output_file_close(struct output_file *file)
{
	if (file->temporary != NULL) {
		(void)unlink(file->temporary);
	}
	if (file->fd >= 0) {
		(void)close(file->fd);
	}
	if (file->replaced_fd >= 0) {
		(void)close(file->replaced_fd);
	}
	free(file->temporary);
	free(file->path);
	output_file_init(file);
}
