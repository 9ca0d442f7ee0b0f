// SPDX-License-Identifier: MIT
/* Memory in huge pages: where it begins, how much there is, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "tools/holdfast/large_memory.h"

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

static void test_it_begins_at_a_huge_page_and_is_all_there(void **state)
{
	(void)state;
	const size_t sizes[] = {1, HUGE_PAGE_BYTES - 1, HUGE_PAGE_BYTES, HUGE_PAGE_BYTES + 1};
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		uint8_t *memory = large_memory(sizes[i]);
		assert_non_null(memory);
		assert_int_equal((uintptr_t)memory % HUGE_PAGE_BYTES, 0);
		memset(memory, 0x5a, sizes[i]); /* The sanitizer looks. */
		free(memory);
	}
}

static void test_more_than_there_is_is_refused(void **state)
{
	(void)state;
	assert_null(large_memory(SIZE_MAX));
	assert_null(large_memory(SIZE_MAX - HUGE_PAGE_BYTES + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_begins_at_a_huge_page_and_is_all_there),
		cmocka_unit_test(test_more_than_there_is_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
