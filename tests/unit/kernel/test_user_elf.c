// SPDX-License-Identifier: MIT
/* The ring-3 ELF decoder: one good file, and every way to spoil it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "kernel/user_elf.h"

#define FILE_BYTES    0x3000u
#define HEADER_BYTES  64u
#define SEGMENT_BYTES 56u
#define FLAG_EXECUTE  1u
#define FLAG_WRITE    2u
#define FLAG_READ     4u
#define TYPE_LOAD     1u
#define TYPE_INTERP   3u

/* Offsets within the ELF header and a program header. */
enum {
	AT_TYPE = 16,
	AT_MACHINE = 18,
	AT_ENTRY_POINT = 24,
	AT_HEADERS = 32,
	AT_HEADER_SIZE = 54,
	AT_HEADER_COUNT = 56,
	IN_TYPE = 0,
	IN_FLAGS = 4,
	IN_OFFSET = 8,
	IN_ADDRESS = 16,
	IN_FILE_BYTES = 32,
	IN_MEMORY_BYTES = 40,
};

struct segment {
	uint32_t type;
	uint32_t flags;
	uint64_t offset;
	uint64_t address;
	uint64_t file_bytes;
	uint64_t memory_bytes;
};

static void put_segment(uint8_t *file, unsigned index, struct segment segment)
{
	uint8_t *at = file + HEADER_BYTES + index * SEGMENT_BYTES;
	bytes_store_le32(at + IN_TYPE, segment.type);
	bytes_store_le32(at + IN_FLAGS, segment.flags);
	bytes_store_le64(at + IN_OFFSET, segment.offset);
	bytes_store_le64(at + IN_ADDRESS, segment.address);
	bytes_store_le64(at + IN_FILE_BYTES, segment.file_bytes);
	bytes_store_le64(at + IN_MEMORY_BYTES, segment.memory_bytes);
}

