// SPDX-License-Identifier: MIT
/* The page allocator against a plain array of booleans, and at its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mm/page_alloc.h"

#define BASE  0x100000ull
#define PAGES 200u /* Not a multiple of 64: the last word has spare bits. */

struct fixture {
	struct page_alloc alloc;
	uint64_t bitmap[4];
	uint64_t guard;
};

static struct phys_range range_of(uint64_t first_page, uint64_t count)
{
	return (struct phys_range){{BASE + first_page * PAGE_BYTES}, count * PAGE_BYTES};
}

static struct phys_addr page_at(uint64_t index)
{
	return (struct phys_addr){BASE + index * PAGE_BYTES};
}

static void setup(struct fixture *f, uint64_t free_pages)
{
	f->guard = 0x1234;
	assert_int_equal(
		page_alloc_init(&f->alloc, range_of(0, PAGES), f->bitmap, sizeof(f->bitmap)),
		STATUS_OK);
	if (free_pages > 0) {
		assert_int_equal(page_alloc_add(&f->alloc, range_of(0, free_pages)), STATUS_OK);
	}
}

static void test_page_alloc_bitmap_bytes_round_up(void **state)
{
	(void)state;
	assert_int_equal(page_alloc_bitmap_bytes(range_of(0, 0)), 0);
	assert_int_equal(page_alloc_bitmap_bytes(range_of(0, 1)), 8);
	assert_int_equal(page_alloc_bitmap_bytes(range_of(0, 64)), 8);
	assert_int_equal(page_alloc_bitmap_bytes(range_of(0, 65)), 16);
	const struct phys_range all = {{0}, UINT64_MAX};
	assert_true(page_alloc_bitmap_bytes(all) == 1ull << 49);
}

static void test_page_alloc_init_refuses_bad_spans(void **state)
{
	(void)state;
	struct page_alloc alloc;
	uint64_t bitmap[4];
	const struct phys_range spans[] = {
		{{BASE}, 0},
		{{BASE + 1}, PAGE_BYTES},
		{{BASE}, PAGE_BYTES + 1},
		{{1ull << 52}, PAGE_BYTES},
		{{UINT64_MAX - PAGE_OFFSET}, 2 * PAGE_BYTES},
		{{BASE}, 257 * PAGE_BYTES}, /* The bitmap has room for 256. */
	};
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		assert_int_equal(page_alloc_init(&alloc, spans[i], bitmap, sizeof(bitmap)),
				 STATUS_INVALID);
	}
}

static void test_page_alloc_starts_empty_and_never_overruns(void **state)
{
	(void)state;
	struct fixture f;
	struct phys_addr got = {77};
	setup(&f, 0);
	assert_int_equal(page_alloc_take(&f.alloc, 1, &got), STATUS_NO_MEMORY);
	assert_int_equal(got.raw, 77);
	assert_int_equal(page_alloc_add(&f.alloc, range_of(0, PAGES)), STATUS_OK);
	for (uint64_t i = 0; i < PAGES; i++) {
		assert_int_equal(page_alloc_take(&f.alloc, 1, &got), STATUS_OK);
		assert_int_equal(got.raw, page_at(i).raw);
	}
	assert_int_equal(page_alloc_take(&f.alloc, 1, &got), STATUS_NO_MEMORY);
	assert_int_equal(page_alloc_free_pages(&f.alloc), 0);
	assert_int_equal(f.guard, 0x1234);
}

static void test_page_alloc_refuses_double_free_and_strangers(void **state)
{
	(void)state;
	struct fixture f;
	struct phys_addr got;
	setup(&f, PAGES);
	assert_int_equal(page_alloc_take(&f.alloc, 3, &got), STATUS_OK);
	assert_int_equal(page_alloc_give(&f.alloc, got, 2), STATUS_OK);
	assert_int_equal(page_alloc_give(&f.alloc, got, 1), STATUS_INVALID);
	/* Two of the three are free already: the third must stay taken. */
	assert_int_equal(page_alloc_give(&f.alloc, got, 3), STATUS_INVALID);
	assert_int_equal(page_alloc_free_pages(&f.alloc), PAGES - 1);
	assert_int_equal(page_alloc_give(&f.alloc, page_at(2), 1), STATUS_OK);
	assert_int_equal(page_alloc_give(&f.alloc, page_at(PAGES), 1), STATUS_INVALID);
	assert_int_equal(page_alloc_give(&f.alloc, (struct phys_addr){BASE - PAGE_BYTES}, 1),
			 STATUS_INVALID);
	assert_int_equal(page_alloc_give(&f.alloc, (struct phys_addr){0}, 1), STATUS_INVALID);
	assert_int_equal(page_alloc_give(&f.alloc, page_at(0), 0), STATUS_INVALID);
	assert_int_equal(page_alloc_give(&f.alloc, page_at(0), SIZE_MAX), STATUS_INVALID);
	assert_int_equal(page_alloc_free_pages(&f.alloc), PAGES);
}

