// SPDX-License-Identifier: MIT
/* What the system calls of docs/system-calls.md do with good arguments, and that they survive bad
 * ones. Runs on our kernel (holdfast.run=test-syscalls) and, without the parts that only our kernel
 * promises, on Linux: a check of the test itself. */
#include "user/tests/syscalls_internal.h"

#include "vtpm/errno_map.h"

/* In .rodata: writing there from the kernel has to fail, too. */
static const uint8_t read_only[64] = "read-only";

/* Addresses that are nobody's to give. */
static const struct {
	const char *name;
	uint64_t address;
} bad_addresses[] = {
	{"NULL", 0},
	{"low", 8},
	{"end of user space", 0x7FFFFFFFF000},
	{"first non-canonical", 0x0000800000000000},
	{"non-canonical", 0x4000000000000000},
	{"direct map", 0xFFFF800000000000},
	{"kernel image", 0xFFFFFFFF80000000},
	{"kernel image, higher", 0xFFFFFFFFA0000000},
	{"last page", 0xFFFFFFFFFFFFF000},
	{"last byte", 0xFFFFFFFFFFFFFFFF},
};

static void test_bad_pointers(void)
{
	for (size_t i = 0; i < sizeof(bad_addresses) / sizeof(bad_addresses[0]); i++) {
		uint64_t at = bad_addresses[i].address;

		rt_line(bad_addresses[i].name);
		rt_expect("write from it", CALL3(NR_WRITE, 2, at, 16), -LINUX_EFAULT);
		rt_expect("getrandom to it", CALL3(NR_GETRANDOM, at, 16, 0), -LINUX_EFAULT);
		rt_expect("clock_gettime to it", CALL2(NR_CLOCK_GETTIME, 1, at), -LINUX_EFAULT);
		rt_expect("openat of it", CALL4(NR_OPENAT, AT_FDCWD, at, 0, 0), -LINUX_EFAULT);
		rt_expect("newfstatat to it",
			  CALL4(NR_NEWFSTATAT, 2, (uint64_t) "", at, AT_EMPTY_PATH), -LINUX_EFAULT);
		if (!rt_on_linux()) {
			/* Linux looks at the descriptor or the path's end first. No read of fd 0
			 * here: it waits for a command before it looks at the address. */
			rt_expect("unlinkat of it", CALL3(NR_UNLINKAT, AT_FDCWD, at, 0),
				  -LINUX_EFAULT);
			rt_expect("response from it", CALL3(NR_WRITE, 1, at, 10), -LINUX_EFAULT);
		}
	}
	rt_expect("getrandom to .rodata", CALL3(NR_GETRANDOM, read_only, 16, 0), -LINUX_EFAULT);
	rt_check(".rodata is unchanged", rt_equal((const char *)read_only, "read-only"));
	rt_expect("getrandom to .text", CALL3(NR_GETRANDOM, &test_main, 16, 0), -LINUX_EFAULT);
	rt_expect("clock_gettime to .rodata", CALL2(NR_CLOCK_GETTIME, 1, read_only), -LINUX_EFAULT);
}

/* Has the command been cancelled? There is none, and nothing else may be asked. */
static void test_poll(void)
{
	struct {
		int32_t fd;
		int16_t events;
		int16_t returned;
	} descriptor = {.events = 2, .returned = 7};

	if (rt_on_linux()) {
		return; /* It answers every question. */
	}
	rt_expect("poll", CALL3(NR_POLL, &descriptor, 1, 0), 0);
	rt_check("says no", descriptor.returned == 0 && descriptor.events == 2);
	rt_expect("poll that waits", CALL3(NR_POLL, &descriptor, 1, 5), -LINUX_EINVAL);
	rt_expect("poll for ever", CALL3(NR_POLL, &descriptor, 1, -1), -LINUX_EINVAL);
	rt_expect("poll of none", CALL3(NR_POLL, &descriptor, 0, 0), -LINUX_EINVAL);
	rt_expect("poll of many", CALL3(NR_POLL, &descriptor, UINT64_MAX, 0), -LINUX_EINVAL);
	rt_expect("poll to .rodata", CALL3(NR_POLL, read_only, 1, 0), -LINUX_EINVAL);
	rt_expect("poll of nothing", CALL3(NR_POLL, 8, 1, 0), -LINUX_EFAULT);
	descriptor.events = 1;
	rt_expect("poll for input", CALL3(NR_POLL, &descriptor, 1, 0), -LINUX_EINVAL);
	descriptor.events = 2;
	descriptor.fd = 1;
	rt_expect("poll of fd 1", CALL3(NR_POLL, &descriptor, 1, 0), -LINUX_EINVAL);
}

