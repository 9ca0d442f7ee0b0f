// SPDX-License-Identifier: MIT
/* vtpmd's log: one line a call, one write(2) on fd 2 a line. The kernel adds time and name. */
#pragma once

#include "base/compiler.h"

/* Longer lines are cut. */
#define VTPMD_LOG_LINE_BYTES 160

PRINTF_LIKE(1, 2) void log_line(const char *format, ...);
