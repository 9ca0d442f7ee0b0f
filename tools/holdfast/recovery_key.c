// SPDX-License-Identifier: MIT
#include "tools/holdfast/recovery_key.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/hash.h"

#define ROW_KEY_BYTES   (VOLUME_KEY_BYTES / RECOVERY_KEY_ROWS)
#define ROW_CHECK_BYTES 2u
#define ROW_BYTES       (ROW_KEY_BYTES + ROW_CHECK_BYTES)
#define ROW_TEXT_BYTES  (ROW_BYTES * 2 + ROW_BYTES / 2) /* Groups of 2 bytes and what ends them. */
#define ALL_BYTES       (ROW_BYTES * RECOVERY_KEY_ROWS)

STATIC_ASSERT(ROW_TEXT_BYTES *RECOVERY_KEY_ROWS + 1 <= RECOVERY_KEY_TEXT_BYTES, "the text fits");

static enum status row_check(uint32_t row, const uint8_t bytes[ROW_KEY_BYTES],
			     uint8_t check[ROW_CHECK_BYTES])
{
	static const char label[] = "holdfast recovery key";
	const uint8_t number = (uint8_t)row;
	const struct hash_input inputs[] = {
		{.bytes = (const uint8_t *)label, .size_bytes = sizeof(label) - 1},
		{.bytes = &number, .size_bytes = 1},
		{.bytes = bytes, .size_bytes = ROW_KEY_BYTES},
	};
	uint8_t digest[SHA256_BYTES];
	enum status status = hash_sha256(inputs, ARRAY_COUNT(inputs), digest);
	if (status == STATUS_OK) {
		memcpy(check, digest, ROW_CHECK_BYTES);
	}
	secure_zero(digest, sizeof(digest));
	return status;
}

enum status recovery_key_format(const uint8_t key[VOLUME_KEY_BYTES],
				char out[RECOVERY_KEY_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;
	for (uint32_t row = 0; row < RECOVERY_KEY_ROWS; row++) {
		uint8_t bytes[ROW_BYTES];
		memcpy(bytes, key + (size_t)row * ROW_KEY_BYTES, ROW_KEY_BYTES);
		enum status status = row_check(row, bytes, bytes + ROW_KEY_BYTES);
		if (status != STATUS_OK) {
			return status;
		}
		for (size_t i = 0; i < ROW_BYTES; i++) {
			out[at++] = digits[bytes[i] >> 4];
			out[at++] = digits[bytes[i] & 15];
			if (i % 2 == 1) {
				out[at++] = i + 1 == ROW_BYTES ? '\n' : '-';
			}
		}
		secure_zero(bytes, sizeof(bytes));
	}
	out[at] = '\0';
	return STATUS_OK;
}

/* -1: not a digit. */
static int digit_value(uint8_t character)
{
	if (character >= '0' && character <= '9') {
		return character - '0';
	}
	uint8_t lower = character | 0x20;
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool is_separator(uint8_t character)
{
	return character == '-' || character == ' ' || character == '\t' || character == '\r' ||
	       character == '\n';
}

/* The digits of the text, two a byte. False: other characters, too many or too few. */
static bool digits_read(const uint8_t *text, size_t size, uint8_t out[ALL_BYTES])
{
	size_t digits = 0;
	bool line_begins = true;
	bool in_comment = false;
	memset(out, 0, ALL_BYTES);
	for (size_t i = 0; i < size; i++) {
		in_comment = text[i] != '\n' && (in_comment || (line_begins && text[i] == '#'));
		line_begins = text[i] == '\n';
		if (in_comment || is_separator(text[i])) {
			continue;
		}
		int value = digit_value(text[i]);
		if (value < 0 || digits == (size_t)ALL_BYTES * 2) {
			return false;
		}
		out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | value);
		digits++;
	}
	return digits == (size_t)ALL_BYTES * 2;
}

enum status recovery_key_parse(const uint8_t *text, size_t size, uint8_t key[VOLUME_KEY_BYTES],
			       uint32_t *row)
{
	uint8_t bytes[ALL_BYTES];
	uint8_t check[ROW_CHECK_BYTES];
	enum status status = STATUS_OK;
	*row = 0;
	if (!digits_read(text, size, bytes)) {
		status = STATUS_NO_KEY;
	}
	for (uint32_t i = 0; i < RECOVERY_KEY_ROWS && status == STATUS_OK; i++) {
		const uint8_t *at = bytes + (size_t)i * ROW_BYTES;
		status = row_check(i, at, check);
		if (status == STATUS_OK &&
		    memcmp(check, at + ROW_KEY_BYTES, ROW_CHECK_BYTES) != 0) {
			*row = i + 1;
			status = STATUS_NO_KEY;
		}
	}
	for (uint32_t i = 0; i < RECOVERY_KEY_ROWS && status == STATUS_OK; i++) {
		memcpy(key + (size_t)i * ROW_KEY_BYTES, bytes + (size_t)i * ROW_BYTES,
		       ROW_KEY_BYTES);
	}
	secure_zero(bytes, sizeof(bytes));
	return status;
}