/* A range that starts well and ends badly: nothing is copied at all. */
static void test_straddling(void)
{
	int64_t mapped = rt_mmap(0, 3 * PAGE, PROT_RW, MAP_ANONYMOUS_PRIVATE);
	uint8_t *page = (uint8_t *)mapped;

	rt_check("mmap three pages", mapped > 0);
	if (mapped <= 0) {
		return;
	}
	rt_expect("munmap the middle one", CALL2(NR_MUNMAP, page + PAGE, PAGE), 0);
	page[PAGE - 1] = 7;
	page[2 * PAGE] = 9;
	rt_check("the others stay", page[PAGE - 1] == 7 && page[2 * PAGE] == 9);
	rt_expect("clock_gettime across the end", CALL2(NR_CLOCK_GETTIME, 1, page + PAGE - 8),
		  -LINUX_EFAULT);
	rt_expect("newfstatat across the end",
		  CALL4(NR_NEWFSTATAT, 2, (uint64_t) "", page + PAGE - 100, AT_EMPTY_PATH),
		  -LINUX_EFAULT);
	if (!rt_on_linux()) {
		/* Linux would return a short count. */
		rt_expect("write across the end", CALL3(NR_WRITE, 2, page + PAGE - 1, 2),
			  -LINUX_EFAULT);
		page[PAGE - 4] = 0;
		rt_expect("getrandom across the end", CALL3(NR_GETRANDOM, page + PAGE - 4, 8, 0),
			  -LINUX_EFAULT);
		rt_check("nothing was copied", page[PAGE - 4] == 0);
		rt_expect("write over a hole", CALL3(NR_WRITE, 2, page + PAGE - 1, PAGE + 2),
			  -LINUX_EFAULT);
	}
	rt_expect("munmap the rest", CALL2(NR_MUNMAP, page, 3 * PAGE), 0);
	rt_expect("which is gone", CALL3(NR_GETRANDOM, page, 1, 0), -LINUX_EFAULT);
}

/* From a byte that is the last of its mapping, so that no part of the range can be copied. */
static void test_huge_sizes(void)
{
	static const uint64_t sizes[] = {0x80000000, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000,
					 0xFFFFFFFFFFFFF000, 0xFFFFFFFFFFFFFFFF};
	int64_t mapped = rt_mmap(0, PAGE, PROT_RW, MAP_ANONYMOUS_PRIVATE);
	uint64_t last = (uint64_t)mapped + PAGE - 1;

	if (rt_on_linux()) {
		return;
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		rt_check("write of a huge size", CALL3(NR_WRITE, 2, last, sizes[i]) < 0);
		rt_check("response of a huge size", CALL3(NR_WRITE, 1, last, sizes[i]) < 0);
		rt_check("getrandom of a huge size", CALL3(NR_GETRANDOM, last, sizes[i], 0) < 0);
		rt_check("mmap of a huge size",
			 rt_mmap(0, sizes[i], PROT_RW, MAP_ANONYMOUS_PRIVATE) < 0);
		rt_check("munmap of a huge size", CALL2(NR_MUNMAP, mapped, sizes[i]) < 0);
		rt_check("mprotect of a huge size",
			 CALL3(NR_MPROTECT, mapped, sizes[i], PROT_RW) < 0);
	}
	rt_expect("munmap", CALL2(NR_MUNMAP, mapped, PAGE), 0);
}

static void test_unknown_numbers(void)
{
	static const uint64_t numbers[] = {0xFFFFFFFF, 0x100000001, 0x8000000000000000,
					   0xFFFFFFFFFFFFFFFF, 0x40000001};

	rt_expect("system call 999", CALL0(999), -LINUX_ENOSYS);
	rt_expect("system call 511", CALL0(511), -LINUX_ENOSYS);
	if (rt_on_linux()) {
		return;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		rt_expect("system call out of range", CALL0(numbers[i]), -LINUX_ENOSYS);
	}
	rt_expect("fork is not offered", CALL0(57), -LINUX_ENOSYS);
	rt_expect("execve is not offered", CALL0(59), -LINUX_ENOSYS);
	rt_expect("socket is not offered", CALL0(41), -LINUX_ENOSYS);
}

static void test_bad_descriptors(void)
{
	static const uint64_t descriptors[] = {3,          16,         77,
					       0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF};
	static uint8_t buffer[144];

	for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++) {
		uint64_t fd = descriptors[i];

		/* On Linux the parent may have left some low ones open. */
		if (rt_on_linux() && fd < 60) {
			continue;
		}
		rt_expect("read of a bad fd", CALL3(NR_READ, fd, buffer, 1), -LINUX_EBADF);
		rt_expect("write to a bad fd", CALL3(NR_WRITE, fd, buffer, 1), -LINUX_EBADF);
		rt_expect("close of a bad fd", CALL1(NR_CLOSE, fd), -LINUX_EBADF);
		rt_expect("fsync of a bad fd", CALL1(NR_FSYNC, fd), -LINUX_EBADF);
		rt_expect("pread of a bad fd", CALL4(NR_PREAD64, fd, buffer, 1, 0), -LINUX_EBADF);
		rt_expect("pwrite to a bad fd", CALL4(NR_PWRITE64, fd, buffer, 1, 0), -LINUX_EBADF);
		rt_expect("ftruncate of a bad fd", CALL2(NR_FTRUNCATE, fd, 0), -LINUX_EBADF);
		rt_expect("newfstatat of a bad fd",
			  CALL4(NR_NEWFSTATAT, fd, (uint64_t) "", buffer, AT_EMPTY_PATH),
			  -LINUX_EBADF);
	}
}

int test_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	test_memory();
	test_time_and_entropy();
	test_registers();
	test_cpu_state();
	test_bad_pointers();
	test_straddling();
	test_poll();
	test_huge_sizes();
	test_unknown_numbers();
	test_bad_descriptors();
	if (rt_on_linux()) {
		rt_line("store: skipped on Linux");
	} else {
		test_store();
	}
	rt_check("test-syscalls", rt_failures() == 0);
	return rt_failures() == 0 ? 0 : 1;
}
