// SPDX-License-Identifier: MIT
/* The pool: one transition at boot, loans without any, scrubbing, leaks instead of reuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/check.h"
#include "sharedmem/sharedmem.h"
#include "tests/unit/expect_check.h"
#include "tests/unit/sharedmem/shared_access_host.h"

#define PAGES     8u
#define PHYS_BASE 0x40000000u /* Never equal to the pointer: a mix-up shows. */

static _Alignas(4096) uint8_t pool[PAGES * PAGE_BYTES];

/* A platform that keeps books and fails when told to. */
struct platform {
	unsigned int share_calls;
	unsigned int unshare_calls;
	unsigned int unshare_fails_at; /* 1-based; 0: never. */
	enum status share_result;
	size_t pages_unshared;
};

static enum status platform_share(void *context, struct phys_addr first, size_t page_count)
{
	struct platform *platform = context;
	platform->share_calls++;
	assert_int_equal(first.raw, PHYS_BASE);
	assert_int_equal(page_count, PAGES);
	return platform->share_result;
}

static enum status platform_unshare(void *context, struct phys_addr first, size_t page_count)
{
	struct platform *platform = context;
	platform->unshare_calls++;
	assert_true(first.raw >= PHYS_BASE);
	if (platform->unshare_calls == platform->unshare_fails_at) {
		return STATUS_BAD_HOST;
	}
	platform->pages_unshared += page_count;
	return STATUS_OK;
}

struct fixture {
	struct platform platform;
	struct page_state_ops ops;
	struct sharedmem memory;
};

static struct fixture fixture;

static int setup(void **state)
{
	memset(&fixture, 0, sizeof(fixture));
	fixture.ops = (struct page_state_ops){platform_share, platform_unshare, &fixture.platform};
	*state = &fixture;
	return sharedmem_init(&fixture.memory, &fixture.ops, (struct phys_addr){PHYS_BASE}, pool,
			      PAGES) == STATUS_OK
		       ? 0
		       : -1;
}

static struct sharedmem_counters counters_of(const struct fixture *f)
{
	struct sharedmem_counters counters;
	sharedmem_counters_get(&f->memory, &counters);
	return counters;
}

static void test_sharedmem_init_refuses_bad_runs(void **state)
{
	(void)state;
	struct sharedmem memory;
	const struct page_state_ops *ops = &fixture.ops;
	const struct phys_addr good = {PHYS_BASE};
	fixture.platform.share_calls = 0;
	assert_int_equal(sharedmem_init(&memory, ops, good, pool, 0), STATUS_INVALID);
	assert_int_equal(sharedmem_init(&memory, ops, good, NULL, 1), STATUS_INVALID);
	assert_int_equal(sharedmem_init(&memory, ops, good, pool + 8, 1), STATUS_INVALID);
	assert_int_equal(sharedmem_init(&memory, ops, (struct phys_addr){PHYS_BASE + 1}, pool, 1),
			 STATUS_INVALID);
	assert_int_equal(sharedmem_init(&memory, ops, good, pool, SHAREDMEM_PAGES_MAX + 1),
			 STATUS_INVALID);
	assert_int_equal(
		sharedmem_init(&memory, ops, (struct phys_addr){UINT64_MAX - PAGE_OFFSET}, pool, 1),
		STATUS_INVALID);
	assert_int_equal(fixture.platform.share_calls, 0);
}

static void test_sharedmem_failed_share_leaks_the_run(void **state)
{
	struct fixture *f = *state;
	struct shared_region region;
	f->platform.share_result = STATUS_IO;
	assert_int_equal(
		sharedmem_init(&f->memory, &f->ops, (struct phys_addr){PHYS_BASE}, pool, PAGES),
		STATUS_IO);
	assert_int_equal(counters_of(f).pages_leaked, PAGES);
	assert_int_equal(sharedmem_region_acquire(&f->memory, 1, &region), STATUS_NO_MEMORY);
	assert_int_equal(sharedmem_fini(&f->memory), STATUS_OK);
	assert_false(sharedmem_page_is_private(&f->memory, 0));
}

static void test_sharedmem_changes_visibility_once(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 100; i++) {
		struct shared_region a;
		struct shared_region b;
		assert_int_equal(sharedmem_region_acquire(&f->memory, 3, &a), STATUS_OK);
		assert_int_equal(sharedmem_region_acquire(&f->memory, 1, &b), STATUS_OK);
		sharedmem_region_release(&a);
		sharedmem_region_release(&b);
	}
	assert_int_equal(f->platform.share_calls, 1);
	assert_int_equal(counters_of(f).transitions, 1);
	assert_int_equal(counters_of(f).pages_shared, PAGES);
	assert_int_equal(counters_of(f).pages_lent, 0);
}

