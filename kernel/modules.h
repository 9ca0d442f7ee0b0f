// SPDX-License-Identifier: MIT
/* The bundle's ring-3 programs, and the development feature that runs one of them alone. */
#pragma once

#include <stddef.h>

#include "base/compiler.h"
#include "base/status.h"
#include "kernel/process.h"

struct svsm;
struct store;

/* NULL: the bundle has no such module. */
const struct boot_module *modules_find(const struct svsm *svsm, const char *name);

/* What a program of ours borrows; `store` may be NULL. */
struct process_environment modules_process_environment(struct svsm *svsm, struct store *store);

/* STATUS_NOT_FOUND: no such module in the bundle. Else as process_load(). */
MUST_CHECK enum status modules_load(struct svsm *svsm, struct process *process,
				    const struct process_environment *environment, const char *name,
				    const char *const arguments[], size_t argument_count);

#if !HOLDFAST_PRODUCTION
/* Run options.run_module to its end and exit the machine: orderly if it exits with 0. */
NORETURN void modules_run_and_exit(struct svsm *svsm);
#endif
