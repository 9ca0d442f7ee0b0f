// SPDX-License-Identifier: MIT
#include "tools/holdfast/json.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/status.h"

void json_init(struct json *json, FILE *out)
{
	*json = (struct json){.out = out};
}

/* Length of the UTF-8 sequence at `text` (Unicode 15, table 3-7), 0 if it is not well-formed. The
 * terminating zero is no continuation byte, so nothing behind it is looked at. */
static size_t utf8_sequence(const unsigned char *text)
{
	size_t length = 0;
	unsigned char low = 0x80;  /* The second byte's range is narrower for some first bytes: */
	unsigned char high = 0xbf; /* no overlong forms, no surrogates, none above U+10FFFF. */
	if (text[0] >= 0xc2 && text[0] <= 0xdf) {
		length = 2;
	} else if (text[0] >= 0xe0 && text[0] <= 0xef) {
		length = 3;
		low = text[0] == 0xe0 ? 0xa0 : low;
		high = text[0] == 0xed ? 0x9f : high;
	} else if (text[0] >= 0xf0 && text[0] <= 0xf4) {
		length = 4;
		low = text[0] == 0xf0 ? 0x90 : low;
		high = text[0] == 0xf4 ? 0x8f : high;
	}
	for (size_t i = 1; i < length; i++) {
		if (text[i] < low || text[i] > high) {
			return 0;
		}
		low = 0x80;
		high = 0xbf;
	}
	return length;
}

static void put_text(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	(void)fputc('"', out);
	while (*at != '\0') {
		size_t length = 1;
		if (*at == '"' || *at == '\\') {
			(void)fprintf(out, "\\%c", *at);
		} else if (*at < 0x20 || *at == 0x7f) {
			(void)fprintf(out, "\\u%04x", *at);
		} else if (*at < 0x7f) {
			(void)fputc(*at, out);
		} else {
			length = utf8_sequence(at);
			if (length == 0) {
				(void)fputs("\\ufffd", out);
				length = 1;
			} else {
				(void)fwrite(at, 1, length, out);
			}
		}
		at += length;
	}
	(void)fputc('"', out);
}

static void begin_value(struct json *json, const char *name)
{
	if (json->needs_comma) {
		(void)fputs(", ", json->out);
	}
	if (name != NULL) {
		put_text(json->out, name);
		(void)fputs(": ", json->out);
	}
	json->needs_comma = true;
}

void json_result_open(struct json *json, const char *path)
{
	json_init(json, stdout);
	json_open(json, NULL, '{');
	json_string(json, "status", status_name(STATUS_OK));
	json_string(json, "path", path);
}

void json_result_close(struct json *json)
{
	json_close(json, '}');
	(void)fputc('\n', json->out);
}

void json_open(struct json *json, const char *name, char bracket)
{
	begin_value(json, name);
	(void)fputc(bracket, json->out);
	json->needs_comma = false;
}

void json_close(struct json *json, char bracket)
{
	(void)fputc(bracket, json->out);
	json->needs_comma = true;
}

void json_string(struct json *json, const char *name, const char *text)
{
	begin_value(json, name);
	put_text(json->out, text);
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	begin_value(json, name);
	(void)fprintf(json->out, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	begin_value(json, name);
	(void)fputs(value ? "true" : "false", json->out);
}

void json_number_or_null(struct json *json, const char *name, uint64_t value)
{
	if (value != UINT64_MAX) {
		json_number(json, name, value);
		return;
	}
	begin_value(json, name);
	(void)fputs("null", json->out);
}
