// SPDX-License-Identifier: MIT
/* Development: die on purpose, so that tests can see that dying works. */
#pragma once

#include "base/compiler.h"
#include "base/status.h"
#include "kernel/memory.h"

#if !HOLDFAST_PRODUCTION
/* check: a failed CHECK. page-fault: a read of nothing. overflow: run through the stack's guard
 * page. text: write to code. sealed: write to what is fixed after boot. execute: run data.
 * Returns STATUS_BAD_CONFIG for any other name, and STATUS_OK if the fault did not happen. */
MUST_CHECK enum status panic_drill(const char *how);
#endif
