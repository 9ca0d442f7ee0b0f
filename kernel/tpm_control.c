// SPDX-License-Identifier: MIT
#include "kernel/tpm_control.h"

#include "base/bytes.h"
#include "base/log.h"
#include "kernel/svsm.h"

#define PORT_WAIT_US     0u
#define REPLY_TIMEOUT_US 1000000u
/* Messages that one turn may answer. */
#define MESSAGES_MAX 4u

void tpm_control_open(struct svsm *svsm)
{
	struct tpm_control *control = &svsm->vtpm.control;
	control->open = false;
	control->refused = false;
	control->deaf = false;
	tpm_control_stream_init(&control->stream, TPM_CONTROL_MAGIC_REQUEST);
}

/* The host announces its ports one by one, and this one may come late or never. */
static bool is_open(struct svsm *svsm)
{
	struct tpm_control *control = &svsm->vtpm.control;
	if (control->open || control->refused) {
		return control->open;
	}
	const enum status status = virtio_serial_port_open(&svsm->serial, TPM_CONTROL_PORT_NAME,
							   PORT_WAIT_US, &control->port);
	control->open = status == STATUS_OK;
	control->refused = status != STATUS_OK && status != STATUS_NOT_FOUND;
	if (control->refused) {
		log_write(LOG_NOTICE, "tpm-control", "no port %s: %s", TPM_CONTROL_PORT_NAME,
			  status_name(status));
	}
	return control->open;
}

/* A client that leaves takes with it what it said about commands: the next one's are from locality
 * 0 until it says otherwise. */
static void meet_client(struct svsm *svsm, uint32_t generation)
{
	struct tpm_control *control = &svsm->vtpm.control;
	if (control->generation == generation) {
		return;
	}
	control->generation = generation;
	control->deaf = false;
	tpm_control_stream_reset(&control->stream);
	svsm->vtpm.locality = 0;
}

static void reply(struct svsm *svsm, const struct tpm_control_header *request,
		  enum tpm_control_result result, const uint8_t *body, size_t body_bytes)
{
	struct tpm_control *control = &svsm->vtpm.control;
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
		virtio_serial_write(&svsm->serial, control->port, control->generation, message,
				    size_bytes, REPLY_TIMEOUT_US);
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
static bool answer(struct svsm *svsm)
{
	struct tpm_control *control = &svsm->vtpm.control;
	struct tpm_control_request request;
	uint8_t body[TPM_CONTROL_BODY_BYTES_MAX];
	size_t body_bytes = 0;
	enum tpm_control_result result = tpm_control_decode_request(
		control->stream.bytes, tpm_control_stream_message(&control->stream),
		control->instance, &request);
	if (result == TPM_CONTROL_OK && svsm->vtpm.running && !is_immediate(&request)) {
		if (takes_power(&request)) {
			tpm_control_cancel(svsm);
		}
		return false;
	}
	if (result == TPM_CONTROL_OK) {
		result = tpm_control_apply(svsm, &request, body, &body_bytes);
	}
	reply(svsm, &request.header, result, body, result == TPM_CONTROL_OK ? body_bytes : 0);
	tpm_control_stream_release(&control->stream);
	return true;
}

static void answer_out_of_step(struct svsm *svsm)
{
	const struct tpm_control_header none = {0};
	reply(svsm, &none, TPM_CONTROL_BAD_FRAME, NULL, 0);
	svsm->vtpm.control.deaf = true;
}

/* Take in bytes, at most up to the end of one message. False: there are none. */
static bool receive(struct svsm *svsm)
{
	struct tpm_control *control = &svsm->vtpm.control;
	struct virtio_serial_port_state state;
	uint8_t bytes[TPM_CONTROL_MESSAGE_BYTES_MAX];
	size_t count;
	if (virtio_serial_read(&svsm->serial, control->port, bytes,
			       tpm_control_stream_wanted(&control->stream), &count) != STATUS_OK) {
		return false;
	}
	virtio_serial_port_state(&svsm->serial, control->port, &state);
	if (tpm_control_stream_feed(&control->stream, bytes, count, state.doubtful) ==
	    TPM_CONTROL_OUT_OF_STEP) {
		answer_out_of_step(svsm);
	}
	secure_zero(bytes, count);
	return true;
}

static bool take_turn(struct svsm *svsm)
{
	struct tpm_control *control = &svsm->vtpm.control;
	struct virtio_serial_port_state state;
	bool worked = false;
	uint32_t answered = 0;
	if (!is_open(svsm)) {
		return false;
	}
	virtio_serial_port_state(&svsm->serial, control->port, &state);
	meet_client(svsm, state.generation);
	while (!control->deaf && answered < MESSAGES_MAX) {
		if (tpm_control_stream_message(&control->stream) != 0) {
			if (!answer(svsm)) {
				break;
			}
			answered++;
		} else if (!receive(svsm)) {
			break;
		}
		worked = true;
	}
	if (control->deaf) {
		virtio_serial_ignore(&svsm->serial, control->port);
	}
	return worked;
}

bool tpm_control_step(struct svsm *svsm)
{
	return take_turn(svsm);
}

/* The client of the port for commands left: nobody waits for this one's end. */
static bool asker_left(struct svsm *svsm)
{
	struct virtio_serial_port_state state;
	if (!svsm->vtpm.port_open) {
		return false;
	}
	virtio_serial_port_state(&svsm->serial, svsm->vtpm.port, &state);
	return state.generation != svsm->vtpm.frame.generation;
}

void tpm_control_tick(struct svsm *svsm)
{
	/* While a program starts there is nothing to be said about its commands. A device that lies
	 * is the main loop's to report. */
	if (!svsm->vtpm.running || svsm->serial_status != STATUS_OK ||
	    virtio_serial_poll(&svsm->serial) != STATUS_OK) {
		return;
	}
	if (asker_left(svsm)) {
		tpm_control_cancel(svsm);
	}
	(void)take_turn(svsm);
}