static void good_file(uint8_t *file)
{
	static const uint8_t identity[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
	memset(file, 0, FILE_BYTES);
	memcpy(file, identity, sizeof(identity));
	bytes_store_le16(file + AT_TYPE, 2);
	bytes_store_le16(file + AT_MACHINE, 62);
	bytes_store_le64(file + AT_ENTRY_POINT, 0x401010);
	bytes_store_le64(file + AT_HEADERS, HEADER_BYTES);
	bytes_store_le16(file + AT_HEADER_SIZE, SEGMENT_BYTES);
	bytes_store_le16(file + AT_HEADER_COUNT, 3);
	put_segment(file, 0, (struct segment){TYPE_LOAD, FLAG_READ, 0, 0x400000, 0x200, 0x200});
	put_segment(file, 1,
		    (struct segment){TYPE_LOAD, FLAG_READ | FLAG_EXECUTE, 0x1000, 0x401000, 0x800,
				     0x800});
	put_segment(file, 2,
		    (struct segment){TYPE_LOAD, FLAG_READ | FLAG_WRITE, 0x2010, 0x402010, 0x10,
				     0x3000});
}

static enum status decode(const uint8_t *file, size_t size, struct user_elf *elf)
{
	/* A copy of exactly this size, so that the sanitizer sees a read behind it. */
	uint8_t *copy = malloc(size == 0 ? 1 : size);
	assert_non_null(copy);
	memcpy(copy, file, size);
	enum status status = user_elf_decode(copy, size, elf);
	free(copy);
	return status;
}

static void test_a_good_file(void **state)
{
	(void)state;
	uint8_t file[FILE_BYTES];
	struct user_elf elf;
	good_file(file);
	assert_int_equal(decode(file, sizeof(file), &elf), STATUS_OK);
	assert_int_equal(elf.segment_count, 3);
	assert_false(elf.relocatable);
	assert_int_equal(elf.entry, 0x401010);
	assert_int_equal(elf.headers_address, 0x400000 + HEADER_BYTES);
	assert_int_equal(elf.header_count, 3);
	assert_true(elf.segments[1].executable);
	assert_false(elf.segments[1].writable);
	assert_int_equal(elf.segments[2].address, 0x402000);
	assert_int_equal(elf.segments[2].size_bytes, 0x4000);
	assert_int_equal(elf.segments[2].data_at, 0x402010);
	assert_int_equal(elf.end, 0x406000);
}

static void test_every_truncation_is_refused_or_complete(void **state)
{
	(void)state;
	uint8_t file[FILE_BYTES];
	struct user_elf elf;
	good_file(file);
	for (size_t size = 0; size < 0x2020; size++) {
		assert_int_equal(decode(file, size, &elf), STATUS_BAD_CONFIG);
	}
	assert_int_equal(decode(file, 0x2020, &elf), STATUS_OK);
}

static void assert_refused(const uint8_t *file)
{
	struct user_elf elf;
	assert_int_equal(decode(file, FILE_BYTES, &elf), STATUS_BAD_CONFIG);
}

static void test_bad_headers_are_refused(void **state)
{
	(void)state;
	static const struct {
		unsigned offset;
		unsigned value;
	} spoilt[] = {
		{0, 0x7e},
		{4, 1},
		{5, 2},
		{AT_TYPE, 1},
		{AT_TYPE, 4},
		{AT_MACHINE, 3},
		{AT_HEADER_SIZE, 32},
		{AT_HEADER_COUNT, 0},
		{AT_HEADER_COUNT, 33},
	};
	for (size_t i = 0; i < ARRAY_COUNT(spoilt); i++) {
		uint8_t file[FILE_BYTES];
		good_file(file);
		file[spoilt[i].offset] = (uint8_t)spoilt[i].value;
		assert_refused(file);
	}
}

/* A table at the end of the file is whole, or the file is refused. */
static void test_headers_behind_the_file_are_refused(void **state)
{
	(void)state;
	uint8_t file[FILE_BYTES];
	struct user_elf elf;
	good_file(file);
	const size_t count = file[AT_HEADER_COUNT];
	const size_t table_at = FILE_BYTES - count * SEGMENT_BYTES;
	memcpy(file + table_at, file + HEADER_BYTES, count * SEGMENT_BYTES);
	bytes_store_le64(file + AT_HEADERS, table_at);
	assert_int_equal(decode(file, FILE_BYTES, &elf), STATUS_OK);
	file[AT_HEADER_COUNT]++;
	assert_refused(file);
}

static void test_bad_segments_are_refused(void **state)
{
	(void)state;
	const uint32_t rx = FLAG_READ | FLAG_EXECUTE;
	const struct segment spoilt[] = {
		{TYPE_LOAD, rx | FLAG_WRITE, 0x1000, 0x401000, 0x800, 0x800}, /* W and X. */
		{TYPE_LOAD, rx, 0x1000, 0x401000, 0x800, 0x7ff}, /* More in the file. */
		{TYPE_LOAD, rx, 0x1000, 0x401000, 0, 0},         /* Nothing. */
		{TYPE_LOAD, rx, 0x2801, 0x401000, 0x800, 0x800}, /* Behind the file. */
		{TYPE_LOAD, rx, UINT64_MAX, 0x401000, 0x800, 0x800},
		{TYPE_LOAD, rx, 0x1000, UINT64_MAX - 0x10, 0x800, 0x800},
		{TYPE_LOAD, rx, 0x1000, USER_ELF_ADDRESS_MAX - 0x100, 0x800, 0x800},
		{TYPE_LOAD, rx, 0x1000, 0xffffffff80000000, 0x800, 0x800}, /* Kernel half. */
		{TYPE_LOAD, rx, 0x1000, 0x400800, 0x800, 0x800},           /* Shares a page. */
		{TYPE_LOAD, rx, 0x1000, 0x300000, 0x800, 0x800},           /* Not ascending. */
		{TYPE_LOAD, rx, 0x1000, 0x401000, 0x800, USER_ELF_BYTES_MAX + 1},
		{TYPE_LOAD, FLAG_READ, 0x1000, 0x401000, 0x800, 0x800}, /* Entry not executable. */
		{TYPE_INTERP, FLAG_READ, 0x1000, 0x401000, 0x800, 0x800},
	};
	for (size_t i = 0; i < ARRAY_COUNT(spoilt); i++) {
		uint8_t file[FILE_BYTES];
		good_file(file);
		put_segment(file, 1, spoilt[i]);
		/* It is the last one and has the entry point: nothing else is wrong. */
		bytes_store_le16(file + AT_HEADER_COUNT, 2);
		bytes_store_le64(file + AT_ENTRY_POINT, spoilt[i].address + 0x10);
		assert_refused(file);
	}
}

static void test_too_many_segments_are_refused(void **state)
{
	(void)state;
	uint8_t file[FILE_BYTES];
	good_file(file);
	bytes_store_le16(file + AT_HEADER_COUNT, 3 + USER_ELF_SEGMENTS_MAX);
	for (unsigned i = 0; i < USER_ELF_SEGMENTS_MAX; i++) {
		put_segment(
			file, 3 + i,
			(struct segment){TYPE_LOAD, FLAG_READ, 0, 0x500000 + i * 0x1000, 16, 16});
	}
	assert_refused(file);
}

static void test_random_changes_never_read_outside(void **state)
{
	(void)state;
	uint32_t seed = 12345;
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t file[FILE_BYTES];
		struct user_elf elf;
		good_file(file);
		for (unsigned change = 0; change < 4; change++) {
			seed = seed * 1664525 + 1013904223;
			file[(seed >> 8) % 0x120] = (uint8_t)(seed >> 24);
		}
		if (decode(file, sizeof(file), &elf) == STATUS_OK) {
			for (size_t i = 0; i < elf.segment_count; i++) {
				const struct user_elf_segment *s = &elf.segments[i];
				assert_true(s->file_offset + s->file_bytes <= sizeof(file));
				assert_true(s->data_at >= s->address);
				assert_true(s->data_at + s->file_bytes <=
					    s->address + s->size_bytes);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_file),
		cmocka_unit_test(test_every_truncation_is_refused_or_complete),
		cmocka_unit_test(test_bad_headers_are_refused),
		cmocka_unit_test(test_headers_behind_the_file_are_refused),
		cmocka_unit_test(test_bad_segments_are_refused),
		cmocka_unit_test(test_too_many_segments_are_refused),
		cmocka_unit_test(test_random_changes_never_read_outside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
