// SPDX-License-Identifier: MIT
/* Reading from a port: one buffer, lent when the reader wants something.
 *
 *   IDLE -> LENT      read, while a client is connected; of the size that was asked for
 *                     write: one byte, so that the device sees when its client hangs up
 *   LENT -> FILLED    read, once the device has completed it
 *   FILLED -> IDLE    all of it was read, or its client is known to be gone
 *   LENT -> FILLED    restart, if the device has completed it
 *
 * Only what had arrived before the latest look at the control queue is taken. A client's bytes come
 * after its OPEN, so the generation that the caller sees is theirs or a later one. */
#include "virtio/virtio_serial.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "virtio/virtio_serial_internal.h"

/* IDLE -> LENT; the device has not been told. */
static enum status buffer_lend(struct virtio_serial_port *port, size_t size_bytes)
{
	const size_t lent_bytes = size_bytes < PAGE_BYTES ? size_bytes : PAGE_BYTES;
	const struct virtq_segment segment = {
		.at = shared_region_addr(&port->receive_page, 0, lent_bytes),
		.len_bytes = (uint32_t)lent_bytes,
		.device_writes = true,
	};
	struct virtq_token token;
	shared_zero(&port->receive_page, 0, PAGE_BYTES);
	const enum status status = virtq_chain_submit(&port->receive, &segment, 1, &token);
	if (status != STATUS_OK) {
		return status;
	}
	port->buffer = (struct virtio_serial_buffer){
		.state = VIRTIO_SERIAL_LENT,
		.first_generation = port->generation,
	};
	return STATUS_OK;
}

/* LENT -> FILLED, or IDLE if the device gave it back empty. STATUS_AGAIN: not completed. */
static enum status buffer_take(struct virtio_serial_port *port)
{
	struct virtq_token token;
	uint32_t size_bytes = 0; /* At most what was lent: the queue checked it. */
	const enum status status = virtq_used_poll(&port->receive, &token, &size_bytes);
	if (status != STATUS_OK) {
		return status;
	}
	port->arrived = false;
	port->buffer.state = size_bytes > 0 ? VIRTIO_SERIAL_FILLED : VIRTIO_SERIAL_IDLE;
	port->buffer.last_generation = port->generation;
	port->buffer.size_bytes = size_bytes;
	port->buffer.taken_bytes = 0;
	return STATUS_OK;
}

/* QEMU 7.2 learns in one of two ways that a client has died. If a buffer is lent it reads from the
 * socket until its end, and all is well. If none is, it learns it from passing on what we write:
 * the port then stays blocked for the client that connects next, which waits for ever. */
enum status serial_buffer_lend_to_listen(struct virtio_serial_port *port)
{
	return port->buffer.state == VIRTIO_SERIAL_IDLE ? buffer_lend(port, 1) : STATUS_OK;
}

enum status serial_buffer_drop(struct virtio_serial_port *port, bool arrived)
{
	enum status status = STATUS_OK;
	if (port->buffer.state == VIRTIO_SERIAL_LENT && arrived) {
		status = buffer_take(port);
	}
	if (port->buffer.state == VIRTIO_SERIAL_FILLED) {
		port->buffer.state = VIRTIO_SERIAL_IDLE;
	}
	return status == STATUS_AGAIN ? STATUS_OK : status;
}

void serial_buffer_carry(struct virtio_serial_port *port)
{
	struct virtio_serial_carried *carried = &port->carried;
	struct virtio_serial_buffer *buffer = &port->buffer;
	/* A device that lies about its last buffer has given us nothing. */
	if (buffer->state == VIRTIO_SERIAL_LENT && buffer_take(port) != STATUS_OK) {
		buffer->state = VIRTIO_SERIAL_IDLE;
	}
	if (buffer->state != VIRTIO_SERIAL_FILLED) {
		return;
	}
	const size_t left = buffer->size_bytes - buffer->taken_bytes;
	if (left > sizeof(carried->bytes)) {
		log_write(LOG_WARNING, "serial", "%s: %lu bytes lost in a restart", port->name,
			  left);
		return;
	}
	shared_copy_in(carried->bytes, &port->receive_page, buffer->taken_bytes, left);
	carried->size_bytes = left;
	memcpy(carried->name, port->name, sizeof(carried->name));
}

