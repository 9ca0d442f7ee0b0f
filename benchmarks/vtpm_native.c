// SPDX-License-Identifier: MIT
/* vtpmd on a volume without a virtual machine: vtpmd's own sources, with the files of /store/ in a
 * store of a volume that lies in a file. What is left out is what an emulator makes slow, so that
 * this is comparable with swtpm, which runs on the host too.
 *
 *   vtpm_native IMAGE KEY-FILE COUNTERS [vtpmd's arguments]
 *
 * COUNTERS is a file of 16 bytes: writes to the image and flushes of it, as they happen. Commands
 * come on descriptor 0 and responses go to 1, as vtpmd wants them. The linker brings vtpmd's
 * start here and the calls of libc that its store makes (--wrap); those of the volume's own file
 * are counted. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "tools/holdfast/session.h"
#include "vtpm/store_file.h"

#define STORE_FOLDER "/store/"
/* Descriptors that no file has: vtpmd keeps its state open for writing, and reads it meanwhile. */
#define STORE_FD    (1 << 20)
#define STORE_FILES 2

static struct session session;
static struct store_file files[STORE_FILES];
static uint8_t stages[STORE_FILES][STORE_FILE_BYTES_MAX];

static struct counters {
	uint64_t writes;
	uint64_t flushes;
} * counters;

/* 0, or -1 and an errno as the kernel gives it (vtpm/errno_map.h knows more of them). */
static int answer(enum status status)
{
	if (status == STATUS_OK) {
		return 0;
	}
	errno = status == STATUS_NOT_FOUND ? ENOENT : EIO;
	return -1;
}

/* ---- What the linker brings here ------------------------------------------------------------ */

int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);
int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_fstat(int fd, struct stat *info);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate(int fd, off_t size);
ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
int __wrap_open(const char *path, int flags, ...);
int __wrap_close(int fd);
int __wrap_fstat(int fd, struct stat *info);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_ftruncate(int fd, off_t size);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset);

/* NULL: a file of the host's. */
static struct store_file *file_of(int fd)
{
	return fd >= STORE_FD && fd < STORE_FD + STORE_FILES ? &files[fd - STORE_FD] : NULL;
}

static int object_open(const char *name, int flags)
{
	const struct store_file_flags how = {.writable = (flags & O_ACCMODE) != O_RDONLY,
					     .create = (flags & O_CREAT) != 0};
	for (int i = 0; i < STORE_FILES; i++) {
		if (files[i].state == STORE_FILE_CLOSED) {
			const enum status status =
				store_file_open(&files[i], &session.store, name, how, stages[i],
						STORE_FILE_BYTES_MAX);
			return status == STATUS_OK ? STORE_FD + i : answer(status);
		}
	}
	return answer(STATUS_LIMIT);
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list rest;
	va_start(rest, flags);
	const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	return strncmp(path, STORE_FOLDER, strlen(STORE_FOLDER)) == 0
		       ? object_open(path + strlen(STORE_FOLDER), flags)
		       : __real_open(path, flags, mode);
}

int __wrap_close(int fd)
{
	if (file_of(fd) == NULL) {
		return __real_close(fd);
	}
	store_file_close(file_of(fd));
	return 0;
}

int __wrap_fstat(int fd, struct stat *info)
{
	if (file_of(fd) == NULL) {
		return __real_fstat(fd, info);
	}
	*info = (struct stat){.st_size = file_of(fd)->size_bytes};
	return 0;
}

int __wrap_fsync(int fd)
{
	return file_of(fd) != NULL ? answer(store_file_sync(file_of(fd))) : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
	counters->flushes++;
	return __real_fdatasync(fd);
}

int __wrap_ftruncate(int fd, off_t size)
{
	return file_of(fd) != NULL ? answer(store_file_resize(file_of(fd), (uint64_t)size))
				   : __real_ftruncate(fd, size);
}

ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset)
{
	size_t got = 0;
	if (file_of(fd) == NULL) {
		return __real_pread(fd, bytes, size, offset);
	}
	const enum status status =
		store_file_read(file_of(fd), (uint64_t)offset, bytes, size, &got);
	return status == STATUS_OK ? (ssize_t)got : answer(status);
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	if (file_of(fd) == NULL) {
		counters->writes++;
		return __real_pwrite(fd, bytes, size, offset);
	}
	const enum status status = store_file_write(file_of(fd), (uint64_t)offset, bytes, size);
	return status == STATUS_OK ? (ssize_t)size : answer(status);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static bool counters_open(const char *path)
{
	const int fd = __real_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || __real_ftruncate(fd, sizeof(*counters)) != 0) {
		return false;
	}
	counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return counters != MAP_FAILED;
}

int __wrap_main(int argc, char **argv)
{
	struct report report = {0};
	if (argc < 4 || !counters_open(argv[3])) {
		(void)fprintf(stderr, "usage: vtpm_native IMAGE KEY-FILE COUNTERS [ARGUMENT...]\n");
		return 2;
	}
	const struct key_choice key = {.raw_file = argv[2]};
	session_init(&session);
	const enum status status =
		session_open(&session, argv[1], &key, FILE_ACCESS_WRITE, &report);
	if (status != STATUS_OK) {
		(void)fprintf(stderr, "vtpm_native: %s: %s\n", argv[1], status_name(status));
		return 1;
	}
	argv[3] = argv[0];
	/* It ends with _exit(2): everything durable is durable already. */
	return __real_main(argc - 3, argv + 3);
}
