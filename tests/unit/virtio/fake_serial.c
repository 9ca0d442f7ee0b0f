// SPDX-License-Identifier: MIT
#include "tests/unit/virtio/fake_serial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define EVENT_DEVICE_READY 0u
#define EVENT_ADD          1u
#define EVENT_READY        3u
#define EVENT_OPEN         6u
#define EVENT_NAME         7u

void fake_serial_raw(struct fake_serial *serial, const void *bytes, size_t size_bytes)
{
	assert_true(serial->message_count < FAKE_SERIAL_MESSAGES);
	struct fake_serial_message *message =
		&serial->messages[(serial->message_first + serial->message_count) %
				  FAKE_SERIAL_MESSAGES];
	assert_true(size_bytes <= sizeof(message->bytes));
	memcpy(message->bytes, bytes, size_bytes);
	message->size_bytes = size_bytes;
	serial->message_count++;
}

void fake_serial_message(struct fake_serial *serial, uint32_t port, uint16_t event, uint16_t value)
{
	uint8_t bytes[8];
	memcpy(bytes, &port, 4);
	memcpy(bytes + 4, &event, 2);
	memcpy(bytes + 6, &value, 2);
	fake_serial_raw(serial, bytes, sizeof(bytes));
}

static void name_send(struct fake_serial *serial, uint32_t number)
{
	const struct fake_serial_port *port = &serial->ports[number];
	const uint16_t event = EVENT_NAME;
	const uint16_t value = 1;
	uint8_t bytes[128];
	if (port->name == NULL) {
		return;
	}
	memcpy(bytes, &number, 4);
	memcpy(bytes + 4, &event, 2);
	memcpy(bytes + 6, &value, 2);
	memcpy(bytes + 8, port->name, port->name_bytes);
	fake_serial_raw(serial, bytes, 8 + port->name_bytes);
}

static void control_handle(struct fake_serial *serial, const uint8_t bytes[8])
{
	uint32_t number;
	uint16_t event;
	uint16_t value;
	memcpy(&number, bytes, 4);
	memcpy(&event, bytes + 4, 2);
	memcpy(&value, bytes + 6, 2);
	if (event == EVENT_DEVICE_READY) {
		serial->device_ready_count++;
		for (uint32_t i = 0; i < FAKE_SERIAL_PORTS; i++) {
			if (serial->ports[i].exists) {
				fake_serial_message(serial, i, EVENT_ADD, 1);
			}
		}
		return;
	}
	if (event == EVENT_READY && value == 0) {
		serial->declined_port = number;
		return;
	}
	assert_true(number < FAKE_SERIAL_PORTS);
	struct fake_serial_port *port = &serial->ports[number];
	if (event == EVENT_READY) {
		port->ready_seen = true;
		name_send(serial, number);
		if (port->host_open) {
			fake_serial_message(serial, number, EVENT_OPEN, 1);
		}
		return;
	}
	assert_int_equal(event, EVENT_OPEN);
	port->guest_open = value == 1;
}

static bool control_deliver(struct fake_serial *serial, const struct fake_chain *chain,
			    uint32_t *written)
{
	if (serial->storm && serial->message_count == 0) {
		fake_serial_message(serial, 1, 5, 0); /* RESIZE: of no interest to anybody. */
	}
	if (serial->message_count == 0) {
		return false;
	}
	const struct fake_serial_message *message = &serial->messages[serial->message_first];
	*written = (uint32_t)fake_chain_scatter(chain, message->bytes, message->size_bytes);
	serial->message_first = (serial->message_first + 1) % FAKE_SERIAL_MESSAGES;
	serial->message_count--;
	serial->message_delivered++;
	return true;
}

static bool data_deliver(struct fake_serial *serial, struct fake_serial_port *port,
			 const struct fake_chain *chain, uint32_t *written)
{
	const size_t left = port->to_guest_bytes - port->to_guest_taken;
	if (serial->empty_completions) {
		*written = 0;
		return true;
	}
	if (left == 0 || !port->guest_open) {
		return false;
	}
	const size_t count = fake_chain_scatter(chain, port->to_guest + port->to_guest_taken, left);
	port->to_guest_taken += count;
	*written = (uint32_t)count;
	return true;
}

