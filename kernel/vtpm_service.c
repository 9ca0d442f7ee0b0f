// SPDX-License-Identifier: MIT
#include "kernel/vtpm_service.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/format.h"
#include "base/log.h"
#include "kernel/modules.h"
#include "kernel/svsm.h"
#include "vtpm/doubt.h"
#include "vtpm/service_exit.h"

/* A first start may have to find an RSA key, tens of seconds under emulation. */
#define START_TIMEOUT_US    (120u * 1000000u)
#define RESPONSE_TIMEOUT_US (2u * 1000000u)
#define PORT_WAIT_US        2000000u

static void drop_pending(struct vtpm_service *service)
{
	secure_zero(service->pending, sizeof(service->pending));
	service->pending_size = 0;
	service->pending_at = 0;
	service->held_size = 0;
}

enum status vtpm_service_open_port(struct svsm *svsm)
{
	struct vtpm_service *service = &svsm->vtpm;
	enum status status = virtio_serial_port_open(&svsm->serial, VTPM_PORT_NAME, PORT_WAIT_US,
						     &service->port);
	if (status == STATUS_OK) {
		struct virtio_serial_port_state state;
		virtio_serial_port_state(&svsm->serial, service->port, &state);
		frame_init(&service->frame, state.generation);
		drop_pending(service);
		service->deaf = false;
		service->port_open = true;
	}
	return status;
}

/* How a program is started. */
enum launch {
	LAUNCH_STARTED,   /* TPM2_Startup has been run for the TPM's user. */
	LAUNCH_UNSTARTED, /* Its user does that. */
	LAUNCH_RESTARTED, /* After a crash: started, PCRs capped. */
};

static enum status load_program(struct svsm *svsm, enum launch how)
{
	struct vtpm_service *service = &svsm->vtpm;
	const char *arguments[PROCESS_ARGUMENTS_MAX];
	size_t count = 0;
	arguments[count++] = VTPM_MODULE_NAME;
	char buffer_size[PROCESS_ARGUMENT_BYTES];
	switch (how) {
	case LAUNCH_STARTED: break;
	case LAUNCH_UNSTARTED: arguments[count++] = "--no-startup"; break;
	case LAUNCH_RESTARTED: arguments[count++] = "--restarted"; break;
	}
	(void)format_text(buffer_size, sizeof(buffer_size), "--buffer-size=%u",
			  service->buffer_bytes);
	arguments[count++] = buffer_size;
	bool ephemeral = svsm->options.state == STATE_EPHEMERAL;
	if (ephemeral) {
		arguments[count++] = "--ephemeral";
	}
#if !HOLDFAST_PRODUCTION
	char crash_on[PROCESS_ARGUMENT_BYTES];
	if (svsm->options.vtpmd_crash_on != 0) {
		(void)format_text(crash_on, sizeof(crash_on), "--crash-on=0x%x",
				  svsm->options.vtpmd_crash_on);
		arguments[count++] = crash_on;
	}
#endif
	struct process_environment environment =
		modules_process_environment(svsm, ephemeral ? NULL : &svsm->state.store);
	environment.tick = tpm_control_tick;
	return modules_load(svsm, &service->process, &environment, VTPM_MODULE_NAME, arguments,
			    count);
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
	log_write(LOG_ERROR, "vtpm", "unavailable: %s", status_name(cause));
}

static void service_is_ready(struct vtpm_service *service)
{
	enum status status = restart_policy_ready(&service->policy);
	CHECK(status == STATUS_OK);
}

