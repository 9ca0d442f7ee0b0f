// SPDX-License-Identifier: MIT
#include "kernel/interrupts.h"

#include "arch/cpu.h"
#include "arch/descriptors.h"
#include "base/log.h"
#include "kernel/svsm.h"

static void take_device(struct svsm *svsm, struct device_slot *slot)
{
	svsm->interrupts.device++;
	slot->line.taken_count++;
	if (interrupt_budget_spend(&slot->line.budget, svsm->clock.now_us(svsm->clock.context))) {
		return;
	}
	svsm->interrupts.masked++;
	slot->wait_policy.is_masked = true;
	interrupt_line_mask(&slot->line, &svsm->apic, true);
}

void interrupts_take(struct svsm *svsm, uint64_t vector)
{
	if (vector == VECTOR_TIMER) {
		svsm->interrupts.timer++;
	} else if (vector >= VECTOR_DEVICE && vector - VECTOR_DEVICE < svsm->devices.count) {
		take_device(svsm, &svsm->devices.slots[vector - VECTOR_DEVICE]);
	}
	apic_end_of_interrupt(&svsm->apic, vector);
}

/* Devices that were masked are heard again in the next window. */
static void unmask_renewed(struct svsm *svsm)
{
	const uint64_t now_us = svsm->clock.now_us(svsm->clock.context);
	for (size_t i = 0; i < svsm->devices.count; i++) {
		struct device_slot *slot = &svsm->devices.slots[i];
		if (slot->wait_policy.is_masked &&
		    interrupt_budget_is_renewed(&slot->line.budget, now_us)) {
			slot->wait_policy.is_masked = false;
			interrupt_line_mask(&slot->line, &svsm->apic, false);
		}
	}
}

void interrupts_sleep(struct svsm *svsm, uint64_t at_most_us)
{
	unmask_renewed(svsm);
	svsm->interrupts.sleeps++;
	apic_timer_set(&svsm->apic, at_most_us);
	cpu_wait_for_interrupt();
	/* Else it would end the next sleep. */
	apic_timer_stop(&svsm->apic);
}

static void sleep(void *context, uint64_t at_most_us)
{
	interrupts_sleep(context, at_most_us);
}

struct virtio_sleeper interrupts_sleeper(struct svsm *svsm)
{
	return (struct virtio_sleeper){.sleep = sleep, .context = svsm};
}
