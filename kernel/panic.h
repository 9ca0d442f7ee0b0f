// SPDX-License-Identifier: MIT
/* The end: registers, a back trace, exit code. Only for our own broken invariants and for faults of
 * ring 0; nothing foreign leads here. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "arch/trap_frame.h"
#include "base/compiler.h"
#include "kernel/memory.h"

/* What a back trace needs; part of struct svsm. */
struct panic_context {
	const struct kernel_memory *memory; /* NULL early in boot: no back trace then. */
	const char *symbols;                /* Lines of nm(1), sorted; NULL in production. */
	size_t symbols_size;
};

void panic_set_context(const struct panic_context *context);

NORETURN void panic_trap(const struct trap_frame *frame);
NORETURN void panic_status(const char *what, enum status status);
