// SPDX-License-Identifier: MIT
/* The control queues (virtio 1.2, section 5.3.6): which ports there are, what they are called, and
 * whether somebody holds the host's end.
 *
 *   us -> device   DEVICE_READY                     we can take messages
 *   device -> us   DEVICE_ADD p                     there is a port
 *   us -> device   PORT_READY p 1 (0: declined)
 *   device -> us   PORT_NAME p "org.example"        its name
 *   device -> us   PORT_OPEN p 1                    a client connected (0: left)
 *   us -> device   PORT_OPEN p 1                    we listen: data may flow
 *
 * QEMU drops a message for which it finds no buffer, so as many buffers are posted as answers can
 * come to one of our messages. A message is copied into private memory once, then decoded. */
#include "virtio/virtio_serial_internal.h"

#include <string.h>

#include "base/log.h"
#include "base/reader.h"

/* Header and the longest name, rounded up so that 16 slots fill one page. */
#define CONTROL_SLOT_BYTES   256u
#define CONTROL_HEADER_BYTES 8u

struct control_message {
	uint32_t port;
	uint16_t event;
	uint16_t value;
	const uint8_t *rest; /* Within the private copy. */
	size_t rest_bytes;
};

static enum status receive_slot_post(struct virtio_serial *serial, uint8_t slot)
{
	const struct virtq_segment segment = {
		.at = shared_region_addr(&serial->control_receive_page,
					 (size_t)slot * CONTROL_SLOT_BYTES, CONTROL_SLOT_BYTES),
		.len_bytes = CONTROL_SLOT_BYTES,
		.device_writes = true,
	};
	struct virtq_token token;
	const enum status status =
		virtq_chain_submit(&serial->control_receive, &segment, 1, &token);
	if (status == STATUS_OK) {
		serial->control_receive_slot_of[token.head] = slot;
	}
	return status;
}

enum status serial_control_start(struct virtio_serial *serial)
{
	for (uint8_t slot = 0; slot < serial->control_receive.size; slot++) {
		const enum status status = receive_slot_post(serial, slot);
		if (status != STATUS_OK) {
			return status;
		}
	}
	virtq_kick(&serial->control_receive);
	return STATUS_OK;
}

/* Free the slots of the messages that the device has taken. */
static enum status transmit_reap(struct virtio_serial *serial)
{
	for (unsigned int i = 0; i < VIRTIO_SERIAL_CONTROL_QUEUE_SIZE; i++) {
		struct virtq_token token;
		uint32_t written_bytes;
		const enum status status =
			virtq_used_poll(&serial->control_transmit, &token, &written_bytes);
		if (status == STATUS_AGAIN) {
			break;
		}
		if (status != STATUS_OK) {
			return status;
		}
		const uint8_t slot = serial->control_transmit_slot_of[token.head];
		serial->control_transmit_slot_busy[slot] = false;
	}
	return STATUS_OK;
}

/* A free slot, waiting for one if the device is slow. */
static enum status transmit_slot_take(struct virtio_serial *serial, uint8_t *slot)
{
	const struct clock *clock = serial->device.clock;
	const struct deadline deadline =
		clock_deadline_after(clock, VIRTIO_SERIAL_CONTROL_TIMEOUT_US);
	for (;;) {
		const enum status status = transmit_reap(serial);
		if (status != STATUS_OK) {
			return status;
		}
		for (uint8_t i = 0; i < serial->control_transmit.size; i++) {
			if (!serial->control_transmit_slot_busy[i]) {
				*slot = i;
				return STATUS_OK;
			}
		}
		if (clock_deadline_passed(clock, deadline)) {
			return STATUS_TIMEOUT;
		}
		virtq_kick_always(&serial->control_transmit);
		clock->relax(clock->context);
	}
}

enum status serial_control_send(struct virtio_serial *serial, uint32_t port, uint32_t event,
				uint32_t value)
{
	uint8_t slot = 0;
	enum status status = transmit_slot_take(serial, &slot);
	if (status != STATUS_OK) {
		return status;
	}
	uint8_t bytes[CONTROL_HEADER_BYTES];
	struct writer writer;
	writer_init(&writer, bytes, sizeof(bytes));
	writer_le32(&writer, port);
	writer_le16(&writer, (uint16_t)event);
	writer_le16(&writer, (uint16_t)value);

	const size_t at = (size_t)slot * CONTROL_SLOT_BYTES;
	shared_copy_out(&serial->control_transmit_page, at, bytes, sizeof(bytes));
	const struct virtq_segment segment = {
		.at = shared_region_addr(&serial->control_transmit_page, at, sizeof(bytes)),
		.len_bytes = sizeof(bytes),
	};
	struct virtq_token token;
	status = virtq_chain_submit(&serial->control_transmit, &segment, 1, &token);
	if (status != STATUS_OK) {
		return status;
	}
	serial->control_transmit_slot_of[token.head] = slot;
	serial->control_transmit_slot_busy[slot] = true;
	virtq_kick(&serial->control_transmit);
	return STATUS_OK;
}

/* A name is 1 to VIRTIO_SERIAL_NAME_BYTES_MAX printable characters, perhaps terminated. Anything
 * else is refused as a whole: cut or mended, it could become another port's name. */
