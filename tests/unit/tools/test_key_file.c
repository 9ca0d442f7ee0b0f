// SPDX-License-Identifier: MIT
/* Keys from files: exactly 32 bytes, or a first line; and new ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "temporary.h"
#include "tools/holdfast/key_file.h"

static uint8_t sample[2000];

static int setup(void **state)
{
	(void)state;
	temporary_begin();
	for (size_t i = 0; i < sizeof(sample); i++) {
		sample[i] = (uint8_t)(i % 251 + 20 == '\n' ? 1 : i % 200 + 20);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	temporary_end();
	return 0;
}

static void test_key_raw_has_32_bytes(void **state)
{
	(void)state;
	char path[TEMPORARY_PATH_BYTES];
	struct key_material key;
	struct report report;
	temporary_write("raw", sample, 32, path);
	report_init(&report, NULL);
	assert_int_equal(key_material_read_raw(&key, path, &report), STATUS_OK);
	struct volume_key volume_key = key_material_key(&key);
	assert_int_equal(volume_key.type, VOLUME_KEY_RAW);
	assert_int_equal(volume_key.size_bytes, 32);
	assert_memory_equal(volume_key.bytes, sample, 32);
	key_material_erase(&key);
	assert_true(bytes_are_zero(key.bytes, sizeof(key.bytes)));
	static const size_t wrong[] = {0, 1, 31, 33, 64, 2000};
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		temporary_write("raw", sample, wrong[i], path);
		report_init(&report, NULL);
		assert_int_equal(key_material_read_raw(&key, path, &report), STATUS_NO_KEY);
		assert_string_equal(report.subject, path);
		assert_true(bytes_are_zero(key.bytes, sizeof(key.bytes)));
	}
}

static void test_key_file_is_missing_or_a_directory(void **state)
{
	(void)state;
	struct key_material key;
	struct report report;
	report_init(&report, NULL);
	assert_int_equal(key_material_read_raw(&key, "/nonexistent/key", &report), STATUS_NO_KEY);
	report_init(&report, NULL);
	assert_int_equal(key_material_read_raw(&key, "/tmp", &report), STATUS_NO_KEY);
	report_init(&report, NULL);
	assert_int_equal(key_material_read_passphrase(&key, "/nonexistent/key", &report),
			 STATUS_NO_KEY);
}

/* A pipe gives a key in pieces. */
static void test_key_raw_from_a_pipe(void **state)
{
	(void)state;
	int ends[2];
	char path[32];
	struct key_material key;
	struct report report;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], sample, 20), 20);
	assert_int_equal(write(ends[1], sample + 20, 12), 12);
	assert_int_equal(close(ends[1]), 0);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	report_init(&report, NULL);
	assert_int_equal(key_material_read_raw(&key, path, &report), STATUS_OK);
	assert_memory_equal(key.bytes, sample, 32);
	assert_int_equal(close(ends[0]), 0);
}

static void test_key_passphrase_is_the_first_line(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t file_size;
		size_t size; /* 0: refused. */
	} cases[] = {
		{"secret\n", 7, 6}, {"secret", 6, 6}, {"se cret \nmore\n", 14, 8}, {"a\0b\n", 4, 3},
		{"\n", 1, 0},       {"", 0, 0},       {"\nsecond line\n", 13, 0},
	};
	char path[TEMPORARY_PATH_BYTES];
	struct key_material key;
	struct report report;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		temporary_write("pass", cases[i].text, cases[i].file_size, path);
		report_init(&report, NULL);
		enum status status = key_material_read_passphrase(&key, path, &report);
		assert_int_equal(status, cases[i].size > 0 ? STATUS_OK : STATUS_NO_KEY);
		if (status == STATUS_OK) {
			assert_int_equal(key_material_key(&key).type, VOLUME_KEY_PASSPHRASE);
			assert_int_equal(key.size_bytes, cases[i].size);
			assert_memory_equal(key.bytes, cases[i].text, cases[i].size);
		}
	}
}

static void test_key_passphrase_length_limit(void **state)
{
	(void)state;
	char path[TEMPORARY_PATH_BYTES];
	struct key_material key;
	struct report report;
	temporary_write("pass", sample, 1024, path);
	report_init(&report, NULL);
	assert_int_equal(key_material_read_passphrase(&key, path, &report), STATUS_OK);
	assert_int_equal(key.size_bytes, 1024);
	temporary_write("pass", sample, 1025, path);
	assert_int_equal(key_material_read_passphrase(&key, path, &report), STATUS_NO_KEY);
	/* Never cut to a passphrase that nobody chose. */
	temporary_write("pass", sample, 2000, path);
	assert_int_equal(key_material_read_passphrase(&key, path, &report), STATUS_NO_KEY);
}

static void test_key_generate(void **state)
{
	(void)state;
	char path[TEMPORARY_PATH_BYTES];
	struct key_material first;
	struct key_material second;
	struct report report;
	struct stat info;
	report_init(&report, NULL);
	temporary_path("new", path);
	assert_int_equal(key_file_generate(path, &report), STATUS_OK);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(key_material_read_raw(&first, path, &report), STATUS_OK);
	assert_false(bytes_are_zero(first.bytes, 32));
	/* A key is never replaced. */
	assert_int_equal(key_file_generate(path, &report), STATUS_EXISTS);
	assert_int_equal(key_material_read_raw(&second, path, &report), STATUS_OK);
	assert_memory_equal(first.bytes, second.bytes, 32);
	temporary_path("new2", path);
	assert_int_equal(key_file_generate(path, &report), STATUS_OK);
	assert_int_equal(key_material_read_raw(&second, path, &report), STATUS_OK);
	assert_memory_not_equal(first.bytes, second.bytes, 32);
	assert_int_equal(key_file_generate("/nonexistent/key", &report), STATUS_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_raw_has_32_bytes),
		cmocka_unit_test(test_key_file_is_missing_or_a_directory),
		cmocka_unit_test(test_key_raw_from_a_pipe),
		cmocka_unit_test(test_key_passphrase_is_the_first_line),
		cmocka_unit_test(test_key_passphrase_length_limit),
		cmocka_unit_test(test_key_generate),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
