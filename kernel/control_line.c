// SPDX-License-Identifier: MIT
#include "kernel/control_line.h"

#include <string.h>

#include "base/compiler.h"

static const struct {
	const char *word;
	enum control_request request;
} requests[] = {
	{"status", CONTROL_STATUS},
	{"counters", CONTROL_COUNTERS},
	{"shutdown", CONTROL_SHUTDOWN},
};

void control_line_reset(struct control_line *line)
{
	line->used = 0;
	line->doubtful = 0;
	line->overlong = false;
}

static enum control_request decode(const char *text, size_t length)
{
	if (length > 0 && text[length - 1] == '\r') {
		length--;
	}
	for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
		if (strlen(requests[i].word) == length &&
		    memcmp(requests[i].word, text, length) == 0) {
			return requests[i].request;
		}
	}
	return CONTROL_UNKNOWN;
}

/* No request ends in another one, so at most one of the two readings is a request. */
static enum control_request decode_line(const struct control_line *line)
{
	if (line->overlong) {
		return CONTROL_OVERLONG;
	}
	enum control_request request = decode(line->text, line->used);
	if (request == CONTROL_UNKNOWN) {
		request = decode(line->text + line->doubtful, line->used - line->doubtful);
	}
	return request;
}

static bool is_error(enum control_request request)
{
	return request == CONTROL_UNKNOWN || request == CONTROL_OVERLONG;
}

enum control_request control_line_feed(struct control_line *line, char c, bool doubtful)
{
	if (c == '\n') {
		enum control_request request = decode_line(line);
		control_line_reset(line);
		return doubtful && is_error(request) ? CONTROL_NOTHING : request;
	}
	if (line->used == CONTROL_LINE_BYTES_MAX) {
		line->overlong = true;
		return CONTROL_NOTHING;
	}
	line->text[line->used++] = c;
	line->doubtful += doubtful ? 1 : 0;
	return CONTROL_NOTHING;
}
