// SPDX-License-Identifier: MIT
#include "tools/holdfast/host_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status host_file_read(int fd, uint8_t *out, size_t size, size_t *read_bytes)
{
	size_t done = 0;
	while (done < size) {
		ssize_t got = read(fd, out + done, size - done);
		if (got < 0 && errno != EINTR) {
			return STATUS_IO;
		}
		if (got == 0) {
			break;
		}
		done += got > 0 ? (size_t)got : 0;
	}
	*read_bytes = done;
	return STATUS_OK;
}

enum status host_file_write(int fd, const uint8_t *bytes, size_t size)
{
	size_t done = 0;
	while (done < size) {
		ssize_t put = write(fd, bytes + done, size - done);
		if (put < 0 && errno != EINTR) {
			return STATUS_IO;
		}
		if (put == 0) {
			errno = ENOSPC;
			return STATUS_IO;
		}
		done += put > 0 ? (size_t)put : 0;
	}
	return STATUS_OK;
}

static enum status sync_directory_of(const char *path)
{
	char *copy = strdup(path); /* dirname() may write to its argument. */
	if (copy == NULL) {
		return STATUS_NO_MEMORY;
	}
	enum status status = STATUS_IO;
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		status = fsync(fd) == 0 ? STATUS_OK : STATUS_IO;
		(void)close(fd);
	}
	free(copy);
	return status;
}

enum status host_file_sync(int fd, const char *path)
{
	return fsync(fd) == 0 ? sync_directory_of(path) : STATUS_IO;
}
