// SPDX-License-Identifier: MIT
/* The block device port over a file or a host block device.
 *
 * Locks are the byte-range locks (open file description locks) that QEMU takes on its images, so
 * that a disk which a VM is using, or another holdfast, is refused: bytes 100 + i say "I use
 * permission i", bytes 200 + i "nobody else may use permission i" (QEMU, block/file-posix.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/block_device.h"
#include "tools/holdfast/report.h"

enum file_access {
	FILE_ACCESS_PUBLIC, /* Read what never changes; no lock. */
	FILE_ACCESS_READ,   /* Others may read. */
	FILE_ACCESS_WRITE,  /* Alone. */
};

/* Caller's storage; `device` borrows it. */
struct file_device {
	struct block_device device;
	struct block_device_counters counters;
	const char *path;
	int fd;           /* -1: closed. */
	int error_number; /* errno of the last failed transfer; 0: none. */
	bool is_new;      /* This program made the file: it removes it when creation fails. */
};

/* STATUS_NO_DEVICE: not there, or neither a file nor a block device. STATUS_BUSY: in use.
 * STATUS_IO: whatever else the host says. */
MUST_CHECK
enum status file_device_open(struct file_device *file, const char *path, enum file_access access,
			     struct report *report);

/* A sparse file of `size_bytes`, all zero, mode 0600. An existing file or device that is not empty
 * is STATUS_EXISTS unless `force`; with `force` its content is gone when this returns. */
MUST_CHECK
enum status file_device_create(struct file_device *file, const char *path, uint64_t size_bytes,
			       bool force, struct report *report);

/* After file_device_create: make file and name durable. */
MUST_CHECK
enum status file_device_finish(struct file_device *file, struct report *report);
/* Creation failed: remove the file if it is new, and close. */
void file_device_discard(struct file_device *file);

/* Make an open file at least so large; a device cannot be: STATUS_TRUNCATED if it is smaller. */
MUST_CHECK
enum status file_device_extend(struct file_device *file, uint64_t size_bytes,
			       struct report *report);

void file_device_close(struct file_device *file);

/* What the last failed transfer met ("No space left on device"); NULL: none failed. */
const char *file_device_error(const struct file_device *file);
