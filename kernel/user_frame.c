// SPDX-License-Identifier: MIT
#include "kernel/user_frame.h"

#include "arch/selectors.h"
#include "mm/page_table.h"

/* RFLAGS (AMD 24593, section 3.1.6). */
#define FLAG_INTERRUPT  ((uint64_t)1 << 9)
#define FLAGS_PRIVILEGE ((uint64_t)3 << 12) /* IOPL */
#define FLAG_VIRTUAL_86 ((uint64_t)1 << 17)

bool user_frame_is_sound(const struct trap_frame *frame)
{
	return frame->rip < PAGE_TABLE_USER_END && frame->cs == SELECTOR_USER_CODE &&
	       frame->ss == SELECTOR_USER_DATA &&
	       (frame->rflags & (FLAG_INTERRUPT | FLAGS_PRIVILEGE | FLAG_VIRTUAL_86)) ==
		       FLAG_INTERRUPT;
}
