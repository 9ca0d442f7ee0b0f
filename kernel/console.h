// SPDX-License-Identifier: MIT
/* The console: a 16550 UART, and a ring in memory that keeps the last lines for a panic or a
 * debugger. No wait is unbounded: a UART that never drains loses characters, not time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"

#define CONSOLE_RING_BYTES 16384u

struct console {
	uint16_t port;
	const struct clock *clock; /* NULL before calibration: time stamps are 0. */
	bool stuck;                /* The UART did not drain the last time. */
	size_t ring_at;            /* Next byte to write; the ring wraps. */
	char ring[CONSOLE_RING_BYTES];
};

void console_init(struct console *console, uint16_t port);

/* A log sink; `context` is a struct console. */
void console_log(void *context, enum log_level level, const char *line);

/* Text as it stands. */
void console_write(struct console *console, const char *text);
