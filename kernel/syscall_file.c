// SPDX-License-Identifier: MIT
/* Descriptors above 2: objects of the store, as files under "/store/". A write is staged; fsync
 * commits it durably and as a whole. ENOENT means that the store knows, authentically, that the
 * object does not exist: vtpmd manufactures a TPM on it, so nothing else may cause it. */
#include <asm-generic/errno-base.h>

#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "kernel/process.h"
#include "kernel/store_path.h"
#include "kernel/syscall.h"
#include "vtpm/errno_map.h"
#include "vtpm/store_file.h"

#define PATH_BYTES_MAX    STORE_PATH_BYTES_MAX
#define STAGING_PAGES     (STORE_FILE_BYTES_MAX / PAGE_BYTES)
#define DIRECTORY_CURRENT ((uint64_t)-100) /* AT_FDCWD, <linux/fcntl.h> */
#define FLAG_EMPTY_PATH   0x1000u          /* AT_EMPTY_PATH */
#define OPEN_ACCESS_MASK  3u
#define OPEN_READ_ONLY    0u
#define OPEN_READ_WRITE   2u
#define OPEN_CREATE       0x40u    /* O_CREAT, <asm-generic/fcntl.h> */
#define OPEN_TRUNCATE     0x200u   /* O_TRUNC */
#define OPEN_CLOEXEC      0x80000u /* O_CLOEXEC: no effect. */

/* struct stat of <asm/stat.h>, x86-64. */
#define STAT_BYTES          144u
#define STAT_MODE_OFFSET    24u
#define STAT_SIZE_OFFSET    48u
#define STAT_MODE_FILE      0100600u
#define STAT_MODE_CHARACTER 020600u

/* The object behind a descriptor, or NULL. */
static struct store_file *file_of(struct process *process, uint64_t fd)
{
	if (fd < PROCESS_FILES_FIRST || fd - PROCESS_FILES_FIRST >= PROCESS_FILES_MAX) {
		return NULL;
	}
	struct store_file *file = &process->files[fd - PROCESS_FILES_FIRST];
	return file->state == STORE_FILE_CLOSED ? NULL : file;
}

/* Copy a path in and point *name to what follows "/store/". A path elsewhere is EACCES. */
static int64_t copy_name(struct process *process, uint64_t at, char path[PATH_BYTES_MAX],
			 const char **name)
{
	enum status status =
		user_copy_string(&process->space, path, PATH_BYTES_MAX, (struct user_addr){at});
	if (status == STATUS_BAD_USER) {
		return -EFAULT;
	}
	/* A path that does not fit is either outside the store or too long a name for it. */
	if (status != STATUS_OK) {
		return -EINVAL;
	}
	const char *found = store_path_name(path, process->environment.store_object);
	if (found == NULL || process->environment.store == NULL) {
		return -EACCES;
	}
	*name = found;
	return 0;
}

static void free_staging(struct process *process, size_t index)
{
	if (process->file_staging[index].raw != 0) {
		kernel_memory_give(process->environment.memory, process->file_staging[index],
				   STAGING_PAGES);
		process->file_staging[index].raw = 0;
	}
}

static int64_t open_name(struct process *process, const char *name, struct store_file_flags flags)
{
	size_t index = 0;
	while (index < PROCESS_FILES_MAX && process->files[index].state != STORE_FILE_CLOSED) {
		index++;
	}
	if (index == PROCESS_FILES_MAX) {
		return -EMFILE;
	}
	struct kernel_memory *memory = process->environment.memory;
	if (kernel_memory_take(memory, STAGING_PAGES, &process->file_staging[index]) != STATUS_OK) {
		process->file_staging[index].raw = 0;
		return -ENOMEM;
	}
	enum status status = store_file_open(
		&process->files[index], process->environment.store, name, flags,
		kernel_memory_pointer(memory, process->file_staging[index]), STORE_FILE_BYTES_MAX);
	if (status != STATUS_OK) {
		free_staging(process, index);
		/* A bad name (INVALID) is the program's affair, and not fit to print. */
		if (status != STATUS_NOT_FOUND && status != STATUS_INVALID &&
		    process_may_log(process)) {
			log_write(LOG_ERROR, "user", "%s: open %s: %s", process->name, name,
				  status_name(status));
		}
		return -errno_of_status(status);
	}
	process->file_position[index] = 0;
	return (int64_t)index + PROCESS_FILES_FIRST;
}

