// SPDX-License-Identifier: MIT
#pragma once

#include "base/compiler.h"
#include "base/status.h"
#include "block/store.h"

/* Remove an object of any size. One that has more blocks than a transaction changes is made shorter
 * first, in steps: who is interrupted finds a shorter object. */
MUST_CHECK
enum status object_remove(struct store *store, const char *name);
