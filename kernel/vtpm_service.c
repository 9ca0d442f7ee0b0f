// SPDX-License-Identifier: MIT
#include "kernel/vtpm_service.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/format.h"
#include "base/log.h"
#include "kernel/modules.h"
#include "kernel/svsm.h"
#include "vtpm/service_exit.h"

/* A first start may have to find an RSA key, tens of seconds under emulation. */
#define START_TIMEOUT_US (120u * 1000000u)

void vtpm_service_init(struct vtpm_service *service, struct svsm *svsm, uint32_t instance)
{
	*service = (struct vtpm_service){.svsm = svsm, .instance = instance};
	instance_names_make(instance, &service->names);
}

/* How a program is started. */
enum launch {
	LAUNCH_STARTED,   /* TPM2_Startup has been run for the TPM's user. */
	LAUNCH_UNSTARTED, /* Its user does that. */
	LAUNCH_RESTARTED, /* After a crash: started, PCRs capped. */
};

/* The program has had its time on the CPU: the others' turn. */
static void yield(void *context)
{
	struct vtpm_service *service = context;
	service->busy = true;
	service->worked = true;
	fiber_yield(&service->fiber);
}

static enum status load_program(struct vtpm_service *service, enum launch how)
{
	const char *arguments[PROCESS_ARGUMENTS_MAX];
	size_t count = 0;
	arguments[count++] = VTPM_MODULE_NAME;
	char buffer_size[PROCESS_ARGUMENT_BYTES];
	char instance[PROCESS_ARGUMENT_BYTES];
	switch (how) {
	case LAUNCH_STARTED: break;
	case LAUNCH_UNSTARTED: arguments[count++] = "--no-startup"; break;
	case LAUNCH_RESTARTED: arguments[count++] = "--restarted"; break;
	}
	(void)format_text(buffer_size, sizeof(buffer_size), "--buffer-size=%u",
			  service->buffer_bytes);
	arguments[count++] = buffer_size;
	(void)format_text(instance, sizeof(instance), "--instance=%u", service->instance);
	arguments[count++] = instance;
	bool ephemeral = service->svsm->options.state == STATE_EPHEMERAL;
	if (ephemeral) {
		arguments[count++] = "--ephemeral";
	}
#if !HOLDFAST_PRODUCTION
	char crash_on[PROCESS_ARGUMENT_BYTES];
	if (service->svsm->options.vtpmd_crash_on != 0) {
		(void)format_text(crash_on, sizeof(crash_on), "--crash-on=0x%x",
				  service->svsm->options.vtpmd_crash_on);
		arguments[count++] = crash_on;
	}
#endif
	struct process_environment environment = modules_process_environment(
		service->svsm, ephemeral ? NULL : &service->svsm->state.store);
	environment.name = service->names.process;
	environment.store_object = service->names.object;
	environment.owner = service;
	environment.tick = tpm_control_tick;
	environment.yield = yield;
	return modules_load(service->svsm, &service->process, &environment, VTPM_MODULE_NAME,
			    arguments, count);
}

/* Why the program is gone, in the terms of enum status. */
static enum status death_cause(const struct process *process)
{
	if (process->death.status != STATUS_OK) {
		return process->death.status;
	}
	return service_exit_status(process->death.exit_code);
}

static bool may_restart(const struct process *process)
{
	return process->death.status != STATUS_OK ||
	       service_exit_may_restart(process->death.exit_code);
}

static void become_unavailable(struct vtpm_service *service, enum status cause)
{
	service->status = cause;
	if (service->instance == 0) {
		log_write(LOG_ERROR, "vtpm", "unavailable: %s", status_name(cause));
	} else {
		log_write(LOG_ERROR, "vtpm", "TPM %u unavailable: %s", service->instance,
			  status_name(cause));
	}
}

static void service_is_ready(struct vtpm_service *service)
{
	enum status status = restart_policy_ready(&service->policy);
	CHECK(status == STATUS_OK);
}

/* Load the program and let it run until it asks for its first command. */
static enum status launch(struct vtpm_service *service, enum launch how)
{
	enum status status = load_program(service, how);
	if (status != STATUS_OK) {
		return status;
	}
	process_run(&service->process, START_TIMEOUT_US);
	if (service->process.state == PROCESS_WAITING) {
		return STATUS_OK;
	}
	return death_cause(&service->process);
}

