// SPDX-License-Identifier: MIT
/* A new start of the device, for a port whose pages it has forgotten. What clients have sent must
 * not be lost by it: the next one may have connected, and sent a command, before we knew that the
 * last one left. So the device is stopped first, and then its buffers are looked at. */
#include "virtio/virtio_serial.h"

#include <string.h>

#include "virtio/virtio_serial_internal.h"

/* True if no port has anything on the way to a client that is there. */
static bool all_have_gone_out(struct virtio_serial *serial)
{
	for (uint32_t i = 0; i < serial->port_count; i++) {
		struct virtio_serial_port *port = &serial->ports[i];
		/* A lie ends the wait: the device is stopped anyway. */
		if (port->opened && serial_transmit_reap(port) == STATUS_OK &&
		    serial_port_is_behind(port)) {
			return false;
		}
	}
	return true;
}

static void drain(struct virtio_serial *serial, uint64_t drain_us)
{
	const struct clock *clock = serial->device.clock;
	const struct deadline deadline = clock_deadline_after(clock, drain_us);
	while (!all_have_gone_out(serial) && !clock_deadline_passed(clock, deadline)) {
		clock->relax(clock->context);
	}
}

/* All zero, but for what is carried over. */
static void forget(struct virtio_serial *serial)
{
	memset(serial, 0, offsetof(struct virtio_serial, ports));
	for (uint32_t i = 0; i < VIRTIO_SERIAL_PORTS_MAX; i++) {
		memset(&serial->ports[i], 0, offsetof(struct virtio_serial_port, carried));
	}
}

enum status virtio_serial_restart(struct virtio_serial *serial, uint64_t drain_us)
{
	if (!serial->open) {
		return STATUS_BAD_HOST;
	}
	const struct virtio_serial_environment environment = {
		.transport = serial->device.transport,
		.memory = serial->device.memory,
		.clock = serial->device.clock,
	};
	drain(serial, drain_us);
	serial->open = false;
	virtio_device_stop(&serial->device);
	for (uint32_t i = 0; i < serial->port_count; i++) {
		/* Without a confirmed reset the device may still write. */
		if (serial->ports[i].opened && serial->device.reset == STATUS_OK) {
			serial_buffer_carry(&serial->ports[i]);
		}
	}
	serial_memory_return(serial);
	forget(serial);
	return serial_device_open(serial, &environment);
}