static bool name_decode(const uint8_t *bytes, size_t size_bytes,
			char name[VIRTIO_SERIAL_NAME_BYTES_MAX + 1])
{
	while (size_bytes > 0 && bytes[size_bytes - 1] == 0) {
		size_bytes--;
	}
	if (size_bytes == 0 || size_bytes > VIRTIO_SERIAL_NAME_BYTES_MAX) {
		return false;
	}
	for (size_t i = 0; i < size_bytes; i++) {
		if (bytes[i] <= ' ' || bytes[i] > '~') {
			return false;
		}
	}
	memcpy(name, bytes, size_bytes);
	name[size_bytes] = '\0';
	return true;
}

static void port_hang_up(struct virtio_serial_port *port)
{
	if (port->host_open) {
		port->host_open = false;
		port->closed_now = true;
		port->generation++;
	}
}

static void port_remove(struct virtio_serial_port *port)
{
	port_hang_up(port);
	/* Our handle ends; the buffers stay lent, the device may still hold them. */
	port->opened = false;
	port->present = false;
	port->name[0] = '\0';
}

static enum status port_add(struct virtio_serial *serial, const struct control_message *message)
{
	if (message->port >= serial->port_count) {
		return serial_control_send(serial, message->port, VIRTIO_CONSOLE_PORT_READY, 0);
	}
	serial->ports[message->port].present = true;
	return serial_control_send(serial, message->port, VIRTIO_CONSOLE_PORT_READY, 1);
}

/* What a well-formed message means. Events that we do not know may come with later devices. */
static enum status message_apply(struct virtio_serial *serial,
				 const struct control_message *message)
{
	if (message->event == VIRTIO_CONSOLE_DEVICE_ADD) {
		return port_add(serial, message);
	}
	if (message->port >= serial->port_count || !serial->ports[message->port].present) {
		return STATUS_OK; /* Of a port that we declined or do not know. */
	}
	struct virtio_serial_port *port = &serial->ports[message->port];
	if (message->event == VIRTIO_CONSOLE_DEVICE_REMOVE) {
		port_remove(port);
	} else if (message->event == VIRTIO_CONSOLE_PORT_OPEN && message->value == 0) {
		port_hang_up(port);
	} else if (message->event == VIRTIO_CONSOLE_PORT_OPEN) {
		port->host_open = true;
		port->generation++;
	} else if (message->event == VIRTIO_CONSOLE_PORT_NAME && port->name[0] == '\0' &&
		   !name_decode(message->rest, message->rest_bytes, port->name)) {
		/* The first name stays: a caller may have looked it up already. */
		log_write(LOG_WARNING, "serial", "port %u has an unusable name", message->port);
	}
	return STATUS_OK;
}

/* STATUS_BAD_HOST: too short for a header, or a port number beyond the device's own claim. */
static enum status message_decode(const struct virtio_serial *serial, const uint8_t *bytes,
				  size_t size_bytes, struct control_message *message)
{
	struct reader reader;
	reader_init(&reader, bytes, size_bytes);
	message->port = reader_le32(&reader);
	message->event = reader_le16(&reader);
	message->value = reader_le16(&reader);
	message->rest_bytes = reader_left(&reader);
	message->rest = reader_bytes(&reader, message->rest_bytes);
	if (!reader_ok(&reader) || message->port >= serial->device_port_count) {
		return STATUS_BAD_HOST;
	}
	return STATUS_OK;
}

static enum status message_take(struct virtio_serial *serial)
{
	struct virtq_token token;
	uint32_t size_bytes = 0; /* At most CONTROL_SLOT_BYTES: the queue checked it. */
	enum status status = virtq_used_poll(&serial->control_receive, &token, &size_bytes);
	if (status != STATUS_OK) {
		return status;
	}
	uint8_t bytes[CONTROL_SLOT_BYTES];
	const uint8_t slot = serial->control_receive_slot_of[token.head];
	const size_t at = (size_t)slot * CONTROL_SLOT_BYTES;
	shared_copy_in(bytes, &serial->control_receive_page, at, size_bytes);
	shared_zero(&serial->control_receive_page, at, CONTROL_SLOT_BYTES);
	status = receive_slot_post(serial, slot);
	if (status != STATUS_OK) {
		return status;
	}
	struct control_message message;
	status = message_decode(serial, bytes, size_bytes, &message);
	return status == STATUS_OK ? message_apply(serial, &message) : status;
}

enum status serial_control_poll(struct virtio_serial *serial, bool *drained)
{
	enum status status = transmit_reap(serial);
	unsigned int taken = 0;
	while (status == STATUS_OK && taken < VIRTIO_SERIAL_CONTROL_QUEUE_SIZE) {
		status = message_take(serial);
		if (status == STATUS_OK) {
			taken++;
		}
	}
	if (taken > 0 && !virtq_is_poisoned(&serial->control_receive)) {
		virtq_kick(&serial->control_receive);
	}
	*drained = status == STATUS_AGAIN;
	return status == STATUS_AGAIN ? STATUS_OK : status;
}
