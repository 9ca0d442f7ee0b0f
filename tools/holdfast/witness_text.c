// SPDX-License-Identifier: MIT
#include "tools/holdfast/witness_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/reader.h"

#define MAGIC   "holdfast-witness "
#define VERSION "1\n"

struct text {
	struct reader rest;
	bool ok;
};

static bool take(struct text *text, const char *word)
{
	const size_t size = strlen(word);
	const uint8_t *found = reader_bytes(&text->rest, size);
	text->ok = text->ok && found != NULL && memcmp(found, word, size) == 0;
	return text->ok;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void take_hex(struct text *text, uint8_t *out, size_t size)
{
	for (size_t i = 0; i < size && text->ok; i++) {
		/* Behind the end there are zeroes, which are no digits. */
		const int high = hex_digit(reader_u8(&text->rest));
		const int low = hex_digit(reader_u8(&text->rest));
		if (high < 0 || low < 0) {
			text->ok = false;
			return;
		}
		out[i] = (uint8_t)(high << 4 | low);
	}
}

/* A digit, if that is what comes next. */
static bool take_digit(struct reader *rest, uint64_t *digit)
{
	struct reader ahead = *rest;
	const uint8_t c = reader_u8(&ahead);
	if (c < '0' || c > '9') {
		return false;
	}
	*digit = (uint64_t)(c - '0');
	*rest = ahead;
	return true;
}

static uint64_t take_number(struct text *text)
{
	uint64_t value = 0;
	uint64_t digit = 0;
	size_t digits = 0;
	while (text->ok && take_digit(&text->rest, &digit)) {
		/* "0" may be followed by no digit, and nothing may overflow. */
		if ((digits != 0 && value == 0) || value > (UINT64_MAX - digit) / 10) {
			text->ok = false;
			break;
		}
		value = value * 10 + digit;
		digits++;
	}
	text->ok = text->ok && digits != 0;
	return value;
}

static void take_row(struct text *text, struct witness_row *row)
{
	take_hex(text, row->uuid, sizeof(row->uuid));
	(void)take(text, " ");
	row->fence = take_number(text);
	(void)take(text, " ");
	row->mark.sequence = take_number(text);
	(void)take(text, " ");
	take_hex(text, row->mark.anchor, sizeof(row->mark.anchor));
	(void)take(text, "\n");
	text->ok = text->ok && row->fence != 0 && row->mark.sequence != 0;
}

static bool ends(const struct text *text)
{
	struct text ahead = *text;
	return take(&ahead, "end");
}

static void take_rows(struct text *text, struct witness_table *table)
{
	while (text->ok && !ends(text)) {
		if (table->count >= WITNESS_TEXT_ROWS_MAX) {
			text->ok = false;
			return;
		}
		struct witness_row row = {.fence = 0};
		take_row(text, &row);
		if (table->count > 0 &&
		    memcmp(table->rows[table->count - 1].uuid, row.uuid, sizeof(row.uuid)) >= 0) {
			text->ok = false;
		}
		table->rows[table->count++] = row;
	}
}

enum status witness_text_read(const char *text, size_t size_bytes, struct witness_table *table)
{
	struct text rest = {.ok = true};
	reader_init(&rest.rest, (const uint8_t *)text, size_bytes);
	*table = (struct witness_table){.count = 0};
	if (!take(&rest, MAGIC)) {
		return STATUS_BAD_CONFIG;
	}
	struct text version = rest;
	if (!take(&rest, VERSION)) {
		bool is_later = take_number(&version) > 1 && version.ok;
		return is_later ? STATUS_NEWER_FORMAT : STATUS_BAD_CONFIG;
	}
	take_rows(&rest, table);
	(void)take(&rest, "end ");
	uint64_t count = take_number(&rest);
	(void)take(&rest, "\n");
	return rest.ok && reader_left(&rest.rest) == 0 && count == table->count ? STATUS_OK
										: STATUS_BAD_CONFIG;
}

static size_t put_hex(char *out, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < size; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	return 2 * size;
}

size_t witness_text_write(const struct witness_table *table, char out[WITNESS_TEXT_BYTES_MAX])
{
	size_t at = (size_t)snprintf(out, WITNESS_TEXT_BYTES_MAX, "%s", MAGIC VERSION);
	for (uint32_t i = 0; i < table->count; i++) {
		const struct witness_row *row = &table->rows[i];
		at += put_hex(out + at, row->uuid, sizeof(row->uuid));
		at += (size_t)snprintf(out + at, WITNESS_TEXT_BYTES_MAX - at,
				       " %" PRIu64 " %" PRIu64 " ", row->fence, row->mark.sequence);
		at += put_hex(out + at, row->mark.anchor, sizeof(row->mark.anchor));
		out[at++] = '\n';
	}
	at += (size_t)snprintf(out + at, WITNESS_TEXT_BYTES_MAX - at, "end %" PRIu32 "\n",
			       table->count);
	return at;
}

struct witness_row *witness_table_find(struct witness_table *table,
				       const uint8_t uuid[WITNESS_UUID_BYTES])
{
	for (uint32_t i = 0; i < table->count; i++) {
		if (memcmp(table->rows[i].uuid, uuid, WITNESS_UUID_BYTES) == 0) {
			return &table->rows[i];
		}
	}
	return NULL;
}

struct witness_row *witness_table_add(struct witness_table *table,
				      const uint8_t uuid[WITNESS_UUID_BYTES])
{
	if (table->count == WITNESS_TEXT_ROWS_MAX) {
		return NULL;
	}
	uint32_t at = table->count++;
	for (; at > 0 && memcmp(table->rows[at - 1].uuid, uuid, WITNESS_UUID_BYTES) > 0; at--) {
		table->rows[at] = table->rows[at - 1];
	}
	table->rows[at] = (struct witness_row){.fence = 0};
	memcpy(table->rows[at].uuid, uuid, WITNESS_UUID_BYTES);
	return &table->rows[at];
}
