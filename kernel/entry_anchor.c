// SPDX-License-Identifier: MIT
/* kernel.elf is made of archives alone; CMake wants one source, and this keeps the entry point. */
void kernel_entry(void);
extern void (*const entry_anchor)(void);
void (*const entry_anchor)(void) = kernel_entry;
