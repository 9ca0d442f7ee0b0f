// SPDX-License-Identifier: MIT
/* May ring 3 be entered with these registers? Pure. */
#pragma once

#include <stdbool.h>

#include "arch/trap_frame.h"

/* IRETQ checks what it loads while it is still in ring 0: a return address that is not canonical
 * is a #GP of the kernel's, and ring 3 can have one saved by letting an interrupt or its own
 * SYSCALL come at the very end of its half of the address space. The other conditions hold by
 * construction: ring 3's own selectors, interrupts on, no privileges for input and output. */
bool user_frame_is_sound(const struct trap_frame *frame);
