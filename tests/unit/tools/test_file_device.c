// SPDX-License-Identifier: MIT
/* The block device over a file: transfers, refusals, and the locks that keep two writers apart. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "temporary.h"
#include "tools/holdfast/file_device.h"

#define FILE_BLOCKS 8u

static struct report report;

static int setup(void **state)
{
	(void)state;
	temporary_begin();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	temporary_end();
	return 0;
}

/* A fresh file of FILE_BLOCKS blocks, closed. */
static void make_file(char path[TEMPORARY_PATH_BYTES])
{
	struct file_device file;
	temporary_path("image", path);
	(void)unlink(path);
	report_init(&report, NULL);
	assert_int_equal(file_device_create(&file, path, FILE_BLOCKS * BLOCK_BYTES, false, &report),
			 STATUS_OK);
	assert_int_equal(file_device_finish(&file, &report), STATUS_OK);
	file_device_close(&file);
}

static void test_file_write_read_flush(void **state)
{
	(void)state;
	char path[TEMPORARY_PATH_BYTES];
	struct file_device file;
	uint8_t bytes[2 * BLOCK_BYTES];
	uint8_t out[2 * BLOCK_BYTES];
	make_file(path);
	memset(bytes, 0x5a, sizeof(bytes));
	assert_int_equal(file_device_open(&file, path, FILE_ACCESS_WRITE, &report), STATUS_OK);
	assert_int_equal(file.device.capacity.n, FILE_BLOCKS);
	assert_int_equal(block_write(&file.device, (struct physical_block){3},
				     (struct block_count){2}, bytes),
			 STATUS_OK);
	assert_int_equal(block_flush(&file.device), STATUS_OK);
	assert_int_equal(
		block_read(&file.device, (struct physical_block){4}, (struct block_count){2}, out),
		STATUS_OK);
	assert_memory_equal(out, bytes, BLOCK_BYTES);
	assert_true(bytes_are_zero(out + BLOCK_BYTES, BLOCK_BYTES));
	assert_int_equal(block_read(&file.device, (struct physical_block){FILE_BLOCKS - 1},
				    (struct block_count){2}, out),
			 STATUS_INVALID);
	assert_int_equal(file.counters.writes, 1);
	assert_int_equal(file.counters.blocks_written, 2);
	assert_int_equal(file.counters.reads, 1);
	assert_int_equal(file.counters.flushes, 1);
	assert_null(file_device_error(&file));
	file_device_close(&file);
}

static void test_file_cut_while_open_is_an_error(void **state)
{
	(void)state;
	char path[TEMPORARY_PATH_BYTES];
	struct file_device file;
	uint8_t out[BLOCK_BYTES];
	make_file(path);
	assert_int_equal(file_device_open(&file, path, FILE_ACCESS_READ, &report), STATUS_OK);
	assert_int_equal(truncate(path, 2 * BLOCK_BYTES + 7), 0);
	assert_int_equal(
		block_read(&file.device, (struct physical_block){2}, (struct block_count){1}, out),
		STATUS_IO);
	assert_non_null(file_device_error(&file));
	file_device_close(&file);
	/* Half a block at the end is no capacity. */
	assert_int_equal(file_device_open(&file, path, FILE_ACCESS_READ, &report), STATUS_OK);
	assert_int_equal(file.device.capacity.n, 2);
	file_device_close(&file);
}

static void test_file_readers_do_not_write(void **state)
{
	(void)state;
	char path[TEMPORARY_PATH_BYTES];
	struct file_device file;
	const uint8_t bytes[BLOCK_BYTES] = {1};
	make_file(path);
	assert_int_equal(file_device_open(&file, path, FILE_ACCESS_READ, &report), STATUS_OK);
	assert_true(file.device.read_only);
	assert_int_equal(block_write(&file.device, (struct physical_block){0},
				     (struct block_count){1}, bytes),
			 STATUS_READ_ONLY);
	file_device_close(&file);
}

static void test_file_refuses_what_is_no_image(void **state)
{
	(void)state;
	char path[TEMPORARY_PATH_BYTES];
	struct file_device file;
	temporary_path("fifo", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	const char *const paths[] = {"/nonexistent/image", "/tmp", "/dev/zero", path};
	for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
		report_init(&report, NULL);
		assert_int_equal(file_device_open(&file, paths[i], FILE_ACCESS_READ, &report),
				 STATUS_NO_DEVICE);
		assert_string_equal(report.subject, paths[i]);
		report_init(&report, NULL);
		assert_int_equal(file_device_open(&file, paths[i], FILE_ACCESS_WRITE, &report),
				 STATUS_NO_DEVICE);
		assert_int_equal(file.fd, -1);
	}
}

