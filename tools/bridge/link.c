// SPDX-License-Identifier: MIT
#include "tools/bridge/link.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "tools/bridge/address.h"
#include "vtpm/response.h"

#define RETRY_MS 200u
#define HELLO_MS 5000u
/* A power-on under emulation takes a second; the kernel ends a command after 120. */
#define CONTROL_MS 30000u
#define COMMAND_MS 150000u

void link_init(struct link *link, const char *service_path, const char *control_path,
	       uint16_t instance)
{
	memset(link, 0, sizeof(*link));
	link->service_path = service_path;
	link->control_path = control_path;
	link->instance = instance;
	link->service.fd = -1;
	link->control.fd = -1;
	link->service.passed_fd = -1;
	link->control.passed_fd = -1;
	link->why = STATUS_NO_DEVICE;
	/* A reply to somebody before us must not pass for one to us. */
	if (getrandom(&link->last_tag, sizeof(link->last_tag), 0) < 0) {
		link->last_tag = (uint32_t)getpid() << 16;
	}
	tpm_control_stream_init(&link->replies, TPM_CONTROL_MAGIC_REPLY);
}

void link_close(struct link *link)
{
	channel_close(&link->service);
	channel_close(&link->control);
	tpm_control_stream_reset(&link->replies);
	secure_zero(link->response, sizeof(link->response));
}

bool link_is_ready(const struct link *link)
{
	return link->state == LINK_IDLE;
}

bool link_is_up(const struct link *link)
{
	return link->state != LINK_DOWN && link->state != LINK_HELLO;
}

static bool has_job(const struct link *link)
{
	return link->state == LINK_SETTING || link->state == LINK_CONTROL ||
	       link->state == LINK_COMMAND;
}

static void end_job(struct link *link, const struct link_outcome *outcome)
{
	link->outcome = *outcome;
	link->state = LINK_DONE;
	link->deadline_ms = UINT64_MAX;
}

/* The VM is gone or makes no sense: a job fails, and the next look for the VM is soon. */
static void lose(struct link *link, enum status why, uint64_t now_ms)
{
	channel_close(&link->service);
	channel_close(&link->control);
	tpm_control_stream_reset(&link->replies);
	link->why = why;
	if (has_job(link)) {
		end_job(link, &(struct link_outcome){.status = why});
		link->lost = true;
	} else if (link->state == LINK_DONE) {
		link->lost = true;
	} else {
		link->state = LINK_DOWN;
	}
	if (link->state == LINK_DOWN) {
		link->deadline_ms = now_ms + RETRY_MS;
	}
}

/* Send a request; its reply is waited for under link->tag. */
static enum status ask(struct link *link, enum tpm_control_command command, const uint8_t *body,
		       size_t body_bytes)
{
	uint8_t message[TPM_CONTROL_MESSAGE_BYTES_MAX];
	link->last_tag++;
	const struct tpm_control_header header = {
		.magic = TPM_CONTROL_MAGIC_REQUEST,
		.version = TPM_CONTROL_VERSION,
		.command = (uint8_t)command,
		.instance = link->instance,
		.tag = link->last_tag,
	};
	const size_t size_bytes = tpm_control_encode(message, &header, body, body_bytes);
	if (command != TPM_CONTROL_CANCEL) {
		link->tag = link->last_tag;
	}
	return channel_send(&link->control, message, size_bytes);
}

/* HELLO and STATUS at once; only the second one's reply is looked at. */
static void connect_to_vm(struct link *link, uint64_t now_ms)
{
	int service_fd;
	int control_fd;
	enum status status = STATUS_OK;
	if (link->service_path != NULL) {
		status = address_connect_unix(link->service_path, &service_fd);
	}
	if (status == STATUS_OK && link->service_path != NULL) {
		channel_open(&link->service, service_fd);
	}
	if (status == STATUS_OK) {
		status = address_connect_unix(link->control_path, &control_fd);
	}
	if (status == STATUS_OK) {
		channel_open(&link->control, control_fd);
		status = ask(link, TPM_CONTROL_HELLO, NULL, 0);
	}
	if (status != STATUS_OK) {
		lose(link, status, now_ms);
		return;
	}
	link->locality = 0;
	link->state = LINK_HELLO;
	link->deadline_ms = now_ms + HELLO_MS;
}

static void send_command(struct link *link, uint64_t now_ms)
{
	const enum status status =
		channel_send(&link->service, link->job.command, link->job.command_bytes);
	link->state = LINK_COMMAND;
	link->deadline_ms = now_ms + COMMAND_MS;
	if (status != STATUS_OK) {
		lose(link, status, now_ms);
	}
}

