// SPDX-License-Identifier: MIT
/* Between the parts of the serial driver: life (virtio_serial.c), the control queue's protocol
 * (virtio_serial_control.c), reading (virtio_serial_read.c), writing (virtio_serial_write.c), and a
 * new start (virtio_serial_restart.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "virtio/virtio_serial.h"

/* Control events, virtio 1.2, section 5.3.6.2, in its spelling. */
#define VIRTIO_CONSOLE_DEVICE_READY  0u
#define VIRTIO_CONSOLE_DEVICE_ADD    1u
#define VIRTIO_CONSOLE_DEVICE_REMOVE 2u
#define VIRTIO_CONSOLE_PORT_READY    3u
#define VIRTIO_CONSOLE_PORT_OPEN     6u
#define VIRTIO_CONSOLE_PORT_NAME     7u

/* Give the device all control receive buffers. */
MUST_CHECK
enum status serial_control_start(struct virtio_serial *serial);

/* Queue one message; waits for a free slot up to VIRTIO_SERIAL_CONTROL_TIMEOUT_US. */
MUST_CHECK
enum status serial_control_send(struct virtio_serial *serial, uint32_t port, uint32_t event,
				uint32_t value);

/* Handle at most VIRTIO_SERIAL_CONTROL_QUEUE_SIZE messages; *drained says that none was left. The
 * caller ends the device on any status but OK. */
MUST_CHECK
enum status serial_control_poll(struct virtio_serial *serial, bool *drained);

/* The first failure is logged and ends the device; returns `cause`. */
enum status serial_fail(struct virtio_serial *serial, enum status cause);

/* Open a device whose struct is all zero but for what was carried over. */
MUST_CHECK
enum status serial_device_open(struct virtio_serial *serial,
			       const struct virtio_serial_environment *environment);

/* All memory back, or leaked: the device has been stopped. */
void serial_memory_return(struct virtio_serial *serial);

/* Control events, and what they mean for the data of clients that left. The caller ends the device
 * on any status but OK. */
MUST_CHECK
enum status serial_events_poll(struct virtio_serial *serial);

/* What every call on a port starts with: STATUS_BAD_HOST, STATUS_NO_DEVICE. */
MUST_CHECK
enum status serial_port_usable(const struct virtio_serial *serial, uint32_t port_number);

/* Forget what the buffer holds, after its client left. If `arrived`, one completion is taken off
 * the queue first; a buffer that is lent and not filled stays lent. */
MUST_CHECK
enum status serial_buffer_drop(struct virtio_serial_port *port, bool arrived);

/* Before something is written to a client that is connected: lend one byte, unless a buffer is lent
 * or filled already. Kick the queue after the write, not before: a device that looks at the socket
 * between the two may find the next client there, and give it what is written. */
MUST_CHECK
enum status serial_buffer_lend_to_listen(struct virtio_serial_port *port);

/* Pages are on the way to the client that is connected now. */
bool serial_port_is_behind(const struct virtio_serial_port *port);

/* All pages are on the way to clients that left. */
bool serial_port_is_stuck(const struct virtio_serial_port *port);

/* Take what the device has done with the pages that it was given. */
MUST_CHECK
enum status serial_transmit_reap(struct virtio_serial_port *port);

/* Of a device that has been stopped: keep what had arrived and was not read. */
void serial_buffer_carry(struct virtio_serial_port *port);

/* Of a port that is about to be opened, and has its pages: what was kept, if it was this port's. */
void serial_buffer_uncarry(struct virtio_serial_port *port);
