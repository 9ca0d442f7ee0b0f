// SPDX-License-Identifier: MIT
/* The kernel's innermost accessors, against plain copies. They are HARDWARE only because they touch
 * host-visible memory; their arithmetic runs anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sharedmem/shared_access_internal.h"

#define BYTES 64u

static _Alignas(8) uint8_t memory[BYTES];
static struct shared_bytes *const shared = (struct shared_bytes *)memory;

static void memory_number(void)
{
	for (size_t i = 0; i < BYTES; i++) {
		memory[i] = (uint8_t)(i + 1);
	}
}

static void test_shared_access_loads_and_stores_each_width(void **state)
{
	(void)state;
	for (unsigned int width = 1; width <= 8; width *= 2) {
		uint64_t expected = 0;
		memory_number();
		memcpy(&expected, memory + 16, width);
		assert_int_equal(shared_access_load(shared, 16, width), expected);
		shared_access_store(shared, 24, width, 0xf1f2f3f4f5f6f7f8u);
		assert_int_equal(memory[23], 24);
		assert_int_equal(memory[24], 0xf8);
		assert_int_equal(memory[24 + width], 25 + width);
	}
}

static void test_shared_access_copies_any_offset_and_size(void **state)
{
	(void)state;
	for (size_t offset = 0; offset < 16; offset++) {
		for (size_t size = 0; size <= 40; size++) {
			uint8_t copy[BYTES] = {0};
			uint8_t expected[BYTES];
			memory_number();
			shared_access_copy_in(copy + 1, shared, offset, size);
			assert_memory_equal(copy + 1, memory + offset, size);
			assert_int_equal(copy[0], 0);
			assert_int_equal(copy[size + 1], 0);

			memset(expected, 0xcc, sizeof(expected));
			memset(memory, 0xcc, sizeof(memory));
			memcpy(expected + offset, copy + 1, size);
			shared_access_copy_out(shared, offset, copy + 1, size);
			assert_memory_equal(memory, expected, BYTES);

			memset(expected + offset, 0x5a, size);
			shared_access_fill(shared, offset, 0x5a, size);
			assert_memory_equal(memory, expected, BYTES);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_access_loads_and_stores_each_width),
		cmocka_unit_test(test_shared_access_copies_any_offset_and_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
