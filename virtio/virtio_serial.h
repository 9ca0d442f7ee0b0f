// SPDX-License-Identifier: MIT
/* virtio-console with named ports: byte streams between the host and the kernel (virtio 1.2,
 * section 5.3, feature MULTIPORT). Works with QEMU's
 *   -device virtio-serial-device,max_ports=4 -device virtserialport,nr=1,name=org.example
 *
 * Ports are found by name, because the host chooses their numbers. Nothing here blocks except
 * open, port_open and write, each with a deadline. An open port lends the device one receive buffer
 * at a time, of the size that the reader asks for, and only while a client is connected: the device
 * never runs ahead of the reader, and what a client sent is told apart from what the next one sent
 * as far as virtio allows it (see virtio_serial_read).
 *
 * The first lie or a missed deadline of the device itself (not of a client that reads slowly) ends
 * the device: every later call returns STATUS_BAD_HOST. Bytes on a port are the host's word:
 * callers validate them. One caller at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "sharedmem/sharedmem.h"
#include "virtio/virtio_device.h"
#include "virtio/virtq.h"

/* Ports with a number at or above this are declined. */
#define VIRTIO_SERIAL_PORTS_MAX      20u
#define VIRTIO_SERIAL_NAME_BYTES_MAX 63u
/* Buffers of one page that an open port lends the device. */
#define VIRTIO_SERIAL_RECEIVE_PAGES  1u
#define VIRTIO_SERIAL_TRANSMIT_PAGES 2u
/* Of a port's bytes that had arrived but were not read, so many survive a restart. */
#define VIRTIO_SERIAL_CARRIED_BYTES 512u
/* The most that a device with all ports open borrows from sharedmem. */
#define VIRTIO_SERIAL_SHARED_PAGES                  \
	(2u * (VIRTIO_SERIAL_PORTS_MAX + 1u) + 2u + \
	 VIRTIO_SERIAL_PORTS_MAX * (VIRTIO_SERIAL_RECEIVE_PAGES + VIRTIO_SERIAL_TRANSMIT_PAGES))
/* How often virtio_serial_poll() looks after the device. */
#define VIRTIO_SERIAL_CHECK_US (100u * 1000u)
/* How long the device may take to accept a control message. */
#define VIRTIO_SERIAL_CONTROL_TIMEOUT_US (1000u * 1000u)
/* Descriptors of a data queue and of a control queue. */
#define VIRTIO_SERIAL_DATA_QUEUE_SIZE    8u
#define VIRTIO_SERIAL_CONTROL_QUEUE_SIZE 16u

/* Borrowed until close. */
struct virtio_serial_environment {
	struct virtio_transport *transport; /* Of a device with VIRTIO_ID_CONSOLE. */
	struct sharedmem *memory;
	const struct clock *clock;
};

/* The receive buffer of a port; private. It is idle, lent, or filled and being read.
 *
 * first_generation is the one under which it was lent, last_generation the one that was current
 * when its bytes were taken, after a look at the control queue: they came from a client between the
 * two, inclusive. */
enum virtio_serial_buffer_state {
	VIRTIO_SERIAL_IDLE,
	VIRTIO_SERIAL_LENT,
	VIRTIO_SERIAL_FILLED,
};

struct virtio_serial_buffer {
	enum virtio_serial_buffer_state state;
	uint32_t first_generation;
	uint32_t last_generation;
	uint32_t size_bytes;
	uint32_t taken_bytes;
};

/* What a restart found in a port's buffer. Private. */
struct virtio_serial_carried {
	char name[VIRTIO_SERIAL_NAME_BYTES_MAX + 1];
	uint8_t bytes[VIRTIO_SERIAL_CARRIED_BYTES];
	size_t size_bytes;
};

