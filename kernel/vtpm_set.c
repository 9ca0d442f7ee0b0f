// SPDX-License-Identifier: MIT
#include "kernel/vtpm_set.h"

#include <string.h>

#include "base/check.h"
#include "base/format.h"
#include "base/log.h"
#include "kernel/svsm.h"
#include "vtpm/instance.h"

#define STACK_PAGES 16u

static struct vtpm_service *add(struct svsm *svsm, uint32_t instance)
{
	struct vtpm_set *set = &svsm->vtpms;
	CHECK(set->count < VTPM_COUNT_MAX);
	struct vtpm_service *service = &set->services[set->count];
	set->count++;
	vtpm_service_init(service, svsm, instance);
	return service;
}

void vtpm_set_init(struct svsm *svsm)
{
	(void)add(svsm, 0);
}

/* Only TPM 0 is waited for: when it is there, the host has announced the others. */
enum status vtpm_set_open_ports(struct svsm *svsm)
{
	struct vtpm_set *set = &svsm->vtpms;
	enum status status = vtpm_service_open_port(&set->services[0]);
	for (size_t i = 1; i < set->count && status == STATUS_OK; i++) {
		const enum status other = vtpm_service_open_port(&set->services[i]);
		if (other != STATUS_OK) {
			log_write(LOG_NOTICE, "vtpm", "no port %s: %s", set->services[i].names.port,
				  status_name(other));
		}
	}
	for (size_t i = 0; i < set->count; i++) {
		tpm_control_open(&set->services[i]);
	}
	return status;
}

/* Bit N: there is a TPM N. */
static enum status visit(void *context, const struct store_object_info *info)
{
	uint32_t *found = context;
	uint32_t instance;
	if (instance_of_object(info->name, &instance) && instance < VTPM_COUNT_MAX) {
		*found |= 1u << instance;
	}
	return STATUS_OK;
}

static void find_others(struct svsm *svsm)
{
	uint32_t found = 0;
	if (svsm->state_status != STATUS_OK || svsm->state.mounted.volume == NULL) {
		return;
	}
	const enum status status = store_list(&svsm->state.store, visit, &found);
	if (status != STATUS_OK) {
		log_write(LOG_ERROR, "vtpm", "cannot list the TPMs: %s", status_name(status));
		return;
	}
	for (uint32_t i = 1; i < VTPM_COUNT_MAX; i++) {
		if ((found >> i & 1) != 0) {
			(void)add(svsm, i);
		}
	}
}

static bool open_other(struct svsm *svsm, struct vtpm_service *service)
{
	const enum status status = svsm->serial_status == STATUS_OK
					   ? vtpm_service_open_port(service)
					   : svsm->serial_status;
	tpm_control_open(service);
	if (status != STATUS_OK) {
		log_write(LOG_WARNING, "vtpm", "TPM %u is not started, no port %s: %s",
			  service->instance, service->names.port, status_name(status));
	}
	return status == STATUS_OK;
}

enum status vtpm_set_start(struct svsm *svsm)
{
	struct vtpm_set *set = &svsm->vtpms;
	find_others(svsm);
	for (size_t i = 0; i < set->count; i++) {
		struct vtpm_service *service = &set->services[i];
		uint64_t stack_top;
		if (i > 0 && !open_other(svsm, service)) {
			service->stopped = true;
			continue;
		}
		const enum status status =
			kernel_memory_map_stack(&svsm->memory, STACK_PAGES, &stack_top);
		if (status != STATUS_OK) {
			return status;
		}
		fiber_init(&service->fiber, stack_top, vtpm_service_run, service);
	}
	return STATUS_OK;
}

bool vtpm_set_turn(struct svsm *svsm)
{
	struct vtpm_set *set = &svsm->vtpms;
	bool worked = false;
	for (size_t i = 0; i < set->count; i++) {
		struct vtpm_service *service = &set->services[i];
		if (!service->stopped) {
			service->worked = false;
			fiber_resume(&service->fiber);
			worked |= service->worked;
		}
	}
	return worked;
}

bool vtpm_set_is_busy(const struct svsm *svsm)
{
	const struct vtpm_set *set = &svsm->vtpms;
	for (size_t i = 0; i < set->count; i++) {
		if (set->services[i].busy) {
			return true;
		}
	}
	return false;
}

/* Each port that is stuck may wait, but for a command that is on its way in another. */
bool vtpm_set_wants_restart(struct svsm *svsm)
{
	const struct vtpm_set *set = &svsm->vtpms;
	bool stuck = svsm->control.open &&
		     virtio_serial_port_is_stuck(&svsm->serial, svsm->control.port);
	for (size_t i = 0; i < set->count; i++) {
		const struct vtpm_service *service = &set->services[i];
		const bool own_stuck = service->port_open &&
				       virtio_serial_port_is_stuck(&svsm->serial, service->port);
		const struct tpm_control *control = &service->control;
		stuck |= own_stuck || (control->open &&
				       virtio_serial_port_is_stuck(&svsm->serial, control->port));
		if (service->busy || (!own_stuck && !vtpm_service_is_quiet(service))) {
			return false;
		}
	}
	return stuck;
}

bool vtpm_set_deadline(const struct svsm *svsm, uint64_t *at_us)
{
	const struct vtpm_set *set = &svsm->vtpms;
	bool found = false;
	for (size_t i = 0; i < set->count; i++) {
		uint64_t own_us;
		if (vtpm_service_deadline(&set->services[i], &own_us) &&
		    (!found || own_us < *at_us)) {
			*at_us = own_us;
			found = true;
		}
	}
	return found;
}

static bool all_stopped(const struct vtpm_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (!set->services[i].stopped) {
			return false;
		}
	}
	return true;
}

/* Bounded: each program has the time of one command at most, and then of a TPM2_Shutdown. */
void vtpm_set_stop(struct svsm *svsm)
{
	struct vtpm_set *set = &svsm->vtpms;
	for (size_t i = 0; i < set->count; i++) {
		set->services[i].stopping = true;
	}
	while (!all_stopped(set)) {
		(void)vtpm_set_turn(svsm);
	}
}
