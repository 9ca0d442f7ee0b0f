// SPDX-License-Identifier: MIT
/* A temporary directory for a test program. */
#pragma once

#include <stddef.h>

#define TEMPORARY_PATH_BYTES 128u

/* Make the directory. */
void temporary_begin(void);
/* Remove it and the files in it. */
void temporary_end(void);
/* The path of `name` in it. */
void temporary_path(const char *name, char out[TEMPORARY_PATH_BYTES]);
/* A file with this content. */
void temporary_write(const char *name, const void *bytes, size_t size,
		     char out[TEMPORARY_PATH_BYTES]);
