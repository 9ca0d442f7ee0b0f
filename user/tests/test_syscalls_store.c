// SPDX-License-Identifier: MIT
/* The files under /store/: staging, durability at fsync, names. Leaves nothing behind. */
#include "user/tests/syscalls_internal.h"
#include "vtpm/errno_map.h"

#define OBJECT      "/store/test.ring3"
#define SIZE_MAX_OF (256 * 1024)

struct stat_words {
	uint64_t words[18]; /* struct stat of x86-64: 144 bytes, st_size is word 6. */
};

static uint8_t buffer[8192];

static int64_t open_object(const char *path, uint64_t flags)
{
	return CALL4(NR_OPENAT, AT_FDCWD, path, flags, 0600);
}

static int64_t unlink_object(const char *path)
{
	return CALL3(NR_UNLINKAT, AT_FDCWD, path, 0);
}

static int64_t size_of(int64_t fd)
{
	static struct stat_words info;
	int64_t result = CALL4(NR_NEWFSTATAT, fd, (uint64_t) "", &info, AT_EMPTY_PATH);

	return result < 0 ? result : (int64_t)info.words[6];
}

static void test_staging(void)
{
	int64_t fd;

	(void)unlink_object(OBJECT);
	rt_expect("open of what is not there", open_object(OBJECT, O_RDONLY), -LINUX_ENOENT);
	rt_expect("the same for writing", open_object(OBJECT, O_RDWR), -LINUX_ENOENT);
	fd = open_object(OBJECT, O_RDWR | O_CREAT);
	rt_check("create", fd >= 3);
	rt_expect("it is empty", size_of(fd), 0);
	rt_expect("pwrite", CALL4(NR_PWRITE64, fd, "hello, store", 12, 0), 12);
	rt_expect("pread sees it", CALL4(NR_PREAD64, fd, buffer, 100, 0), 12);
	rt_check("as it was written", buffer[0] == 'h' && buffer[11] == 'e');
	rt_expect("close discards it", CALL1(NR_CLOSE, fd), 0);
	rt_expect("so it is not there", open_object(OBJECT, O_RDONLY), -LINUX_ENOENT);

	fd = open_object(OBJECT, O_RDWR | O_CREAT);
	rt_expect("pwrite at 5000", CALL4(NR_PWRITE64, fd, "far", 3, 5000), 3);
	rt_expect("fsync", CALL1(NR_FSYNC, fd), 0);
	rt_expect("pwrite over it", CALL4(NR_PWRITE64, fd, "FAR", 3, 5000), 3);
	rt_expect("close", CALL1(NR_CLOSE, fd), 0);
	fd = open_object(OBJECT, O_RDONLY);
	rt_expect("its size", size_of(fd), 5003);
	rt_expect("pread", CALL4(NR_PREAD64, fd, buffer, 8192, 0), 5003);
	rt_check("a gap reads as zeroes", buffer[0] == 0 && buffer[4999] == 0);
	rt_check("what was synced is there", buffer[5000] == 'f' && buffer[5002] == 'r');
	rt_expect("pread at the end", CALL4(NR_PREAD64, fd, buffer, 1, 5003), 0);
	rt_expect("pread far beyond", CALL4(NR_PREAD64, fd, buffer, 1, UINT64_C(1) << 62), 0);
	rt_check("pread at a negative offset", CALL4(NR_PREAD64, fd, buffer, 1, -1) <= 0);
	rt_check("pwrite to a read-only file", CALL4(NR_PWRITE64, fd, buffer, 1, 0) < 0);
	rt_check("ftruncate of a read-only file", CALL2(NR_FTRUNCATE, fd, 0) < 0);
	rt_expect("close", CALL1(NR_CLOSE, fd), 0);
	rt_expect("close twice", CALL1(NR_CLOSE, fd), -LINUX_EBADF);
}

static void test_bounds(void)
{
	int64_t fd = open_object(OBJECT, O_RDWR);

	rt_expect("pwrite from the kernel", CALL4(NR_PWRITE64, fd, 0xFFFF800000000000, 16, 0),
		  -LINUX_EFAULT);
	rt_expect("pread into the kernel", CALL4(NR_PREAD64, fd, 0xFFFF800000000000, 16, 0),
		  -LINUX_EFAULT);
	rt_expect("read to NULL", CALL3(NR_READ, fd, 0, 16), -LINUX_EFAULT);
	rt_check("pwrite beyond the limit",
		 CALL4(NR_PWRITE64, fd, buffer, 1, SIZE_MAX_OF) == -LINUX_EFBIG);
	rt_check("pwrite across the limit",
		 CALL4(NR_PWRITE64, fd, buffer, 2, SIZE_MAX_OF - 1) == -LINUX_EFBIG);
	rt_check("pwrite at a negative offset", CALL4(NR_PWRITE64, fd, buffer, 1, -1) < 0);
	rt_check("pwrite of a huge size", CALL4(NR_PWRITE64, fd, buffer, -1, 0) < 0);
	rt_check("pwrite whose end wraps",
		 CALL4(NR_PWRITE64, fd, buffer, 16, 0xFFFFFFFFFFFFFFF8) < 0);
	rt_check("ftruncate beyond the limit", CALL2(NR_FTRUNCATE, fd, SIZE_MAX_OF + 1) < 0);
	rt_check("ftruncate to a negative size", CALL2(NR_FTRUNCATE, fd, -1) < 0);
	rt_expect("none of it changed the size", size_of(fd), 5003);
	rt_expect("ftruncate", CALL2(NR_FTRUNCATE, fd, 10), 0);
	rt_expect("fsync", CALL1(NR_FSYNC, fd), 0);
	rt_expect("size after ftruncate", size_of(fd), 10);
	rt_expect("close", CALL1(NR_CLOSE, fd), 0);
	rt_expect("unlink", unlink_object(OBJECT), 0);
	rt_expect("unlink again", unlink_object(OBJECT), -LINUX_ENOENT);
}

