// SPDX-License-Identifier: MIT
/* The service's side towards its port: bytes in, commands cut from them, answers out. */
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "kernel/svsm.h"
#include "vtpm/doubt.h"

#define RESPONSE_TIMEOUT_US (2u * 1000000u)
#define PORT_WAIT_US        2000000u

static void drop_pending(struct vtpm_service *service)
{
	secure_zero(service->pending, sizeof(service->pending));
	service->pending_size = 0;
	service->pending_at = 0;
	service->held_size = 0;
}

enum status vtpm_service_open_port(struct vtpm_service *service)
{
	const uint64_t wait_us = service->instance == 0 ? PORT_WAIT_US : 0;
	enum status status = virtio_serial_port_open(&service->svsm->serial, service->names.port,
						     wait_us, &service->port);
	service->port_open = status == STATUS_OK;
	if (status == STATUS_OK) {
		struct virtio_serial_port_state state;
		virtio_serial_port_state(&service->svsm->serial, service->port, &state);
		frame_init(&service->frame, state.generation);
		drop_pending(service);
		service->deaf = false;
	}
	return status;
}

static void send_response(struct vtpm_service *service, const uint8_t *bytes, size_t size_bytes)
{
	enum status status = virtio_serial_write(&service->svsm->serial, service->port,
						 service->frame.generation, bytes, size_bytes,
						 RESPONSE_TIMEOUT_US);
	if (status != STATUS_OK) {
		log_write(LOG_NOTICE, "vtpm", "response not delivered: %s", status_name(status));
		service->deaf = true;
	}
}

/* True if the client is still the one that the frame belongs to. */
static bool same_client(struct vtpm_service *service)
{
	struct virtio_serial_port_state state;
	if (virtio_serial_poll(&service->svsm->serial) != STATUS_OK) {
		return false;
	}
	virtio_serial_port_state(&service->svsm->serial, service->port, &state);
	if (!frame_set_generation(&service->frame, state.generation)) {
		return true;
	}
	drop_pending(service);
	service->deaf = false;
	return false;
}

static void serve_command(struct vtpm_service *service)
{
	uint32_t size_bytes;
	size_t response_size_bytes;
	const uint8_t *command = frame_command(&service->frame, &size_bytes);
	const struct service_message message = {.kind = SERVICE_COMMAND,
						.locality = tpm_control_locality(service),
						.bytes = command,
						.size_bytes = size_bytes};
	const uint8_t *response = vtpm_service_execute(service, &message, &response_size_bytes);
	frame_release(&service->frame);
	if (same_client(service)) {
		send_response(service, response, response_size_bytes);
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

static bool refill(struct vtpm_service *service)
{
	struct virtio_serial_port_state state;
	size_t count = 0;
	if (service->pending_at < service->pending_size) {
		return true;
	}
	service->pending_at = 0;
	service->pending_size = 0;
	CHECK(service->held_size <= VTPM_READ_BYTES);
	if (virtio_serial_read(&service->svsm->serial, service->port,
			       service->pending + service->held_size, wanted_bytes(service),
			       &count) != STATUS_OK) {
		return false;
	}
	virtio_serial_port_state(&service->svsm->serial, service->port, &state);
	settle_doubt(service, state.doubtful, count);
	return true;
}

bool vtpm_service_step(struct vtpm_service *service)
{
	uint64_t now_us = service->svsm->clock.now_us(service->svsm->clock.context);
	enum frame_event event;
	if (!service->port_open) {
		return false;
	}
	(void)same_client(service);
	if (service->deaf) {
		drop_pending(service);
		virtio_serial_ignore(&service->svsm->serial, service->port);
		return false;
	}
	bool received = refill(service);
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
		serve_command(service);
		return true;
	}
	if (event == FRAME_MALFORMED) {
		uint8_t answer[TPM_HEADER_BYTES];
		size_t size_bytes = response_error(answer, TPM_RC_COMMAND_SIZE);
		log_write(LOG_NOTICE, "vtpm", "malformed command size: COMMAND_SIZE");
		send_response(service, answer, size_bytes);
		return true;
	}
	return received;
}

bool vtpm_service_deadline(const struct vtpm_service *service, uint64_t *at_us)
{
	return frame_deadline(&service->frame, at_us);
}

bool vtpm_service_is_quiet(const struct vtpm_service *service)
{
	struct virtio_serial_port_state state;
	if (!service->port_open) {
		return true;
	}
	virtio_serial_port_state(&service->svsm->serial, service->port, &state);
	/* What is held then is of a client that left (same_client). */
	if (state.generation != service->frame.generation) {
		return true;
	}
	return service->frame.state == FRAME_HEADER && service->frame.stored_bytes == 0 &&
	       service->pending_at == service->pending_size && service->held_size == 0;
}
