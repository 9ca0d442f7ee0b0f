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
	line->overlong = false;
}

static enum control_request decode(const struct control_line *line)
{
	size_t length = line->used;
	if (line->overlong) {
		return CONTROL_OVERLONG;
	}
	if (length > 0 && line->text[length - 1] == '\r') {
		length--;
	}
	for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
		if (strlen(requests[i].word) == length &&
		    memcmp(requests[i].word, line->text, length) == 0) {
			return requests[i].request;
		}
	}
	return CONTROL_UNKNOWN;
}

enum control_request control_line_feed(struct control_line *line, char c)
{
	if (c == '\n') {
		enum control_request request = decode(line);
		control_line_reset(line);
		return request;
	}
	if (line->used == CONTROL_LINE_BYTES_MAX) {
		line->overlong = true;
		return CONTROL_NOTHING;
	}
	line->text[line->used++] = c;
	return CONTROL_NOTHING;
}
