// SPDX-License-Identifier: MIT
/* The kernel's first address space: nothing missing, nothing extra, never out of table pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "boot/handover.h"

#define MIB        0x100000ull
#define GIB        (1024 * MIB)
#define KERNEL     (HANDOVER_KERNEL_LOWEST + 0x1fe000)
#define JUMP_PAGE  0x101000ull
#define JUMP_ALIAS (0xffff800000000000ull + JUMP_PAGE)
#define TABLES     0x10000000ull

static const struct kernel_image image = {
	.size_bytes = 0x5000,
	.alignment = 4096,
	.entry = 0x1000,
	.segment_count = 3,
	.segments =
		{
			{.begin = 0, .size_bytes = 0x1000},
			{.begin = 0x1000, .size_bytes = 0x1000, .executable = true},
			{.begin = 0x3000, .size_bytes = 0x2000, .writable = true},
		},
	.relro_begin = 0x3000,
	.relro_end = 0x4000,
};

struct fixture {
	struct table_pool pool;
	struct page_table_port port;
	struct page_table table;
	struct handover handover;
};

static enum status build(struct fixture *f, const struct memory_map *memory, uint64_t pages)
{
	f->pool = (struct table_pool){
		.pages = {{TABLES}, pages * PAGE_BYTES},
		.memory = aligned_alloc(PAGE_BYTES, (size_t)(pages + 1) * PAGE_BYTES),
	};
	assert_non_null(f->pool.memory);
	f->port = table_pool_port(&f->pool);
	f->handover = (struct handover){
		.memory = memory,
		.image = &image,
		.kernel = {{0x200000}, 0x5000},
		.kernel_virtual = KERNEL,
		.stack = {{0x300000}, HANDOVER_STACK_BYTES},
		.jump_page = {JUMP_PAGE},
		.jump_page_virtual = JUMP_ALIAS,
	};
	enum status status = page_table_init(&f->table, &f->port, 0);
	if (status == STATUS_OK) {
		status = handover_map(&f->table, &f->handover);
	}
	return status;
}

/* `rights`: "r", "rw", "rx", or "-" for nothing. */
static void expect(const struct fixture *f, uint64_t at, const char *rights, uint64_t phys)
{
	struct page_mapping mapping;
	const enum status status = page_table_lookup(&f->table, at, &mapping);
	if (rights[0] == '-') {
		assert_int_equal(status, STATUS_NOT_FOUND);
		return;
	}
	assert_int_equal(status, STATUS_OK);
	assert_int_equal(mapping.at.raw, phys);
	assert_int_equal(mapping.access.writable, rights[1] == 'w');
	assert_int_equal(mapping.access.executable, rights[1] == 'x');
	assert_false(mapping.access.user);
}