static void test_file_create_refuses_and_forces(void **state)
{
	(void)state;
	char path[TEMPORARY_PATH_BYTES];
	struct file_device file;
	struct stat info;
	uint8_t out[BLOCK_BYTES];
	temporary_write("precious", "data", 4, path);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(file_device_create(&file, path, 8192, false, &report), STATUS_EXISTS);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_size, 4);
	assert_int_equal(file_device_create(&file, path, 8192, true, &report), STATUS_OK);
	assert_int_equal(
		block_read(&file.device, (struct physical_block){0}, (struct block_count){1}, out),
		STATUS_OK);
	assert_true(bytes_are_zero(out, sizeof(out)));
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(info.st_blocks, 0); /* Sparse. */
	/* It was there before: giving up leaves it. */
	file_device_discard(&file);
	assert_int_equal(stat(path, &info), 0);
	/* An empty file is nobody's data. */
	temporary_write("empty", "", 0, path);
	assert_int_equal(file_device_create(&file, path, 8192, false, &report), STATUS_OK);
	file_device_close(&file);
	temporary_path("new", path);
	assert_int_equal(file_device_create(&file, path, 8192, false, &report), STATUS_OK);
	file_device_discard(&file);
	assert_int_equal(stat(path, &info), -1);
	assert_int_equal(file_device_create(&file, "/nonexistent/image", 8192, false, &report),
			 STATUS_NO_DEVICE);
}

/* Rows: who holds it, who comes, what the second is told. */
static void test_file_locks(void **state)
{
	(void)state;
	static const struct {
		enum file_access holder;
		enum file_access comer;
		enum status status;
	} cases[] = {
		{FILE_ACCESS_WRITE, FILE_ACCESS_WRITE, STATUS_BUSY},
		{FILE_ACCESS_WRITE, FILE_ACCESS_READ, STATUS_BUSY},
		{FILE_ACCESS_READ, FILE_ACCESS_WRITE, STATUS_BUSY},
		{FILE_ACCESS_READ, FILE_ACCESS_READ, STATUS_OK},
		{FILE_ACCESS_WRITE, FILE_ACCESS_PUBLIC, STATUS_OK},
		{FILE_ACCESS_PUBLIC, FILE_ACCESS_WRITE, STATUS_OK},
	};
	char path[TEMPORARY_PATH_BYTES];
	struct file_device holder;
	struct file_device comer;
	make_file(path);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		report_init(&report, NULL);
		assert_int_equal(file_device_open(&holder, path, cases[i].holder, &report),
				 STATUS_OK);
		assert_int_equal(file_device_open(&comer, path, cases[i].comer, &report),
				 cases[i].status);
		file_device_close(&comer);
		file_device_close(&holder);
	}
	assert_int_equal(file_device_open(&holder, path, FILE_ACCESS_READ, &report), STATUS_OK);
	assert_int_equal(file_device_create(&comer, path, 8192, true, &report), STATUS_BUSY);
	file_device_close(&holder);
}

/* Locks as QEMU holds them for a disk of a running VM: shared ones on the bytes of what it uses
 * (read, write, resize) and of what it refuses to others. */
static void test_file_locks_of_qemu(void **state)
{
	(void)state;
	static const struct {
		off_t byte;
		enum status reader;
	} cases[] = {
		{100, STATUS_OK},   /* Somebody reads. */
		{101, STATUS_BUSY}, /* Writes. */
		{103, STATUS_BUSY}, /* Resizes. */
		{200, STATUS_BUSY}, /* Refuses readers. */
		{201, STATUS_OK},   /* Refuses writers. */
		{203, STATUS_OK},   /* Refuses a resize. */
	};
	char path[TEMPORARY_PATH_BYTES];
	struct file_device file;
	make_file(path);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		int qemu = open(path, O_RDWR);
		struct flock lock = {.l_type = F_RDLCK,
				     .l_whence = SEEK_SET,
				     .l_start = cases[i].byte,
				     .l_len = 1};
		assert_int_equal(fcntl(qemu, F_OFD_SETLK, &lock), 0);
		assert_int_equal(file_device_open(&file, path, FILE_ACCESS_READ, &report),
				 cases[i].reader);
		file_device_close(&file);
		assert_int_equal(file_device_open(&file, path, FILE_ACCESS_WRITE, &report),
				 STATUS_BUSY);
		assert_int_equal(close(qemu), 0);
		assert_int_equal(file_device_open(&file, path, FILE_ACCESS_WRITE, &report),
				 STATUS_OK);
		file_device_close(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_write_read_flush),
		cmocka_unit_test(test_file_cut_while_open_is_an_error),
		cmocka_unit_test(test_file_readers_do_not_write),
		cmocka_unit_test(test_file_refuses_what_is_no_image),
		cmocka_unit_test(test_file_create_refuses_and_forces),
		cmocka_unit_test(test_file_locks),
		cmocka_unit_test(test_file_locks_of_qemu),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