/* ENOENT would tell vtpmd to make a new TPM: a bad name must never get it. */
static void test_names(void)
{
	static const char *const names[] = {
		"/store/../store/x",
		"/store/a/b",
		"/store/.hidden",
		"/store/",
		"/store",
		"/etc/passwd",
		"store/x",
		"",
		"/",
		"//store/x",
		"/store//x",
		"/store/sp ace",
		"/store/\xff",
		"/stores/x",
		"/store/\x1b[2J\nFORGED-NAME",
		"/store/a\nFORGED-NAME",
		"/STORE/x",
		"/store/..",
		"/store/0123456789012345678901234567890123456789012345678",
	};
	static char longest[8192];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int64_t reading = open_object(names[i], O_RDONLY);
		int64_t creating = open_object(names[i], O_RDWR | O_CREAT);

		rt_check("bad name", reading < 0 && reading != -LINUX_ENOENT);
		rt_check("create with a bad name", creating < 0 && creating != -LINUX_ENOENT);
		rt_check("unlink of a bad name", unlink_object(names[i]) < 0);
	}
	for (size_t i = 0; i < sizeof(longest) - 1; i++) {
		longest[i] = "/store/"[i < 7 ? i : 1];
	}
	rt_check("endless name", open_object(longest, O_RDWR | O_CREAT) < 0);
}

/* Neither an object's name nor a program's line can put what it likes on the console: the VM's test
 * looks for the forged lines there. */
static void test_forged_lines(void)
{
	static const char name[] = "/store/\x1b[2J\nFORGED-NAME";
	static const char line[] = "\x1b[2J\rFORGED-LINE \x9b\x07\n";

	rt_expect("open of a name with a newline", open_object(name, O_RDONLY), -LINUX_EINVAL);
	rt_expect("create", open_object(name, O_RDWR | O_CREAT), -LINUX_EINVAL);
	rt_expect("unlink", unlink_object(name), -LINUX_EINVAL);
	rt_expect("a line with control characters", CALL3(NR_WRITE, 2, line, sizeof(line) - 1),
		  sizeof(line) - 1);
}

/* Two descriptors of one object do not see each other: each has loaded its own copy, and its fsync
 * writes the blocks that it changed itself. */
static void test_two_handles(void)
{
	int64_t first = open_object(OBJECT, O_RDWR | O_CREAT);
	int64_t second = open_object(OBJECT, O_RDWR | O_CREAT);

	rt_check("open twice", first >= 3 && second >= 3 && first != second);
	rt_expect("pwrite to the first", CALL4(NR_PWRITE64, first, "first", 5, 0), 5);
	rt_expect("fsync the first", CALL1(NR_FSYNC, first), 0);
	rt_expect("the second does not see it", size_of(second), 0);
	rt_expect("pwrite to the second", CALL4(NR_PWRITE64, second, "SECOND!", 7, 0), 7);
	rt_expect("fsync the second", CALL1(NR_FSYNC, second), 0);
	rt_expect("the first keeps what it had", CALL4(NR_PREAD64, first, buffer, 100, 0), 5);
	rt_check("to the byte", buffer[0] == 'f' && buffer[4] == 't');
	rt_expect("close the first", CALL1(NR_CLOSE, first), 0);
	rt_expect("the second goes on", CALL4(NR_PREAD64, second, buffer, 100, 0), 7);
	first = open_object(OBJECT, O_RDONLY);
	rt_expect("the last fsync counts", CALL4(NR_PREAD64, first, buffer, 100, 0), 7);
	rt_check("to the byte", buffer[0] == 'S' && buffer[6] == '!');
	rt_expect("unlink while it is open", unlink_object(OBJECT), -LINUX_EBUSY);
	rt_expect("close", CALL1(NR_CLOSE, first), 0);
	rt_expect("unlink while it is open once", unlink_object(OBJECT), -LINUX_EBUSY);
	rt_expect("close", CALL1(NR_CLOSE, second), 0);
	rt_expect("unlink", unlink_object(OBJECT), 0);
}

/* A commit seals blocks with AES instructions while ring 3's floating-point errors are pending. */
static void test_commit_with_pending_errors(void)
{
	int64_t fd = open_object(OBJECT, O_RDWR | O_CREAT);
	int64_t result;
	bool kept;

	rt_expect("pwrite", CALL4(NR_PWRITE64, fd, buffer, sizeof(buffer), 0), sizeof(buffer));
	simd_break();
	result = CALL1(NR_FSYNC, fd);
	kept = simd_mend();
	rt_expect("fsync with a floating-point error pending", result, 0);
	rt_check("which is still pending afterwards", kept);
	rt_expect("close", CALL1(NR_CLOSE, fd), 0);
	rt_expect("unlink", unlink_object(OBJECT), 0);
}

static void test_many_files(void)
{
	int64_t opened[64];
	int count = 0;

	while (count < 64) {
		opened[count] = open_object(OBJECT, O_RDWR | O_CREAT);
		if (opened[count] < 0) {
			break;
		}
		count++;
	}
	rt_check("there is a limit on open files", count > 0 && count < 64);
	while (count > 0) {
		count--;
		rt_expect("close", CALL1(NR_CLOSE, opened[count]), 0);
	}
	rt_expect("nothing was created", open_object(OBJECT, O_RDONLY), -LINUX_ENOENT);
}

void test_store(void)
{
	test_staging();
	test_bounds();
	test_names();
	test_forged_lines();
	test_two_handles();
	test_commit_with_pending_errors();
	test_many_files();
}
