// SPDX-License-Identifier: MIT
#include "kernel/log_budget.h"

#define LINE_US (1000000u / LOG_BUDGET_PER_SECOND)

void log_budget_init(struct log_budget *budget, uint32_t burst, uint64_t now_us)
{
	*budget = (struct log_budget){.burst = burst, .left = burst, .counted_us = now_us};
}

/* A quiet time is credited in full only when it filled the burst; else its rest stays uncounted. */
static void credit(struct log_budget *budget, uint64_t now_us)
{
	if (now_us < budget->counted_us) {
		return;
	}
	uint64_t lines = (now_us - budget->counted_us) / LINE_US;
	if (lines >= budget->burst - budget->left) {
		budget->left = budget->burst;
		budget->counted_us = now_us;
		return;
	}
	budget->left += (uint32_t)lines;
	budget->counted_us += lines * LINE_US;
}

enum log_verdict log_budget_take(struct log_budget *budget, uint64_t now_us)
{
	credit(budget, now_us);
	if (budget->used_up && budget->left < (budget->burst + 1) / 2) {
		return LOG_BUDGET_REFUSED;
	}
	budget->left--;
	budget->used_up = budget->left == 0;
	return budget->used_up ? LOG_BUDGET_LAST : LOG_BUDGET_GRANTED;
}
