// SPDX-License-Identifier: MIT
#include "benchmarks/spread.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

struct spread spread_of(double *ratios, unsigned int count)
{
	qsort(ratios, count, sizeof(*ratios), compare);
	return (struct spread){ratios[count / 4], ratios[count / 2], ratios[count * 3 / 4]};
}
