// SPDX-License-Identifier: MIT
/* JSON output (RFC 8259), one object or array at a time, to a stream. The caller opens and closes
 * what it nests; commas are kept here. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	bool needs_comma;
};

void json_init(struct json *json, FILE *out);

/* What a command that succeeded prints: one object, which begins with status and path. */
void json_result_open(struct json *json, const char *path);
void json_result_close(struct json *json);

/* `name` is NULL inside an array and at the top. `bracket` is '{' or '['. */
void json_open(struct json *json, const char *name, char bracket);
void json_close(struct json *json, char bracket);

/* Any bytes: controls and quotes are escaped, bytes that are not UTF-8 become U+FFFD. */
void json_string(struct json *json, const char *name, const char *text);
void json_number(struct json *json, const char *name, uint64_t value);
void json_bool(struct json *json, const char *name, bool value);
/* UINT64_MAX means unknown: null. */
void json_number_or_null(struct json *json, const char *name, uint64_t value);