static void test_handover_maps_what_it_says(void **state)
{
	(void)state;
	const struct memory_map memory = {.count = 2,
					  .ranges = {{{MIB}, 63 * MIB}, {{4 * GIB}, GIB + 4096}}};
	struct fixture f;
	assert_int_equal(build(&f, &memory, handover_table_pages_max(&memory, image.size_bytes)),
			 STATUS_OK);
	expect(&f, HANDOVER_DIRECT_MAP + MIB, "rw", MIB);
	expect(&f, HANDOVER_DIRECT_MAP + MIB - 1, "-", 0);
	expect(&f, HANDOVER_DIRECT_MAP + 64 * MIB - 1, "rw", 64 * MIB - 1);
	expect(&f, HANDOVER_DIRECT_MAP + 64 * MIB, "-", 0);
	expect(&f, HANDOVER_DIRECT_MAP + 5 * GIB + 4095, "rw", 5 * GIB + 4095);
	expect(&f, HANDOVER_DIRECT_MAP + 5 * GIB + 4096, "-", 0);
	expect(&f, KERNEL - 1, "-", 0);
	expect(&f, KERNEL, "r", 0x200000);
	expect(&f, KERNEL + 0x1000, "rx", 0x201000);
	expect(&f, KERNEL + 0x2000, "-", 0); /* A gap between segments. */
	expect(&f, KERNEL + 0x3000, "r", 0x203000);
	expect(&f, KERNEL + 0x4000, "rw", 0x204000);
	expect(&f, KERNEL + 0x5000, "-", 0);
	const uint64_t bottom = handover_stack_bottom(&f.handover);
	const uint64_t top = handover_stack_top(&f.handover);
	assert_int_equal(bottom - (KERNEL + 0x5000), HANDOVER_GUARD_BYTES);
	assert_int_equal(top - bottom, HANDOVER_STACK_BYTES);
	expect(&f, bottom - 1, "-", 0);
	expect(&f, bottom, "rw", 0x300000);
	expect(&f, top - 1, "rw", 0x300000 + HANDOVER_STACK_BYTES - 1);
	expect(&f, top, "-", 0);
	expect(&f, JUMP_ALIAS, "rx", JUMP_PAGE);
	expect(&f, JUMP_ALIAS + 4096, "-", 0);
	expect(&f, JUMP_PAGE, "-", 0);
	expect(&f, 0, "-", 0);
	free(f.pool.memory);
}

/* The bound on table pages holds for awkward maps, and running out is an answer. */
static void test_handover_never_runs_out_of_tables(void **state)
{
	(void)state;
	struct memory_map maps[4] = {
		{.count = 1, .ranges = {{{MIB}, 4096}}},
		{.count = 1, .ranges = {{{MIB}, 511 * GIB}}},
		{.count = 2, .ranges = {{{MIB}, 3 * GIB - MIB}, {{4 * GIB}, 64 * GIB - 4096}}},
		{.count = BOOT_MEMORY_RANGES_MAX},
	};
	for (uint32_t i = 0; i < BOOT_MEMORY_RANGES_MAX; i++) {
		maps[3].ranges[i] = (struct phys_range){{(i + 1) * 600 * GIB - 4096}, 8192};
	}
	for (size_t i = 0; i < ARRAY_COUNT(maps); i++) {
		struct fixture f;
		const uint64_t pages = handover_table_pages_max(&maps[i], image.size_bytes);
		assert_int_equal(build(&f, &maps[i], pages), STATUS_OK);
		const uint64_t used = f.pool.used_bytes / PAGE_BYTES;
		free(f.pool.memory);
		assert_int_equal(build(&f, &maps[i], used - 1), STATUS_NO_MEMORY);
		free(f.pool.memory);
		assert_int_equal(build(&f, &maps[i], used), STATUS_OK);
		free(f.pool.memory);
	}
}

static void test_handover_slides_stay_in_their_window(void **state)
{
	(void)state;
	const uint64_t sizes[] = {4096, 0x17000, KERNEL_IMAGE_BYTES_MAX};
	const uint64_t alignments[] = {4096, 0x200000};
	uint64_t random = 1;
	for (int turn = 0; turn < 1000; turn++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		const uint64_t size = sizes[turn % 3];
		const uint64_t alignment = alignments[turn % 2];
		const uint64_t slide = handover_pick_slide(random, size, alignment);
		assert_int_equal(slide % alignment, 0);
		assert_true(slide + size <= HANDOVER_SLIDE_BYTES);
	}
	assert_int_equal(handover_pick_slide(0, 4096, 4096), 0);
	/* The last place can be reached. */
	const uint64_t places = HANDOVER_SLIDE_BYTES / 4096;
	assert_int_equal(handover_pick_slide(places - 1, 4096, 4096), HANDOVER_SLIDE_BYTES - 4096);
	assert_int_equal(handover_pick_slide(places, 4096, 4096), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handover_maps_what_it_says),
		cmocka_unit_test(test_handover_never_runs_out_of_tables),
		cmocka_unit_test(test_handover_slides_stay_in_their_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
