// SPDX-License-Identifier: MIT
#include "tools/holdfast/file_device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/holdfast/file_lock_internal.h"
#include "tools/holdfast/host_file.h"

/* Several threads may read at once: what they count and note is atomic, though in no order. */
static void count(uint64_t *counter, uint64_t more)
{
	(void)__atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

static enum status io_failed(struct file_device *file, int error_number)
{
	__atomic_store_n(&file->error_number, error_number, __ATOMIC_RELAXED);
	return STATUS_IO;
}

/* The port's functions. Ranges were checked by block_read() and block_write(). */
static enum status file_read(void *context, struct physical_block first, struct block_count blocks,
			     uint8_t *out)
{
	struct file_device *file = context;
	size_t size = (size_t)blocks.n * BLOCK_BYTES;
	off_t at = (off_t)(first.n * BLOCK_BYTES);
	count(&file->counters.reads, 1);
	count(&file->counters.blocks_read, blocks.n);
	size_t done = 0;
	while (done < size) {
		ssize_t got = pread(file->fd, out + done, size - done, at + (off_t)done);
		if (got == 0 || (got < 0 && errno != EINTR)) {
			/* The end of the file within its own capacity: it was cut meanwhile. */
			return io_failed(file, got == 0 ? ENODATA : errno);
		}
		done += got > 0 ? (size_t)got : 0;
	}
	return STATUS_OK;
}

static enum status file_write(void *context, struct physical_block first, struct block_count blocks,
			      const uint8_t *bytes)
{
	struct file_device *file = context;
	size_t size = (size_t)blocks.n * BLOCK_BYTES;
	off_t at = (off_t)(first.n * BLOCK_BYTES);
	count(&file->counters.writes, 1);
	count(&file->counters.blocks_written, blocks.n);
	size_t done = 0;
	while (done < size) {
		ssize_t put = pwrite(file->fd, bytes + done, size - done, at + (off_t)done);
		if (put == 0 || (put < 0 && errno != EINTR)) {
			return io_failed(file, put == 0 ? ENOSPC : errno);
		}
		done += put > 0 ? (size_t)put : 0;
	}
	return STATUS_OK;
}

static enum status file_flush(void *context)
{
	struct file_device *file = context;
	count(&file->counters.flushes, 1);
	return fdatasync(file->fd) == 0 ? STATUS_OK : io_failed(file, errno);
}

static const struct block_device_ops file_ops = {
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.discard = NULL,
};

static enum status note_errno(struct report *report, enum status status, const char *path,
			      const char *what)
{
	return report_note(report, status, path, "%s: %s.", what, strerror(errno));
}

static enum status note_lock(struct report *report, enum status status, const char *path)
{
	if (status == STATUS_BUSY) {
		return report_note(report, status, path,
				   "A running VM or another holdfast uses it; stop that first.");
	}
	return status == STATUS_OK ? status : note_errno(report, status, path, "Cannot lock");
}

/* Is it something that can hold a volume, and how large? seek works for block devices, where
 * st_size does not. */
static enum status measure(struct file_device *file, uint64_t *size_bytes, struct report *report)
{
	struct stat info;
	if (fstat(file->fd, &info) != 0) {
		return note_errno(report, STATUS_IO, file->path, "Cannot examine");
	}
	if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode)) {
		return report_note(report, STATUS_NO_DEVICE, file->path,
				   "Neither a file nor a block device; name the image.");
	}
	off_t end = lseek(file->fd, 0, SEEK_END);
	if (end < 0) {
		return note_errno(report, STATUS_IO, file->path, "Cannot seek");
	}
	*size_bytes = (uint64_t)end;
	return STATUS_OK;
}

static void attach(struct file_device *file, uint64_t size_bytes, bool read_only)
{
	file->device = (struct block_device){
		.ops = &file_ops,
		.context = file,
		.capacity = {size_bytes / BLOCK_BYTES},
		.read_only = read_only,
		.has_flush = true,
	};
}

static enum status note_open(struct report *report, const char *path)
{
	if (errno == ENOENT || errno == ENOTDIR || errno == ENXIO) {
		return report_note(report, STATUS_NO_DEVICE, path,
				   "%s. Make one with 'holdfast image create'.", strerror(errno));
	}
	enum status status = errno == EROFS    ? STATUS_READ_ONLY
			     : errno == EISDIR ? STATUS_NO_DEVICE
					       : STATUS_IO;
	return note_errno(report, status, path, "Cannot open");
}

