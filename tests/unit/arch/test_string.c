// SPDX-License-Identifier: MIT
/* The kernel's string functions, under other names, against the host's: all small sizes, all
 * alignments that matter, and nothing written beside the target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SIZE_MAX_TESTED 200u
#define MARGIN          16u
#define ROOM            (SIZE_MAX_TESTED + 2 * MARGIN)

/* arch/string.c, compiled with these names (CMakeLists.txt). */
void *kernel_memcpy(void *restrict to, const void *restrict from, size_t size);
void *kernel_memmove(void *to, const void *from, size_t size);
void *kernel_memset(void *to, int value, size_t size);
int kernel_memcmp(const void *a, const void *b, size_t size);

static void pattern(uint8_t *bytes, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++) {
		bytes[i] = (uint8_t)(i * 7 + seed);
	}
}

static void test_copies_and_fills(void **state)
{
	uint8_t from[ROOM];
	uint8_t ours[ROOM];
	uint8_t theirs[ROOM];
	(void)state;
	pattern(from, ROOM, 1);
	for (size_t size = 0; size <= SIZE_MAX_TESTED; size++) {
		for (size_t at = 0; at < MARGIN; at++) {
			pattern(ours, ROOM, 100);
			pattern(theirs, ROOM, 100);
			assert_ptr_equal(kernel_memcpy(ours + at, from + MARGIN - at, size),
					 ours + at);
			memcpy(theirs + at, from + MARGIN - at, size);
			assert_memory_equal(ours, theirs, ROOM);
			assert_ptr_equal(kernel_memset(ours + at, 0x1a5, size), ours + at);
			memset(theirs + at, 0xa5, size);
			assert_memory_equal(ours, theirs, ROOM);
		}
	}
}

static void test_overlapping_moves(void **state)
{
	uint8_t ours[ROOM];
	uint8_t theirs[ROOM];
	(void)state;
	for (size_t size = 0; size <= SIZE_MAX_TESTED; size++) {
		for (size_t at = 0; at < MARGIN; at++) {
			pattern(ours, ROOM, 3);
			pattern(theirs, ROOM, 3);
			(void)kernel_memmove(ours + at, ours + MARGIN / 2, size);
			memmove(theirs + at, theirs + MARGIN / 2, size);
			assert_memory_equal(ours, theirs, ROOM);
		}
	}
}

static int sign(int value)
{
	return value < 0 ? -1 : value > 0;
}

/* A difference in each place, of either sign, and one behind the end that does not count. */
static void test_comparison(void **state)
{
	uint8_t a[ROOM];
	uint8_t b[ROOM];
	(void)state;
	pattern(a, ROOM, 5);
	for (size_t size = 0; size <= 40; size++) {
		for (size_t at = 0; at <= size; at++) {
			memcpy(b, a, ROOM);
			b[at] = (uint8_t)(a[at] ^ 0x80);
			assert_int_equal(sign(kernel_memcmp(a, b, size)), sign(memcmp(a, b, size)));
			assert_int_equal(sign(kernel_memcmp(b, a, size)), sign(memcmp(b, a, size)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies_and_fills),
		cmocka_unit_test(test_overlapping_moves),
		cmocka_unit_test(test_comparison),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