/* FILLED, with bytes that may be those of the first client that will be announced: the generation
 * is 0 until then, and 1 after it. */
void serial_buffer_uncarry(struct virtio_serial_port *port)
{
	struct virtio_serial_carried *carried = &port->carried;
	if (carried->size_bytes > 0 &&
	    memcmp(carried->name, port->name, sizeof(carried->name)) == 0) {
		shared_copy_out(&port->receive_page, 0, carried->bytes, carried->size_bytes);
		port->buffer = (struct virtio_serial_buffer){
			.state = VIRTIO_SERIAL_FILLED,
			.first_generation = 0,
			.last_generation = 1,
			.size_bytes = (uint32_t)carried->size_bytes,
		};
	}
	secure_zero(carried, sizeof(*carried));
}

/* What was carried over a restart is nobody's before a client has been announced. */
static bool belongs_to_nobody(const struct virtio_serial_port *port)
{
	return port->buffer.state == VIRTIO_SERIAL_FILLED && port->generation == 0;
}

/* Bring the buffer to FILLED, with bytes that may be the present client's. STATUS_AGAIN: not yet,
 * and the device has been lent it if there is a client. */
static enum status buffer_ready(struct virtio_serial_port *port, size_t size_bytes)
{
	enum status status = STATUS_OK;
	if (serial_port_is_stuck(port) || belongs_to_nobody(port)) {
		return STATUS_AGAIN;
	}
	if (port->buffer.state == VIRTIO_SERIAL_FILLED &&
	    port->buffer.last_generation != port->generation) {
		port->buffer.state = VIRTIO_SERIAL_IDLE; /* Of a client that is gone. */
	}
	if (port->buffer.state == VIRTIO_SERIAL_LENT && port->arrived) {
		status = buffer_take(port);
	}
	if (status == STATUS_OK && port->buffer.state == VIRTIO_SERIAL_IDLE && port->host_open) {
		status = buffer_lend(port, size_bytes);
		virtq_kick(&port->receive);
	}
	if (status != STATUS_OK) {
		return status;
	}
	return port->buffer.state == VIRTIO_SERIAL_FILLED ? STATUS_OK : STATUS_AGAIN;
}

enum status virtio_serial_read(struct virtio_serial *serial, uint32_t port_number, uint8_t *out,
			       size_t size_bytes, size_t *read_bytes)
{
	CHECK(size_bytes > 0);
	enum status status = serial_port_usable(serial, port_number);
	if (status != STATUS_OK) {
		return status;
	}
	struct virtio_serial_port *port = &serial->ports[port_number];
	status = buffer_ready(port, size_bytes);
	if (status == STATUS_AGAIN) {
		return status;
	}
	if (status != STATUS_OK) {
		return serial_fail(serial, status);
	}
	struct virtio_serial_buffer *buffer = &port->buffer;
	const size_t left = buffer->size_bytes - buffer->taken_bytes;
	const size_t count = size_bytes < left ? size_bytes : left;
	shared_copy_in(out, &port->receive_page, buffer->taken_bytes, count);
	buffer->taken_bytes += (uint32_t)count;
	if (buffer->taken_bytes == buffer->size_bytes) {
		buffer->state = VIRTIO_SERIAL_IDLE;
	}
	*read_bytes = count;
	return STATUS_OK;
}

void virtio_serial_ignore(struct virtio_serial *serial, uint32_t port_number)
{
	if (serial_port_usable(serial, port_number) != STATUS_OK) {
		return;
	}
	struct virtio_serial_port *port = &serial->ports[port_number];
	const enum status status = serial_buffer_drop(port, port->arrived);
	if (status != STATUS_OK) {
		(void)serial_fail(serial, status);
	}
}
