// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/symbols.h"

static const char table[] = "0000000000001000 T kernel_entry\n"
			    "0000000000001100 t helper\n"
			    "0000000000001180 r a_constant\n"
			    "0000000000002000 T last\n";

static void assert_name(uint64_t address, const char *name, uint64_t start)
{
	struct symbol symbol;
	assert_true(symbols_find(table, sizeof(table) - 1, address, &symbol));
	assert_int_equal(symbol.name_length, strlen(name));
	assert_memory_equal(symbol.name, name, strlen(name));
	assert_int_equal(symbol.address, start);
}

static void test_finds_the_function_around_an_address(void **state)
{
	(void)state;
	assert_name(0x1000, "kernel_entry", 0x1000);
	assert_name(0x10ff, "kernel_entry", 0x1000);
	/* Data does not hide the function before it. */
	assert_name(0x1190, "helper", 0x1100);
	assert_name(0xffffff, "last", 0x2000);
}

static void test_an_address_before_everything_has_no_name(void **state)
{
	(void)state;
	struct symbol symbol;
	assert_false(symbols_find(table, sizeof(table) - 1, 0xfff, &symbol));
	assert_false(symbols_find(NULL, 0, 0x1000, &symbol));
}

static void test_any_bytes_are_survived(void **state)
{
	(void)state;
	static const char *const odd[] = {"",
					  "\n\n\n",
					  "zzzz",
					  "0000000000001000",
					  "0000000000001000 T ",
					  "00000000000010zz T name\n"};
	for (size_t i = 0; i < ARRAY_COUNT(odd); i++) {
		struct symbol symbol;
		assert_false(symbols_find(odd[i], strlen(odd[i]), 0x5000, &symbol));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_the_function_around_an_address),
		cmocka_unit_test(test_an_address_before_everything_has_no_name),
		cmocka_unit_test(test_any_bytes_are_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
