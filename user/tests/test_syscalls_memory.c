// SPDX-License-Identifier: MIT
#include "user/tests/syscalls_internal.h"
#include "vtpm/errno_map.h"

static bool all_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != 0) {
			return false;
		}
	}
	return true;
}

static void test_brk(void)
{
	int64_t start = CALL1(NR_BRK, 0);
	int64_t end = CALL1(NR_BRK, start + 100000);
	uint8_t *heap = (uint8_t *)start;

	rt_check("brk tells where the heap starts", start > 0);
	rt_expect("brk grows by any number of bytes", end, start + 100000);
	rt_check("the new heap is zero", all_zero(heap, 100000));
	heap[0] = 1;
	heap[99999] = 2;
	rt_expect("brk shrinks", CALL1(NR_BRK, start), start);
	rt_expect("and grows again", CALL1(NR_BRK, start + 100000), start + 100000);
	rt_check("what was given back is zero", heap[99999] == 0);
	rt_expect("brk below the heap does nothing", CALL1(NR_BRK, 1), start + 100000);
	rt_expect("brk into the kernel does nothing", CALL1(NR_BRK, 0xFFFF800000000000),
		  start + 100000);
	rt_expect("brk to the end of time does nothing", CALL1(NR_BRK, 0xFFFFFFFFFFFFFFFF),
		  start + 100000);
	rt_expect("brk of a terabyte does nothing", CALL1(NR_BRK, start + (INT64_C(1) << 40)),
		  start + 100000);
	rt_expect("brk shrinks to nothing", CALL1(NR_BRK, start), start);
}

static void test_mappings(void)
{
	int64_t mapped = rt_mmap(0, 278528, PROT_RW, MAP_ANONYMOUS_PRIVATE);
	uint8_t *bytes = (uint8_t *)mapped;

	rt_check("mmap", mapped > 0 && (uint64_t)mapped % PAGE == 0);
	if (mapped <= 0) {
		return;
	}
	rt_check("the mapping is zero", all_zero(bytes, 278528));
	bytes[0] = 1;
	bytes[278527] = 2;
	rt_expect("mprotect to read-only", CALL3(NR_MPROTECT, bytes, PAGE, 1), 0);
	rt_expect("the kernel respects it", CALL3(NR_GETRANDOM, bytes, 1, 0), -LINUX_EFAULT);
	rt_check("and it reads as before", bytes[0] == 1);
	rt_expect("mprotect back", CALL3(NR_MPROTECT, bytes, PAGE, PROT_RW), 0);
	bytes[0] = 3;
	rt_check("mprotect of an odd address", CALL3(NR_MPROTECT, bytes + 1, PAGE, 1) < 0);
	rt_check("munmap of an odd address", CALL2(NR_MUNMAP, bytes + 1, PAGE) < 0);
	rt_check("munmap of nothing", CALL2(NR_MUNMAP, bytes, 0) < 0);
	rt_expect("munmap", CALL2(NR_MUNMAP, bytes, 278528), 0);
	rt_expect("it is gone", CALL3(NR_GETRANDOM, bytes, 1, 0), -LINUX_EFAULT);
}

/* A few hundred turns: pages have to come back, page tables too, and be zero again. */
static void test_mappings_are_reused(void)
{
	for (int turn = 0; turn < 300; turn++) {
		int64_t mapped = rt_mmap(0, 64 * PAGE, PROT_RW, MAP_ANONYMOUS_PRIVATE);
		uint8_t *bytes = (uint8_t *)mapped;

		if (mapped <= 0 || bytes[63 * PAGE] != 0 || bytes[0] != 0) {
			rt_expect("mmap again and again", turn, 300);
			return;
		}
		bytes[0] = 1;
		bytes[63 * PAGE] = 1;
		if (CALL2(NR_MUNMAP, bytes, 64 * PAGE) != 0) {
			rt_expect("munmap again and again", turn, 300);
			return;
		}
	}
	rt_check("mmap and munmap again and again", true);
}

static void test_refused_mappings(void)
{
	static const uint64_t kernel[] = {0xFFFF800000000000, 0xFFFFFFFF80000000,
					  0x0000800000000000, 0x00007FFFFFFFF000};

	rt_check("mmap of nothing", rt_mmap(0, 0, PROT_RW, MAP_ANONYMOUS_PRIVATE) < 0);
	rt_check("mmap of a file", rt_call(NR_MMAP, 0, PAGE, PROT_RW, 0x02, UINT64_MAX, 0) < 0);
	for (size_t i = 0; i < sizeof(kernel) / sizeof(kernel[0]); i++) {
		rt_check("mmap at a kernel address",
			 rt_mmap(kernel[i], PAGE, PROT_RW, MAP_ANONYMOUS_PRIVATE | MAP_FIXED) < 0);
		rt_check("mprotect of a kernel address",
			 CALL3(NR_MPROTECT, kernel[i], PAGE, PROT_RW) < 0);
		/* Linux and we agree: unmapping what is not mapped is no error, in user space. */
		if (i < 3) {
			rt_check("munmap of a kernel address",
				 CALL2(NR_MUNMAP, kernel[i], PAGE) < 0);
		}
	}
	if (rt_on_linux()) {
		return;
	}
	rt_check("mmap writable and executable",
		 rt_mmap(0, PAGE, PROT_RWX, MAP_ANONYMOUS_PRIVATE) < 0);
	rt_check("mprotect of code to writable",
		 CALL3(NR_MPROTECT, (uint64_t)&test_main & ~(PAGE - 1), PAGE, PROT_RWX) < 0);
	rt_check("mprotect of the heap to writable and executable",
		 CALL3(NR_MPROTECT, (uint64_t)__builtin_frame_address(0) & ~(PAGE - 1), PAGE,
		       PROT_RWX) < 0);
}

