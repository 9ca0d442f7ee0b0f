// SPDX-License-Identifier: MIT
#include "kernel/tpm_control.h"

#include "base/bytes.h"
#include "base/log.h"
#include "kernel/svsm.h"

#define PORT_WAIT_US     0u
#define REPLY_TIMEOUT_US 1000000u
/* Messages that one turn may answer. */
#define MESSAGES_MAX 4u

void tpm_control_open(struct vtpm_service *service)
{
	struct tpm_control *control = &service->control;
	control->restarted = control->open;
	control->open = false;
	control->refused = false;
	control->deaf = false;
	control->generation = 0;
	control->instance = (uint16_t)service->instance;
	tpm_control_stream_init(&control->stream, TPM_CONTROL_MAGIC_REQUEST);
}

/* The host announces its ports one by one, and this one may come late or never. */
static bool is_open(struct vtpm_service *service)
{
	struct tpm_control *control = &service->control;
	if (control->open || control->refused) {
		return control->open;
	}
	const enum status status = virtio_serial_port_open(
		&service->svsm->serial, service->names.control_port, PORT_WAIT_US, &control->port);
	control->open = status == STATUS_OK;
	control->refused = status != STATUS_OK && status != STATUS_NOT_FOUND;
	if (control->refused) {
		log_write(LOG_NOTICE, "tpm-control", "no port %s: %s", service->names.control_port,
			  status_name(status));
	}
	return control->open;
}

/* A client that leaves takes with it what it said about commands: the next one's are from locality
 * 0 until it says otherwise. The first one behind a restart of the device may be the one from
 * before, which knows nothing of it; any other says HELLO, and that means locality 0 too. */
static void meet_client(struct vtpm_service *service, uint32_t generation)
{
	struct tpm_control *control = &service->control;
	if (control->generation == generation) {
		return;
	}
	if (!control->restarted || generation != 1) {
		service->locality = 0;
	}
	control->restarted = false;
	control->generation = generation;
	control->deaf = false;
	tpm_control_stream_reset(&control->stream);
}

uint8_t tpm_control_locality(struct vtpm_service *service)
{
	struct virtio_serial_port_state state;
	if (!is_open(service)) {
		return 0;
	}
	virtio_serial_port_state(&service->svsm->serial, service->control.port, &state);
	meet_client(service, state.generation);
	return state.host_open ? service->locality : 0;
}

bool tpm_control_is_quiet(struct vtpm_service *service)
{
	struct tpm_control *control = &service->control;
	struct virtio_serial_port_state state;
	if (!control->open || control->stream.used_bytes == 0) {
		return true;
	}
	virtio_serial_port_state(&service->svsm->serial, control->port, &state);
	return state.generation != control->generation;
}

static void reply(struct vtpm_service *service, const struct tpm_control_header *request,
		  enum tpm_control_result result, const uint8_t *body, size_t body_bytes)
{
	struct tpm_control *control = &service->control;
	uint8_t message[TPM_CONTROL_MESSAGE_BYTES_MAX];
	const struct tpm_control_header header = {
		.magic = TPM_CONTROL_MAGIC_REPLY,
		.version = TPM_CONTROL_VERSION,
		.command = request->command,
		.instance = control->instance,
		.result = (uint16_t)result,
		.tag = request->tag,
	};
	const size_t size_bytes = tpm_control_encode(message, &header, body, body_bytes);
	const enum status status =
		virtio_serial_write(&service->svsm->serial, control->port, control->generation,
				    message, size_bytes, REPLY_TIMEOUT_US);
	if (status != STATUS_OK) {
		log_write(LOG_NOTICE, "tpm-control", "reply not sent: %s", status_name(status));
		control->deaf = true;
	}
}

/* Requests that a running command does not keep waiting. */
static bool is_immediate(const struct tpm_control_request *request)
{
	switch (request->command) {
	case TPM_CONTROL_HELLO:
	case TPM_CONTROL_STATUS:
	case TPM_CONTROL_COUNTERS:
	case TPM_CONTROL_CANCEL: return true;
	case TPM_CONTROL_POWER_ON:
	case TPM_CONTROL_POWER_OFF:
	case TPM_CONTROL_SET_LOCALITY:
	case TPM_CONTROL_GET_ESTABLISHED:
	case TPM_CONTROL_RESET_ESTABLISHED:
	case TPM_CONTROL_HASH_START:
	case TPM_CONTROL_HASH_DATA:
	case TPM_CONTROL_HASH_END:
	case TPM_CONTROL_BUFFER_SIZE: break;
	}
	return false;
}

