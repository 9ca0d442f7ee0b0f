// SPDX-License-Identifier: MIT
/* One offence for each run: holdfast.run=test-faults:<case>. The kernel must kill this program
 * (`user: test-faults killed: FAULTED (vector n, address x)`) and live. A program that is still
 * there after its offence says FAIL and exits with 1; an unknown case exits with 2. */
#include "user/tests/rt.h"

#define KERNEL_ADDRESS UINT64_C(0xFFFF800000000000)
#define KERNEL_IMAGE   UINT64_C(0xFFFFFFFF80000000)

static void read_at(uint64_t address)
{
	(void)*(volatile uint8_t *)address;
}

static void case_read_kernel(void)
{
	read_at(KERNEL_ADDRESS);
}

static void case_read_kernel_image(void)
{
	read_at(KERNEL_IMAGE);
}

static void case_write_kernel(void)
{
	*(volatile uint64_t *)KERNEL_ADDRESS = 1;
}

static void case_jump_kernel(void)
{
	((void (*)(void))KERNEL_IMAGE)();
}

static void case_non_canonical(void)
{
	read_at(UINT64_C(0x8000000000000000));
}

static void case_null(void)
{
	__asm__ volatile("movb $1, 0");
}

static void case_jump_null(void)
{
	__asm__ volatile("xor %%eax, %%eax; call *%%rax" : : : "rax", "memory");
}

static void case_write_text(void)
{
	*(volatile uint8_t *)(uint64_t)&test_main = 0xC3;
}

static void case_exec_stack(void)
{
	volatile uint8_t code[16] = {0xC3};

	((void (*)(void))(uint64_t)code)();
}

static void case_exec_data(void)
{
	static volatile uint8_t code[16] = {0xC3};

	((void (*)(void))(uint64_t)code)();
}

static void case_exec_mmap(void)
{
	volatile uint8_t *code = (volatile uint8_t *)rt_mmap(0, 4096, 3, 0x22);

	code[0] = 0xC3;
	((void (*)(void))(uint64_t)code)();
}

static void case_hlt(void)
{
	__asm__ volatile("hlt");
}

static void case_cli(void)
{
	__asm__ volatile("cli");
}

static void case_sti(void)
{
	__asm__ volatile("sti");
}

static void case_wrmsr(void)
{
	__asm__ volatile("wrmsr" : : "c"(0xC0000082), "a"(0), "d"(0));
}

static void case_rdmsr(void)
{
	__asm__ volatile("rdmsr" : : "c"(0xC0000082) : "rax", "rdx");
}

static void case_in(void)
{
	__asm__ volatile("in %%dx, %%al" : : "d"(0x3F8) : "rax");
}

/* The port that ends the virtual machine. */
static void case_out(void)
{
	__asm__ volatile("out %%al, %%dx" : : "d"(0xF4), "a"(0));
}

static void case_cr3(void)
{
	__asm__ volatile("mov %%cr3, %%rax" : : : "rax");
}

static void case_cr0(void)
{
	__asm__ volatile("mov %%rax, %%cr0" : : "a"(0));
}

static void case_lidt(void)
{
	static uint8_t table[10];

	__asm__ volatile("lidt %0" : : "m"(table));
}

static void case_invlpg(void)
{
	__asm__ volatile("invlpg (%0)" : : "r"(&test_main));
}

static void case_swapgs(void)
{
	__asm__ volatile("swapgs");
}

static void case_xsetbv(void)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"(1), "d"(0));
}

/* A device's or an exception's gate must not be callable. */
static void case_int_gate(void)
{
	__asm__ volatile("int $0x20");
}

static void case_int_page_fault(void)
{
	__asm__ volatile("int $14");
}

static void case_int_syscall(void)
{
	__asm__ volatile("int $0x80" : : "a"(20) : "memory");
	/* Linux answers it; our kernel has no such gate. */
	if (rt_on_linux()) {
		__asm__ volatile("ud2");
	}
}

static void case_kernel_segment(void)
{
	__asm__ volatile("mov %0, %%ss" : : "r"((uint16_t)0x10));
}

/* iret to ring 0. */
static void case_iret_kernel(void)
{
	__asm__ volatile("mov %%rsp, %%rax\n\t"
			 "push $0x10; push %%rax; pushf; push $0x08; push $0; iretq"
			 :
			 :
			 : "rax", "memory");
}

static const struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) task_pointer = {0, 0x28};

/* A far call to the task's descriptor: long mode has no task switches. */
static void case_call_task(void)
{
	__asm__ volatile("lcall *%0" : : "m"(task_pointer) : "memory");
}

/* The task's selector with our privilege level: no data segment. On Linux it is one. */
#define LOAD_SEGMENT(segment)                                                   \
	do {                                                                    \
		__asm__ volatile("mov %0, %%" segment : : "r"((uint16_t)0x2b)); \
		if (rt_on_linux()) {                                            \
			__asm__ volatile("ud2");                                \
		}                                                               \
	} while (false)

static void case_load_ds(void)
{
	LOAD_SEGMENT("ds");
}

static void case_load_es(void)
{
	LOAD_SEGMENT("es");
}

static void case_load_fs(void)
{
	LOAD_SEGMENT("fs");
}

static void case_load_gs(void)
{
	LOAD_SEGMENT("gs");
}

static void case_divide(void)
{
	__asm__ volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; mov $1, %%eax; div %%ecx"
			 :
			 :
			 : "rax", "rcx", "rdx", "cc");
}

