// SPDX-License-Identifier: MIT
/* hvm_start_info and its module list, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "boot/start_info.h"

static void build(uint8_t bytes[START_INFO_BYTES])
{
	memset(bytes, 0, START_INFO_BYTES);
	bytes_store_le32(bytes, 0x336ec578);
	bytes_store_le32(bytes + 4, 1);
	bytes_store_le32(bytes + 8, 0xffffffff); /* Flags are not looked at. */
	bytes_store_le32(bytes + 12, 1);
	bytes_store_le64(bytes + 16, 0x1111);
	bytes_store_le64(bytes + 24, 0x2222);
	bytes_store_le64(bytes + 32, 0x3333);
	bytes_store_le64(bytes + 40, 0x4444);
	bytes_store_le32(bytes + 48, 5);
}

static void test_start_info_decodes_every_field(void **state)
{
	(void)state;
	uint8_t bytes[START_INFO_BYTES];
	struct start_info info;
	const char *problem = NULL;
	build(bytes);
	assert_int_equal(start_info_decode(bytes, sizeof(bytes), &info, &problem), STATUS_OK);
	assert_int_equal(info.module_count, 1);
	assert_int_equal(info.modules.raw, 0x1111);
	assert_int_equal(info.cmdline.raw, 0x2222);
	assert_int_equal(info.rsdp.raw, 0x3333);
	assert_int_equal(info.memory_map.raw, 0x4444);
	assert_int_equal(info.memory_map_entries, 5);
	assert_null(problem);
}

static void test_start_info_refuses(void **state)
{
	(void)state;
	const struct {
		size_t offset;
		uint32_t value;
		enum status status;
	} rows[] = {
		{0, 0x336ec579, STATUS_BAD_HOST},
		{0, 0, STATUS_BAD_HOST},
		{4, 0, STATUS_UNSUPPORTED},
		{48, 0, STATUS_BAD_HOST},
		{48, START_INFO_MEMORY_ENTRIES_MAX + 1, STATUS_BAD_HOST},
		{48, UINT32_MAX, STATUS_BAD_HOST},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[START_INFO_BYTES];
		struct start_info info = {.module_count = 77};
		const char *problem = NULL;
		build(bytes);
		bytes_store_le32(bytes + rows[i].offset, rows[i].value);
		assert_int_equal(start_info_decode(bytes, sizeof(bytes), &info, &problem),
				 rows[i].status);
		assert_non_null(problem);
		assert_int_equal(info.module_count, 77);
	}
}

static void test_start_info_takes_the_longest_map(void **state)
{
	(void)state;
	uint8_t bytes[START_INFO_BYTES];
	struct start_info info;
	const char *problem = NULL;
	build(bytes);
	bytes_store_le32(bytes + 48, START_INFO_MEMORY_ENTRIES_MAX);
	assert_int_equal(start_info_decode(bytes, sizeof(bytes), &info, &problem), STATUS_OK);
}

static void test_start_info_refuses_every_truncation(void **state)
{
	(void)state;
	for (size_t size = 0; size < START_INFO_BYTES; size++) {
		uint8_t bytes[START_INFO_BYTES];
		struct start_info info;
		const char *problem = NULL;
		build(bytes);
		assert_int_equal(start_info_decode(bytes, size, &info, &problem), STATUS_BAD_HOST);
	}
}

static void test_start_info_module(void **state)
{
	(void)state;
	const struct {
		uint64_t first;
		uint64_t size;
		enum status status;
	} rows[] = {
		{0x1000, 1, STATUS_OK},           {0x1000, 0, STATUS_BAD_HOST},
		{UINT64_MAX, 2, STATUS_BAD_HOST}, {1, UINT64_MAX, STATUS_BAD_HOST},
		{(1ull << 52) - 1, 1, STATUS_OK}, {(1ull << 52) - 1, 2, STATUS_BAD_HOST},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[START_INFO_MODULE_BYTES] = {0};
		struct phys_range module = {{9}, 9};
		const char *problem = NULL;
		bytes_store_le64(bytes, rows[i].first);
		bytes_store_le64(bytes + 8, rows[i].size);
		assert_int_equal(start_info_decode_module(bytes, sizeof(bytes), &module, &problem),
				 rows[i].status);
		assert_int_equal(module.first.raw, rows[i].status == STATUS_OK ? rows[i].first : 9);
	}
	const uint8_t bytes[START_INFO_MODULE_BYTES] = {0, 16, 0, 0, 0, 0, 0, 0, 1};
	struct phys_range module;
	const char *problem = NULL;
	assert_int_equal(start_info_decode_module(bytes, 31, &module, &problem), STATUS_BAD_HOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_info_decodes_every_field),
		cmocka_unit_test(test_start_info_refuses),
		cmocka_unit_test(test_start_info_takes_the_longest_map),
		cmocka_unit_test(test_start_info_refuses_every_truncation),
		cmocka_unit_test(test_start_info_module),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