static void test_sharedmem_lends_disjoint_runs_until_empty(void **state)
{
	struct fixture *f = *state;
	struct shared_region regions[PAGES];
	for (size_t i = 0; i < PAGES; i++) {
		assert_int_equal(sharedmem_region_acquire(&f->memory, 1, &regions[i]), STATUS_OK);
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(regions[i].at.raw, regions[j].at.raw);
		}
	}
	struct shared_region more;
	assert_int_equal(sharedmem_region_acquire(&f->memory, 1, &more), STATUS_NO_MEMORY);
	assert_int_equal(sharedmem_region_acquire(&f->memory, 0, &more), STATUS_INVALID);
	sharedmem_region_release(&regions[2]);
	sharedmem_region_release(&regions[4]);
	assert_int_equal(sharedmem_region_acquire(&f->memory, 2, &more), STATUS_NO_MEMORY);
	sharedmem_region_release(&regions[3]);
	assert_int_equal(sharedmem_region_acquire(&f->memory, 3, &more), STATUS_OK);
	assert_int_equal(more.at.raw, PHYS_BASE + 2 * PAGE_BYTES);
}

static void test_sharedmem_scrubs_on_release_and_zeroes_on_reuse(void **state)
{
	struct fixture *f = *state;
	struct shared_region region;
	const uint8_t secret[4] = {1, 2, 3, 4};
	assert_int_equal(sharedmem_region_acquire(&f->memory, PAGES, &region), STATUS_OK);
	shared_copy_out(&region, 100, secret, sizeof(secret));
	sharedmem_region_release(&region);
	assert_null(region.owner);
	assert_memory_equal(pool + 100, "\0\0\0\0", 4);
	pool[5000] = 0xee; /* The host writes to a free page. */
	assert_int_equal(sharedmem_region_acquire(&f->memory, PAGES, &region), STATUS_OK);
	assert_int_equal(shared_load_u8(&region, 5000), 0);
}

static void test_sharedmem_never_lends_a_leaked_page(void **state)
{
	struct fixture *f = *state;
	struct shared_region region;
	assert_int_equal(sharedmem_region_acquire(&f->memory, 3, &region), STATUS_OK);
	sharedmem_leak(&region);
	assert_null(region.owner);
	sharedmem_leak(&region); /* Empty handles are ignored. */
	sharedmem_region_release(&region);
	assert_int_equal(counters_of(f).pages_leaked, 3);
	assert_int_equal(sharedmem_region_acquire(&f->memory, PAGES - 2, &region),
			 STATUS_NO_MEMORY);
	assert_int_equal(sharedmem_region_acquire(&f->memory, PAGES - 3, &region), STATUS_OK);
	sharedmem_region_release(&region);
	assert_int_equal(sharedmem_fini(&f->memory), STATUS_OK);
	assert_int_equal(f->platform.pages_unshared, PAGES - 3);
	assert_int_equal(counters_of(f).pages_shared, 3);
	assert_false(sharedmem_page_is_private(&f->memory, 0));
	assert_true(sharedmem_page_is_private(&f->memory, 3));
	assert_false(sharedmem_page_is_private(&f->memory, PAGES));
}

static void test_sharedmem_fini_is_refused_while_lent(void **state)
{
	struct fixture *f = *state;
	struct shared_region region;
	assert_int_equal(sharedmem_region_acquire(&f->memory, 1, &region), STATUS_OK);
	assert_int_equal(sharedmem_fini(&f->memory), STATUS_BUSY);
	assert_int_equal(f->platform.unshare_calls, 0);
	sharedmem_region_release(&region);
	assert_int_equal(sharedmem_fini(&f->memory), STATUS_OK);
	assert_int_equal(sharedmem_region_acquire(&f->memory, 1, &region), STATUS_NO_MEMORY);
}

static void test_sharedmem_failed_unshare_leaks_that_run_only(void **state)
{
	struct fixture *f = *state;
	struct shared_region head;
	struct shared_region middle;
	assert_int_equal(sharedmem_region_acquire(&f->memory, 2, &head), STATUS_OK);
	assert_int_equal(sharedmem_region_acquire(&f->memory, 1, &middle), STATUS_OK);
	sharedmem_leak(&middle); /* Splits the pool into two runs. */
	sharedmem_region_release(&head);
	f->platform.unshare_fails_at = 1;
	assert_int_equal(sharedmem_fini(&f->memory), STATUS_BAD_HOST);
	assert_int_equal(f->platform.unshare_calls, 2);
	assert_false(sharedmem_page_is_private(&f->memory, 0));
	assert_true(sharedmem_page_is_private(&f->memory, 3));
	assert_int_equal(counters_of(f).pages_leaked, 3);
	assert_int_equal(counters_of(f).transitions, 3);
}

