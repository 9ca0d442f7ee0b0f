// SPDX-License-Identifier: MIT
#include "kernel/interrupt_budget.h"

bool interrupt_budget_is_renewed(const struct interrupt_budget *budget, uint64_t now_us)
{
	return now_us >= budget->window_ends_us;
}

bool interrupt_budget_spend(struct interrupt_budget *budget, uint64_t now_us)
{
	if (interrupt_budget_is_renewed(budget, now_us)) {
		budget->window_ends_us = now_us + INTERRUPT_BUDGET_WINDOW_US;
		budget->spent = 0;
	}
	if (budget->spent < INTERRUPT_BUDGET_COUNT) {
		budget->spent++;
	}
	return budget->spent < INTERRUPT_BUDGET_COUNT;
}
