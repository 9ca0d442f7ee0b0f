// SPDX-License-Identifier: MIT
/* A file that appears under its name when it is complete, and not before: it is written beside its
 * place, and renamed. Who is interrupted leaves what was there as it was. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/holdfast/report.h"

/* Caller's storage. output_file_close() ends it, after a failed call as well. */
struct output_file {
	const char *name; /* As the caller gave it, for messages. */
	char *path;       /* Where it is to be: symbolic links followed. */
	char *temporary;  /* Where it is now; NULL: nowhere. */
	int fd;
	int replaced_fd; /* The file that is to be replaced, locked; -1: none. */
};

void output_file_init(struct output_file *file);

/* STATUS_EXISTS: something is there and `force` is not given. STATUS_BUSY: it is a disk in use.
 * STATUS_NO_DEVICE: it is not a regular file. Mode 0600. */
MUST_CHECK
enum status output_file_open(struct output_file *file, const char *name, bool force,
			     struct report *report);

/* Write what is not zero; `offset_bytes` a multiple of 4096. */
MUST_CHECK
enum status output_file_write(struct output_file *file, uint64_t offset_bytes, const uint8_t *bytes,
			      size_t size_bytes, struct report *report);
/* Give it its size, holes included, and make its content durable. */
MUST_CHECK
enum status output_file_finish(struct output_file *file, uint64_t size_bytes,
			       struct report *report);
/* Durably in its place. */
MUST_CHECK
enum status output_file_publish(struct output_file *file, struct report *report);

/* Removes what was not published. */
void output_file_close(struct output_file *file);
