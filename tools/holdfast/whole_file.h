// SPDX-License-Identifier: MIT
/* Small files, read and written as a whole, with the cause of a failure in the report. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/holdfast/report.h"

/* "FOLDER/NAME", from the heap. STATUS_NO_MEMORY. */
MUST_CHECK
enum status whole_file_path(const char *folder, const char *name, char **path);

/* Read up to `size_max` bytes: give one more than is allowed, to notice a longer file. `absent` is
 * what it means that the file cannot be opened. */
MUST_CHECK
enum status whole_file_read(const char *path, uint8_t *out, size_t size_max, size_t *size_bytes,
			    enum status absent, struct report *report);

/* It appears under its name when it is complete and durable (output_file.h). */
MUST_CHECK
enum status whole_file_write(const char *path, const uint8_t *bytes, size_t size_bytes, mode_t mode,
			     bool force, struct report *report);