/* Private. */
struct virtio_serial_port {
	bool present;    /* PORT_ADD came and no PORT_REMOVE. */
	bool host_open;  /* Somebody holds the host's end. */
	bool opened;     /* We hold ours. */
	bool arrived;    /* A filled buffer was there before the latest look at control. */
	bool closed_now; /* The event poll that is running saw the host close it. */
	uint32_t generation;
	char name[VIRTIO_SERIAL_NAME_BYTES_MAX + 1];
	struct virtq receive;
	struct virtq transmit;
	struct virtq_slot receive_slots[VIRTIO_SERIAL_DATA_QUEUE_SIZE];
	struct virtq_slot transmit_slots[VIRTIO_SERIAL_DATA_QUEUE_SIZE];
	struct shared_region receive_page;
	struct shared_region transmit_pages;
	/* Which page a chain in flight carries, by its head. */
	uint8_t transmit_page_of[VIRTIO_SERIAL_DATA_QUEUE_SIZE];
	bool transmit_page_busy[VIRTIO_SERIAL_TRANSMIT_PAGES];
	uint32_t transmit_page_generation[VIRTIO_SERIAL_TRANSMIT_PAGES]; /* Who it is for. */
	struct virtio_serial_buffer buffer;
	struct virtio_serial_carried carried;
};

/* Caller's storage; fields are private. */
struct virtio_serial {
	struct virtio_device device;
	struct virtq control_receive;
	struct virtq control_transmit;
	struct virtq_slot control_receive_slots[VIRTIO_SERIAL_CONTROL_QUEUE_SIZE];
	struct virtq_slot control_transmit_slots[VIRTIO_SERIAL_CONTROL_QUEUE_SIZE];
	struct shared_region control_receive_page;
	struct shared_region control_transmit_page;
	uint8_t control_receive_slot_of[VIRTIO_SERIAL_CONTROL_QUEUE_SIZE];
	uint8_t control_transmit_slot_of[VIRTIO_SERIAL_CONTROL_QUEUE_SIZE];
	bool control_transmit_slot_busy[VIRTIO_SERIAL_CONTROL_QUEUE_SIZE];
	uint32_t device_port_count; /* The device's claim; numbers at or above it are lies. */
	uint32_t port_count;        /* Those that we serve. */
	bool open;
	bool interrupts_wanted;
	struct deadline next_check;
	struct virtio_serial_port ports[VIRTIO_SERIAL_PORTS_MAX];
};

/* What a port's user has to know. */
struct virtio_serial_port_state {
	bool present;
	bool host_open;
	/* Grows at each open and each close of the host's end. When it changes, whatever was half
	 * received belongs to somebody who is gone: start over. */
	uint32_t generation;
	/* The bytes that the latest read gave may be those of a client before this one. */
	bool doubtful;
};

/* Reset, negotiate, set up all queues, and ask the device for its ports.
 * STATUS_NO_DEVICE: not a console. STATUS_UNSUPPORTED: no MULTIPORT. Else as virtio_device_open.
 * On failure nothing is held (pages that the device may still reach are leaked). */
MUST_CHECK
enum status virtio_serial_open(struct virtio_serial *serial,
			       const struct virtio_serial_environment *environment);

/* Reset; pages go back, or are leaked if the reset is not confirmed. Safe when called twice. */
void virtio_serial_close(struct virtio_serial *serial);

/* Close and open, for a port that is stuck. Ports have to be opened again, and what is said of
 * their clients starts anew. Waits up to `drain_us` for what is on the way to clients that read.
 * What had arrived and was not read is kept, up to VIRTIO_SERIAL_CARRIED_BYTES a port: it is the
 * first that its next reader gets, as doubtful, for clients may have come and gone meanwhile. Bytes
 * that were read already are the caller's to lose: restart between messages. As virtio_serial_open.
 */
MUST_CHECK
enum status virtio_serial_restart(struct virtio_serial *serial, uint64_t drain_us);

/* Find the port called `name`, waiting up to `timeout_us` for the host to announce it, and open our
 * end. *port is the handle for all other calls. Whether the host's end is open is another matter.
 * STATUS_NOT_FOUND: no such port in time. STATUS_EXISTS: two ports carry that name, or it is open
 * already. STATUS_NO_MEMORY, STATUS_BAD_HOST. */
