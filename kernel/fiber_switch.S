/* SPDX-License-Identifier: MIT
 *
 * From one stack to another (kernel/fiber.h). What the ABI lets a call destroy is lost, so only
 * the other registers are kept; the kernel has no state in SIMD registers between calls. Interrupts
 * are off on both sides.
 */

	/* void fiber_switch(uint64_t *save_rsp, uint64_t to_rsp) */
	.text
	.globl	fiber_switch
	.hidden	fiber_switch
	.type	fiber_switch, @function
fiber_switch:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	fiber_switch, . - fiber_switch

	/* The first turn begins here: rbp is zero, which ends back traces. */
	.globl	fiber_start
	.hidden	fiber_start
	.type	fiber_start, @function
fiber_start:
	movq	%r13, %rdi
	call	*%r12
	ud2
	.size	fiber_start, . - fiber_start

	.section .note.GNU-stack, "", @progbits
