// SPDX-License-Identifier: MIT
/* QEMU's image locking protocol (block/file-posix.c, raw_apply_lock_bytes): who uses permission i
 * holds a shared lock on byte 100 + i, who refuses it to others one on byte 200 + i; both are then
 * tested against exclusive locks. A writer here takes all of those bytes exclusively, which no
 * QEMU survives; a reader plays by the same rules as QEMU. */
#include "tools/holdfast/file_lock_internal.h"

#include <errno.h>
#include <fcntl.h>

#define PERMISSION_USED_AT    100
#define PERMISSION_REFUSED_AT 200
#define PERMISSIONS           100

/* Indices of QEMU's permissions (BLK_PERM_...). */
#define PERMISSION_READ   0 /* Consistent read. */
#define PERMISSION_WRITE  1
#define PERMISSION_RESIZE 3

static enum status set_lock(int fd, short type, off_t first, off_t count)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = first, .l_len = count};
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
		return STATUS_OK;
	}
	return errno == EAGAIN || errno == EACCES ? STATUS_BUSY : STATUS_IO;
}

/* Does anybody else hold a lock on this byte? Read-only descriptors may ask about exclusive locks
 * though they cannot take one. */
static enum status test_unlocked(int fd, off_t byte)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
	if (fcntl(fd, F_OFD_GETLK, &lock) != 0) {
		return STATUS_IO;
	}
	return lock.l_type == F_UNLCK ? STATUS_OK : STATUS_BUSY;
}

/* Take first, test then: of two that start at once at least one sees the other. */
static enum status lock_reader(int fd)
{
	static const off_t taken[] = {
		PERMISSION_USED_AT + PERMISSION_READ,
		PERMISSION_REFUSED_AT + PERMISSION_WRITE,
		PERMISSION_REFUSED_AT + PERMISSION_RESIZE,
	};
	static const off_t tested[] = {
		PERMISSION_REFUSED_AT + PERMISSION_READ,
		PERMISSION_USED_AT + PERMISSION_WRITE,
		PERMISSION_USED_AT + PERMISSION_RESIZE,
	};
	enum status status = STATUS_OK;
	for (size_t i = 0; i < ARRAY_COUNT(taken) && status == STATUS_OK; i++) {
		status = set_lock(fd, F_RDLCK, taken[i], 1);
	}
	for (size_t i = 0; i < ARRAY_COUNT(tested) && status == STATUS_OK; i++) {
		status = test_unlocked(fd, tested[i]);
	}
	return status;
}

enum status file_lock_take(int fd, enum file_access access)
{
	switch (access) {
	case FILE_ACCESS_PUBLIC: return STATUS_OK;
	case FILE_ACCESS_READ: return lock_reader(fd);
	case FILE_ACCESS_WRITE:
		return set_lock(fd, F_WRLCK, PERMISSION_USED_AT,
				PERMISSION_REFUSED_AT - PERMISSION_USED_AT + PERMISSIONS);
	}
	return STATUS_INVALID;
}