MUST_CHECK
enum status virtio_serial_port_open(struct virtio_serial *serial, const char *name,
				    uint64_t timeout_us, uint32_t *port);

/* Take in what the device reports on its control queue (bounded work), and now and then look
 * whether it is still alive. Call it in each turn of the main loop. What a client sent before it
 * closed is dropped as far as it can be told from what the next one sent. STATUS_BAD_HOST: the
 * device is dead. */
MUST_CHECK
enum status virtio_serial_poll(struct virtio_serial *serial);

/* Of an open port. Only as fresh as the latest poll or write. */
void virtio_serial_port_state(const struct virtio_serial *serial, uint32_t port,
			      struct virtio_serial_port_state *state);

/* Up to `size_bytes` (at least 1) of what had arrived at the latest poll or write, without waiting.
 * *read_bytes is at least 1 on success. STATUS_AGAIN: nothing there; the device has been lent a
 * buffer of `size_bytes` (at most a page), unless it has one already or no client is connected.
 * STATUS_NO_DEVICE: the host removed the port. STATUS_BAD_HOST. A port that is stuck gives nothing:
 * no answer could be sent, and a restart keeps only what was not read.
 *
 * Bytes of a client that is known to be gone are dropped. A buffer that was lent to one client and
 * comes back filled after another one connected is `doubtful` (see port_state): data and control
 * are two queues without an order between them, so virtio cannot say which of the two sent it. Only
 * the content can. A reader of frames that asks for one byte while it waits for a frame, and then
 * for the rest of it, learns the truth from the byte after the doubtful one, which is not doubtful.
 */
MUST_CHECK
enum status virtio_serial_read(struct virtio_serial *serial, uint32_t port, uint8_t *out,
			       size_t size_bytes, size_t *read_bytes);

/* For a client that is to be ignored until it leaves: drop what has arrived, and lend no more. The
 * host's socket then holds the rest, its own and, once it has left, the next one's. */
void virtio_serial_ignore(struct virtio_serial *serial, uint32_t port);

/* Queue all `size_bytes` for the client that `generation` (from port_state) stands for, waiting for
 * free buffers up to `timeout_us`. OK: the device has them all; the client may still not read them.
 * STATUS_NO_DEVICE: that client is gone, whether or not another one came: what was not sent is
 * dropped, as on a line that was hung up. STATUS_TIMEOUT: the client does not read; a part may have
 * been sent, so the stream is out of step until the generation changes. STATUS_BAD_HOST. */
MUST_CHECK
enum status virtio_serial_write(struct virtio_serial *serial, uint32_t port, uint32_t generation,
				const uint8_t *bytes, size_t size_bytes, uint64_t timeout_us);

/* Wait until the device has passed on all that was written to the present client: before a machine
 * is switched off, what is only queued would be lost. STATUS_TIMEOUT: the client does not read.
 * STATUS_BAD_HOST. */
MUST_CHECK
enum status virtio_serial_drain(struct virtio_serial *serial, uint32_t port, uint64_t timeout_us);

/* True if nothing can be written to the port any more: all its pages are on the way to clients that
 * left. QEMU 7.2 forgets the buffer that it was working on when a client hangs up (it detaches the
 * element and never pushes it), so two clients that do not read use a port up. Only
 * virtio_serial_restart() helps. Looks at what the device has given back first. */
bool virtio_serial_port_is_stuck(struct virtio_serial *serial, uint32_t port);

/* Sleeping. Interrupts are hints: they come too often or not at all, so keep a timer running too.
 *   interrupts off at the CPU; virtio_serial_interrupts_want(true);
 *   if virtio_serial_pending(): do not sleep; else enable-and-halt;
 *   virtio_serial_interrupt_ack() in the handler or after it. */
void virtio_serial_interrupts_want(struct virtio_serial *serial, bool wanted);
bool virtio_serial_pending(const struct virtio_serial *serial);
void virtio_serial_interrupt_ack(struct virtio_serial *serial);
