/* SPDX-License-Identifier: MIT
 *
 * stage2 jumps here in long mode with interrupts off: rdi points to the boot parameters. Its stack
 * disappears with its page tables, so the first thing is one of our own. The first C function
 * already has a stack protector, so %fs has to point to the percpu block before it.
 */
#include "arch/trap_frame.h"

#define MSR_FS_BASE 0xc0000100

	.section .text.entry, "ax", @progbits
	.globl	kernel_entry
	.type	kernel_entry, @function
kernel_entry:
	leaq	the_svsm(%rip), %rsi		/* Its first member is the percpu block. */
	movq	%rsi, %rax
	movq	%rsi, %rdx
	shrq	$32, %rdx
	movl	$MSR_FS_BASE, %ecx
	wrmsr
	xorl	%ebp, %ebp		/* Ends back traces. */
	leaq	boot_stack_top(%rip), %rsp
	call	kernel_main
	ud2
	.size	kernel_entry, . - kernel_entry

	/* void stack_switch(uint64_t top, void (*next)(void *), void *argument): never returns. */
	.text
	.globl	stack_switch
	.hidden	stack_switch
	.type	stack_switch, @function
stack_switch:
	movq	%rdi, %rsp
	movq	%rdx, %rdi
	xorl	%ebp, %ebp
	call	*%rsi
	ud2
	.size	stack_switch, . - stack_switch

	.bss
	.balign	16
	.skip	16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