int64_t syscall_openat(struct process *process, const struct syscall_arguments *arguments)
{
	char path[PATH_BYTES_MAX] = {0};
	const char *name;
	uint64_t flags = arguments->c & ~(uint64_t)OPEN_CLOEXEC;
	uint64_t access = flags & OPEN_ACCESS_MASK;
	/* The directory is an int: glibc may leave the upper half of the register clear. */
	if ((uint32_t)arguments->a != (uint32_t)DIRECTORY_CURRENT) {
		return -EINVAL;
	}
	int64_t error = copy_name(process, arguments->b, path, &name);
	if (error != 0) {
		return error;
	}
	if ((access != OPEN_READ_ONLY && access != OPEN_READ_WRITE) ||
	    (flags & ~(uint64_t)(OPEN_ACCESS_MASK | OPEN_CREATE | OPEN_TRUNCATE)) != 0) {
		return -EINVAL;
	}
	return open_name(process, name,
			 (struct store_file_flags){
				 .writable = access == OPEN_READ_WRITE,
				 .create = (flags & OPEN_CREATE) != 0,
				 .truncate = (flags & OPEN_TRUNCATE) != 0,
			 });
}

int64_t syscall_close(struct process *process, const struct syscall_arguments *arguments)
{
	struct store_file *file = file_of(process, arguments->a);
	if (file == NULL) {
		/* The three streams stay open whatever the program thinks. */
		return arguments->a < PROCESS_FILES_FIRST ? 0 : -EBADF;
	}
	store_file_close(file);
	free_staging(process, arguments->a - PROCESS_FILES_FIRST);
	return 0;
}

void syscall_release_files(struct process *process)
{
	for (size_t i = 0; i < PROCESS_FILES_MAX; i++) {
		store_file_close(&process->files[i]);
		free_staging(process, i);
	}
}

static int64_t read_at(struct process *process, uint64_t fd, uint64_t buffer, uint64_t size,
		       uint64_t offset)
{
	const struct store_file *file = file_of(process, fd);
	const uint8_t *bytes;
	size_t count;
	if (file == NULL) {
		return -EBADF;
	}
	enum status status = store_file_peek(file, offset, size, &bytes, &count);
	if (status != STATUS_OK) {
		return -errno_of_status(status);
	}
	if (user_copy_out(&process->space, (struct user_addr){buffer}, bytes, count) != STATUS_OK) {
		return -EFAULT;
	}
	return (int64_t)count;
}

/* Staged through a page, so that the user's bytes are copied once and checked first. */
static int64_t write_at(struct process *process, uint64_t fd, uint64_t buffer, uint64_t size,
			uint64_t offset)
{
	struct store_file *file = file_of(process, fd);
	uint8_t part[1024];
	if (file == NULL) {
		return -EBADF;
	}
	if (size > STORE_FILE_BYTES_MAX || offset > STORE_FILE_BYTES_MAX - size) {
		return -LINUX_EFBIG;
	}
	if (user_range_check(&process->space, (struct user_addr){buffer}, size, false) !=
	    STATUS_OK) {
		return -EFAULT;
	}
	enum status status = STATUS_OK;
	for (uint64_t done = 0; done < size && status == STATUS_OK;) {
		uint64_t count = size - done < sizeof(part) ? size - done : sizeof(part);
		status = user_copy_in(&process->space, part, (struct user_addr){buffer + done},
				      count);
		if (status == STATUS_OK) {
			status = store_file_write(file, offset + done, part, count);
		}
		done += count;
	}
	secure_zero(part, sizeof(part)); /* A TPM's seeds. */
	return status == STATUS_OK ? (int64_t)size : -errno_of_status(status);
}

int64_t syscall_pread64(struct process *process, const struct syscall_arguments *arguments)
{
	return read_at(process, arguments->a, arguments->b, arguments->c, arguments->d);
}

