// SPDX-License-Identifier: MIT
/* Byte order, and the three byte-string operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"

static void test_bytes_load_at_any_alignment(void **state)
{
	(void)state;
	const uint8_t bytes[] = {0xee, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8};
	const uint8_t *odd = bytes + 1;
	assert_int_equal(bytes_load_le16(odd), 0xf2f1);
	assert_int_equal(bytes_load_be16(odd), 0xf1f2);
	assert_true(bytes_load_le32(odd) == 0xf4f3f2f1u);
	assert_true(bytes_load_be32(odd) == 0xf1f2f3f4u);
	assert_true(bytes_load_le64(odd) == 0xf8f7f6f5f4f3f2f1ull);
}

/* What is compiled copies words, what is proved sums bytes. */
static void test_bytes_load_is_the_sum_of_the_bytes(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		uint8_t bytes[8] = {0};
		uint64_t sum = 0;
		bytes[bit / 8] = (uint8_t)(1u << (bit % 8));
		for (unsigned i = 8; i > 0; i--) {
			sum = sum * 256u + bytes[i - 1];
		}
		assert_true(bytes_load_le64(bytes) == sum);
		assert_true(bytes_load_le32(bytes) == (uint32_t)sum);
		assert_true(bytes_load_le32(bytes + 4) == (uint32_t)(sum >> 32));
		assert_true(bytes_load_le16(bytes) == (uint16_t)sum);
	}
}

static void test_bytes_store_writes_its_width_and_no_more(void **state)
{
	(void)state;
	uint8_t bytes[10];
	memset(bytes, 0xee, sizeof(bytes));
	bytes_store_le16(bytes + 1, 0xf1f2);
	assert_memory_equal(bytes, "\xee\xf2\xf1\xee", 4);
	bytes_store_be16(bytes + 1, 0xf1f2);
	assert_memory_equal(bytes, "\xee\xf1\xf2\xee", 4);
	bytes_store_le32(bytes + 1, 0xf1f2f3f4u);
	assert_memory_equal(bytes, "\xee\xf4\xf3\xf2\xf1\xee", 6);
	bytes_store_be32(bytes + 1, 0xf1f2f3f4u);
	assert_memory_equal(bytes, "\xee\xf1\xf2\xf3\xf4\xee", 6);
	bytes_store_le64(bytes + 1, 0xf1f2f3f4f5f6f7f8ull);
	assert_memory_equal(bytes, "\xee\xf8\xf7\xf6\xf5\xf4\xf3\xf2\xf1\xee", 10);
}

static void test_bytes_equal_sees_every_bit(void **state)
{
	(void)state;
	uint8_t a[16] = {0};
	uint8_t b[16] = {0};
	assert_true(bytes_equal_constant_time(a, b, sizeof(a)));
	assert_true(bytes_equal_constant_time(a, b, 0));
	for (size_t bit = 0; bit < sizeof(a) * 8; bit++) {
		b[bit / 8] = (uint8_t)(1u << (bit % 8));
		assert_false(bytes_equal_constant_time(a, b, sizeof(a)));
		assert_false(bytes_are_zero(b, sizeof(b)));
		b[bit / 8] = 0;
	}
	/* Two differences do not cancel. */
	b[3] = 1;
	b[4] = 1;
	assert_false(bytes_equal_constant_time(a, b, sizeof(a)));
}

static void test_bytes_are_zero_looks_at_its_range_only(void **state)
{
	(void)state;
	const uint8_t bytes[] = {1, 0, 0, 1};
	assert_true(bytes_are_zero(bytes + 1, 2));
	assert_true(bytes_are_zero(bytes, 0));
	assert_false(bytes_are_zero(bytes, 3));
	assert_false(bytes_are_zero(bytes + 1, 3));
}

/* Each length, each place for the one byte that is not zero, and none outside counts. */
static void test_bytes_are_zero_sees_every_byte(void **state)
{
	(void)state;
	uint8_t bytes[1 + 100 + 1] = {1};
	for (size_t size = 0; size <= 100; size++) {
		bytes[1 + size] = 1;
		assert_true(bytes_are_zero(bytes + 1, size));
		for (size_t at = 0; at < size; at++) {
			bytes[1 + at] = 0x80;
			assert_false(bytes_are_zero(bytes + 1, size));
			bytes[1 + at] = 0;
		}
		bytes[1 + size] = 0;
	}
}

static void test_bytes_secure_zero_erases_its_range_only(void **state)
{
	(void)state;
	uint8_t bytes[6];
	memset(bytes, 0xee, sizeof(bytes));
	secure_zero(bytes + 1, 4);
	assert_memory_equal(bytes, "\xee\0\0\0\0\xee", 6);
	secure_zero(bytes, 0);
	assert_int_equal(bytes[0], 0xee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_load_at_any_alignment),
		cmocka_unit_test(test_bytes_load_is_the_sum_of_the_bytes),
		cmocka_unit_test(test_bytes_store_writes_its_width_and_no_more),
		cmocka_unit_test(test_bytes_equal_sees_every_bit),
		cmocka_unit_test(test_bytes_are_zero_looks_at_its_range_only),
		cmocka_unit_test(test_bytes_are_zero_sees_every_byte),
		cmocka_unit_test(test_bytes_secure_zero_erases_its_range_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
