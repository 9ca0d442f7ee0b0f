// SPDX-License-Identifier: MIT
#include "kernel/vtpm_set.h"

#include <string.h>

#include "base/check.h"
#include "base/format.h"
#include "base/log.h"
#include "kernel/svsm.h"
#include "vtpm/instance.h"

/* How long a stuck port waits for the rest of a message on a control port. */
#define RESTART_PATIENCE_US 2000000u
#define STACK_PAGES         16u

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

static bool is_stuck(struct svsm *svsm, bool open, uint32_t port)
{
	return open && virtio_serial_port_is_stuck(&svsm->serial, port);
}

static bool any_port_is_stuck(struct svsm *svsm)
{
	const struct vtpm_set *set = &svsm->vtpms;
	bool stuck = is_stuck(svsm, svsm->control.open, svsm->control.port);
	for (size_t i = 0; i < set->count; i++) {
		const struct vtpm_service *service = &set->services[i];
		stuck |= is_stuck(svsm, service->port_open, service->port) ||
			 is_stuck(svsm, service->control.open, service->control.port);
	}
	return stuck;
}

/* Commands end, and one that does not arrive as a whole has a deadline (vtpm/frame.h). Messages on
 * the control ports have none: those of one TPM are not to hold up another for ever. */
static bool has_patience(struct svsm *svsm)
{
	struct vtpm_set *set = &svsm->vtpms;
	if (!set->restart_waits) {
		set->restart_waits = true;
		set->restart_patience = clock_deadline_after(&svsm->clock, RESTART_PATIENCE_US);
	}
	return !clock_deadline_passed(&svsm->clock, set->restart_patience);
}

bool vtpm_set_wants_restart(struct svsm *svsm)
{
	struct vtpm_set *set = &svsm->vtpms;
	if (!any_port_is_stuck(svsm)) {
		set->restart_waits = false;
		return false;
	}
	const bool patient = has_patience(svsm);
	bool quiet = !patient || control_is_quiet(svsm);
	for (size_t i = 0; i < set->count; i++) {
		struct vtpm_service *service = &set->services[i];
		quiet &= !service->busy && vtpm_service_is_quiet(service) &&
			 (!patient || tpm_control_is_quiet(service));
	}
	set->restart_waits = !quiet;
	return quiet;
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
