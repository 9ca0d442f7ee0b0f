// SPDX-License-Identifier: MIT
#include "kernel/exit.h"

#include "arch/cpu.h"
#include "base/log.h"

/* QEMU's isa-debug-exit as ./run configures it. Elsewhere the port is unused and we stop. */
#define DEBUG_EXIT_PORT 0xf4u

static const char *kind_name(enum exit_kind kind)
{
	switch (kind) {
	case EXIT_ORDERLY: return "orderly";
	case EXIT_PANIC: return "panic";
	case EXIT_CONFIG: return "config";
	case EXIT_TEST_FAILED: return "test-failed";
	}
	return "?";
}

void exit_machine(enum exit_kind kind)
{
	log_write(LOG_NOTICE, "kernel", "exit %s", kind_name(kind));
	cpu_out8(DEBUG_EXIT_PORT, (uint8_t)kind);
	cpu_stop();
}

void exit_state_failure(enum status status)
{
	log_write(LOG_NOTICE, "kernel", "exit failure");
	cpu_out8(DEBUG_EXIT_PORT, (uint8_t)(EXIT_STATE_BASE + (unsigned)-(int)status));
	cpu_stop();
}
