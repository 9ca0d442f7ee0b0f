// SPDX-License-Identifier: MIT
/* The first instruction of the system, and the last one of stage2.
 *
 * The VMM enters at stage2_entry32 by the PVH protocol (Xen's docs/misc/pvh.pandoc): 32-bit
 * protected mode, paging off, flat segments, ebx -> struct hvm_start_info. From there to long mode
 * under page tables of our own: the first 4 GiB identity-mapped, writable and never executable,
 * except that stage2's own text is executable and not writable. The same tables appear again at
 * STAGE2_ALIAS, in the half of the address space that the kernel keeps: the jump to the kernel
 * is made there, so the kernel's first tables need no identity map at all. */
#include "boot/stage2_layout.h"

#define CR0_MP		   0x00000002
#define CR0_EM		   0x00000004
#define CR0_WP		   0x00010000
#define CR0_PG		   0x80000000
#define CR4_PAE		   0x00000020
#define CR4_SSE		   0x00000600 /* OSFXSR, OSXMMEXCPT: the hash library's. */
#define MSR_EFER	   0xc0000080
#define EFER_LME_NXE	   0x00000900
#define MSR_FS_BASE	   0xc0000100
#define CPUID_NX	   20
#define CPUID_LM	   29

#define PTE_P		   0x001
#define PTE_RW		   0x002
#define PTE_PS		   0x080
#define PTE_NX_HIGH	   0x80000000 /* Bit 63, in the upper half of an entry. */

#define SELECTOR_CODE	   0x08
#define SELECTOR_DATA	   0x10

	/* XEN_ELFNOTE_PHYS32_ENTRY. */
	.section .note.pvh, "a", @note
	.align 4
	.long 4, 8, 18
	.asciz "Xen"
	.quad stage2_entry32

	.section .text.entry, "ax", @progbits
	.code32
	.globl stage2_entry32
stage2_entry32:
	cli
	cld
	movl %ebx, %esi		/* start_info, kept in esi until long mode. */
	movl $stage2_bss_begin, %edi
	movl $stage2_bss_end, %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	xorl %eax, %eax
	rep stosl
	movl $stage2_stack_end, %esp

	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb cpu_too_old
	movl $0x80000001, %eax
	cpuid
	btl $CPUID_LM, %edx
	jnc cpu_too_old
	btl $CPUID_NX, %edx
	jnc cpu_too_old

	call build_tables
	call protect_image

	movl %cr4, %eax
	orl $(CR4_PAE | CR4_SSE), %eax
	movl %eax, %cr4
	movl $root_table, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME_NXE, %eax
	wrmsr
	movl %cr0, %eax
	andl $~CR0_EM, %eax
	orl $(CR0_PG | CR0_WP | CR0_MP), %eax
	movl %eax, %cr0
	lgdt gdt_register
	ljmp $SELECTOR_CODE, $long_mode

	/* Four gigabytes of 2 MiB pages, and small pages for the first 2 MiB. */
build_tables:
	movl $(table_level2 + PTE_P + PTE_RW), root_table
	movl $(table_level2 + PTE_P + PTE_RW), root_table + 8 * STAGE2_ALIAS_SLOT
	movl $(tables_level1 + PTE_P + PTE_RW), %eax
	movl $table_level2, %edi
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 1b
	movl $(PTE_P + PTE_RW + PTE_PS), %eax
	movl $tables_level1, %edi
	movl $2048, %ecx
