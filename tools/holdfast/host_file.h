// SPDX-License-Identifier: MIT
/* read(2), write(2) and fsync(2) until they are done: partial transfers and signals are not
 * errors. On STATUS_IO errno says why. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

/* Read up to `size` bytes; fewer only at the end of the file. */
MUST_CHECK
enum status host_file_read(int fd, uint8_t *out, size_t size, size_t *read_bytes);
MUST_CHECK
enum status host_file_write(int fd, const uint8_t *bytes, size_t size);

/* fsync the file, and the directory that holds `path`, so that a new file's name is durable too. */
MUST_CHECK
enum status host_file_sync(int fd, const char *path);
