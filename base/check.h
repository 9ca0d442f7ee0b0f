// SPDX-License-Identifier: MIT
/* CHECK is for our own invariants, and is always on. Host, guest, user and disk data never reach
 * a CHECK: they get a status. */
#pragma once

#include "base/compiler.h"

/* Supplied by the composition root: the kernel panics, host programs abort. Where a proof covers a
 * CHECK, it proves that this is never called. */
//@ requires \false; assigns \nothing; ensures \false;
NORETURN void check_failed(const char *expression, const char *file, int line);

#define CHECK(condition)                                              \
	do {                                                          \
		if (!(condition)) {                                   \
			check_failed(#condition, __FILE__, __LINE__); \
		}                                                     \
	} while (0)
