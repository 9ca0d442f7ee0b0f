// SPDX-License-Identifier: MIT
#include "temporary.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"

static char directory[] = "/tmp/holdfast-test-XXXXXX";

void temporary_begin(void)
{
	CHECK(mkdtemp(directory) != NULL);
}

void temporary_end(void)
{
	char path[TEMPORARY_PATH_BYTES];
	DIR *files = opendir(directory);
	CHECK(files != NULL);
	for (const struct dirent *at = readdir(files); at != NULL; at = readdir(files)) {
		if (at->d_name[0] != '.') {
			temporary_path(at->d_name, path);
			CHECK(unlink(path) == 0);
		}
	}
	CHECK(closedir(files) == 0);
	CHECK(rmdir(directory) == 0);
}

void temporary_path(const char *name, char out[TEMPORARY_PATH_BYTES])
{
	int length = snprintf(out, TEMPORARY_PATH_BYTES, "%s/%s", directory, name);
	CHECK(length > 0 && (size_t)length < TEMPORARY_PATH_BYTES);
}

void temporary_write(const char *name, const void *bytes, size_t size,
		     char out[TEMPORARY_PATH_BYTES])
{
	temporary_path(name, out);
	FILE *file = fopen(out, "wb");
	CHECK(file != NULL);
	CHECK(fwrite(bytes, 1, size, file) == size);
	CHECK(fclose(file) == 0);
}
