// SPDX-License-Identifier: MIT
/* Reading from a port. An open port lends the device RECEIVE_PAGES pages to fill. A filled page is
 * read in place, each byte copied to private memory once, and posted again only when it is used up:
 * with all pages full the device has nowhere to write, and the client waits.
 *
 * Only what had arrived before the latest look at the control queue is readable. A client's bytes
 * come after its OPEN, so the generation that the caller sees is then theirs; a page that arrived
 * since might belong to a client whose OPEN we have not taken yet. */
#include "virtio/virtio_serial.h"

#include "base/check.h"
#include "virtio/virtio_serial_internal.h"

enum status serial_receive_page_post(struct virtio_serial_port *port, uint16_t page_index)
{
	const size_t at = page_index * PAGE_BYTES;
	const struct virtq_segment segment = {
		.at = shared_region_addr(&port->receive_pages, at, PAGE_BYTES),
		.len_bytes = (uint32_t)PAGE_BYTES,
		.device_writes = true,
	};
	struct virtq_token token;
	shared_zero(&port->receive_pages, at, PAGE_BYTES);
	const enum status status = virtq_chain_submit(&port->receive, &segment, 1, &token);
	if (status == STATUS_OK) {
		port->receive_page_of[token.head] = (uint8_t)page_index;
	}
	return status;
}

/* The page that is being read is used up: the device may fill it again. */
static enum status current_recycle(struct virtio_serial_port *port)
{
	const uint16_t page_index = port->current.page_index;
	port->current = (struct virtio_serial_received){0};
	const enum status status = serial_receive_page_post(port, page_index);
	if (status == STATUS_OK) {
		virtq_kick(&port->receive);
	}
	return status;
}

/* Make the next filled page the current one. STATUS_AGAIN: none. Pages that come back empty are
 * posted again; there are at most RECEIVE_PAGES before we return. */
static enum status current_take(struct virtio_serial_port *port)
{
	for (unsigned int i = 0; i < VIRTIO_SERIAL_RECEIVE_PAGES; i++) {
		struct virtq_token token;
		uint32_t size_bytes = 0; /* At most a page: the queue checked it. */
		enum status status = virtq_used_poll(&port->receive, &token, &size_bytes);
		if (status != STATUS_OK) {
			return status;
		}
		port->current = (struct virtio_serial_received){
			.page_index = port->receive_page_of[token.head],
			.size_bytes = size_bytes,
		};
		if (size_bytes > 0) {
			return STATUS_OK;
		}
		status = current_recycle(port);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_AGAIN;
}

enum status serial_received_drop(struct virtio_serial_port *port, uint16_t completions)
{
	enum status status = STATUS_OK;
	if (port->current.size_bytes > 0) {
		status = current_recycle(port);
	}
	for (uint16_t i = 0; i < completions && status == STATUS_OK; i++) {
		status = current_take(port);
		if (status == STATUS_OK) {
			status = current_recycle(port);
		}
	}
	return status == STATUS_AGAIN ? STATUS_OK : status;
}

/* As current_take, within what is readable. */
static enum status readable_take(struct virtio_serial_port *port)
{
	if (port->readable == 0) {
		return STATUS_AGAIN;
	}
	const uint16_t before = port->receive.used_index;
	const enum status status = current_take(port);
	const uint16_t taken = (uint16_t)(port->receive.used_index - before);
	port->readable = taken < port->readable ? (uint16_t)(port->readable - taken) : 0;
	return status;
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
	if (port->current.size_bytes == 0) {
		status = readable_take(port);
		if (status == STATUS_AGAIN) {
			return status;
		}
		if (status != STATUS_OK) {
			return serial_fail(serial, status);
		}
	}
	struct virtio_serial_received *current = &port->current;
	const size_t left = current->size_bytes - current->taken_bytes;
	const size_t count = size_bytes < left ? size_bytes : left;
	shared_copy_in(out, &port->receive_pages,
		       current->page_index * PAGE_BYTES + current->taken_bytes, count);
	current->taken_bytes += (uint32_t)count;
	if (current->taken_bytes == current->size_bytes) {
		status = current_recycle(port);
		if (status != STATUS_OK) {
			return serial_fail(serial, status);
		}
	}
	*read_bytes = count;
	return STATUS_OK;
}

enum status virtio_serial_discard(struct virtio_serial *serial, uint32_t port_number)
{
	enum status status = serial_port_usable(serial, port_number);
	if (status != STATUS_OK) {
		return status;
	}
	serial->ports[port_number].readable = 0;
	status = serial_received_drop(&serial->ports[port_number], VIRTIO_SERIAL_RECEIVE_PAGES);
	return status == STATUS_OK ? STATUS_OK : serial_fail(serial, status);
}
