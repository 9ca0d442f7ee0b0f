// SPDX-License-Identifier: MIT
/* CPU state that ring 3 may set and that means something else in ring 0: flags, segment registers,
 * pending floating-point errors. The kernel must neither trip over it nor lose it, whether it is
 * entered by a system call or by a timer interrupt. */
#include "user/tests/syscalls_internal.h"

#define FLAG_NT ((uint64_t)1 << 14) /* In ring 0, IRETQ faults with it. */
#define FLAG_AC ((uint64_t)1 << 18) /* In ring 0, it switches SMAP off. */
#define FLAG_ID ((uint64_t)1 << 21)
/* The kernel ticks every 10 ms while ring 3 runs: this is more at any clock rate up to 10 GHz. */
#define SPIN_TSC_TICKS     UINT64_C(100000000)

#define X87_UNMASKED       0x0360u /* Control word: all exceptions but precision. */
#define X87_ERROR_SUMMARY  0x0080u /* Status word: an unmasked exception is pending. */
#define MXCSR_UNMASKED     0x0000u
#define MXCSR_DEFAULT      0x1F80u
#define MXCSR_STICKY_FLAGS 0x003Fu

/* Everything between setting the flags and reading them again is here: with AC set, the compiler's
 * own unaligned accesses would fault where CR0.AM is set, as on Linux. */
static uint64_t spin_with_flags(uint64_t flags)
{
	uint64_t after;

	__asm__ volatile("pushfq; orq %[flags], (%%rsp); popfq\n\t"
			 "rdtsc; shl $32, %%rdx; or %%rdx, %%rax; mov %%rax, %%rcx\n"
			 "1:	rdtsc; shl $32, %%rdx; or %%rdx, %%rax; sub %%rcx, %%rax\n\t"
			 "cmp %[ticks], %%rax; jb 1b\n\t"
			 "pushfq; pop %[after]\n\t"
			 "pushfq; andq %[rest], (%%rsp); popfq"
			 : [after] "=r"(after)
			 : [flags] "r"(flags), [ticks] "r"(SPIN_TSC_TICKS), [rest] "r"(~flags)
			 : "rax", "rcx", "rdx", "cc", "memory");
	return after;
}

/* The flags after getpid(2). */
static uint64_t call_with_flags(uint64_t flags, int64_t *result)
{
	uint64_t after;

	__asm__ volatile("pushfq; orq %[flags], (%%rsp); popfq\n\t"
			 "syscall\n\t"
			 "pushfq; pop %[after]\n\t"
			 "pushfq; andq %[rest], (%%rsp); popfq"
			 : [after] "=&r"(after), "=a"(*result)
			 : "a"((uint64_t)NR_GETPID), [flags] "r"(flags), [rest] "r"(~flags)
			 : "rcx", "r11", "cc", "memory");
	return after;
}

static void test_flags(void)
{
	static const struct {
		const char *name;
		uint64_t flags;
	} rows[] = {
		{"flags: AC", FLAG_AC},
		{"flags: NT", FLAG_NT},
		{"flags: ID", FLAG_ID},
		{"flags: AC, NT and ID", FLAG_AC | FLAG_NT | FLAG_ID},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t flags = rows[i].flags;
		int64_t result = 0;

		rt_line(rows[i].name);
		rt_check("kept across timer ticks", (spin_with_flags(flags) & flags) == flags);
		flags = call_with_flags(flags, &result);
		rt_check("a system call works", result > 0);
		rt_check("and keeps them", (flags & rows[i].flags) == rows[i].flags);
	}
}

/* The null selector is ring 3's to load; it sets the bases of %fs and %gs to 0. */
static void test_null_segments(void)
{
	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs" : : "r"(0));
	rt_check("null segments: ticks", spin_with_flags(0) != 0);
	rt_check("null segments: a system call", CALL0(NR_GETPID) > 0);
}

void simd_break(void)
{
	static const uint16_t control = X87_UNMASKED;
	static const uint32_t mxcsr = MXCSR_UNMASKED;

	__asm__ volatile("ldmxcsr %1; fninit; fldcw %0; fld1; fldz; fdivrp"
			 :
			 : "m"(control), "m"(mxcsr));
}

bool simd_mend(void)
{
	static const uint32_t mxcsr = MXCSR_DEFAULT;
	uint32_t found_mxcsr;
	uint16_t found_status;

	__asm__ volatile("stmxcsr %0; fnstsw %1" : "=m"(found_mxcsr), "=m"(found_status));
	__asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
	return (found_mxcsr & ~MXCSR_STICKY_FLAGS) == MXCSR_UNMASKED &&
	       (found_status & X87_ERROR_SUMMARY) != 0;
}

/* getrandom(2) runs the generator's block cipher; test_store() has the case of a commit. */
static void test_pending_errors(void)
{
	static uint8_t bytes[256];
	int64_t result;
	bool kept;

	simd_break();
	result = CALL3(NR_GETRANDOM, bytes, sizeof(bytes), 0);
	kept = simd_mend();
	rt_expect("getrandom with a floating-point error pending", result, sizeof(bytes));
	rt_check("which is still pending afterwards", kept);
	simd_break();
	(void)spin_with_flags(0);
	rt_check("and across timer ticks", simd_mend());
}

void test_cpu_state(void)
{
	test_flags();
	test_null_segments();
	test_pending_errors();
}
