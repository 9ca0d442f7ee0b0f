// SPDX-License-Identifier: MIT
/* What is said of many turns: turns differ, so one figure alone says little. */
#pragma once

/* The quartiles, and what lies in the middle. */
struct spread {
	double low;
	double median;
	double high;
};

/* Sorts them. `count` is at least 1. */
struct spread spread_of(double *ratios, unsigned int count);
