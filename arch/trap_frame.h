// SPDX-License-Identifier: MIT
/* What the entry code saves, shared between assembly and C. Offsets are pinned by the assertions
 * in trap_frame.c. */
#pragma once

#define TRAP_FRAME_BYTES     176
#define TRAP_FRAME_CS        144

#define USER_CONTEXT_FS_BASE 176

#define PERCPU_SELF          0
#define PERCPU_KERNEL_RSP    8
#define PERCPU_USER_CONTEXT  16
#define PERCPU_SCRATCH       24
#define PERCPU_CANARY        40

/* Not a hardware vector: the frame comes from the SYSCALL instruction. */
#define VECTOR_SYSCALL 256

/* Distance between two entry stubs. */
#define TRAP_STUB_BYTES 16

#ifndef __ASSEMBLER__

#include <stdint.h>

struct trap_frame {
	uint64_t r15;
	uint64_t r14;
	uint64_t r13;
	uint64_t r12;
	uint64_t r11;
	uint64_t r10;
	uint64_t r9;
	uint64_t r8;
	uint64_t rbp;
	uint64_t rdi;
	uint64_t rsi;
	uint64_t rdx;
	uint64_t rcx;
	uint64_t rbx;
	uint64_t rax;
	uint64_t vector;
	uint64_t error;
	uint64_t rip;
	uint64_t cs;
	uint64_t rflags;
	uint64_t rsp;
	uint64_t ss;
};

struct svsm;

/* A ring-3 program's registers while it does not run. SIMD state is kept beside it. */
struct user_context {
	struct trap_frame frame;
	uint64_t fs_base;
};

/* %fs points here while the kernel runs: Debian's archives and our own code find the stack
 * protector's canary at %fs:0x28. */
struct percpu {
	struct percpu *self;
	uint64_t kernel_rsp;               /* Where user_run() returns to. */
	struct user_context *user_context; /* The one that runs or ran last. */
	uint64_t scratch;                  /* SYSCALL entry: the user's stack pointer. */
	struct svsm *svsm;                 /* Everything; kernel/ knows what it is. */
	uint64_t canary;
	uint32_t index;
};

/* Run ring 3 until it traps, interrupts or calls; the context then holds its registers and
 * `frame.vector` why it stopped (VECTOR_SYSCALL or a hardware vector). Interrupts are off before
 * and after, on while ring 3 runs. The caller saves and restores SIMD state. */
void user_run(struct user_context *context, struct percpu *percpu);

/* The SYSCALL target, for MSR_LSTAR. */
void syscall_entry(void);

/* 256 stubs of TRAP_STUB_BYTES each. */
extern const uint8_t trap_stubs[];

/* Supplied by kernel/: a trap that came from ring 0. Returns to where it came from. */
void trap_from_kernel(struct trap_frame *frame, struct percpu *percpu);

#endif
