// SPDX-License-Identifier: MIT
/* What the composition root owes base/ on the host: a failed CHECK aborts. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

void check_failed(const char *expression, const char *file, int line)
{
	(void)fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, expression);
	abort();
}
