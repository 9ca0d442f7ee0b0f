// SPDX-License-Identifier: MIT
/* Entered by stage2: rdi -> boot_params, rsp as after a call. */
	.section .text.entry, "ax", @progbits
	.globl kernel_entry
kernel_entry:
	movq %rsp, %rsi
	jmp test_kernel_main

	.section .note.GNU-stack, "", @progbits
