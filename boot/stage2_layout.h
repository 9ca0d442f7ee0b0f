// SPDX-License-Identifier: MIT
/* Constants that stage2's assembly and C share: macros only. */
#pragma once

/* Root slot of the alias of the identity map: the lowest address of the kernel's half. */
#define STAGE2_ALIAS_SLOT  256
#define STAGE2_ALIAS       0xffff800000000000

#define STAGE2_STACK_BYTES 32768
#define STAGE2_EXCEPTIONS  32

/* 8, 10 to 14, 17, 21, 29 and 30. */
#define STAGE2_ERROR_CODES  0x60227d00

#define STAGE2_CONSOLE_PORT 0x3f8
#define STAGE2_EXIT_PORT    0xf4
/* isa-debug-exit: QEMU's exit status is 2 * value + 1. */
#define STAGE2_EXIT_BAD_BOOT 0x12
