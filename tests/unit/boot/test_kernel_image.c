// SPDX-License-Identifier: MIT
/* A good kernel: what is decoded, loaded and relocated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "boot/kernel_image.h"
#include "fake_elf.h"

#define BASE 0xffffffff80123000ull

static uint8_t file[FAKE_ELF_BYTES];
static uint8_t memory[0x6000];
static struct kernel_image image;
static const char *problem;

static int setup(void **state)
{
	(void)state;
	problem = NULL;
	fake_elf_build(file);
	memset(memory, 0xee, sizeof(memory));
	memset(&image, 0, sizeof(image));
	return 0;
}

static void decode(void)
{
	const enum status status = kernel_image_decode(file, sizeof(file), &image, &problem);
	assert_int_equal(status, STATUS_OK);
	assert_null(problem);
}

static void test_kernel_image_decodes_segments(void **state)
{
	(void)state;
	decode();
	assert_int_equal(image.entry, 0x1004);
	assert_int_equal(image.size_bytes, 0x5000);
	assert_int_equal(image.alignment, 0x1000);
	assert_int_equal(image.segment_count, 3);
	assert_false(image.segments[0].writable || image.segments[0].executable);
	assert_false(image.segments[1].writable);
	assert_true(image.segments[1].executable);
	assert_true(image.segments[2].writable);
	assert_false(image.segments[2].executable);
	assert_int_equal(image.segments[2].begin, 0x2000);
	assert_int_equal(image.segments[2].address, 0x2010);
	assert_int_equal(image.segments[2].size_bytes, 0x3000);
	assert_int_equal(image.relro_begin, 0x2000);
	assert_int_equal(image.relro_end, 0x3000);
	assert_int_equal(image.relocation_count, 2);
}

static void test_kernel_image_loads_and_zeroes(void **state)
{
	(void)state;
	decode();
	kernel_image_load(&image, file, memory);
	assert_memory_equal(memory, file, 0x800);
	assert_int_equal(memory[0x800], 0);
	assert_int_equal(memory[0x1000], 0xcc);
	assert_int_equal(memory[0x1100], 0);
	assert_int_equal(memory[0x200f], 0);
	assert_int_equal(memory[0x21ff], 0xdd);
	assert_int_equal(memory[0x2200], 0);
	assert_int_equal(memory[0x4fff], 0);
	assert_int_equal(memory[0x5000], 0xee); /* Not ours. */
}

static void test_kernel_image_relocates(void **state)
{
	(void)state;
	decode();
	kernel_image_load(&image, file, memory);
	assert_int_equal(kernel_image_relocate(&image, memory, BASE, &problem), STATUS_OK);
	assert_true(bytes_load_le64(memory + FAKE_ELF_DATA) == BASE + 0x1004);
	assert_true(bytes_load_le64(memory + FAKE_ELF_DATA + 8) == BASE + 0x5000);
	assert_true(bytes_load_le64(memory + FAKE_ELF_DATA + 16) == 0);
}

static void test_kernel_image_without_relocations_or_relro(void **state)
{
	(void)state;
	bytes_store_le64(file + FAKE_ELF_DYNAMIC(FAKE_RELASZ) + 8, 0);
	bytes_store_le32(file + FAKE_ELF_PROGRAM(FAKE_RELRO), 0); /* PT_NULL. */
	decode();
	assert_int_equal(image.relocation_count, 0);
	assert_int_equal(image.relro_begin, image.relro_end);
	assert_int_equal(kernel_image_relocate(&image, memory, BASE, &problem), STATUS_OK);
}

/* Only whole pages that hold nothing else become read-only. */
static void test_kernel_image_relro_is_rounded_inwards(void **state)
{
	(void)state;
	uint8_t *relro = file + FAKE_ELF_PROGRAM(FAKE_RELRO);
	bytes_store_le64(relro + 40, 0x17f0); /* Ends in the middle of a page. */
	decode();
	assert_int_equal(image.relro_begin, 0x2000);
	assert_int_equal(image.relro_end, 0x3000);
	bytes_store_le64(relro + 16, 0x2020); /* Does not begin where the segment does. */
	bytes_store_le64(relro + 40, 0x1fe0);
	decode();
	assert_int_equal(image.relro_begin, 0x3000);
	assert_int_equal(image.relro_end, 0x4000);
	bytes_store_le64(relro + 40, 0x100); /* Holds no whole page. */
	decode();
	assert_int_equal(image.relro_begin, image.relro_end);
}

static void test_kernel_image_takes_large_alignment(void **state)
{
	(void)state;
	bytes_store_le64(file + FAKE_ELF_PROGRAM(FAKE_TEXT) + 48, 0x200000);
	decode();
	assert_int_equal(image.alignment, 0x200000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_kernel_image_decodes_segments, setup),
		cmocka_unit_test_setup(test_kernel_image_loads_and_zeroes, setup),
		cmocka_unit_test_setup(test_kernel_image_relocates, setup),
		cmocka_unit_test_setup(test_kernel_image_without_relocations_or_relro, setup),
		cmocka_unit_test_setup(test_kernel_image_relro_is_rounded_inwards, setup),
		cmocka_unit_test_setup(test_kernel_image_takes_large_alignment, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
