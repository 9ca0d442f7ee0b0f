// SPDX-License-Identifier: MIT
/* The books of the pool by themselves: what is lent, what is refused, and that a loan is found
 * wherever there is room for it, which no proof says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sharedmem/shared_pages.h"

#define PAGES 8u

static struct shared_pages pages;

static int setup(void **state)
{
	(void)state;
	shared_pages_init(&pages, PAGES, true);
	return 0;
}

static size_t lend(size_t count)
{
	size_t first = SIZE_MAX;
	assert_int_equal(shared_pages_lend(&pages, count, &first), STATUS_OK);
	return first;
}

static void expect_no_room(size_t count, enum status status)
{
	size_t first = 42;
	assert_int_equal(shared_pages_lend(&pages, count, &first), status);
	assert_int_equal(first, 42);
}

static void test_shared_pages_unconfirmed_run_is_of_no_use(void **state)
{
	(void)state;
	size_t first = 0;
	size_t count = 0;
	shared_pages_init(&pages, PAGES, false);
	expect_no_room(1, STATUS_NO_MEMORY);
	assert_false(shared_pages_free_run(&pages, 0, &first, &count));
	for (size_t i = 0; i <= PAGES; i++) {
		assert_false(shared_pages_is_private(&pages, i));
	}
}

static void test_shared_pages_lends_all_and_no_page_twice(void **state)
{
	(void)state;
	bool is_lent[PAGES] = {false};
	for (size_t i = 0; i < PAGES / 2; i++) {
		const size_t first = lend(2);
		assert_true(first + 2 <= PAGES);
		assert_false(is_lent[first] || is_lent[first + 1]);
		is_lent[first] = is_lent[first + 1] = true;
	}
	expect_no_room(1, STATUS_NO_MEMORY);
	expect_no_room(0, STATUS_INVALID);
}

/* The search goes on at the beginning, and a run may begin before the place where it started. */
static void test_shared_pages_finds_room_before_the_last_loan(void **state)
{
	(void)state;
	assert_int_equal(lend(6), 0);
	assert_true(shared_pages_return(&pages, 0, 6));
	assert_int_equal(lend(7), 0);
	expect_no_room(2, STATUS_NO_MEMORY);
	assert_int_equal(lend(1), 7);
}

static void test_shared_pages_refuses_wrong_returns(void **state)
{
	(void)state;
	const size_t a = lend(3);
	const size_t b = lend(2);
	const struct {
		size_t first;
		size_t count;
	} wrong[] = {
		{a, 0},
		{a, 2},
		{a, 4},
		{a, 5},
		{a + 1, 2},
		{b, 1},
		{b, 3},
		{b + 2, 1},
		{PAGES, 1},
		{b, 7},
		{a, SIZE_MAX - 1},
		{SIZE_MAX, 2},
		{SIZE_MAX - 1, 3},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(shared_pages_are_lent(&pages, wrong[i].first, wrong[i].count));
		assert_false(shared_pages_return(&pages, wrong[i].first, wrong[i].count));
		assert_false(shared_pages_leak(&pages, wrong[i].first, wrong[i].count));
	}
	assert_true(shared_pages_return(&pages, a, 3));
	assert_false(shared_pages_return(&pages, a, 3));
	assert_true(shared_pages_leak(&pages, b, 2));
	assert_false(shared_pages_leak(&pages, b, 2));
}

static void test_shared_pages_leaked_ones_are_gone(void **state)
{
	(void)state;
	size_t first = 0;
	size_t count = 0;
	assert_int_equal(lend(3), 0);
	assert_int_equal(lend(2), 3);
	assert_true(shared_pages_return(&pages, 0, 3));
	assert_true(shared_pages_leak(&pages, 3, 2));
	assert_true(shared_pages_free_run(&pages, 0, &first, &count));
	assert_int_equal(first, 0);
	assert_int_equal(count, 3);
	assert_true(shared_pages_free_run(&pages, 3, &first, &count));
	assert_int_equal(first, 5);
	assert_int_equal(count, 3);
	expect_no_room(4, STATUS_NO_MEMORY);
}

static void test_shared_pages_are_private_once_that_is_confirmed(void **state)
{
	(void)state;
	shared_pages_settle(&pages, 0, 3, true);
	shared_pages_settle(&pages, 3, 2, false);
	for (size_t i = 0; i < PAGES; i++) {
		assert_int_equal(shared_pages_is_private(&pages, i), i < 3);
	}
	assert_int_equal(lend(3), 5);
	expect_no_room(1, STATUS_NO_MEMORY);
}

#define TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shared_pages_unconfirmed_run_is_of_no_use),
		TEST(test_shared_pages_lends_all_and_no_page_twice),
		TEST(test_shared_pages_finds_room_before_the_last_loan),
		TEST(test_shared_pages_refuses_wrong_returns),
		TEST(test_shared_pages_leaked_ones_are_gone),
		TEST(test_shared_pages_are_private_once_that_is_confirmed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
