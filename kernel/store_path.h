// SPDX-License-Identifier: MIT
/* Which object of the store a path of ring 3 names: "/store/" and the object's name. PURE. */
#pragma once

#include "base/compiler.h"
#include "block/store_format.h"

#define STORE_PATH_PREFIX    "/store/"
#define STORE_PATH_BYTES_MAX (sizeof(STORE_PATH_PREFIX) + STORE_NAME_BYTES_MAX)

/* The name within `path`, or NULL: the path is elsewhere, or, if `only` is not NULL, names another
 * object than that one. */
MUST_CHECK
const char *store_path_name(const char *path, const char *only);