static void case_invalid_opcode(void)
{
	__asm__ volatile("ud2");
}

static void case_breakpoint(void)
{
	__asm__ volatile("int3");
}

/* Single-stepping into a system call must not step through the kernel. */
static void case_trap_flag(void)
{
	__asm__ volatile("pushf; orl $0x100, (%%rsp); popf; mov $39, %%eax; syscall"
			 :
			 :
			 : "rax", "rcx", "r11", "memory", "cc");
}

static void case_alignment(void)
{
	static uint64_t words[2];

	/* #AC, if CR0.AM is set; nothing happens if it is not, which is as good. */
	__asm__ volatile("pushf; orl $0x40000, (%%rsp); popf; mov 1(%0), %%rax; ud2"
			 :
			 : "r"(words)
			 : "rax", "memory", "cc");
}

/* The exception arrives while there is no stack that ring 3 could lend. */
static void case_bad_stack(void)
{
	__asm__ volatile("xor %%esp, %%esp; push %%rax" : : : "memory");
}

static void case_kernel_stack(void)
{
	__asm__ volatile("mov %0, %%rsp; push %%rax" : : "r"(KERNEL_ADDRESS + 0x1000) : "memory");
}

/* A system call must not touch the caller's stack: this one is no stack at all. */
static void case_syscall_without_stack(void)
{
	__asm__ volatile("xor %%esp, %%esp; mov $39, %%eax; syscall; ud2" : : : "memory");
}

/* #MF: unmasked division by zero. (QEMU's emulator never raises #XM, the SSE counterpart.) */
static void case_x87_exception(void)
{
	static const uint16_t unmasked = 0x0360;

	__asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(unmasked));
}

/* The call returns to a page that is no more. */
static void case_munmap_text(void)
{
	__asm__ volatile("lea 1f(%%rip), %%rdi; and $-4096, %%rdi; mov $4096, %%esi\n\t"
			 "syscall\n"
			 "1:"
			 :
			 : "a"((uint64_t)NR_MUNMAP)
			 : "rdi", "rsi", "rcx", "r11", "memory");
}

/* All of it that is in use, and then some. */
static void case_munmap_stack(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0) & ~UINT64_C(4095);

	(void)CALL2(NR_MUNMAP, here - 0x10000, 0x20000);
}

static int recurse(int depth)
{
	volatile uint8_t room[1024];

	room[0] = (uint8_t)depth;
	return depth < 0 ? depth : recurse(depth + 1) + room[0];
}

static void case_stack_overflow(void)
{
	(void)recurse(0);
}

/* The kernel's deadline has to end these two. */
static void case_spin(void)
{
	for (;;) {
		__asm__ volatile("" : : : "memory");
	}
}

static void case_spin_syscalls(void)
{
	for (;;) {
		(void)CALL0(NR_GETPID);
	}
}

/* Not an offence but an end: the kernel maps the code to a status. */
static void case_exit(void)
{
	rt_exit(7);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"read-kernel", case_read_kernel},
	{"read-kernel-image", case_read_kernel_image},
	{"write-kernel", case_write_kernel},
	{"jump-kernel", case_jump_kernel},
	{"non-canonical", case_non_canonical},
	{"null", case_null},
	{"jump-null", case_jump_null},
	{"write-text", case_write_text},
	{"exec-stack", case_exec_stack},
	{"exec-data", case_exec_data},
	{"exec-nx", case_exec_mmap},
	{"hlt", case_hlt},
	{"cli", case_cli},
	{"sti", case_sti},
	{"wrmsr", case_wrmsr},
	{"rdmsr", case_rdmsr},
	{"in", case_in},
	{"out", case_out},
	{"cr3", case_cr3},
	{"cr0", case_cr0},
	{"lidt", case_lidt},
	{"invlpg", case_invlpg},
	{"swapgs", case_swapgs},
	{"xsetbv", case_xsetbv},
	{"int-gate", case_int_gate},
	{"int-page-fault", case_int_page_fault},
	{"int-syscall", case_int_syscall},
	{"kernel-segment", case_kernel_segment},
	{"iret-kernel", case_iret_kernel},
	{"call-task", case_call_task},
	{"load-ds", case_load_ds},
	{"load-es", case_load_es},
	{"load-fs", case_load_fs},
	{"load-gs", case_load_gs},
	{"divide", case_divide},
	{"invalid-opcode", case_invalid_opcode},
	{"breakpoint", case_breakpoint},
	{"trap-flag", case_trap_flag},
	{"alignment", case_alignment},
	{"bad-stack", case_bad_stack},
	{"kernel-stack", case_kernel_stack},
	{"syscall-without-stack", case_syscall_without_stack},
	{"x87-exception", case_x87_exception},
	{"munmap-text", case_munmap_text},
	{"munmap-stack", case_munmap_stack},
	{"stack-overflow", case_stack_overflow},
	{"spin", case_spin},
	{"spin-syscalls", case_spin_syscalls},
	{"exit", case_exit},
};

int test_main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc == 2 && rt_equal(argv[1], cases[i].name)) {
			rt_line(cases[i].name);
			cases[i].run();
			rt_check(cases[i].name, false);
			return 1;
		}
		/* `list` is for the test driver. */
		if (argc == 2 && rt_equal(argv[1], "list")) {
			rt_line(cases[i].name);
		}
	}
	return argc == 2 && rt_equal(argv[1], "list") ? 0 : 2;
}
