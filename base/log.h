// SPDX-License-Identifier: MIT
/* Logging. The sink is the one global of base/ (a listed exception): the composition root sets it
 * once at start. A misbehaving host or guest must not be able to flood ERROR: callers log the first
 * lie of a device, not each. Secrets are never logged. */
#pragma once

#include <stddef.h>

#include "base/compiler.h"

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_NOTICE,
	LOG_DEBUG,
};

/* Longest line, module name included; the rest is cut. */
#define LOG_LINE_BYTES 256

/* Gets one complete line without a newline. `context` as given to log_set_sink. */
typedef void (*log_sink)(void *context, enum log_level level, const char *line);

void log_set_sink(log_sink sink, void *context, enum log_level most_verbose);

/* "module: text". Format letters: see base/format.h. */
PRINTF_LIKE(3, 4) void log_write(enum log_level level, const char *module, const char *format, ...);
