// SPDX-License-Identifier: MIT
/* The run time of the ring-3 test programs: an entry point, raw system calls, lines on fd 2. No
 * libc, so that a test decides about every byte that reaches the kernel. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Linux x86-64 numbers; docs/system-calls.md. */
enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_CLOSE = 3,
	NR_POLL = 7,
	NR_MMAP = 9,
	NR_MPROTECT = 10,
	NR_MUNMAP = 11,
	NR_BRK = 12,
	NR_PREAD64 = 17,
	NR_PWRITE64 = 18,
	NR_GETPID = 39,
	NR_UNAME = 63,
	NR_FSYNC = 74,
	NR_FTRUNCATE = 77,
	NR_READLINK = 89,
	NR_ARCH_PRCTL = 158,
	NR_FUTEX = 202,
	NR_SET_TID_ADDRESS = 218,
	NR_CLOCK_GETTIME = 228,
	NR_EXIT_GROUP = 231,
	NR_OPENAT = 257,
	NR_NEWFSTATAT = 262,
	NR_UNLINKAT = 263,
	NR_SET_ROBUST_LIST = 273,
	NR_PRLIMIT64 = 302,
	NR_GETRANDOM = 318,
};

int64_t rt_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		uint64_t f);

#define CALL0(nr)          rt_call(nr, 0, 0, 0, 0, 0, 0)
#define CALL1(nr, a)       rt_call(nr, (uint64_t)(a), 0, 0, 0, 0, 0)
#define CALL2(nr, a, b)    rt_call(nr, (uint64_t)(a), (uint64_t)(b), 0, 0, 0, 0)
#define CALL3(nr, a, b, c) rt_call(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0, 0)
#define CALL4(nr, a, b, c, d) \
	rt_call(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0, 0)

/* Anonymous private memory: the result of mmap(2), negative on failure. */
int64_t rt_mmap(uint64_t address, uint64_t size_bytes, uint64_t protection, uint64_t flags);

/* Linux answers uname(2), our kernel does not have it. What only our kernel promises is then
 * skipped. */
bool rt_on_linux(void);

bool rt_equal(const char *a, const char *b);
void rt_line(const char *text);

_Noreturn void rt_exit(int code);

/* "PASS name" or "FAIL name: got n", counted; rt_failures() says how many failed. */
void rt_expect(const char *name, int64_t actual, int64_t expected);
void rt_check(const char *name, bool good);
int rt_failures(void);

/* The program. Its result is the exit code. */
int test_main(int argc, char **argv);
