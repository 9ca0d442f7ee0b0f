// SPDX-License-Identifier: MIT
/* How many log lines somebody untrusted may cause: a burst, and a few a second from then on. A
 * flood must not push what matters out of the log. Pure: time is an argument. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LOG_BUDGET_PER_SECOND 20u

struct log_budget {
	uint32_t burst;
	uint32_t left;
	uint64_t counted_us; /* Up to when lines were credited. */
	/* Until half a burst is there again, or each line of a flood would be a remark. */
	bool used_up;
};

enum log_verdict {
	LOG_BUDGET_GRANTED,
	LOG_BUDGET_LAST, /* Say that lines are missing, instead of this one. */
	LOG_BUDGET_REFUSED,
};

/* `burst`: at least 1. */
void log_budget_init(struct log_budget *budget, uint32_t burst, uint64_t now_us);

enum log_verdict log_budget_take(struct log_budget *budget, uint64_t now_us);
