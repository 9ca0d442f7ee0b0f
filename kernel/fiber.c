// SPDX-License-Identifier: MIT
#include "kernel/fiber.h"

/* What fiber_switch() pops, in this order, and the address that it returns to. */
struct first_frame {
	uint64_t r15;
	uint64_t r14;
	uint64_t r13; /* For fiber_start: the argument. */
	uint64_t r12; /* The function. */
	uint64_t rbp;
	uint64_t rbx;
	uint64_t rip;
};

/* kernel/fiber_switch.S */
void fiber_switch(uint64_t *save_rsp, uint64_t to_rsp);
void fiber_start(void);

void fiber_init(struct fiber *fiber, uint64_t stack_top, void (*run)(void *), void *argument)
{
	struct first_frame *frame =
		(struct first_frame *)(uintptr_t)(stack_top - sizeof(struct first_frame));
	*frame = (struct first_frame){
		.r12 = (uintptr_t)run,
		.r13 = (uintptr_t)argument,
		.rip = (uintptr_t)fiber_start,
	};
	*fiber = (struct fiber){.rsp = (uintptr_t)frame};
}

void fiber_resume(struct fiber *fiber)
{
	fiber_switch(&fiber->resumer_rsp, fiber->rsp);
}

void fiber_yield(struct fiber *fiber)
{
	fiber_switch(&fiber->rsp, fiber->resumer_rsp);
}
