// SPDX-License-Identifier: MIT
/* How the machine is left, and the exit codes that the world outside sees. With QEMU's
 * isa-debug-exit a value v becomes the process's exit status 2 * v + 1; see docs/testing.md. */
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

enum exit_kind {
	EXIT_ORDERLY = 0x10,     /* Asked for; everything acknowledged is durable. */
	EXIT_PANIC = 0x11,       /* A CHECK failed or ring 0 faulted. */
	EXIT_CONFIG = 0x12,      /* Command line, bundle or CPU. */
	EXIT_TEST_FAILED = 0x13, /* A ring-3 test module reported failure. */
};

/* A state failure with holdfast.on_failure=exit: 0x40 + |status|. */
#define EXIT_STATE_BASE 0x40u

NORETURN void exit_machine(enum exit_kind kind);
NORETURN void exit_state_failure(enum status status);