static bool takes_power(const struct tpm_control_request *request)
{
	return request->command == TPM_CONTROL_POWER_OFF ||
	       (request->command == TPM_CONTROL_POWER_ON &&
		(request->flags & TPM_CONTROL_POWER_IF_OFF) == 0);
}

/* Answer the message that the stream holds. False: it has to wait for the running command. */
static bool answer(struct vtpm_service *service)
{
	struct tpm_control *control = &service->control;
	struct tpm_control_request request;
	uint8_t body[TPM_CONTROL_BODY_BYTES_MAX];
	size_t body_bytes = 0;
	enum tpm_control_result result = tpm_control_decode_request(
		control->stream.bytes, tpm_control_stream_message(&control->stream),
		control->instance, &request);
	if (result == TPM_CONTROL_OK && service->running && !is_immediate(&request)) {
		if (takes_power(&request)) {
			tpm_control_cancel(service);
		}
		return false;
	}
	if (result == TPM_CONTROL_OK) {
		result = tpm_control_apply(service, &request, body, &body_bytes);
	}
	reply(service, &request.header, result, body, result == TPM_CONTROL_OK ? body_bytes : 0);
	tpm_control_stream_release(&control->stream);
	return true;
}

static void answer_out_of_step(struct vtpm_service *service)
{
	const struct tpm_control_header none = {0};
	reply(service, &none, TPM_CONTROL_BAD_FRAME, NULL, 0);
	service->control.deaf = true;
}

/* Take in bytes, at most up to the end of one message. False: there are none. */
static bool receive(struct vtpm_service *service)
{
	struct tpm_control *control = &service->control;
	struct virtio_serial_port_state state;
	uint8_t bytes[TPM_CONTROL_MESSAGE_BYTES_MAX];
	size_t count;
	if (virtio_serial_read(&service->svsm->serial, control->port, bytes,
			       tpm_control_stream_wanted(&control->stream), &count) != STATUS_OK) {
		return false;
	}
	virtio_serial_port_state(&service->svsm->serial, control->port, &state);
	if (tpm_control_stream_feed(&control->stream, bytes, count, state.doubtful) ==
	    TPM_CONTROL_OUT_OF_STEP) {
		answer_out_of_step(service);
	}
	secure_zero(bytes, count);
	return true;
}

static bool take_turn(struct vtpm_service *service)
{
	struct tpm_control *control = &service->control;
	struct virtio_serial_port_state state;
	bool worked = false;
	uint32_t answered = 0;
	if (!is_open(service)) {
		return false;
	}
	virtio_serial_port_state(&service->svsm->serial, control->port, &state);
	meet_client(service, state.generation);
	while (!control->deaf && answered < MESSAGES_MAX) {
		if (tpm_control_stream_message(&control->stream) != 0) {
			if (!answer(service)) {
				break;
			}
			answered++;
		} else if (!receive(service)) {
			break;
		}
		worked = true;
	}
	if (control->deaf) {
		virtio_serial_ignore(&service->svsm->serial, control->port);
	}
	return worked;
}

bool tpm_control_step(struct vtpm_service *service)
{
	return take_turn(service);
}

/* The client of the port for commands left: nobody waits for this one's end. */
static bool asker_left(struct vtpm_service *service)
{
	struct virtio_serial_port_state state;
	if (!service->port_open) {
		return false;
	}
	virtio_serial_port_state(&service->svsm->serial, service->port, &state);
	return state.generation != service->frame.generation;
}

void tpm_control_tick(void *context)
{
	struct vtpm_service *service = context;
	/* While a program starts there is nothing to be said about its commands. A device that lies
	 * is the main loop's to report. */
	if (!service->running || service->svsm->serial_status != STATUS_OK ||
	    virtio_serial_poll(&service->svsm->serial) != STATUS_OK) {
		return;
	}
	if (asker_left(service)) {
		tpm_control_cancel(service);
	}
	(void)take_turn(service);
}
