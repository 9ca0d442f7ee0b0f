// SPDX-License-Identifier: MIT
/* The control port's requests, cut out of a byte stream. Pure.
 *
 * The first bytes that arrive for a client may be what the one before it left half-said, and
 * nothing but the content can tell (virtio_serial_read). A client must wait neither for ever nor
 * for an answer to somebody else's line, so such doubtful bytes are taken if they make a request
 * together with what follows; else the line is read without them. A line that is doubtful to its
 * end and no request is dropped. What remains: a whole request whose client left at once may be
 * answered to the next one. Each is idempotent, and whoever may connect may ask any of them. */
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
	size_t doubtful; /* So many at the start may be another client's. */
	bool overlong;   /* Skip to the end of this line. */
};

/* Another client: what the last one began is forgotten. */
void control_line_reset(struct control_line *line);

/* A request is known when its line ends, with LF or CR LF. Words must match to the byte. After a
 * reset, doubtful bytes come before all others. */
enum control_request control_line_feed(struct control_line *line, char c, bool doubtful);