/* The disk died while the program ran: nothing that it says from now on is to be relied on. */
static void suspend(struct vtpm_service *service, enum status cause)
{
	process_unload(&service->process);
	service->status = cause;
	service->suspended = restart_policy_suspended(&service->policy) == STATUS_OK;
	service->orderly = false;
	log_write(LOG_WARNING, "vtpm", "suspended: %s", status_name(cause));
}

/* Bounded by the policy: each turn uses up one restart. */
static void restart(struct vtpm_service *service)
{
	for (;;) {
		if (state_is_lost(&service->svsm->state)) {
			suspend(service, state_condition(&service->svsm->state));
			return;
		}
		enum status cause = death_cause(&service->process);
		bool allowed = may_restart(&service->process);
		process_unload(&service->process);
		enum status verdict = restart_policy_died(&service->policy, cause, allowed);
		if (verdict != STATUS_OK) {
			become_unavailable(service, cause);
			return;
		}
		service->restarts++;
		enum status status = launch(service, LAUNCH_RESTARTED);
		if (status == STATUS_OK) {
			service_is_ready(service);
			log_write(LOG_WARNING, "vtpm", "restarted after %s", status_name(cause));
			return;
		}
		if (service->process.state != PROCESS_DEAD) {
			become_unavailable(service, status);
			return;
		}
	}
}

/* It serves now, or is restarted, suspended or given up. */
static void launch_settle(struct vtpm_service *service, enum status launched)
{
	if (launched != STATUS_OK && service->process.state == PROCESS_DEAD) {
		restart(service);
	} else if (launched != STATUS_OK) {
		become_unavailable(service, launched);
	} else if (service->policy.state == SERVICE_STARTING) {
		service_is_ready(service);
	}
}

static void start(struct vtpm_service *service, enum launch how)
{
	enum status status = random_fill(&service->svsm->random, (uint8_t *)&service->power_id,
					 sizeof(service->power_id));
	service->powered = true;
	service->orderly = false;
	service->power_ons++;
	if (status == STATUS_OK) {
		status = launch(service, how);
	}
	launch_settle(service, status);
}

/* `cause` other than OK: there is no state for it, and every command is to be refused. */
static void start_first(struct vtpm_service *service, enum status cause)
{
	bool ephemeral = service->svsm->options.state == STATE_EPHEMERAL;
	restart_policy_init(&service->policy);
	service->status = STATUS_OK;
	service->suspended = false;
	service->buffer_bytes = SERVICE_BUFFER_BYTES_MAX;
	if (cause != STATUS_OK) {
		become_unavailable(service, cause);
		return;
	}
	start(service, LAUNCH_STARTED);
	if (service->status == STATUS_OK) {
		log_write(LOG_NOTICE, "vtpm", "serving %s (%s)", service->names.port,
			  ephemeral ? "ephemeral" : "persistent");
	}
}

void vtpm_service_start_again(struct vtpm_service *service)
{
	service->again = true;
}

static void start_again(struct vtpm_service *service)
{
	service->again = false;
	if (service->status == STATUS_OK && service->powered) {
		suspend(service, service->svsm->state.cause);
	}
	if (!service->suspended) {
		return; /* Switched off, or unavailable for reasons of its own. */
	}
	service->suspended = false;
	service->status = STATUS_OK;
	service->restarts++;
	launch_settle(service, launch(service, LAUNCH_RESTARTED));
	if (service->status == STATUS_OK) {
		log_write(LOG_WARNING, "vtpm", "restarted after %s",
			  status_name(service->svsm->state.cause));
	}
}

void vtpm_service_end(struct vtpm_service *service, enum status cause)
{
	if (service->status == STATUS_OK || service->suspended) {
		process_unload(&service->process);
		service->suspended = false;
		become_unavailable(service, cause);
	}
}