enum status file_device_open(struct file_device *file, const char *path, enum file_access access,
			     struct report *report)
{
	*file = (struct file_device){.path = path};
	bool read_only = access != FILE_ACCESS_WRITE;
	/* O_NONBLOCK so that a FIFO in the image's place does not hang us; files ignore it. */
	file->fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0) {
		return note_open(report, path);
	}
	uint64_t size_bytes = 0;
	enum status status = measure(file, &size_bytes, report);
	if (status == STATUS_OK) {
		status = note_lock(report, file_lock_take(file->fd, access), path);
	}
	if (status != STATUS_OK) {
		file_device_close(file);
		return status;
	}
	attach(file, size_bytes, read_only);
	return STATUS_OK;
}

/* A new file if there is none, else the one that is there. */
static enum status open_for_creation(struct file_device *file, struct report *report)
{
	const char *path = file->path;
	int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK;
	file->fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	file->is_new = file->fd >= 0;
	if (file->fd < 0 && errno == EEXIST) {
		file->fd = open(path, flags);
	}
	if (file->fd < 0) {
		return errno == ENOENT ? note_errno(report, STATUS_NO_DEVICE, path, "Cannot create")
				       : note_open(report, path);
	}
	return note_lock(report, file_lock_take(file->fd, FILE_ACCESS_WRITE), path);
}

/* Give a regular file its size, every byte a hole, behind a mode that keeps others out. A
 * block device has its size: the volume must fit. */
static enum status set_size(struct file_device *file, uint64_t size_bytes, uint64_t old_size_bytes,
			    struct report *report)
{
	struct stat info;
	if (fstat(file->fd, &info) != 0) {
		return note_errno(report, STATUS_IO, file->path, "Cannot examine");
	}
	if (S_ISBLK(info.st_mode)) {
		return size_bytes <= old_size_bytes
			       ? STATUS_OK
			       : report_note(report, STATUS_TRUNCATED, file->path,
					     "The device is smaller than --size.");
	}
	if (fchmod(file->fd, 0600) != 0 || ftruncate(file->fd, 0) != 0 ||
	    ftruncate(file->fd, (off_t)size_bytes) != 0) {
		return note_errno(report, STATUS_IO, file->path, "Cannot set the size");
	}
	return STATUS_OK;
}

enum status file_device_create(struct file_device *file, const char *path, uint64_t size_bytes,
			       bool force, struct report *report)
{
	*file = (struct file_device){.path = path};
	uint64_t old_size_bytes = 0;
	enum status status = open_for_creation(file, report);
	if (status == STATUS_OK) {
		status = measure(file, &old_size_bytes, report);
	}
	if (status == STATUS_OK && old_size_bytes > 0 && !force) {
		status = report_note(report, STATUS_EXISTS, path,
				     "Not empty; choose another name, or --force to destroy its "
				     "content.");
	}
	if (status == STATUS_OK) {
		status = set_size(file, size_bytes, old_size_bytes, report);
	}
	if (status != STATUS_OK) {
		file_device_discard(file);
		return status;
	}
	attach(file, size_bytes, false);
	return STATUS_OK;
}

enum status file_device_finish(struct file_device *file, struct report *report)
{
	enum status status = host_file_sync(file->fd, file->path);
	return status == STATUS_OK ? status : note_errno(report, status, file->path, "Cannot sync");
}

void file_device_discard(struct file_device *file)
{
	if (file->is_new) {
		(void)unlink(file->path);
	}
	file_device_close(file);
}

void file_device_close(struct file_device *file)
{
	if (file->fd >= 0) {
		(void)close(file->fd);
	}
	file->fd = -1;
}

const char *file_device_error(const struct file_device *file)
{
	return file->error_number == 0 ? NULL : strerror(file->error_number);
}

enum status file_device_extend(struct file_device *file, uint64_t size_bytes, struct report *report)
{
	struct stat info;
	if (size_bytes <= file->device.capacity.n * BLOCK_BYTES) {
		return STATUS_OK;
	}
	if (fstat(file->fd, &info) == 0 && !S_ISREG(info.st_mode)) {
		return STATUS_TRUNCATED;
	}
	if (ftruncate(file->fd, (off_t)size_bytes) != 0 || fsync(file->fd) != 0) {
		return report_note(report, STATUS_IO, file->path, "Cannot make it larger: %s.",
				   strerror(errno));
	}
	file->device.capacity.n = size_bytes / BLOCK_BYTES;
	return STATUS_OK;
}