/* The body of the job's next request. */
static size_t job_body(const struct link *link, uint8_t body[TPM_CONTROL_BODY_BYTES_MAX])
{
	const struct tpm_control_request *control = &link->job.control;
	switch (control->command) {
	case TPM_CONTROL_POWER_ON: body[0] = control->flags; return 1;
	case TPM_CONTROL_SET_LOCALITY:
	case TPM_CONTROL_RESET_ESTABLISHED: body[0] = control->locality; return 1;
	case TPM_CONTROL_BUFFER_SIZE: bytes_store_be32(body, control->size_bytes); return 4;
	case TPM_CONTROL_HASH_DATA: {
		const size_t left = control->byte_count - link->hashed_bytes;
		const size_t part =
			left < TPM_CONTROL_BODY_BYTES_MAX ? left : TPM_CONTROL_BODY_BYTES_MAX;
		memcpy(body, control->bytes + link->hashed_bytes, part);
		return part;
	}
	case TPM_CONTROL_HELLO:
	case TPM_CONTROL_STATUS:
	case TPM_CONTROL_COUNTERS:
	case TPM_CONTROL_POWER_OFF:
	case TPM_CONTROL_GET_ESTABLISHED:
	case TPM_CONTROL_HASH_START:
	case TPM_CONTROL_HASH_END:
	case TPM_CONTROL_CANCEL: break;
	}
	return 0;
}

static void send_control(struct link *link, uint64_t now_ms)
{
	uint8_t body[TPM_CONTROL_BODY_BYTES_MAX];
	const size_t size_bytes = job_body(link, body);
	const enum status status = ask(link, link->job.control.command, body, size_bytes);
	link->hashed_bytes += size_bytes;
	link->state = LINK_CONTROL;
	link->deadline_ms = now_ms + CONTROL_MS;
	if (status != STATUS_OK) {
		lose(link, status, now_ms);
	}
}

void link_start(struct link *link, const struct link_job *job, uint64_t now_ms)
{
	CHECK(link->state == LINK_IDLE);
	link->job = *job;
	link->hashed_bytes = 0;
	if (job->is_control) {
		send_control(link, now_ms);
		return;
	}
	if (job->locality == link->locality) {
		send_command(link, now_ms);
		return;
	}
	const enum status status = ask(link, TPM_CONTROL_SET_LOCALITY, &job->locality, 1);
	link->state = LINK_SETTING;
	link->deadline_ms = now_ms + CONTROL_MS;
	if (status != STATUS_OK) {
		lose(link, status, now_ms);
	}
}

void link_cancel(struct link *link)
{
	if (link->state == LINK_COMMAND && ask(link, TPM_CONTROL_CANCEL, NULL, 0) != STATUS_OK) {
		link->deadline_ms = 0; /* link_step() sees what is wrong. */
	}
}

bool link_finish(struct link *link, struct link_outcome *outcome)
{
	if (link->state != LINK_DONE) {
		return false;
	}
	*outcome = link->outcome;
	link->state = link->lost ? LINK_DOWN : LINK_IDLE;
	link->deadline_ms = link->lost ? 0 : UINT64_MAX;
	link->lost = false;
	return true;
}

/* A reply that was waited for. */
static void take_reply(struct link *link, const struct tpm_control_header *header,
		       const uint8_t *body, uint64_t now_ms)
{
	struct tpm_control_status status;
	const bool has_status = tpm_control_decode_status(body, header->body_bytes, &status);
	if (has_status) {
		link->power_id = status.power_id;
	}
	if (link->state == LINK_HELLO && header->command == TPM_CONTROL_HELLO &&
	    header->result == TPM_CONTROL_OK) {
		if (ask(link, TPM_CONTROL_STATUS, NULL, 0) != STATUS_OK) {
			lose(link, STATUS_NO_DEVICE, now_ms);
		}
		return;
	}
	if (link->state == LINK_HELLO && (!has_status || header->result != TPM_CONTROL_OK)) {
		lose(link,
		     header->result == TPM_CONTROL_BAD_INSTANCE ? STATUS_INVALID : STATUS_BAD_HOST,
		     now_ms);
		return;
	}
	if (link->state == LINK_HELLO) {
		link->state = LINK_IDLE;
		link->deadline_ms = UINT64_MAX;
		link->why = STATUS_OK;
		return;
	}
	if (link->state == LINK_SETTING && header->result == TPM_CONTROL_OK) {
		link->locality = link->job.locality;
		send_command(link, now_ms);
		return;
	}
	if (link->state == LINK_CONTROL && link->job.control.command == TPM_CONTROL_HASH_DATA &&
	    header->result == TPM_CONTROL_OK && link->hashed_bytes < link->job.control.byte_count) {
		send_control(link, now_ms);
		return;
	}
	memcpy(link->response, body, header->body_bytes);
	end_job(link, &(struct link_outcome){.result = header->result,
					     .bytes = link->response,
					     .size_bytes = header->body_bytes});
}

