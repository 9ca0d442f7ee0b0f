// SPDX-License-Identifier: MIT
/* A system call changes rax, rcx and r11, and nothing else: not the vector registers (the kernel
 * seals blocks with AES instructions), not the floating-point modes, not the direction flag. */
#include "user/tests/syscalls_internal.h"

struct snapshot {
	uint64_t general[12]; /* rbx rbp r12-r15, rdi rsi rdx r8 r9 r10. */
	uint8_t vector[16][16];
	uint64_t rcx;
	uint64_t r11;
	uint64_t result;
	uint32_t mxcsr;
	uint16_t x87_control;
};

/* rdi: snapshot to fill, with vector[] holding what to load; rsi: four words: number, rdi, rsi,
 * rdx of the call. Callee-saved registers are restored as C expects. */
void call_and_snapshot(struct snapshot *snapshot, const uint64_t *arguments);

__asm__(".text\n"
	".globl call_and_snapshot\n"
	"call_and_snapshot:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	push %rdi\n"
	"	lea 96(%rdi), %rcx\n"
	"	movdqu 0(%rcx), %xmm0;    movdqu 16(%rcx), %xmm1\n"
	"	movdqu 32(%rcx), %xmm2;   movdqu 48(%rcx), %xmm3\n"
	"	movdqu 64(%rcx), %xmm4;   movdqu 80(%rcx), %xmm5\n"
	"	movdqu 96(%rcx), %xmm6;   movdqu 112(%rcx), %xmm7\n"
	"	movdqu 128(%rcx), %xmm8;  movdqu 144(%rcx), %xmm9\n"
	"	movdqu 160(%rcx), %xmm10; movdqu 176(%rcx), %xmm11\n"
	"	movdqu 192(%rcx), %xmm12; movdqu 208(%rcx), %xmm13\n"
	"	movdqu 224(%rcx), %xmm14; movdqu 240(%rcx), %xmm15\n"
	"	mov 0(%rsi), %rax\n"
	"	mov 8(%rsi), %rdi\n"
	"	mov 24(%rsi), %rdx\n"
	"	mov 16(%rsi), %rsi\n"
	"	mov $0x1111, %rbx; mov $0x2222, %rbp; mov $0x3333, %r12; mov $0x4444, %r13\n"
	"	mov $0x5555, %r14; mov $0x6666, %r15; mov $0, %r10; mov $0x8888, %r8\n"
	"	mov $0x9999, %r9\n"
	"	std\n"
	"	syscall\n"
	"0:	pushf\n"
	"	cld\n"
	/* rsp: flags, snapshot. Every register still has its value. */
	"	push %rcx\n"
	"	mov 16(%rsp), %rcx\n"
	"	mov %rbx, 0(%rcx);  mov %rbp, 8(%rcx);  mov %r12, 16(%rcx); mov %r13, 24(%rcx)\n"
	"	mov %r14, 32(%rcx); mov %r15, 40(%rcx); mov %rdi, 48(%rcx); mov %rsi, 56(%rcx)\n"
	"	mov %rdx, 64(%rcx); mov %r8, 72(%rcx);  mov %r9, 80(%rcx);  mov %r10, 88(%rcx)\n"
	"	movdqu %xmm0, 96(%rcx);   movdqu %xmm1, 112(%rcx)\n"
	"	movdqu %xmm2, 128(%rcx);  movdqu %xmm3, 144(%rcx)\n"
	"	movdqu %xmm4, 160(%rcx);  movdqu %xmm5, 176(%rcx)\n"
	"	movdqu %xmm6, 192(%rcx);  movdqu %xmm7, 208(%rcx)\n"
	"	movdqu %xmm8, 224(%rcx);  movdqu %xmm9, 240(%rcx)\n"
	"	movdqu %xmm10, 256(%rcx); movdqu %xmm11, 272(%rcx)\n"
	"	movdqu %xmm12, 288(%rcx); movdqu %xmm13, 304(%rcx)\n"
	"	movdqu %xmm14, 320(%rcx); movdqu %xmm15, 336(%rcx)\n"
	"	pop 352(%rcx)\n" /* rcx: the address after syscall. */
	"	lea 0b(%rip), %rdx\n"
	"	sub %rdx, 352(%rcx)\n"
	"	pop 360(%rcx)\n" /* The flags, and what r11 differs from them in. */
	"	mov 360(%rcx), %rdx\n"
	"	xor %r11, %rdx\n"
	"	shl $32, %rdx\n"
	"	or %rdx, 360(%rcx)\n"
	"	mov %rax, 368(%rcx)\n"
	"	stmxcsr 376(%rcx)\n"
	"	fnstcw 380(%rcx)\n"
	"	pop %rdi\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

_Static_assert(offsetof(struct snapshot, vector) == 96, "assembly");
_Static_assert(offsetof(struct snapshot, rcx) == 352, "assembly");
_Static_assert(offsetof(struct snapshot, r11) == 360, "assembly");
_Static_assert(offsetof(struct snapshot, result) == 368, "assembly");
_Static_assert(offsetof(struct snapshot, mxcsr) == 376, "assembly");
_Static_assert(offsetof(struct snapshot, x87_control) == 380, "assembly");

#define FLAG_DIRECTION UINT64_C(0x400)

static uint8_t pattern(int reg, int byte, int round)
{
	return (uint8_t)(reg * 16 + byte * 3 + round * 101 + 1);
}

static bool vectors_kept(const struct snapshot *snapshot, int round)
{
	for (int reg = 0; reg < 16; reg++) {
		for (int byte = 0; byte < 16; byte++) {
			if (snapshot->vector[reg][byte] != pattern(reg, byte, round)) {
				return false;
			}
		}
	}
	return true;
}

static bool general_kept(const struct snapshot *snapshot, const uint64_t *arguments)
{
	const uint64_t expected[12] = {0x1111,       0x2222, 0x3333,       0x4444,
				       0x5555,       0x6666, arguments[1], arguments[2],
				       arguments[3], 0x8888, 0x9999,       0};

	for (int i = 0; i < 12; i++) {
		if (snapshot->general[i] != expected[i]) {
			return false;
		}
	}
	return true;
}

static void check_call(const char *name, const uint64_t *arguments, uint64_t expected, int round)
{
	static struct snapshot snapshot;
	uint32_t mxcsr = 0x1F80;
	uint16_t x87_control = 0x27F;

	for (int reg = 0; reg < 16; reg++) {
		for (int byte = 0; byte < 16; byte++) {
			snapshot.vector[reg][byte] = pattern(reg, byte, round);
		}
	}
	/* Other than the defaults: round down, single-denormal exceptions as they are. */
	mxcsr |= 0x2000;
	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(x87_control));
	call_and_snapshot(&snapshot, arguments);
	rt_line(name);
	rt_expect("its result", (int64_t)snapshot.result, (int64_t)expected);
	rt_check("vector registers are kept", vectors_kept(&snapshot, round));
	rt_check("general registers are kept", general_kept(&snapshot, arguments));
	rt_check("rcx tells nothing but the return address", snapshot.rcx == 0);
	rt_check("r11 tells nothing but the flags", snapshot.r11 >> 32 == 0);
	rt_check("the direction flag is kept", (snapshot.r11 & FLAG_DIRECTION) != 0);
	rt_check("MXCSR is kept", (snapshot.mxcsr & 0xFFC0) == (mxcsr & 0xFFC0));
	rt_check("the x87 control word is kept", snapshot.x87_control == x87_control);
}

void test_registers(void)
{
	static uint8_t buffer[256];
	const uint64_t calls[][4] = {
		{NR_CLOCK_GETTIME, 1, (uint64_t)buffer, 0},
		{NR_GETRANDOM, (uint64_t)buffer, 256, 0},
		{NR_WRITE, 2, (uint64_t) "(a line)\n", 9},
		{999, 7, 8, 9},
		{NR_GETRANDOM, 0xFFFF800000000000, 256, 0},
	};
	const uint64_t expected[] = {0, 256, 9, (uint64_t)-38, (uint64_t)-14};
	const char *const names[] = {"registers: clock_gettime", "registers: getrandom",
				     "registers: write", "registers: unknown call",
				     "registers: bad pointer"};
	uint32_t mxcsr = 0x1F80;

	for (int i = 0; i < 5; i++) {
		check_call(names[i], calls[i], expected[i], i);
	}
	__asm__ volatile("ldmxcsr %0; fninit" : : "m"(mxcsr));
}
