// SPDX-License-Identifier: MIT
/* Recovery keys to text and back; what a slip of the pen gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tools/holdfast/recovery_key.h"

static const uint8_t sample[VOLUME_KEY_BYTES] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
						 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88};

static enum status parse(const char *text, uint8_t key[VOLUME_KEY_BYTES], uint32_t *row)
{
	return recovery_key_parse((const uint8_t *)text, strlen(text), key, row);
}

static void test_text_comes_back_as_the_key(void **state)
{
	char text[RECOVERY_KEY_TEXT_BYTES];
	char typed[2 * RECOVERY_KEY_TEXT_BYTES];
	uint8_t key[VOLUME_KEY_BYTES] = {0};
	uint32_t row = 7;
	(void)state;
	assert_int_equal(recovery_key_format(sample, text), STATUS_OK);
	assert_int_equal(strlen(text), 100);
	assert_int_equal(strncmp(text, "0011-2233-4455-6677-", 20), 0);
	assert_int_equal(parse(text, key, &row), STATUS_OK);
	assert_memory_equal(key, sample, sizeof(key));
	/* As somebody types it: a heading, capitals, other separators, no newline at the end. */
	(void)snprintf(typed, sizeof(typed), "# Recovery key, deadbeef\r\n%s", text);
	for (char *at = strchr(typed, '\n'); *at != '\0'; at++) {
		*at = *at == '-' ? ' ' : *at >= 'a' && *at <= 'f' ? (char)(*at - 32) : *at;
	}
	typed[strlen(typed) - 1] = '\0';
	memset(key, 0, sizeof(key));
	assert_int_equal(parse(typed, key, &row), STATUS_OK);
	assert_memory_equal(key, sample, sizeof(key));
}

/* The check must not change: written keys live longer than programs. */
static void test_known_text(void **state)
{
	char text[RECOVERY_KEY_TEXT_BYTES];
	(void)state;
	assert_int_equal(recovery_key_format(sample, text), STATUS_OK);
	assert_string_equal(text, "0011-2233-4455-6677-4117\n"
				  "ffee-ddcc-bbaa-9988-e7ef\n"
				  "0000-0000-0000-0000-4e9c\n"
				  "0000-0000-0000-0000-1d4c\n");
}

static void test_each_wrong_digit_names_its_row(void **state)
{
	char text[RECOVERY_KEY_TEXT_BYTES];
	uint8_t key[VOLUME_KEY_BYTES];
	uint32_t row = 0;
	uint32_t digits = 0;
	(void)state;
	assert_int_equal(recovery_key_format(sample, text), STATUS_OK);
	for (size_t i = 0; text[i] != '\0'; i++) {
		char was = text[i];
		if (was == '-' || was == '\n') {
			continue;
		}
		text[i] = was == '9' ? '8' : '9';
		assert_int_equal(parse(text, key, &row), STATUS_NO_KEY);
		assert_int_equal(row, i / 25 + 1);
		text[i] = was;
		digits++;
	}
	assert_int_equal(digits, 80);
}

static void test_rows_in_the_wrong_order(void **state)
{
	char text[RECOVERY_KEY_TEXT_BYTES];
	char swapped[RECOVERY_KEY_TEXT_BYTES];
	uint8_t key[VOLUME_KEY_BYTES];
	uint32_t row = 0;
	(void)state;
	assert_int_equal(recovery_key_format(sample, text), STATUS_OK);
	(void)snprintf(swapped, sizeof(swapped), "%.50s%.25s%.25s", text, text + 75, text + 50);
	assert_int_equal(parse(swapped, key, &row), STATUS_NO_KEY);
	assert_int_equal(row, 3);
}

static void test_what_is_no_recovery_key(void **state)
{
	char text[RECOVERY_KEY_TEXT_BYTES];
	char longer[2 * RECOVERY_KEY_TEXT_BYTES];
	uint8_t key[VOLUME_KEY_BYTES];
	uint32_t row = 7;
	(void)state;
	assert_int_equal(recovery_key_format(sample, text), STATUS_OK);
	static const char *const wrong[] = {"", "#", "hello", "0011-2233", "####\n####"};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		assert_int_equal(parse(wrong[i], key, &row), STATUS_NO_KEY);
		assert_int_equal(row, 0);
	}
	(void)snprintf(longer, sizeof(longer), "%s0", text);
	assert_int_equal(parse(longer, key, &row), STATUS_NO_KEY);
	assert_int_equal(row, 0);
	text[3] = 'o'; /* A letter for a zero. */
	assert_int_equal(parse(text, key, &row), STATUS_NO_KEY);
	assert_int_equal(row, 0);
	text[3] = '1';
	text[98] = '\0'; /* One digit short. */
	assert_int_equal(parse(text, key, &row), STATUS_NO_KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_comes_back_as_the_key),
		cmocka_unit_test(test_known_text),
		cmocka_unit_test(test_each_wrong_digit_names_its_row),
		cmocka_unit_test(test_rows_in_the_wrong_order),
		cmocka_unit_test(test_what_is_no_recovery_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
