// SPDX-License-Identifier: MIT
/* How many interrupts a device may have of our time. Pure.
 *
 * The host decides how often a device interrupts. Beyond a budget the device is masked for the rest
 * of the window and polled by timers, so a storm costs INTERRUPT_BUDGET_COUNT handlers a window and
 * not the machine. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define INTERRUPT_BUDGET_COUNT     1000u
#define INTERRUPT_BUDGET_WINDOW_US (100u * 1000u)

/* All zeroes: an unused budget. */
struct interrupt_budget {
	uint64_t window_ends_us;
	uint32_t spent;
};

/* An interrupt was taken. False: it was the last one for this window, mask the device. */
bool interrupt_budget_spend(struct interrupt_budget *budget, uint64_t now_us);

/* Is there budget again? */
bool interrupt_budget_is_renewed(const struct interrupt_budget *budget, uint64_t now_us);
