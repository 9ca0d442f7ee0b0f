// SPDX-License-Identifier: MIT
/* A virtio-serial device for tests, after QEMU's behaviour: control handshake, clients that come
 * and go, a client that does not read. Data flows only while both ends of a port are open. */
#pragma once

#include "tests/unit/virtio/fake_device.h"

#define FAKE_SERIAL_PORTS    8u
#define FAKE_SERIAL_BYTES    (512u * 1024u)
#define FAKE_SERIAL_MESSAGES 256u

struct fake_serial_port {
	bool exists;
	const char *name; /* NULL: no PORT_NAME is sent. */
	size_t name_bytes;
	bool host_open;
	bool guest_open;
	bool ready_seen;
	bool client_stalled; /* Takes nothing. */
	bool buffers_kept;   /* What is on the way stays with the device, client or not. */
	bool client_dead;    /* Gone, and the device has yet to notice. */
	bool blocked;        /* Nothing is passed on before the next client leaves. */
	uint8_t to_guest[FAKE_SERIAL_BYTES];
	size_t to_guest_bytes;
	size_t to_guest_taken;
	uint8_t from_guest[FAKE_SERIAL_BYTES];
	size_t from_guest_bytes;
	size_t discarded_bytes;
};

struct fake_serial_message {
	uint8_t bytes[128];
	size_t size_bytes;
};

struct fake_serial {
	struct fake_device device;
	struct fake_serial_port ports[FAKE_SERIAL_PORTS];
	struct fake_serial_message messages[FAKE_SERIAL_MESSAGES]; /* A ring, device to driver. */
	size_t message_first;
	size_t message_count;
	size_t message_delivered;
	uint32_t declined_port; /* The last PORT_READY with value 0. */
	unsigned int device_ready_count;
	bool control_stalled;   /* Control messages of the driver are not taken. */
	bool empty_completions; /* Receive buffers come back with nothing in them. */
	bool storm;             /* An endless supply of control messages. */
};

void fake_serial_init(struct fake_serial *serial, struct fake_platform *platform,
		      uint32_t max_ports);
void fake_serial_port_add(struct fake_serial *serial, uint32_t number, const char *name);

/* Queue a control message, well-formed or not. */
void fake_serial_message(struct fake_serial *serial, uint32_t port, uint16_t event, uint16_t value);
void fake_serial_raw(struct fake_serial *serial, const void *bytes, size_t size_bytes);

void fake_serial_client_connect(struct fake_serial *serial, uint32_t number);
void fake_serial_client_leave(struct fake_serial *serial, uint32_t number);
/* It is killed. The device notices when something is written: as QEMU 7.2, it ends well only if it
 * may read then. */
void fake_serial_client_die(struct fake_serial *serial, uint32_t number);
void fake_serial_client_send(struct fake_serial *serial, uint32_t number, const void *bytes,
			     size_t size_bytes);
