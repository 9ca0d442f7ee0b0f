/* SPDX-License-Identifier: MIT
 *
 * Entry to and exit from the kernel.
 *
 * Every vector runs on an IST stack. The 16 bytes above the hardware's frame on each of these
 * stacks hold the CPU's percpu pointer (put there once at boot), so that no entry depends on the
 * state of %gs or %fs: an NMI may arrive between any two instructions of these paths.
 */
#include "arch/selectors.h"
#include "arch/trap_frame.h"

#define MSR_FS_BASE 0xc0000100

#define RFLAGS_NOTHING_SET 2 /* Bit 1 always reads as one. */

	.section .text.trap, "ax", @progbits

/* FS_BASE = register; clobbers rax, rcx, rdx. */
.macro LOAD_FS_BASE register
	movq	\register, %rax
	movq	\register, %rdx
	shrq	$32, %rdx
	movl	$MSR_FS_BASE, %ecx
	wrmsr
.endm

.macro PUSH_REGISTERS
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
.endm

.macro POP_REGISTERS
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
.endm

/* One stub a vector: make the frame uniform (error code, vector), then go on in one place. The CPU
 * pushes an error code for vectors 8, 10-14, 17, 21, 29 and 30. */
.macro STUB pushes_error
	.balign	TRAP_STUB_BYTES
	.if \pushes_error == 0
	pushq	$0
	.endif
	pushq	$TRAP_VECTOR
	jmp	trap_common
	.set	TRAP_VECTOR, TRAP_VECTOR + 1
.endm

#define ERROR_CODE_VECTORS ((1 << 8) | (0x1f << 10) | (1 << 17) | (1 << 21) | (3 << 29))

	.balign	TRAP_STUB_BYTES
	.globl	trap_stubs
	.hidden	trap_stubs
trap_stubs:
	.set	TRAP_VECTOR, 0
	.rept	32
	STUB	((ERROR_CODE_VECTORS >> TRAP_VECTOR) & 1)
	.endr
	.rept	224
	STUB	0
	.endr

	.balign	16
trap_common:
	PUSH_REGISTERS
	/* The gate cleared IF, TF and NT. Ring 3 chose the others: DF would turn our copies round,
	 * and AC would switch SMAP off for as long as we run. */
	pushq	$RFLAGS_NOTHING_SET
	popfq
	movl	$MSR_FS_BASE, %ecx
	rdmsr
	shlq	$32, %rdx
	leaq	(%rax, %rdx), %r12		/* The interrupted code's FS_BASE. */
	movq	TRAP_FRAME_BYTES(%rsp), %r13	/* percpu */
	LOAD_FS_BASE %r13
	testb	$3, TRAP_FRAME_CS(%rsp)
	jnz	trap_from_user
	movq	%rsp, %rdi
	movq	%r13, %rsi
	call	trap_from_kernel
	LOAD_FS_BASE %r12
	POP_REGISTERS
	addq	$16, %rsp
	iretq

/* Move the frame to the user context and return from user_run(). */
trap_from_user:
	movq	PERCPU_USER_CONTEXT(%r13), %rdi
	movq	%rsp, %rsi
	movl	$(TRAP_FRAME_BYTES / 8), %ecx
	rep movsq
	jmp	user_run_return

	.balign	16
	.globl	syscall_entry
	.hidden	syscall_entry
syscall_entry:
	/* SYSCALL leaves the user's stack pointer in place: borrow %gs for a moment to find ours,
	 * and build the frame straight in the user context. */
	swapgs
	movq	%rsp, %gs:PERCPU_SCRATCH
	movq	%gs:PERCPU_USER_CONTEXT, %rsp
	addq	$TRAP_FRAME_BYTES, %rsp
	pushq	$SELECTOR_USER_DATA
	pushq	%gs:PERCPU_SCRATCH
	pushq	%r11
	pushq	$SELECTOR_USER_CODE
	pushq	%rcx
	pushq	$0
	pushq	$VECTOR_SYSCALL
	PUSH_REGISTERS
	movq	%gs:PERCPU_SELF, %r13
	swapgs
	LOAD_FS_BASE %r13

/* r13: percpu. */
user_run_return:
	movq	PERCPU_KERNEL_RSP(%r13), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret

/* void user_run(struct user_context *context, struct percpu *percpu) */
	.balign	16
	.globl	user_run
	.hidden	user_run
	.type	user_run, @function
user_run:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, PERCPU_KERNEL_RSP(%rsi)
	movq	%rdi, PERCPU_USER_CONTEXT(%rsi)
	movq	USER_CONTEXT_FS_BASE(%rdi), %r8
	LOAD_FS_BASE %r8
	/* The context is the stack for the next sixteen instructions. That is safe because every
	 * vector switches stacks. */
	movq	%rdi, %rsp
	POP_REGISTERS
	addq	$16, %rsp
	iretq
	.size	user_run, . - user_run

	.section .note.GNU-stack, "", @progbits
