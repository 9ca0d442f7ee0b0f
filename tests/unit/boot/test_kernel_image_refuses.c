// SPDX-License-Identifier: MIT
/* Broken and foreign kernels: each by its name, none by a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "boot/kernel_image.h"
#include "fake_elf.h"

#define BASE 0xffffffff80000000ull

/* Offsets within a program header. */
#define P_TYPE   0u
#define P_FLAGS  4u
#define P_OFFSET 8u
#define P_VADDR  16u
#define P_FILESZ 32u
#define P_MEMSZ  40u
#define P_ALIGN  48u

struct change {
	size_t offset;
	size_t width;
	uint64_t value;
	enum status status;
	const char *word; /* Has to occur in the problem's text. */
};

static void apply(uint8_t *file, const struct change *change)
{
	switch (change->width) {
	case 2: bytes_store_le16(file + change->offset, (uint16_t)change->value); break;
	case 4: bytes_store_le32(file + change->offset, (uint32_t)change->value); break;
	default: bytes_store_le64(file + change->offset, change->value); break;
	}
}

static void expect_decode(const struct change *change)
{
	uint8_t file[FAKE_ELF_BYTES];
	struct kernel_image image = {.size_bytes = 4711};
	const char *problem = "";
	fake_elf_build(file);
	apply(file, change);
	const enum status status = kernel_image_decode(file, sizeof(file), &image, &problem);
	if (status != change->status || strstr(problem, change->word) == NULL) {
		print_error("at 0x%zx: %d, %s\n", change->offset, (int)status, problem);
	}
	assert_int_equal(status, change->status);
	assert_non_null(strstr(problem, change->word));
	assert_int_equal(image.size_bytes, 4711);
}

#define PROGRAM(i, field) (FAKE_ELF_PROGRAM(i) + (field))