static bool waits_for_reply(const struct link *link)
{
	return link->state == LINK_HELLO || link->state == LINK_SETTING ||
	       link->state == LINK_CONTROL;
}

/* Cut the control port's stream into replies. Those to somebody else, or to a cancel, are none of
 * ours. */
static enum status take_control_bytes(struct link *link, uint64_t now_ms)
{
	struct tpm_control_header header;
	while (link->control.received_bytes > 0) {
		size_t part = tpm_control_stream_wanted(&link->replies);
		part = part < link->control.received_bytes ? part : link->control.received_bytes;
		const enum tpm_control_event event = tpm_control_stream_feed(
			&link->replies, link->control.received, part, false);
		channel_consume(&link->control, part);
		if (event == TPM_CONTROL_OUT_OF_STEP) {
			return STATUS_BAD_HOST;
		}
		if (event != TPM_CONTROL_MESSAGE) {
			continue;
		}
		if (tpm_control_decode_header(link->replies.bytes, TPM_CONTROL_MAGIC_REPLY,
					      &header) != STATUS_OK) {
			return STATUS_BAD_HOST;
		}
		if (header.result == TPM_CONTROL_BAD_FRAME) {
			return STATUS_BAD_HOST;
		}
		if (waits_for_reply(link) && header.tag == link->tag) {
			take_reply(link, &header, link->replies.bytes + TPM_CONTROL_HEADER_BYTES,
				   now_ms);
		}
		tpm_control_stream_release(&link->replies);
	}
	return STATUS_OK;
}

/* A response, if it is whole. One that nobody asked for means that the stream is out of step. */
static enum status take_response(struct link *link)
{
	const struct channel *service = &link->service;
	if (service->received_bytes == 0) {
		return STATUS_OK;
	}
	if (link->state != LINK_COMMAND) {
		return STATUS_BAD_HOST;
	}
	if (service->received_bytes < TPM_HEADER_BYTES) {
		return STATUS_OK;
	}
	const uint32_t size = bytes_load_be32(service->received + 2);
	if (size < TPM_HEADER_BYTES || size > TPM_RESPONSE_BYTES_MAX ||
	    service->received_bytes > size) {
		return STATUS_BAD_HOST;
	}
	if (service->received_bytes < size) {
		return STATUS_OK;
	}
	memcpy(link->response, service->received, size);
	channel_consume(&link->service, size);
	end_job(link, &(struct link_outcome){.bytes = link->response, .size_bytes = size});
	return STATUS_OK;
}

/* Send and receive; AGAIN is no failure. */
static enum status move_bytes(struct channel *channel)
{
	enum status status = channel_flush(channel);
	if (status == STATUS_OK) {
		status = channel_receive(channel);
	}
	return status == STATUS_AGAIN ? STATUS_OK : status;
}

static enum status exchange(struct link *link, uint64_t now_ms)
{
	enum status status = move_bytes(&link->control);
	if (status == STATUS_OK) {
		status = take_control_bytes(link, now_ms);
	}
	if (status == STATUS_OK && link->service.fd >= 0) {
		status = move_bytes(&link->service);
	}
	if (status == STATUS_OK && link->service.fd >= 0) {
		status = take_response(link);
	}
	return status;
}

void link_step(struct link *link, uint64_t now_ms)
{
	if (link->state == LINK_DOWN) {
		if (now_ms >= link->deadline_ms) {
			connect_to_vm(link, now_ms);
		}
		return;
	}
	if (link->control.fd < 0) {
		return; /* Lost, and nobody has taken the outcome yet. */
	}
	const enum status status = exchange(link, now_ms);
	if (status != STATUS_OK) {
		lose(link, status, now_ms);
	} else if (now_ms >= link->deadline_ms) {
		lose(link, STATUS_TIMEOUT, now_ms);
	}
}

void link_poll(const struct link *link, struct pollfd fds[2])
{
	fds[0] = (struct pollfd){.fd = link->service.fd};
	fds[1] = (struct pollfd){.fd = link->control.fd};
	fds[0].events = channel_events(&link->service);
	fds[1].events = channel_events(&link->control);
}

uint64_t link_deadline_ms(const struct link *link)
{
	return link->state == LINK_DONE ? 0 : link->deadline_ms;
}
