// SPDX-License-Identifier: MIT
/* A progress bar on standard error, only if that is a terminal. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "create", "verify". */
	bool shown;       /* Standard error is a terminal. */
	int percent;      /* Last one drawn; -1: none. */
};

void progress_init(struct progress *progress, const char *what);
/* A volume_progress; the context is a struct progress. */
void progress_update(void *context, uint64_t done, uint64_t total);
/* Remove the bar, so that messages start on a clean line. */
void progress_end(struct progress *progress);