static void test_kernel_image_refuses_headers(void **state)
{
	(void)state;
	const struct change rows[] = {
		{0, 4, 0x464c457e, STATUS_BAD_CONFIG, "64-bit ELF"},
		{4, 2, 0x0101, STATUS_BAD_CONFIG, "64-bit ELF"}, /* 32-bit. */
		{4, 2, 0x0202, STATUS_BAD_CONFIG, "64-bit ELF"}, /* Big-endian. */
		{16, 2, 2, STATUS_UNSUPPORTED, "PIE"},           /* ET_EXEC. */
		{18, 2, 183, STATUS_UNSUPPORTED, "PIE"},         /* AArch64. */
		{24, 8, 0x800, STATUS_BAD_CONFIG, "entry"},
		{24, 8, 0x2010, STATUS_BAD_CONFIG, "entry"},
		{24, 8, UINT64_MAX, STATUS_BAD_CONFIG, "entry"},
		{32, 8, FAKE_ELF_BYTES - 1, STATUS_BAD_CONFIG, "program headers"},
		{32, 8, UINT64_MAX, STATUS_BAD_CONFIG, "program headers"},
		{54, 2, 55, STATUS_BAD_CONFIG, "program headers"},
		{56, 2, 0, STATUS_BAD_CONFIG, "program headers"},
		{56, 2, 33, STATUS_BAD_CONFIG, "program headers"},
		{56, 2, 0xffff, STATUS_BAD_CONFIG, "program headers"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_decode(&rows[i]);
	}
}

static void test_kernel_image_refuses_segments(void **state)
{
	(void)state;
	const struct change rows[] = {
		{PROGRAM(FAKE_TEXT, P_FLAGS), 4, 7, STATUS_INVALID, "writable and executable"},
		{PROGRAM(FAKE_TEXT, P_OFFSET), 8, 0x2101, STATUS_BAD_CONFIG, "outside the file"},
		{PROGRAM(FAKE_TEXT, P_OFFSET), 8, UINT64_MAX, STATUS_BAD_CONFIG, "outside"},
		{PROGRAM(FAKE_TEXT, P_FILESZ), 8, 0x2000, STATUS_BAD_CONFIG, "outside the file"},
		{PROGRAM(FAKE_TEXT, P_MEMSZ), 8, 0xff, STATUS_BAD_CONFIG, "outside the file"},
		{PROGRAM(FAKE_TEXT, P_MEMSZ), 8, 0x1001, STATUS_BAD_CONFIG, "share a page"},
		{PROGRAM(FAKE_DATA, P_MEMSZ), 8, UINT64_MAX, STATUS_UNSUPPORTED, "too large"},
		{PROGRAM(FAKE_DATA, P_MEMSZ), 8, 64 << 20, STATUS_UNSUPPORTED, "too large"},
		{PROGRAM(FAKE_TEXT, P_VADDR), 8, 0x7ff, STATUS_BAD_CONFIG, "share a page"},
		{PROGRAM(FAKE_TEXT, P_VADDR), 8, 0x2000, STATUS_BAD_CONFIG, "share a page"},
		{PROGRAM(FAKE_TEXT, P_VADDR), 8, UINT64_MAX, STATUS_UNSUPPORTED, "too large"},
		{PROGRAM(FAKE_READ_ONLY, P_TYPE), 4, 0, STATUS_UNSUPPORTED, "linked at 0"},
		{PROGRAM(FAKE_TEXT, P_ALIGN), 8, 0x800, STATUS_UNSUPPORTED, "page-aligned"},
		{PROGRAM(FAKE_TEXT, P_ALIGN), 8, 0x1800, STATUS_UNSUPPORTED, "page-aligned"},
		{PROGRAM(FAKE_TEXT, P_ALIGN), 8, 0x400000, STATUS_UNSUPPORTED, "page-aligned"},
		{PROGRAM(FAKE_STACK, P_FLAGS), 4, 7, STATUS_UNSUPPORTED, "executable stack"},
		{PROGRAM(FAKE_STACK, P_TYPE), 4, 3, STATUS_UNSUPPORTED,
		 "unknown type"}, /* INTERP */
		{PROGRAM(FAKE_STACK, P_TYPE), 4, 7, STATUS_UNSUPPORTED, "unknown type"}, /* TLS */
		{PROGRAM(FAKE_RELRO, P_VADDR), 8, 0x1000, STATUS_BAD_CONFIG, "RELRO"},
		{PROGRAM(FAKE_RELRO, P_MEMSZ), 8, 0x3000, STATUS_BAD_CONFIG, "RELRO"},
		{PROGRAM(FAKE_RELRO, P_MEMSZ), 8, UINT64_MAX, STATUS_BAD_CONFIG, "RELRO"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_decode(&rows[i]);
	}
}

static void test_kernel_image_segments_are_bounded(void **state)
{
	(void)state;
	uint8_t file[FAKE_ELF_BYTES];
	struct kernel_image image;
	const char *problem = "";
	fake_elf_build(file);
	/* Eight is the limit: three, then five more behind them, then one too many. */
	for (unsigned i = 0; i <= KERNEL_SEGMENTS_MAX - 3; i++) {
		uint8_t *program = file + FAKE_ELF_PROGRAM(FAKE_PROGRAMS + i);
		memcpy(program, file + FAKE_ELF_PROGRAM(FAKE_READ_ONLY), 56);
		bytes_store_le64(program + P_VADDR, 0x5000 + i * 0x1000);
		bytes_store_le16(file + 56, (uint16_t)(FAKE_PROGRAMS + i + 1));
		const enum status status =
			kernel_image_decode(file, sizeof(file), &image, &problem);
		if (i < KERNEL_SEGMENTS_MAX - 3) {
			assert_int_equal(status, STATUS_OK);
		} else {
			assert_int_equal(status, STATUS_UNSUPPORTED);
			assert_non_null(strstr(problem, "too many segments"));
		}
	}
}

static void test_kernel_image_refuses_dynamics(void **state)
{
	(void)state;
	const size_t flags = FAKE_ELF_DYNAMIC(FAKE_FLAGS);
	const struct change rows[] = {
		{PROGRAM(FAKE_DYNAMIC, P_TYPE), 4, 0, STATUS_BAD_CONFIG, "no dynamic section"},
		{PROGRAM(FAKE_DYNAMIC, P_OFFSET), 8, FAKE_ELF_BYTES, STATUS_BAD_CONFIG, "outside"},
		{PROGRAM(FAKE_DYNAMIC, P_FILESZ), 8, 80, STATUS_BAD_CONFIG, "does not end"},
		{PROGRAM(FAKE_DYNAMIC, P_FILESZ), 8, 0, STATUS_BAD_CONFIG, "does not end"},
		{FAKE_ELF_DYNAMIC(FAKE_RELAENT) + 8, 8, 16, STATUS_BAD_CONFIG, "another size"},
		{FAKE_ELF_DYNAMIC(FAKE_RELASZ) + 8, 8, 47, STATUS_BAD_CONFIG, "odd size"},
		{FAKE_ELF_DYNAMIC(FAKE_RELASZ) + 8, 8, 24 << 20, STATUS_BAD_CONFIG, "constant"},
		{FAKE_ELF_DYNAMIC(FAKE_RELA) + 8, 8, UINT64_MAX - 7, STATUS_BAD_CONFIG, "constant"},
		{FAKE_ELF_DYNAMIC(FAKE_RELA) + 8, 8, 0x2100, STATUS_BAD_CONFIG, "constant"},
		{FAKE_ELF_DYNAMIC(FAKE_RELA) + 8, 8, 0x7000, STATUS_BAD_CONFIG, "constant"},
		{FAKE_ELF_DYNAMIC(FAKE_PLTRELSZ) + 8, 8, 24, STATUS_UNSUPPORTED, "PLT"},
		{flags + 8, 8, 4, STATUS_UNSUPPORTED, "text relocations"},
		{flags, 8, 1, STATUS_UNSUPPORTED, "tag"},  /* NEEDED */
		{flags, 8, 17, STATUS_UNSUPPORTED, "tag"}, /* REL */
		{flags, 8, 22, STATUS_UNSUPPORTED, "tag"}, /* TEXTREL */
		{flags, 8, 23, STATUS_UNSUPPORTED, "tag"}, /* JMPREL */
		{flags, 8, 25, STATUS_UNSUPPORTED, "tag"}, /* INIT_ARRAY */
		{flags, 8, 36, STATUS_UNSUPPORTED, "tag"}, /* RELR */
		{flags, 8, UINT64_MAX, STATUS_UNSUPPORTED, "tag"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_decode(&rows[i]);
	}
}

static void test_kernel_image_dynamic_section_is_bounded(void **state)
{
	(void)state;
	/* Entries without end, all harmless. */
	static uint8_t file[0x2010 + 16 * 100];
	struct kernel_image image;
	const char *problem = "";
	fake_elf_build(file);
	for (size_t i = 0; i < 100; i++) {
		bytes_store_le64(file + FAKE_ELF_DYNAMIC(i), 21); /* DT_DEBUG */
	}
	bytes_store_le64(file + PROGRAM(FAKE_DYNAMIC, P_FILESZ), 1600);
	assert_int_equal(kernel_image_decode(file, sizeof(file), &image, &problem),
			 STATUS_BAD_CONFIG);
	assert_non_null(strstr(problem, "does not end"));
}

static void test_kernel_image_refuses_relocations(void **state)
{
	(void)state;
	const size_t first = FAKE_ELF_RELOCATION(0);
	const struct change rows[] = {
		{first + 8, 8, 1, STATUS_UNSUPPORTED, "R_X86_64_RELATIVE"},  /* R_X86_64_64 */
		{first + 8, 8, 6, STATUS_UNSUPPORTED, "R_X86_64_RELATIVE"},  /* GLOB_DAT */
		{first + 8, 8, 37, STATUS_UNSUPPORTED, "R_X86_64_RELATIVE"}, /* IRELATIVE */
		{first + 8, 8, 1ull << 32 | 8, STATUS_UNSUPPORTED, "R_X86_64_RELATIVE"},
		{first, 8, 0x1000, STATUS_BAD_CONFIG, "writable"},
		{first, 8, 0x400, STATUS_BAD_CONFIG, "writable"},
		{first, 8, 0x4ff9, STATUS_BAD_CONFIG, "writable"},
		{first, 8, 0x1ffc, STATUS_BAD_CONFIG, "writable"},
		{first, 8, UINT64_MAX - 3, STATUS_BAD_CONFIG, "writable"},
		{first + 16, 8, 0x5001, STATUS_BAD_CONFIG, "outside the kernel"},
		{first + 16, 8, UINT64_MAX, STATUS_BAD_CONFIG, "outside the kernel"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t file[FAKE_ELF_BYTES];
		static uint8_t memory[0x5000];
		struct kernel_image image;
		const char *problem = "";
		fake_elf_build(file);
		apply(file, &rows[i]);
		assert_int_equal(kernel_image_decode(file, sizeof(file), &image, &problem),
				 STATUS_OK);
		kernel_image_load(&image, file, memory);
		assert_int_equal(kernel_image_relocate(&image, memory, BASE, &problem),
				 rows[i].status);
		assert_non_null(strstr(problem, rows[i].word));
	}
}

/* Whatever the bytes are: decode, and if that works load and relocate into exactly as much memory
 * as was asked for. The sanitizers watch. */
static void run_on(const uint8_t *bytes, size_t size)
{
	struct kernel_image image;
	const char *problem = NULL;
	uint8_t *file = malloc(size > 0 ? size : 1);
	assert_non_null(file);
	memcpy(file, bytes, size);
	if (kernel_image_decode(file, size, &image, &problem) == STATUS_OK) {
		assert_true(image.size_bytes <= KERNEL_IMAGE_BYTES_MAX);
		uint8_t *memory = malloc((size_t)image.size_bytes);
		assert_non_null(memory);
		kernel_image_load(&image, file, memory);
		(void)!kernel_image_relocate(&image, memory, BASE, &problem);
		free(memory);
	}
	free(file);
}

static void test_kernel_image_survives_truncation(void **state)
{
	(void)state;
	uint8_t file[FAKE_ELF_BYTES];
	fake_elf_build(file);
	for (size_t size = 0; size < sizeof(file); size += size < 0x500 ? 1 : 37) {
		run_on(file, size);
	}
}

static void test_kernel_image_survives_mutation(void **state)
{
	(void)state;
	static const uint8_t interesting[] = {0, 1, 7, 8, 0x10, 0x7f, 0x80, 0xff};
	uint64_t random = 0x9e3779b97f4a7c15ull;
	for (int turn = 0; turn < 20000; turn++) {
		uint8_t file[FAKE_ELF_BYTES];
		fake_elf_build(file);
		for (int change = 0; change < 3; change++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			const size_t choice = (size_t)(random >> 40) % 3;
			const size_t areas[] = {0, 0x400, 0x2010};
			const size_t sizes[] = {0x190, 48, 96};
			const size_t at = areas[choice] + (size_t)(random >> 20) % sizes[choice];
			file[at] = interesting[(random >> 60) % sizeof(interesting)];
		}
		run_on(file, sizeof(file));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_image_refuses_headers),
		cmocka_unit_test(test_kernel_image_refuses_segments),
		cmocka_unit_test(test_kernel_image_segments_are_bounded),
		cmocka_unit_test(test_kernel_image_refuses_dynamics),
		cmocka_unit_test(test_kernel_image_dynamic_section_is_bounded),
		cmocka_unit_test(test_kernel_image_refuses_relocations),
		cmocka_unit_test(test_kernel_image_survives_truncation),
		cmocka_unit_test(test_kernel_image_survives_mutation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