/* Load the program and let it run until it asks for its first command. */
static enum status launch(struct svsm *svsm, enum launch how)
{
	struct vtpm_service *service = &svsm->vtpm;
	enum status status = load_program(svsm, how);
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
static void restart(struct svsm *svsm)
{
	struct vtpm_service *service = &svsm->vtpm;
	for (;;) {
		if (state_is_lost(&svsm->state)) {
			suspend(service, state_condition(&svsm->state));
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
		enum status status = launch(svsm, LAUNCH_RESTARTED);
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
static void launch_settle(struct svsm *svsm, enum status launched)
{
	struct vtpm_service *service = &svsm->vtpm;
	if (launched != STATUS_OK && service->process.state == PROCESS_DEAD) {
		restart(svsm);
	} else if (launched != STATUS_OK) {
		become_unavailable(service, launched);
	} else if (service->policy.state == SERVICE_STARTING) {
		service_is_ready(service);
	}
}

static void start(struct svsm *svsm, enum launch how)
{
	struct vtpm_service *service = &svsm->vtpm;
	enum status status = random_fill(&svsm->random, (uint8_t *)&service->power_id,
					 sizeof(service->power_id));
	service->powered = true;
	service->orderly = false;
	service->power_ons++;
	if (status == STATUS_OK) {
		status = launch(svsm, how);
	}
	launch_settle(svsm, status);
}

void vtpm_service_start(struct svsm *svsm, enum status cause)
{
	struct vtpm_service *service = &svsm->vtpm;
	bool ephemeral = svsm->options.state == STATE_EPHEMERAL;
	restart_policy_init(&service->policy);
	service->status = STATUS_OK;
	service->suspended = false;
	service->buffer_bytes = SERVICE_BUFFER_BYTES_MAX;
	if (cause != STATUS_OK) {
		become_unavailable(service, cause);
		return;
	}
	start(svsm, LAUNCH_STARTED);
	if (service->status == STATUS_OK) {
		log_write(LOG_NOTICE, "vtpm", "serving %s (%s)", VTPM_PORT_NAME,
			  ephemeral ? "ephemeral" : "persistent");
	}
}

void vtpm_service_start_again(struct svsm *svsm)
{
	struct vtpm_service *service = &svsm->vtpm;
	if (service->status == STATUS_OK && service->powered) {
		suspend(service, svsm->state.cause);
	}
	if (!service->suspended) {
		return; /* Switched off, or unavailable for reasons of its own. */
	}
	service->suspended = false;
	service->status = STATUS_OK;
	service->restarts++;
	launch_settle(svsm, launch(svsm, LAUNCH_RESTARTED));
	if (service->status == STATUS_OK) {
		log_write(LOG_WARNING, "vtpm", "restarted after %s",
			  status_name(svsm->state.cause));
	}
}

void vtpm_service_end(struct svsm *svsm, enum status cause)
{
	struct vtpm_service *service = &svsm->vtpm;
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
static bool has_answered(struct svsm *svsm)
{
	struct vtpm_service *service = &svsm->vtpm;
	const struct process_channel *channel = &service->process.channel;
	if (state_is_lost(&svsm->state)) {
		suspend(service, state_condition(&svsm->state));
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
	restart(svsm);
	return false;
}

const uint8_t *vtpm_service_execute(struct svsm *svsm, const struct service_message *message,
				    size_t *response_size_bytes)
{
	struct vtpm_service *service = &svsm->vtpm;
	struct process_channel *channel = &service->process.channel;
	service->commands += message->kind == SERVICE_COMMAND ? 1 : 0;
	if (service->status == STATUS_OK && service->powered) {
		hand_over(service, message);
		if (has_answered(svsm)) {
			*response_size_bytes = channel->response_size_bytes;
			service->orderly = is_shutdown(message, channel->response);
			return channel->response;
		}
	}
	*response_size_bytes = response_error(service->failure, TPM_RC_FAILURE);
	return service->failure;
}

static void send_response(struct svsm *svsm, const uint8_t *bytes, size_t size_bytes)
{
	enum status status =
		virtio_serial_write(&svsm->serial, svsm->vtpm.port, svsm->vtpm.frame.generation,
				    bytes, size_bytes, RESPONSE_TIMEOUT_US);
	if (status != STATUS_OK) {
		log_write(LOG_NOTICE, "vtpm", "response not delivered: %s", status_name(status));
		svsm->vtpm.deaf = true;
	}
}

/* True if the client is still the one that the frame belongs to. */
static bool same_client(struct svsm *svsm)
{
	struct vtpm_service *service = &svsm->vtpm;
	struct virtio_serial_port_state state;
	if (virtio_serial_poll(&svsm->serial) != STATUS_OK) {
		return false;
	}
	virtio_serial_port_state(&svsm->serial, service->port, &state);
	if (!frame_set_generation(&service->frame, state.generation)) {
		return true;
	}
	drop_pending(service);
	service->deaf = false;
	return false;
}

static void serve_command(struct svsm *svsm)
{
	struct vtpm_service *service = &svsm->vtpm;
	uint32_t size_bytes;
	size_t response_size_bytes;
	const uint8_t *command = frame_command(&service->frame, &size_bytes);
	const struct service_message message = {.kind = SERVICE_COMMAND,
						.locality = service->locality,
						.bytes = command,
						.size_bytes = size_bytes};
	const uint8_t *response = vtpm_service_execute(svsm, &message, &response_size_bytes);
	frame_release(&service->frame);
	if (same_client(svsm)) {
		send_response(svsm, response, response_size_bytes);
	} else {
		log_write(LOG_NOTICE, "vtpm", "the client left before its answer");
	}
	secure_zero(service->process.channel.response, sizeof(service->process.channel.response));
}

/* How much to ask the port for. One byte between commands: should its client leave, it is all that
 * can be mistaken for the next one's (vtpm/doubt.h). */
static size_t wanted_bytes(const struct vtpm_service *service)
{
	const struct frame *frame = &service->frame;
	bool between = frame->state == FRAME_HEADER && frame->stored_bytes == 0;
	return between && service->held_size == 0 ? 1 : VTPM_READ_BYTES;
}

/* `count` bytes have been read behind those that are held; what of it may go into the frame?
 * Doubtful bytes behind held ones are the rest of one buffer: no more than VTPM_READ_BYTES in all.
 */
static void settle_doubt(struct vtpm_service *service, bool doubtful, size_t count)
{
	size_t size_bytes = service->held_size + count;
	enum doubt_verdict verdict = DOUBT_ACCEPT;
	if (doubtful) {
		verdict = doubt_judge(service->pending, size_bytes);
	} else if (service->held_size > 0 &&
		   doubt_refuted(service->pending + service->held_size, count)) {
		service->pending_at = service->held_size;
	}
	switch (verdict) {
	case DOUBT_DROP: drop_pending(service); break;
	case DOUBT_HOLD: service->held_size = size_bytes; break;
	case DOUBT_ACCEPT:
		service->pending_size = size_bytes;
		service->held_size = 0;
		break;
	}
}

static bool refill(struct svsm *svsm)
{
	struct vtpm_service *service = &svsm->vtpm;
	struct virtio_serial_port_state state;
	size_t count = 0;
	if (service->pending_at < service->pending_size) {
		return true;
	}
	service->pending_at = 0;
	service->pending_size = 0;
	CHECK(service->held_size <= VTPM_READ_BYTES);
	if (virtio_serial_read(&svsm->serial, service->port, service->pending + service->held_size,
			       wanted_bytes(service), &count) != STATUS_OK) {
		return false;
	}
	virtio_serial_port_state(&svsm->serial, service->port, &state);
	settle_doubt(service, state.doubtful, count);
	return true;
}

bool vtpm_service_step(struct svsm *svsm)
{
	struct vtpm_service *service = &svsm->vtpm;
	uint64_t now_us = svsm->clock.now_us(svsm->clock.context);
	enum frame_event event;
	if (!service->port_open) {
		return false;
	}
	(void)same_client(svsm);
	if (service->deaf) {
		drop_pending(service);
		virtio_serial_ignore(&svsm->serial, service->port);
		return false;
	}
	bool received = refill(svsm);
	if (received) {
		size_t taken;
		event = frame_feed(&service->frame, service->pending + service->pending_at,
				   service->pending_size - service->pending_at, now_us, &taken);
		secure_zero(service->pending + service->pending_at, taken);
		service->pending_at += taken;
	} else {
		service->pending_size = 0;
		event = frame_poll(&service->frame, now_us);
	}
	if (event == FRAME_COMMAND) {
		serve_command(svsm);
		return true;
	}
	if (event == FRAME_MALFORMED) {
		uint8_t answer[TPM_HEADER_BYTES];
		size_t size_bytes = response_error(answer, TPM_RC_COMMAND_SIZE);
		log_write(LOG_NOTICE, "vtpm", "malformed command size: COMMAND_SIZE");
		send_response(svsm, answer, size_bytes);
		return true;
	}
	return received;
}

bool vtpm_service_deadline(const struct svsm *svsm, uint64_t *at_us)
{
	return frame_deadline(&svsm->vtpm.frame, at_us);
}

bool vtpm_service_is_quiet(const struct svsm *svsm)
{
	const struct vtpm_service *service = &svsm->vtpm;
	return service->frame.state == FRAME_HEADER && service->frame.stored_bytes == 0 &&
	       service->pending_at == service->pending_size && service->held_size == 0;
}

void vtpm_service_shutdown(struct svsm *svsm)
{
	struct vtpm_service *service = &svsm->vtpm;
	const struct service_message message = {.kind = SERVICE_COMMAND,
						.bytes = tpm_shutdown_clear,
						.size_bytes = sizeof(tpm_shutdown_clear)};
	size_t size_bytes;
	if (service->status != STATUS_OK || !service->powered || service->orderly) {
		return;
	}
	const uint8_t *response = vtpm_service_execute(svsm, &message, &size_bytes);
	log_write(LOG_NOTICE, "vtpm", "shut down: response code 0x%x", response_code(response));
}

void vtpm_service_power_off(struct svsm *svsm)
{
	vtpm_service_shutdown(svsm);
	/* The shutdown itself may have been the end of the service. */
	if (svsm->vtpm.status == STATUS_OK) {
		process_unload(&svsm->vtpm.process);
		svsm->vtpm.powered = false;
	}
}

void vtpm_service_power_on(struct svsm *svsm, bool with_startup)
{
	if (svsm->vtpm.powered) {
		vtpm_service_power_off(svsm);
	}
	if (svsm->vtpm.status == STATUS_OK) {
		start(svsm, with_startup ? LAUNCH_STARTED : LAUNCH_UNSTARTED);
	}
}