/* W^X over time as well: what was ever writable never becomes executable. */
static void test_protections(void)
{
	static const uint64_t refused[] = {PROT_NONE, 2,        4,           PROT_RX,
					   6,         PROT_RWX, 8 | PROT_RW, UINT64_MAX};
	int64_t mapped = rt_mmap(0, PAGE, PROT_RW, MAP_ANONYMOUS_PRIVATE);
	uint64_t text = (uint64_t)&test_main & ~(PAGE - 1);

	rt_check("mmap a page", mapped > 0);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		rt_expect("mmap with such a protection",
			  rt_mmap(0, PAGE, refused[i], MAP_ANONYMOUS_PRIVATE), -LINUX_EINVAL);
		rt_expect("mprotect to such a protection",
			  CALL3(NR_MPROTECT, mapped, PAGE, refused[i]), -LINUX_EINVAL);
		rt_expect("mprotect of text to it", CALL3(NR_MPROTECT, text, PAGE, refused[i]),
			  -LINUX_EINVAL);
	}
	rt_expect("mprotect to read-only", CALL3(NR_MPROTECT, mapped, PAGE, PROT_READ), 0);
	rt_expect("and then to executable", CALL3(NR_MPROTECT, mapped, PAGE, PROT_RX),
		  -LINUX_EINVAL);
	rt_expect("munmap", CALL2(NR_MUNMAP, mapped, PAGE), 0);
}

void test_memory(void)
{
	test_brk();
	test_mappings();
	test_mappings_are_reused();
	test_refused_mappings();
	if (!rt_on_linux()) {
		test_protections();
	}
}

struct timespec_bytes {
	int64_t seconds;
	int64_t nanoseconds;
};

void test_time_and_entropy(void)
{
	struct timespec_bytes before = {0};
	struct timespec_bytes after = {0};
	uint8_t first[32] = {0};
	uint8_t second[32] = {0};
	uint8_t longer[600] = {0};
	uint8_t different = 0;

	rt_expect("clock_gettime", CALL2(NR_CLOCK_GETTIME, 1, &before), 0);
	rt_expect("clock_gettime again", CALL2(NR_CLOCK_GETTIME, 1, &after), 0);
	rt_check("nanoseconds are below a second",
		 after.nanoseconds >= 0 && after.nanoseconds < 1000000000);
	rt_check("time does not go back",
		 after.seconds > before.seconds || (after.seconds == before.seconds &&
						    after.nanoseconds >= before.nanoseconds));
	rt_expect("CPU time", CALL2(NR_CLOCK_GETTIME, 2, &after), 0);
	rt_expect("a clock that does not exist", CALL2(NR_CLOCK_GETTIME, 9999, &after),
		  -LINUX_EINVAL);

	rt_expect("getrandom", CALL3(NR_GETRANDOM, first, 32, 0), 32);
	rt_expect("getrandom, not waiting", CALL3(NR_GETRANDOM, second, 32, 1), 32);
	for (int i = 0; i < 32; i++) {
		different |= first[i] ^ second[i];
	}
	rt_check("two results differ", different != 0);
	rt_expect("getrandom of nothing", CALL3(NR_GETRANDOM, first, 0, 0), 0);
	if (!rt_on_linux()) {
		rt_expect("a long getrandom gets the first 256",
			  CALL3(NR_GETRANDOM, longer, sizeof(longer), 0), 256);
		rt_check("and no more", all_zero(longer + 256, sizeof(longer) - 256));
		rt_check("but those", !all_zero(longer + 240, 16));
	}
	rt_expect("getrandom with unknown flags", CALL3(NR_GETRANDOM, first, 32, 0x8000),
		  -LINUX_EINVAL);
	rt_check("getpid", CALL0(NR_GETPID) > 0);
	rt_check("set_tid_address", CALL1(NR_SET_TID_ADDRESS, first) > 0);
	rt_expect("futex wake", CALL3(NR_FUTEX, (uint64_t)first & ~UINT64_C(3), 0x81, 1), 0);
	rt_check("arch_prctl, unknown code", CALL2(NR_ARCH_PRCTL, 0x9999, 0) < 0);
	rt_check("arch_prctl, FS in the kernel",
		 CALL2(NR_ARCH_PRCTL, 0x1002, 0xFFFF800000000000) < 0);
	rt_check("arch_prctl, FS not canonical",
		 CALL2(NR_ARCH_PRCTL, 0x1002, 0x4000000000000000) < 0);
}