/* The process has one message to work on. */
static void hand_over(struct vtpm_service *service, const struct service_message *message)
{
	struct process_channel *channel = &service->process.channel;
	CHECK(message->size_bytes <= TPM_COMMAND_BYTES_MAX);
	service_message_encode(channel->command, message);
	if (message->size_bytes > 0) {
		memcpy(channel->command + SERVICE_MESSAGE_HEADER_BYTES, message->bytes,
		       message->size_bytes);
	}
	channel->command_size_bytes = SERVICE_MESSAGE_HEADER_BYTES + message->size_bytes;
	channel->response_size_bytes = 0;
	service->process.cancelled = false;
	service->running = true;
	process_run(&service->process, VTPM_COMMAND_TIMEOUT_US);
	service->running = false;
}

static bool is_shutdown(const struct service_message *message, const uint8_t *response)
{
	return message->kind == SERVICE_COMMAND && message->size_bytes >= TPM_HEADER_BYTES &&
	       command_code(message->bytes) == TPM_CC_SHUTDOWN &&
	       response_code(response) == TPM_RC_SUCCESS;
}

/* The program has run. True: it has answered, and the answer counts. Else it was ended. */
static bool has_answered(struct vtpm_service *service)
{
	const struct process_channel *channel = &service->process.channel;
	if (state_is_lost(&service->svsm->state)) {
		suspend(service, state_condition(&service->svsm->state));
		return false;
	}
	if (service->process.state == PROCESS_WAITING &&
	    response_check(channel->response, channel->response_size_bytes) == STATUS_OK) {
		return true;
	}
	service->orderly = false;
	if (service->process.state == PROCESS_WAITING) {
		log_write(LOG_WARNING, "vtpm", "malformed response from the service");
		process_kill(&service->process, &(struct process_death){.status = STATUS_BAD_USER});
	}
	restart(service);
	return false;
}

const uint8_t *vtpm_service_execute(struct vtpm_service *service,
				    const struct service_message *message,
				    size_t *response_size_bytes)
{
	struct process_channel *channel = &service->process.channel;
	service->commands += message->kind == SERVICE_COMMAND ? 1 : 0;
	if (service->status == STATUS_OK && service->powered) {
		hand_over(service, message);
		if (has_answered(service)) {
			*response_size_bytes = channel->response_size_bytes;
			service->orderly = is_shutdown(message, channel->response);
			return channel->response;
		}
	}
	*response_size_bytes = response_error(service->failure, TPM_RC_FAILURE);
	return service->failure;
}

void vtpm_service_shutdown(struct vtpm_service *service)
{
	const struct service_message message = {.kind = SERVICE_COMMAND,
						.bytes = tpm_shutdown_clear,
						.size_bytes = sizeof(tpm_shutdown_clear)};
	size_t size_bytes;
	if (service->status != STATUS_OK || !service->powered || service->orderly) {
		return;
	}
	const uint8_t *response = vtpm_service_execute(service, &message, &size_bytes);
	log_write(LOG_NOTICE, "vtpm", "shut down: response code 0x%x", response_code(response));
}

void vtpm_service_power_off(struct vtpm_service *service)
{
	vtpm_service_shutdown(service);
	/* The shutdown itself may have been the end of the service. */
	if (service->status == STATUS_OK) {
		process_unload(&service->process);
		service->powered = false;
	}
}

void vtpm_service_power_on(struct vtpm_service *service, bool with_startup)
{
	if (service->powered) {
		vtpm_service_power_off(service);
	}
	if (service->status == STATUS_OK) {
		start(service, with_startup ? LAUNCH_STARTED : LAUNCH_UNSTARTED);
	}
}

/* One turn of the service loop. What is said about a command comes before the command. */
static bool take_turn(struct vtpm_service *service)
{
	if (service->svsm->serial_status != STATUS_OK) {
		return false;
	}
	const bool told = tpm_control_step(service);
	return vtpm_service_step(service) || told;
}

void vtpm_service_run(void *context)
{
	struct vtpm_service *service = context;
	start_first(service, service->svsm->state_status);
	while (!service->stopping) {
		if (service->again) {
			start_again(service);
		}
		service->worked = take_turn(service);
		service->busy = false;
		fiber_yield(&service->fiber);
	}
	vtpm_service_shutdown(service);
	process_unload(&service->process);
	service->stopped = true;
	for (;;) {
		fiber_yield(&service->fiber);
	}
}