int64_t syscall_pwrite64(struct process *process, const struct syscall_arguments *arguments)
{
	return write_at(process, arguments->a, arguments->b, arguments->c, arguments->d);
}

int64_t syscall_file_read(struct process *process, uint64_t fd, uint64_t buffer, uint64_t size)
{
	if (file_of(process, fd) == NULL) {
		return -EBADF;
	}
	uint64_t *position = &process->file_position[fd - PROCESS_FILES_FIRST];
	int64_t result = read_at(process, fd, buffer, size, *position);
	*position += result > 0 ? (uint64_t)result : 0;
	return result;
}

int64_t syscall_file_write(struct process *process, uint64_t fd, uint64_t buffer, uint64_t size)
{
	if (file_of(process, fd) == NULL) {
		return -EBADF;
	}
	uint64_t *position = &process->file_position[fd - PROCESS_FILES_FIRST];
	int64_t result = write_at(process, fd, buffer, size, *position);
	*position += result > 0 ? (uint64_t)result : 0;
	return result;
}

int64_t syscall_ftruncate(struct process *process, const struct syscall_arguments *arguments)
{
	struct store_file *file = file_of(process, arguments->a);
	if (file == NULL) {
		return -EBADF;
	}
	return -errno_of_status(store_file_resize(file, arguments->b));
}

int64_t syscall_fsync(struct process *process, const struct syscall_arguments *arguments)
{
	struct store_file *file = file_of(process, arguments->a);
	if (file == NULL) {
		return -EBADF;
	}
	enum status status = store_file_sync(file);
	if (status != STATUS_OK && process_may_log(process)) {
		log_write(LOG_ERROR, "user", "%s: commit of %s: %s", process->name, file->name,
			  status_name(status));
	}
	return -errno_of_status(status);
}

/* fstat(3) arrives as newfstatat(fd, "", buffer, AT_EMPTY_PATH). */
int64_t syscall_newfstatat(struct process *process, const struct syscall_arguments *arguments)
{
	uint8_t stat[STAT_BYTES] = {0};
	uint64_t fd = (uint32_t)arguments->a;
	char empty[1];
	if (arguments->d != FLAG_EMPTY_PATH) {
		return -EINVAL;
	}
	enum status status = user_copy_string(&process->space, empty, sizeof(empty),
					      (struct user_addr){arguments->b});
	if (status != STATUS_OK) {
		return status == STATUS_BAD_USER ? -EFAULT : -ENOENT;
	}
	const struct store_file *file = file_of(process, fd);
	if (file != NULL) {
		bytes_store_le32(stat + STAT_MODE_OFFSET, STAT_MODE_FILE);
		bytes_store_le64(stat + STAT_SIZE_OFFSET, file->size_bytes);
	} else if (fd < PROCESS_FILES_FIRST) {
		bytes_store_le32(stat + STAT_MODE_OFFSET, STAT_MODE_CHARACTER);
	} else {
		return -EBADF;
	}
	status = user_copy_out(&process->space, (struct user_addr){arguments->c}, stat,
			       sizeof(stat));
	return status == STATUS_OK ? 0 : -EFAULT;
}

static bool is_open(const struct process *process, const char *name)
{
	for (size_t i = 0; i < PROCESS_FILES_MAX; i++) {
		if (process->files[i].state != STORE_FILE_CLOSED &&
		    strcmp(process->files[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static int64_t unlink_path(struct process *process, uint64_t at)
{
	char path[PATH_BYTES_MAX] = {0};
	const char *name;
	int64_t error = copy_name(process, at, path, &name);
	if (error != 0) {
		return error;
	}
	if (is_open(process, name)) {
		return -EBUSY;
	}
	return -errno_of_status(store_file_remove(process->environment.store, name));
}

int64_t syscall_unlink(struct process *process, const struct syscall_arguments *arguments)
{
	return unlink_path(process, arguments->a);
}

int64_t syscall_unlinkat(struct process *process, const struct syscall_arguments *arguments)
{
	if ((uint32_t)arguments->a != (uint32_t)DIRECTORY_CURRENT || arguments->c != 0) {
		return -EINVAL;
	}
	return unlink_path(process, arguments->b);
}