static void test_shared_accessors_are_little_endian_and_counted(void **state)
{
	struct fixture *f = *state;
	struct shared_region region;
	uint8_t bytes[5];
	assert_int_equal(sharedmem_region_acquire(&f->memory, 1, &region), STATUS_OK);
	shared_store_u64(&region, 8, 0x0807060504030201u);
	assert_int_equal(shared_load_u8(&region, 8), 1);
	assert_int_equal(shared_load_u16(&region, 10), 0x0403);
	assert_int_equal(shared_load_u32(&region, 12), 0x08070605);
	assert_int_equal(shared_load_u64(&region, 8), 0x0807060504030201u);
	shared_store_u8(&region, 0, 9);
	shared_store_u16(&region, 2, 0x1234);
	shared_store_u32(&region, 4, 0x56789abc);
	assert_int_equal(shared_load_u64(&region, 0), 0x56789abc12340009u);
	shared_copy_in(bytes, &region, 9, sizeof(bytes));
	assert_memory_equal(bytes, "\2\3\4\5\6", 5);
	shared_copy_out(&region, 4091, bytes, 5);
	assert_int_equal(counters_of(f).bytes_copied_in, 5);
	assert_int_equal(counters_of(f).bytes_copied_out, 5);
	assert_int_equal(shared_region_addr(&region, 16, 4080).raw, region.at.raw + 16);
	shared_fence();
}

static void test_shared_accessors_check_range_and_alignment(void **state)
{
	struct fixture *f = *state;
	struct shared_region region;
	uint8_t byte = 0;
	assert_int_equal(sharedmem_region_acquire(&f->memory, 1, &region), STATUS_OK);
	ASSERT_CHECKS((void)shared_load_u8(&region, PAGE_BYTES));
	ASSERT_CHECKS((void)shared_load_u64(&region, PAGE_BYTES - 4));
	ASSERT_CHECKS((void)shared_load_u64(&region, SIZE_MAX - 3));
	ASSERT_CHECKS((void)shared_load_u16(&region, 1));
	ASSERT_CHECKS((void)shared_load_u64(&region, 4));
	ASSERT_CHECKS(shared_store_u32(&region, 2, 0));
	ASSERT_CHECKS(shared_store_u8(&region, PAGE_BYTES, 0));
	ASSERT_CHECKS(shared_copy_in(&byte, &region, PAGE_BYTES, 1));
	ASSERT_CHECKS(shared_copy_out(&region, PAGE_BYTES - 1, pool, 2));
	ASSERT_CHECKS(shared_zero(&region, 1, PAGE_BYTES));
	ASSERT_CHECKS((void)shared_region_addr(&region, 1, PAGE_BYTES));
	const struct shared_region empty = {0};
	ASSERT_CHECKS((void)shared_load_u8(&empty, 0));
}

static void test_sharedmem_checks_a_second_release(void **state)
{
	struct fixture *f = *state;
	struct shared_region region;
	assert_int_equal(sharedmem_region_acquire(&f->memory, 2, &region), STATUS_OK);
	struct shared_region copy = region;
	sharedmem_region_release(&region);
	ASSERT_CHECKS(sharedmem_region_release(&copy));
	ASSERT_CHECKS(sharedmem_leak(&copy));
	assert_int_equal(sharedmem_region_acquire(&f->memory, 1, &region), STATUS_OK);
	copy = region;
	sharedmem_region_release(&region);
	ASSERT_CHECKS(sharedmem_region_release(&copy));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sharedmem_init_refuses_bad_runs),
		TEST(test_sharedmem_failed_share_leaks_the_run),
		TEST(test_sharedmem_changes_visibility_once),
		TEST(test_sharedmem_lends_disjoint_runs_until_empty),
		TEST(test_sharedmem_scrubs_on_release_and_zeroes_on_reuse),
		TEST(test_sharedmem_never_lends_a_leaked_page),
		TEST(test_sharedmem_fini_is_refused_while_lent),
		TEST(test_sharedmem_failed_unshare_leaks_that_run_only),
		TEST(test_shared_accessors_are_little_endian_and_counted),
		TEST(test_shared_accessors_check_range_and_alignment),
		TEST(test_sharedmem_checks_a_second_release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
