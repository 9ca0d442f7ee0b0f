// SPDX-License-Identifier: MIT
/* The first stack of a program, read back the way a C library's start code reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "kernel/user_stack.h"

#define TOP 0x7f0000100000ull

static uint64_t word_at(const uint8_t *image, uint64_t address)
{
	return bytes_load_le64(image + (address - (TOP - USER_STACK_IMAGE_BYTES)));
}

static const char *text_at(const uint8_t *image, uint64_t address)
{
	return (const char *)image + (address - (TOP - USER_STACK_IMAGE_BYTES));
}

static uint64_t auxiliary_value(const uint8_t *image, uint64_t at, uint64_t key)
{
	for (unsigned i = 0; i < 64; i++, at += 16) {
		if (word_at(image, at) == key) {
			return word_at(image, at + 8);
		}
		if (word_at(image, at) == 0) {
			break;
		}
	}
	fail_msg("no entry %lu", (unsigned long)key);
	return 0;
}

static void test_layout_is_what_the_abi_says(void **state)
{
	(void)state;
	static const char *const arguments[] = {"vtpmd", "--restarted"};
	struct user_stack_request request = {
		.top = TOP,
		.arguments = arguments,
		.argument_count = 2,
		.program_headers = 0x400040,
		.program_header_count = 7,
		.entry = 0x401000,
	};
	memset(request.random, 0xa5, sizeof(request.random));
	uint8_t image[USER_STACK_IMAGE_BYTES];
	uint64_t at;
	assert_int_equal(user_stack_build(&request, image, &at), STATUS_OK);
	assert_int_equal(at % 16, 0);
	assert_int_equal(word_at(image, at), 2);
	assert_string_equal(text_at(image, word_at(image, at + 8)), "vtpmd");
	assert_string_equal(text_at(image, word_at(image, at + 16)), "--restarted");
	assert_int_equal(word_at(image, at + 24), 0);
	assert_int_equal(word_at(image, at + 32), 0);
	assert_int_equal(auxiliary_value(image, at + 40, 3), 0x400040);
	assert_int_equal(auxiliary_value(image, at + 40, 5), 7);
	assert_int_equal(auxiliary_value(image, at + 40, 6), 4096);
	assert_int_equal(auxiliary_value(image, at + 40, 9), 0x401000);
	uint64_t random_at = auxiliary_value(image, at + 40, 25);
	assert_memory_equal(text_at(image, random_at), request.random, sizeof(request.random));
}

static void test_no_argument_count_misaligns_the_stack(void **state)
{
	(void)state;
	static const char *const arguments[] = {"a", "bb", "ccc", "dddd", "eeeee"};
	for (size_t count = 0; count <= ARRAY_COUNT(arguments); count++) {
		struct user_stack_request request = {
			.top = TOP, .arguments = arguments, .argument_count = count};
		uint8_t image[USER_STACK_IMAGE_BYTES];
		uint64_t at;
		assert_int_equal(user_stack_build(&request, image, &at), STATUS_OK);
		assert_int_equal(at % 16, 0);
		assert_int_equal(word_at(image, at), count);
	}
}

static void test_arguments_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	static char longest[USER_STACK_IMAGE_BYTES];
	memset(longest, 'x', sizeof(longest) - 1);
	const char *arguments[17] = {longest};
	struct user_stack_request request = {
		.top = TOP, .arguments = arguments, .argument_count = 1};
	uint8_t image[USER_STACK_IMAGE_BYTES];
	uint64_t at = 1;
	assert_int_equal(user_stack_build(&request, image, &at), STATUS_TOO_LARGE);
	longest[USER_STACK_IMAGE_BYTES - 100] = '\0';
	assert_int_equal(user_stack_build(&request, image, &at), STATUS_TOO_LARGE);
	request.argument_count = 17;
	assert_int_equal(user_stack_build(&request, image, &at), STATUS_TOO_LARGE);
	assert_int_equal(at, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout_is_what_the_abi_says),
		cmocka_unit_test(test_no_argument_count_misaligns_the_stack),
		cmocka_unit_test(test_arguments_that_do_not_fit_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