static bool data_accept(struct fake_serial *serial, uint32_t number, const struct fake_chain *chain,
			uint32_t *written)
{
	struct fake_serial_port *port = &serial->ports[number];
	*written = 0;
	if (port->client_dead) {
		fake_serial_client_leave(serial, number);
		const uint16_t receive = (uint16_t)(chain->queue_index - 1);
		port->blocked = fake_device_pending(&serial->device, receive) == NULL;
	}
	if (port->buffers_kept || port->blocked) {
		return false;
	}
	if (!port->host_open) {
		port->discarded_bytes += fake_chain_room(chain, false);
		return true;
	}
	if (port->client_stalled) {
		return false;
	}
	port->from_guest_bytes +=
		fake_chain_gather(chain, port->from_guest + port->from_guest_bytes,
				  FAKE_SERIAL_BYTES - port->from_guest_bytes);
	return true;
}

static bool serve(struct fake_device *device, const struct fake_chain *chain, uint32_t *written)
{
	struct fake_serial *serial = device->model;
	const uint16_t queue = chain->queue_index;
	if (queue == 2) {
		return control_deliver(serial, chain, written);
	}
	if (queue == 3) {
		uint8_t bytes[8];
		if (serial->control_stalled) {
			return false;
		}
		assert_int_equal(fake_chain_gather(chain, bytes, sizeof(bytes)), sizeof(bytes));
		control_handle(serial, bytes);
		*written = 0;
		return true;
	}
	const uint32_t number = queue < 2 ? 0 : (uint32_t)(queue - 2) / 2;
	assert_true(number < FAKE_SERIAL_PORTS);
	if (queue % 2 == 0) {
		return data_deliver(serial, &serial->ports[number], chain, written);
	}
	/* A stream is taken in the order in which it was queued. */
	if (fake_device_pending(device, queue)->head != chain->head) {
		return false;
	}
	return data_accept(serial, number, chain, written);
}

void fake_serial_client_connect(struct fake_serial *serial, uint32_t number)
{
	serial->ports[number].host_open = true;
	if (serial->ports[number].ready_seen) {
		fake_serial_message(serial, number, EVENT_OPEN, 1);
	}
}

void fake_serial_client_leave(struct fake_serial *serial, uint32_t number)
{
	serial->ports[number].host_open = false;
	serial->ports[number].client_dead = false;
	serial->ports[number].blocked = false;
	fake_serial_message(serial, number, EVENT_OPEN, 0);
}

void fake_serial_client_die(struct fake_serial *serial, uint32_t number)
{
	serial->ports[number].client_dead = true;
}

void fake_serial_client_send(struct fake_serial *serial, uint32_t number, const void *bytes,
			     size_t size_bytes)
{
	struct fake_serial_port *port = &serial->ports[number];
	assert_true(size_bytes <= FAKE_SERIAL_BYTES - port->to_guest_bytes);
	memcpy(port->to_guest + port->to_guest_bytes, bytes, size_bytes);
	port->to_guest_bytes += size_bytes;
}

void fake_serial_port_add(struct fake_serial *serial, uint32_t number, const char *name)
{
	struct fake_serial_port *port = &serial->ports[number];
	port->exists = true;
	port->name = name;
	port->name_bytes = name == NULL ? 0 : strlen(name) + 1; /* QEMU sends the terminator. */
}

void fake_serial_init(struct fake_serial *serial, struct fake_platform *platform,
		      uint32_t max_ports)
{
	memset(serial, 0, sizeof(*serial));
	fake_device_init(&serial->device, platform, VIRTIO_ID_CONSOLE,
			 VIRTIO_F_VERSION_1 | 7u); /* SIZE, MULTIPORT, EMERG_WRITE. */
	serial->device.serve = serve;
	serial->device.model = serial;
	serial->device.config[1] = max_ports;
	serial->declined_port = UINT32_MAX;
}
