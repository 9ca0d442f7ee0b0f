/* SPDX-License-Identifier: MIT
 * Segment selectors, for C and assembly alike. The order is the one that SYSCALL expects: kernel
 * data behind kernel code. */
#pragma once

#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA   0x1b /* Index 3, RPL 3. */
#define SELECTOR_USER_CODE   0x23 /* Index 4, RPL 3. */
#define SELECTOR_TASK        0x28
