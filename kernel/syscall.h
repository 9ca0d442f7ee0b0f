// SPDX-License-Identifier: MIT
/* The subset of Linux's x86-64 system calls that a static glibc program with libtpms and libcrypto
 * needs; docs/system-calls.md lists each with its reason. Unknown calls get ENOSYS and a log line.
 *
 * Arguments are untrusted: pointers go through mm/user_copy only, sizes are capped before they are
 * used. Results follow Linux: a negative errno. */
#pragma once

#include <stdint.h>

#include "base/compiler.h"

struct process;

struct syscall_arguments {
	uint64_t a;
	uint64_t b;
	uint64_t c;
	uint64_t d;
	uint64_t e;
	uint64_t f;
};

/* Carry out the call in the process's registers, and put the result there. The process may be
 * WAITING or DEAD afterwards. */
void syscall_handle(struct process *process);

/* What the program wrote to fd 2 without ending the line. */
void syscall_flush_log(struct process *process);

/* Close every descriptor; what was staged is gone. */
void syscall_release_files(struct process *process);

/* The handlers, by file. */
int64_t syscall_mmap(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_munmap(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_mprotect(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_brk(struct process *process, const struct syscall_arguments *arguments);

int64_t syscall_read(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_write(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_writev(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_poll(struct process *process, const struct syscall_arguments *arguments);

int64_t syscall_openat(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_close(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_pread64(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_pwrite64(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_ftruncate(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_fsync(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_newfstatat(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_unlink(struct process *process, const struct syscall_arguments *arguments);
int64_t syscall_unlinkat(struct process *process, const struct syscall_arguments *arguments);

/* Reads and writes of descriptors above 2 go here from syscall_read() and syscall_write(). */
int64_t syscall_file_read(struct process *process, uint64_t fd, uint64_t buffer, uint64_t size);
int64_t syscall_file_write(struct process *process, uint64_t fd, uint64_t buffer, uint64_t size);
