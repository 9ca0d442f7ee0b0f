// SPDX-License-Identifier: MIT
/* A witness file says one thing in one way, and anything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/holdfast/witness_text.h"

static struct witness_table table;
static struct witness_table again;
static char text[WITNESS_TEXT_BYTES_MAX + 1];

static void table_make(uint32_t count, uint64_t number)
{
	table.count = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t uuid[WITNESS_UUID_BYTES] = {0};
		uuid[15] = (uint8_t)(i * 37); /* Not in order. */
		uuid[0] = (uint8_t)(i >> 8);
		struct witness_row *row = witness_table_add(&table, uuid);
		assert_non_null(row);
		row->fence = number;
		row->mark.sequence = number;
		memset(row->mark.anchor, (int)i, sizeof(row->mark.anchor));
	}
}

static void test_round_trips(void **state)
{
	static const uint32_t counts[] = {0, 1, 2, WITNESS_TEXT_ROWS_MAX};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
		table_make(counts[i], i == 3 ? UINT64_MAX : i + 1);
		size_t size = witness_text_write(&table, text);
		assert_in_range(size, 1, WITNESS_TEXT_BYTES_MAX);
		assert_int_equal(witness_text_read(text, size, &again), STATUS_OK);
		assert_int_equal(again.count, table.count);
		assert_memory_equal(again.rows, table.rows, table.count * sizeof(table.rows[0]));
	}
	const uint8_t uuid[WITNESS_UUID_BYTES] = {9};
	assert_null(witness_table_add(&table, uuid));
	assert_null(witness_table_find(&table, uuid));
	assert_ptr_equal(witness_table_find(&table, table.rows[9].uuid), &table.rows[9]);
}

/* Every cut and every changed byte is refused, or says something else in the one way. */
static void test_damage(void **state)
{
	(void)state;
	table_make(2, 1234);
	size_t size = witness_text_write(&table, text);
	for (size_t cut = 0; cut < size; cut++) {
		assert_int_not_equal(witness_text_read(text, cut, &again), STATUS_OK);
	}
	text[size] = '\n';
	assert_int_equal(witness_text_read(text, size + 1, &again), STATUS_BAD_CONFIG);
	for (size_t at = 0; at < size; at++) {
		char was = text[at];
		for (int value = 0; value < 256; value++) {
			static char written[WITNESS_TEXT_BYTES_MAX];
			text[at] = (char)value;
			if (witness_text_read(text, size, &again) == STATUS_OK) {
				assert_int_equal(witness_text_write(&again, written), size);
				assert_memory_equal(written, text, size);
			}
		}
		text[at] = was;
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text;
		enum status status;
	} cases[] = {
		{"holdfast-witness 1\nend 0\n", STATUS_OK},
		{"holdfast-witness 2\n", STATUS_NEWER_FORMAT},
		{"holdfast-witness 18446744073709551615\n", STATUS_NEWER_FORMAT},
		{"holdfast-witness 18446744073709551616\n", STATUS_BAD_CONFIG},
		{"holdfast-witness 0\nend 0\n", STATUS_BAD_CONFIG},
		{"holdfast-witness 01\nend 0\n", STATUS_BAD_CONFIG},
		{"holdfast-witness 1\nend 00\n", STATUS_BAD_CONFIG},
		{"holdfast-witness 1\nend 1\n", STATUS_BAD_CONFIG},
		{"holdfast-witness 1\r\nend 0\n", STATUS_BAD_CONFIG},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(witness_text_read(cases[i].text, strlen(cases[i].text), &again),
				 cases[i].status);
	}
	/* A volume twice, or no opener, or no commit. */
	for (int i = 0; i < 3; i++) {
		table_make(2, 5);
		table.rows[1].fence = i == 0 ? 0 : 5;
		table.rows[1].mark.sequence = i == 1 ? 0 : 5;
		if (i == 2) {
			table.rows[1] = table.rows[0];
		}
		size_t size = witness_text_write(&table, text);
		assert_int_equal(witness_text_read(text, size, &again), STATUS_BAD_CONFIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