1:	movl %eax, (%edi)
	movl $PTE_NX_HIGH, 4(%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b
	movl $(stage2_low_table + PTE_P + PTE_RW), tables_level1
	movl $0, tables_level1 + 4
	movl $(PTE_P + PTE_RW), %eax
	movl $stage2_low_table, %edi
	movl $512, %ecx
1:	movl %eax, (%edi)
	movl $PTE_NX_HIGH, 4(%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 1b
	ret

	/* The stack's guard vanishes; text loses W and gains X; constants and page 0 lose W. Page 0
	 * stays readable until the VMM's structures are read: QEMU's loader for machines with a
	 * firmware (q35) leaves some of them there. */
protect_image:
	andl $~PTE_RW, stage2_low_table
	movl $stage2_stack_guard, %eax
	shrl $9, %eax
	movl $0, stage2_low_table(%eax)
	movl $stage2_text_begin, %eax
	movl $stage2_text_end, %ecx
1:	movl %eax, %edi
	shrl $9, %edi
	andl $~PTE_RW, stage2_low_table(%edi)
	movl $0, stage2_low_table + 4(%edi)
	addl $4096, %eax
	cmpl %ecx, %eax
	jb 1b
	movl $stage2_rodata_end, %ecx
1:	cmpl %ecx, %eax
	jae 2f
	movl %eax, %edi
	shrl $9, %edi
	andl $~PTE_RW, stage2_low_table(%edi)
	addl $4096, %eax
	jmp 1b
2:	ret

	/* No console driver yet: 16 bytes fit the FIFO, and an emulated port never fills up. */
cpu_too_old:
	movl $cpu_too_old_text, %esi
	movl $(cpu_too_old_end - cpu_too_old_text), %ecx
	movw $STAGE2_CONSOLE_PORT, %dx
	rep outsb
	movw $STAGE2_EXIT_PORT, %dx
	movl $STAGE2_EXIT_BAD_BOOT, %eax
	outl %eax, %dx
1:	hlt
	jmp 1b

	.code64
long_mode:
	movw $SELECTOR_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	xorl %eax, %eax
	movw %ax, %fs
	movw %ax, %gs
	movl $stage2_stack_end, %esp
	/* Debian's archives and our own code keep the stack protector's canary at %fs:0x28. Not a
	 * secret yet, but a bug that overruns a buffer does not know it. */
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, %r8
	movl $thread_block, %eax
	movq %r8, 0x28(%rax)
	xorl %edx, %edx
	movl $MSR_FS_BASE, %ecx
	wrmsr
	movl %esi, %edi
	xorl %ebp, %ebp
	call stage2_main
	ud2

	/* void stage2_jump(const struct stage2_jump *jump): runs at its alias, under both page
	 * tables. One page of its own, so that the kernel's tables need only this one. */
	.section .text.jump, "ax", @progbits
	.globl stage2_jump_page
	.globl stage2_jump
	.align 4096
stage2_jump_page:
stage2_jump:
	cli
	movq 32(%rdi), %rax
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MSR_FS_BASE, %ecx
	wrmsr
	movq 0(%rdi), %rax
	movq 8(%rdi), %rsi
	movq 16(%rdi), %rsp
	movq 24(%rdi), %rdi
	movq %rax, %cr3
	xorl %eax, %eax
	xorl %ebx, %ebx
	xorl %ecx, %ecx
	xorl %edx, %edx
	xorl %ebp, %ebp
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	xorl %r11d, %r11d
	xorl %r12d, %r12d
	xorl %r13d, %r13d
	xorl %r14d, %r14d
	xorl %r15d, %r15d
	pushq $0		/* As after a call: nothing to return to. */
	jmp *%rsi
	.align 4096

	/* Exceptions mean a bug of ours: name it instead of resetting in silence. */
	.section .text.exceptions, "ax", @progbits
	.globl stage2_exception_stubs
	.align 16
stage2_exception_stubs:
	.set vector, 0
	.rept STAGE2_EXCEPTIONS
	.align 16
	/* Vectors for which the processor pushes an error code (AMD APM volume 2, table 8-1). */
	.if ((1 << vector) & STAGE2_ERROR_CODES) == 0
	pushq $0
	.endif
	pushq $vector
	jmp exception_common
	.set vector, vector + 1
	.endr
exception_common:
	cld
	popq %rdi
	popq %rsi
	popq %rdx
	movq %cr2, %rcx
	andq $-16, %rsp
	call stage2_exception
	ud2

	.section .rodata.entry, "a", @progbits
	.align 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* Code: 64-bit, ring 0. */
	.quad 0x00cf93000000ffff /* Data: ring 0. */
gdt_end:
gdt_register:
	.word gdt_end - gdt - 1
	.quad gdt
cpu_too_old_text:
	.ascii "boot: failed: UNSUPPORTED: the processor has no long mode or no NX\r\n"
cpu_too_old_end:

	.section .bss.tables, "aw", @nobits
	.align 4096
root_table:
	.skip 4096
table_level2:
	.skip 4096
tables_level1:
	.skip 4 * 4096
	.globl stage2_low_table
stage2_low_table:
	.skip 4096
stage2_stack_guard:
	.skip 4096
	.skip STAGE2_STACK_BYTES
stage2_stack_end:
thread_block:
	.skip 64

	.section .note.GNU-stack, "", @progbits
