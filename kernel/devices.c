// SPDX-License-Identifier: MIT
#include "kernel/devices.h"

#include "base/log.h"

enum status devices_find(struct devices *devices, const struct devices_environment *environment)
{
	devices->count = 0;
	devices->is_cut_off = false;
	const enum status status = devices_find_mmio(devices, environment);
	if (status == STATUS_OK) {
		devices_find_pci(devices, environment);
	}
	return status;
}

struct device_slot *devices_slot(struct devices *devices, const char *what, uint64_t where)
{
	if (devices->count == DEVICES_MAX) {
		log_write(LOG_WARNING, "devices", "more than %u devices: %s 0x%lx is not used",
			  DEVICES_MAX, what, where);
		devices->is_cut_off = true;
		return NULL;
	}
	struct device_slot *slot = &devices->slots[devices->count];
	*slot = (struct device_slot){0};
	return slot;
}

/* Without an interrupt line a sleep would only ever end by the timer: poll. */
void devices_add(struct devices *devices, const struct devices_environment *environment)
{
	struct device_slot *slot = &devices->slots[devices->count++];
	const bool has_line = slot->line.kind != INTERRUPT_NONE;
	virtio_wait_policy_init(&slot->wait_policy,
				has_line ? environment->completion : VIRTIO_WAIT_POLL,
				&environment->sleeper);
	slot->transport.wait_policy = &slot->wait_policy;
}

uint32_t devices_vector(const struct devices *devices, const struct device_slot *slot)
{
	return VECTOR_DEVICE + (uint32_t)(slot - devices->slots);
}

struct device_slot *devices_nth(struct devices *devices, uint32_t device_id, size_t nth)
{
	for (size_t i = 0; i < devices->count; i++) {
		if (devices->slots[i].transport.device_id != device_id) {
			continue;
		}
		if (nth == 0) {
			return &devices->slots[i];
		}
		nth--;
	}
	return NULL;
}
