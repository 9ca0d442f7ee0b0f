// SPDX-License-Identifier: MIT
/* Traps that hit ring 0. Interrupts are only taken in `hlt`; they carry no information, so the
 * handler acknowledges and returns. Anything else is the end. */
#include "arch/cpu.h"
#include "arch/descriptors.h"
#include "arch/trap_frame.h"
#include "base/log.h"
#include "kernel/interrupts.h"
#include "kernel/panic.h"
#include "kernel/svsm.h"

void trap_from_kernel(struct trap_frame *frame, struct percpu *percpu)
{
	struct svsm *svsm = percpu->svsm;
	if (frame->vector == VECTOR_NMI) {
		log_write(LOG_WARNING, "kernel", "NMI ignored");
		return;
	}
	if (frame->vector < VECTOR_FIRST_IRQ) {
		panic_trap(frame);
	}
	interrupts_take(svsm, frame->vector);
	/* One is enough to wake us: a storm must not keep us from the `cli` after the `hlt`. */
	frame->rflags &= ~RFLAGS_IF;
}
