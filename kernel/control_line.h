// SPDX-License-Identifier: MIT
/* The control port's requests, cut out of a byte stream. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CONTROL_LINE_BYTES_MAX 128u

enum control_request {
	CONTROL_NOTHING, /* The line goes on. */
	CONTROL_STATUS,
	CONTROL_COUNTERS,
	CONTROL_SHUTDOWN,
	CONTROL_UNKNOWN,
	CONTROL_OVERLONG,
};

struct control_line {
	char text[CONTROL_LINE_BYTES_MAX];
	size_t used;
	bool overlong; /* Skip to the end of this line. */
};

/* Another client: what the last one began is forgotten. */
void control_line_reset(struct control_line *line);

/* A request is known when its line ends, with LF or CR LF. Words must match to the byte. */
enum control_request control_line_feed(struct control_line *line, char c);
