// SPDX-License-Identifier: MIT
/* Fibers: functions with a stack of their own that take turns. A fiber runs from fiber_resume()
 * until it calls fiber_yield(), and goes on there the next time. Nothing else takes the CPU from
 * it, so between two yields it is alone with the kernel's data, as the main loop always was.
 *
 * There is one for each TPM (kernel/vtpm_set.h): its code waits for its program as if there were no
 * other, and the wait is where it yields. */
#pragma once

#include <stdint.h>

struct fiber {
	uint64_t rsp;         /* Where it stopped; meaningless while it runs. */
	uint64_t resumer_rsp; /* Where whoever resumed it stopped. */
};

/* `run` never returns. `stack_top` is a multiple of 16 and mapped in every address space. */
void fiber_init(struct fiber *fiber, uint64_t stack_top, void (*run)(void *), void *argument);

/* Not from within a fiber. */
void fiber_resume(struct fiber *fiber);

/* From within this fiber. */
void fiber_yield(struct fiber *fiber);
