// SPDX-License-Identifier: MIT
#include "kernel/store_path.h"

#include <stddef.h>
#include <string.h>

const char *store_path_name(const char *path, const char *only)
{
	const size_t prefix = sizeof(STORE_PATH_PREFIX) - 1;
	if (strlen(path) < prefix || memcmp(path, STORE_PATH_PREFIX, prefix) != 0) {
		return NULL;
	}
	const char *name = path + prefix;
	const size_t size = strlen(name) + 1;
	if (only != NULL && (strlen(only) + 1 != size || memcmp(name, only, size) != 0)) {
		return NULL;
	}
	return name;
}
