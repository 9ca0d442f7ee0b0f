// SPDX-License-Identifier: MIT
#include "tools/holdfast/progress.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_CELLS 40

void progress_init(struct progress *progress, const char *what)
{
	*progress =
		(struct progress){.what = what, .shown = isatty(STDERR_FILENO) == 1, .percent = -1};
}

/* done * 100 would wrap for absurd totals; the quotient of scaled values does not. */
static int percent_of(uint64_t done, uint64_t total)
{
	if (total == 0 || done >= total) {
		return 100;
	}
	return total <= UINT64_MAX / 100 ? (int)(done * 100 / total)
					 : (int)(done / (total / 100 + 1));
}

void progress_update(void *context, uint64_t done, uint64_t total)
{
	struct progress *progress = context;
	int percent = percent_of(done, total);
	if (!progress->shown || percent == progress->percent) {
		return;
	}
	progress->percent = percent;
	int filled = percent * BAR_CELLS / 100;
	(void)fprintf(stderr, "\r%s [", progress->what);
	for (int cell = 0; cell < BAR_CELLS; cell++) {
		(void)fputc(cell < filled ? '#' : ' ', stderr);
	}
	(void)fprintf(stderr, "] %3d %%", percent);
	(void)fflush(stderr);
}

void progress_end(struct progress *progress)
{
	if (progress->shown && progress->percent >= 0) {
		(void)fputs("\r\033[K", stderr);
	}
}
