// SPDX-License-Identifier: MIT
/* Writing to a port. The device takes a page when its client has room; a client that does not read
 * is not a lie of the device, so a missed deadline here ends the write and not the device. Pages
 * that are still on the way come back when the client reads, and should come back when it hangs up.
 */
#include "virtio/virtio_serial.h"

#include "virtio/virtio_serial_internal.h"

enum status serial_transmit_reap(struct virtio_serial_port *port)
{
	for (unsigned int i = 0; i < VIRTIO_SERIAL_TRANSMIT_PAGES; i++) {
		struct virtq_token token;
		uint32_t written_bytes;
		const enum status status = virtq_used_poll(&port->transmit, &token, &written_bytes);
		if (status == STATUS_AGAIN) {
			break;
		}
		if (status != STATUS_OK) {
			return status;
		}
		port->transmit_page_busy[port->transmit_page_of[token.head]] = false;
	}
	return STATUS_OK;
}

static unsigned int pages_on_the_way(const struct virtio_serial_port *port, bool to_present_client)
{
	unsigned int count = 0;
	for (unsigned int i = 0; i < VIRTIO_SERIAL_TRANSMIT_PAGES; i++) {
		const bool to_present = port->transmit_page_generation[i] == port->generation;
		count += port->transmit_page_busy[i] && to_present == to_present_client ? 1 : 0;
	}
	return count;
}

bool serial_port_is_behind(const struct virtio_serial_port *port)
{
	return pages_on_the_way(port, true) > 0;
}

bool serial_port_is_stuck(const struct virtio_serial_port *port)
{
	return pages_on_the_way(port, false) == VIRTIO_SERIAL_TRANSMIT_PAGES;
}

/* Send at most one page. STATUS_AGAIN: all pages are on the way. */
static enum status transmit_some(struct virtio_serial_port *port, const uint8_t *bytes,
				 size_t size_bytes, size_t *sent_bytes)
{
	uint8_t page = 0;
	while (page < VIRTIO_SERIAL_TRANSMIT_PAGES && port->transmit_page_busy[page]) {
		page++;
	}
	if (page == VIRTIO_SERIAL_TRANSMIT_PAGES) {
		return STATUS_AGAIN;
	}
	const size_t count = size_bytes < PAGE_BYTES ? size_bytes : PAGE_BYTES;
	const size_t at = page * PAGE_BYTES;
	shared_copy_out(&port->transmit_pages, at, bytes, count);
	const struct virtq_segment segment = {
		.at = shared_region_addr(&port->transmit_pages, at, count),
		.len_bytes = (uint32_t)count,
	};
	struct virtq_token token;
	const enum status status = virtq_chain_submit(&port->transmit, &segment, 1, &token);
	if (status == STATUS_NO_MEMORY) {
		return STATUS_AGAIN; /* The device's queue is shorter than our pages. */
	}
	if (status != STATUS_OK) {
		return status;
	}
	port->transmit_page_of[token.head] = page;
	port->transmit_page_busy[page] = true;
	port->transmit_page_generation[page] = port->generation;
	virtq_kick(&port->transmit);
	*sent_bytes = count;
	return STATUS_OK;
}

/* One turn: what the device reports, whether the client is still there, and a page if one is free.
 * STATUS_AGAIN: none is. STATUS_NO_DEVICE: that client is gone. Others end the device. */
static enum status write_turn(struct virtio_serial *serial, uint32_t port_number,
			      uint32_t generation, const uint8_t *bytes, size_t size_bytes,
			      size_t *sent_bytes)
{
	struct virtio_serial_port *port = &serial->ports[port_number];
	enum status status = serial_events_poll(serial);
	if (status != STATUS_OK) {
		return status;
	}
	if (!port->opened || !port->host_open || port->generation != generation) {
		return STATUS_NO_DEVICE;
	}
	status = serial_transmit_reap(port);
	/* One that is slow may be ignored from now on, and then nothing must be lent
	 * (virtio_serial_ignore). */
	if (status == STATUS_OK && !serial_port_is_behind(port)) {
		status = serial_buffer_lend_to_listen(port);
	}
	if (status == STATUS_OK && size_bytes > 0) {
		status = transmit_some(port, bytes, size_bytes, sent_bytes);
	}
	virtq_kick(&port->receive);
	return status;
}

/* Nothing moved for a while: is the device alive, and was it told? */
static enum status write_knock(struct virtio_serial *serial, uint32_t port_number,
			       struct deadline *knock)
{
	const struct clock *clock = serial->device.clock;
	if (!clock_deadline_passed(clock, *knock)) {
		return STATUS_OK;
	}
	*knock = clock_deadline_after(clock, VIRTIO_REKICK_US);
	virtq_kick_always(&serial->ports[port_number].transmit);
	return virtio_device_check(&serial->device);
}

enum status virtio_serial_write(struct virtio_serial *serial, uint32_t port_number,
				uint32_t generation, const uint8_t *bytes, size_t size_bytes,
				uint64_t timeout_us)
{
	enum status status = serial_port_usable(serial, port_number);
	if (status != STATUS_OK) {
		return status;
	}
	const struct clock *clock = serial->device.clock;
	const struct deadline deadline = clock_deadline_after(clock, timeout_us);
	struct deadline knock = clock_deadline_after(clock, VIRTIO_REKICK_US);
	size_t done = 0;
	do {
		size_t sent_bytes = 0;
		status = write_turn(serial, port_number, generation, bytes + done,
				    size_bytes - done, &sent_bytes);
		done += sent_bytes;
		if (status == STATUS_AGAIN && clock_deadline_passed(clock, deadline)) {
			return STATUS_TIMEOUT;
		}
		if (status == STATUS_AGAIN) {
			status = write_knock(serial, port_number, &knock);
			clock->relax(clock->context);
		}
		if (status == STATUS_NO_DEVICE) {
			return status;
		}
		if (status != STATUS_OK) {
			return serial_fail(serial, status);
		}
	} while (done < size_bytes);
	return STATUS_OK;
}

enum status virtio_serial_drain(struct virtio_serial *serial, uint32_t port_number,
				uint64_t timeout_us)
{
	enum status status = serial_port_usable(serial, port_number);
	if (status != STATUS_OK) {
		return status;
	}
	const struct clock *clock = serial->device.clock;
	const struct deadline deadline = clock_deadline_after(clock, timeout_us);
	struct deadline knock = clock_deadline_after(clock, VIRTIO_REKICK_US);
	struct virtio_serial_port *port = &serial->ports[port_number];
	for (;;) {
		status = serial_transmit_reap(port);
		if (status == STATUS_OK && !serial_port_is_behind(port)) {
			return STATUS_OK;
		}
		if (status == STATUS_OK && clock_deadline_passed(clock, deadline)) {
			return STATUS_TIMEOUT;
		}
		if (status == STATUS_OK) {
			status = write_knock(serial, port_number, &knock);
		}
		if (status != STATUS_OK) {
			return serial_fail(serial, status);
		}
		clock->relax(clock->context);
	}
}

/* A client's end is reported after the device has given back what was on the way to it, so a page
 * that is still missing then is lost. */
bool virtio_serial_port_is_stuck(struct virtio_serial *serial, uint32_t port_number)
{
	if (serial_port_usable(serial, port_number) != STATUS_OK) {
		return false;
	}
	struct virtio_serial_port *port = &serial->ports[port_number];
	const enum status status = serial_transmit_reap(port);
	if (status != STATUS_OK) {
		(void)serial_fail(serial, status);
		return false;
	}
	return serial_port_is_stuck(port);
}
