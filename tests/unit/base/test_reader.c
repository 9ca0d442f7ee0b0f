// SPDX-License-Identifier: MIT
/* The bounded reader and writer: nothing outside the buffer, errors stick. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/reader.h"

static void test_reader_reads_little_and_big_endian(void **state)
{
	(void)state;
	const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	struct reader reader;
	reader_init(&reader, bytes, sizeof(bytes));
	assert_int_equal(reader_le16(&reader), 0x0201);
	assert_int_equal(reader_be16(&reader), 0x0304);
	assert_int_equal(reader_le32(&reader), 0x08070605);
	assert_int_equal(reader_be32(&reader), 0x090a0b0c);
	assert_int_equal(reader_left(&reader), 0);
	assert_true(reader_ok(&reader));
}

static void test_reader_fails_past_the_end_and_stays_failed(void **state)
{
	(void)state;
	const uint8_t bytes[] = {1, 2, 3};
	struct reader reader;
	reader_init(&reader, bytes, sizeof(bytes));
	assert_int_equal(reader_le32(&reader), 0);
	assert_false(reader_ok(&reader));
	assert_int_equal(reader_u8(&reader), 0);
	assert_null(reader_bytes(&reader, SIZE_MAX));
	assert_int_equal(reader_left(&reader), 0);
}

static void test_reader_copy_zeroes_on_failure(void **state)
{
	(void)state;
	const uint8_t bytes[] = {1, 2, 3};
	uint8_t out[4] = {9, 9, 9, 9};
	struct reader reader;
	reader_init(&reader, bytes, sizeof(bytes));
	reader_copy(&reader, out, sizeof(out));
	assert_memory_equal(out, "\0\0\0\0", 4);
}

static void test_writer_never_writes_past_the_end(void **state)
{
	(void)state;
	uint8_t bytes[5] = {0, 0, 0, 0, 0xee};
	struct writer writer;
	writer_init(&writer, bytes, 4);
	writer_be16(&writer, 0x0102);
	writer_le32(&writer, 0xffffffff);
	assert_false(writer_ok(&writer));
	writer_le16(&writer, 0xffff);
	assert_memory_equal(bytes, "\1\2\0\0\xee", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reader_reads_little_and_big_endian),
		cmocka_unit_test(test_reader_fails_past_the_end_and_stays_failed),
		cmocka_unit_test(test_reader_copy_zeroes_on_failure),
		cmocka_unit_test(test_writer_never_writes_past_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