static void test_page_alloc_refuses_unaligned_gifts(void **state)
{
	(void)state;
	struct fixture f;
	setup(&f, 0);
	assert_int_equal(page_alloc_give(&f.alloc, (struct phys_addr){BASE + 1}, 1),
			 STATUS_INVALID);
	assert_int_equal(page_alloc_add(&f.alloc, (struct phys_range){{BASE}, PAGE_BYTES + 8}),
			 STATUS_INVALID);
	assert_int_equal(page_alloc_add(&f.alloc, (struct phys_range){{BASE}, 0}), STATUS_INVALID);
	assert_int_equal(page_alloc_add(&f.alloc, range_of(PAGES - 1, 2)), STATUS_INVALID);
	assert_int_equal(page_alloc_free_pages(&f.alloc), 0);
	assert_int_equal(page_alloc_add(&f.alloc, range_of(PAGES - 1, 1)), STATUS_OK);
	assert_int_equal(page_alloc_add(&f.alloc, range_of(PAGES - 2, 2)), STATUS_INVALID);
	assert_int_equal(page_alloc_free_pages(&f.alloc), 1);
}

static void test_page_alloc_finds_runs_across_the_hint(void **state)
{
	(void)state;
	struct fixture f;
	struct phys_addr got;
	setup(&f, PAGES);
	assert_int_equal(page_alloc_take(&f.alloc, PAGES, &got), STATUS_OK);
	/* The hint wrapped to 0. Free 90..109 and move the hint to 100 by taking 90..99. */
	assert_int_equal(page_alloc_give(&f.alloc, page_at(90), 20), STATUS_OK);
	assert_int_equal(page_alloc_take(&f.alloc, 10, &got), STATUS_OK);
	assert_int_equal(got.raw, page_at(90).raw);
	assert_int_equal(page_alloc_give(&f.alloc, page_at(90), 10), STATUS_OK);
	/* 20 pages begin before the hint and end after it. */
	assert_int_equal(page_alloc_take(&f.alloc, 20, &got), STATUS_OK);
	assert_int_equal(got.raw, page_at(90).raw);
}

static void test_page_alloc_skips_holes(void **state)
{
	(void)state;
	struct fixture f;
	struct phys_addr got = {5};
	setup(&f, 0);
	for (uint64_t i = 0; i < PAGES; i += 2) {
		assert_int_equal(page_alloc_add(&f.alloc, range_of(i, 1)), STATUS_OK);
	}
	assert_int_equal(page_alloc_take(&f.alloc, 2, &got), STATUS_NO_MEMORY);
	assert_int_equal(got.raw, 5);
	assert_int_equal(page_alloc_add(&f.alloc, range_of(131, 1)), STATUS_OK);
	assert_int_equal(page_alloc_take(&f.alloc, 3, &got), STATUS_OK);
	assert_int_equal(got.raw, page_at(130).raw);
	assert_int_equal(page_alloc_take(&f.alloc, 0, &got), STATUS_INVALID);
	assert_int_equal(page_alloc_take(&f.alloc, SIZE_MAX, &got), STATUS_NO_MEMORY);
}

/* A long random sequence; every answer must agree with the array. */
static void test_page_alloc_agrees_with_a_model(void **state)
{
	(void)state;
	struct fixture f;
	bool taken[PAGES] = {false};
	uint64_t random = 88172645463325252ull;
	setup(&f, PAGES);
	for (int turn = 0; turn < 20000; turn++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		const size_t count = 1 + (random >> 8) % 9;
		const uint64_t index = (random >> 16) % PAGES;
		uint64_t in_use = 0;
		for (size_t i = 0; i < count && index + i < PAGES; i++) {
			in_use += taken[index + i];
		}
		struct phys_addr got;
		if (random % 2 == 0) {
			const enum status want = in_use == count ? STATUS_OK : STATUS_INVALID;
			assert_int_equal(page_alloc_give(&f.alloc, page_at(index), count), want);
			for (size_t i = 0; want == STATUS_OK && i < count; i++) {
				taken[index + i] = false;
			}
		} else if (page_alloc_take(&f.alloc, count, &got) == STATUS_OK) {
			for (size_t i = 0; i < count; i++) {
				const uint64_t page = (got.raw - BASE) / PAGE_BYTES + i;
				assert_false(taken[page]);
				taken[page] = true;
			}
		}
	}
	uint64_t free_count = 0;
	for (size_t i = 0; i < PAGES; i++) {
		free_count += taken[i] ? 0 : 1;
	}
	assert_int_equal(page_alloc_free_pages(&f.alloc), free_count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_alloc_bitmap_bytes_round_up),
		cmocka_unit_test(test_page_alloc_init_refuses_bad_spans),
		cmocka_unit_test(test_page_alloc_starts_empty_and_never_overruns),
		cmocka_unit_test(test_page_alloc_refuses_double_free_and_strangers),
		cmocka_unit_test(test_page_alloc_refuses_unaligned_gifts),
		cmocka_unit_test(test_page_alloc_finds_runs_across_the_hint),
		cmocka_unit_test(test_page_alloc_skips_holes),
		cmocka_unit_test(test_page_alloc_agrees_with_a_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
