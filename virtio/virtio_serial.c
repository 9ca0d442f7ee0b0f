// SPDX-License-Identifier: MIT
/* Streams over virtio-console ports.
 *
 * A port that we opened lends the device RECEIVE_PAGES pages to fill. A filled page is read in
 * place, each byte copied to private memory once, and posted again only when it is used up; with
 * all pages full the device has nowhere to write and the client waits. In the other direction a
 * write copies into one of TRANSMIT_PAGES pages and waits, with a deadline, while all are on the
 * way.
 *
 * Queue numbers (virtio 1.2, section 5.3.2): port 0 has 0 and 1, control 2 and 3, port n >= 1 has
 * 2n + 2 and 2n + 3; the even ones receive. */
#include "virtio/virtio_serial.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "virtio/virtio_serial_internal.h"

#define VIRTIO_CONSOLE_F_MULTIPORT ((uint64_t)1 << 1)
#define CONFIG_MAX_NR_PORTS        4u /* Section 5.3.4. */
#define QUEUE_CONTROL_RECEIVE      2u
#define QUEUE_CONTROL_TRANSMIT     3u

static uint16_t port_queue(uint32_t port)
{
	return (uint16_t)(port == 0 ? 0 : 2 * port + 2);
}

void serial_memory_return(struct virtio_serial *serial)
{
	const struct virtio_device *device = &serial->device;
	virtio_device_queue_close(device, &serial->control_receive);
	virtio_device_queue_close(device, &serial->control_transmit);
	virtio_device_region_return(device, &serial->control_receive_page);
	virtio_device_region_return(device, &serial->control_transmit_page);
	for (uint32_t i = 0; i < VIRTIO_SERIAL_PORTS_MAX; i++) {
		struct virtio_serial_port *port = &serial->ports[i];
		virtio_device_queue_close(device, &port->receive);
		virtio_device_queue_close(device, &port->transmit);
		virtio_device_region_return(device, &port->receive_page);
		virtio_device_region_return(device, &port->transmit_pages);
		port->opened = false;
		port->buffer.state = VIRTIO_SERIAL_IDLE;
	}
}

enum status serial_fail(struct virtio_serial *serial, enum status cause)
{
	if (serial->open) {
		serial->open = false;
		log_write(LOG_WARNING, "serial", "device given up: %s (control: %s)",
			  status_name(cause), virtq_lie_name(serial->control_receive.lie));
		virtio_device_give_up(&serial->device);
		serial_memory_return(serial);
	}
	return cause;
}

static enum status queue_open(struct virtio_serial *serial, uint16_t queue_index,
			      struct virtq_slot *slots, uint16_t size, struct virtq *queue)
{
	/* All chains have one segment: indirect tables would save nothing. */
	const struct virtq_config config = {
		.queue_index = queue_index,
		.size = size,
		.slots = slots,
	};
	return virtio_device_queue_open(&serial->device, &config, queue);
}

static enum status port_queues_open(struct virtio_serial *serial, uint32_t number)
{
	struct virtio_serial_port *port = &serial->ports[number];
	const uint16_t index = port_queue(number);
	const enum status status = queue_open(serial, index, port->receive_slots,
					      VIRTIO_SERIAL_DATA_QUEUE_SIZE, &port->receive);
	if (status != STATUS_OK) {
		return status;
	}
	return queue_open(serial, (uint16_t)(index + 1), port->transmit_slots,
			  VIRTIO_SERIAL_DATA_QUEUE_SIZE, &port->transmit);
}

static enum status queues_open(struct virtio_serial *serial)
{
	enum status status =
		queue_open(serial, QUEUE_CONTROL_RECEIVE, serial->control_receive_slots,
			   VIRTIO_SERIAL_CONTROL_QUEUE_SIZE, &serial->control_receive);
	if (status != STATUS_OK) {
		return status;
	}
	status = queue_open(serial, QUEUE_CONTROL_TRANSMIT, serial->control_transmit_slots,
			    VIRTIO_SERIAL_CONTROL_QUEUE_SIZE, &serial->control_transmit);
	for (uint32_t i = 0; i < serial->port_count && status == STATUS_OK; i++) {
		status = port_queues_open(serial, i);
	}
	return status;
}

static enum status control_pages_acquire(struct virtio_serial *serial)
{
	struct sharedmem *memory = serial->device.memory;
	const enum status status =
		sharedmem_region_acquire(memory, 1, &serial->control_receive_page);
	if (status != STATUS_OK) {
		return status;
	}
	return sharedmem_region_acquire(memory, 1, &serial->control_transmit_page);
}

/* Everything between FEATURES_OK and the first control message. */
static enum status serial_start(struct virtio_serial *serial)
{
	enum status status = virtio_transport_config(serial->device.transport, CONFIG_MAX_NR_PORTS,
						     &serial->device_port_count, 1);
	if (status != STATUS_OK) {
		return status;
	}
	if (serial->device_port_count == 0) {
		return STATUS_BAD_HOST;
	}
	serial->port_count = serial->device_port_count < VIRTIO_SERIAL_PORTS_MAX
				     ? serial->device_port_count
				     : VIRTIO_SERIAL_PORTS_MAX;
	status = queues_open(serial);
	if (status != STATUS_OK) {
		return status;
	}
	status = control_pages_acquire(serial);
	if (status != STATUS_OK) {
		return status;
	}
	status = virtio_device_start(&serial->device);
	if (status != STATUS_OK) {
		return status;
	}
	status = serial_control_start(serial);
	if (status != STATUS_OK) {
		return status;
	}
	return serial_control_send(serial, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
}

enum status serial_device_open(struct virtio_serial *serial,
			       const struct virtio_serial_environment *environment)
{
	const struct virtio_device_wish wish = {
		.device_id = VIRTIO_ID_CONSOLE,
		.allowed_features = VIRTIO_CONSOLE_F_MULTIPORT | VIRTQ_FEATURES,
		.required_features = VIRTIO_CONSOLE_F_MULTIPORT,
	};
	enum status status = virtio_device_open(&serial->device, environment->transport,
						environment->memory, environment->clock, &wish);
	if (status != STATUS_OK) {
		return status;
	}
	serial->open = true;
	serial->next_check = clock_deadline_after(environment->clock, VIRTIO_SERIAL_CHECK_US);
	status = serial_start(serial);
	return status == STATUS_OK ? STATUS_OK : serial_fail(serial, status);
}

enum status virtio_serial_open(struct virtio_serial *serial,
			       const struct virtio_serial_environment *environment)
{
	memset(serial, 0, sizeof(*serial));
	return serial_device_open(serial, environment);
}

void virtio_serial_close(struct virtio_serial *serial)
{
	if (serial->open) {
		serial->open = false;
		virtio_device_stop(&serial->device);
		serial_memory_return(serial);
	}
}

/* What was in the data queue before we looked at the control queue, and found the port closed and
 * not opened again, came from a client that left: it is dropped. If a new client is there already,
 * the buffer's generations tell what is known. */
enum status serial_events_poll(struct virtio_serial *serial)
{
	for (uint32_t i = 0; i < serial->port_count; i++) {
		struct virtio_serial_port *port = &serial->ports[i];
		port->closed_now = false;
		port->arrived = port->opened && virtq_used_pending(&port->receive);
	}
	bool drained = false;
	enum status status = serial_control_poll(serial, &drained);
	for (uint32_t i = 0; i < serial->port_count && status == STATUS_OK; i++) {
		struct virtio_serial_port *port = &serial->ports[i];
		if (port->opened && drained && port->closed_now && !port->host_open) {
			status = serial_buffer_drop(port, port->arrived);
		}
	}
	return status;
}

/* Now and then: is the device alive, and does it know of the buffers that we posted? The
 * suppression flag may be stuck, or a notification lost. */
static enum status device_look_after(struct virtio_serial *serial)
{
	if (!clock_deadline_passed(serial->device.clock, serial->next_check)) {
		return STATUS_OK;
	}
	serial->next_check = clock_deadline_after(serial->device.clock, VIRTIO_SERIAL_CHECK_US);
	const enum status status = virtio_device_check(&serial->device);
	if (status != STATUS_OK) {
		return status;
	}
	virtq_kick_always(&serial->control_receive);
	for (uint32_t i = 0; i < serial->port_count; i++) {
		if (serial->ports[i].opened) {
			virtq_kick_always(&serial->ports[i].receive);
		}
	}
	return STATUS_OK;
}

enum status virtio_serial_poll(struct virtio_serial *serial)
{
	if (!serial->open) {
		return STATUS_BAD_HOST;
	}
	enum status status = serial_events_poll(serial);
	if (status == STATUS_OK) {
		status = device_look_after(serial);
	}
	return status == STATUS_OK ? STATUS_OK : serial_fail(serial, status);
}

/* STATUS_EXISTS if two ports claim the name: neither is "the first that matches". */
static enum status port_find(const struct virtio_serial *serial, const char *name, uint32_t *number)
{
	const size_t size_bytes = strlen(name) + 1;
	uint32_t matches = 0;
	if (size_bytes <= 1 || size_bytes > sizeof(serial->ports[0].name)) {
		return STATUS_NOT_FOUND;
	}
	for (uint32_t i = 0; i < serial->port_count; i++) {
		const struct virtio_serial_port *port = &serial->ports[i];
		if (port->present && memcmp(port->name, name, size_bytes) == 0) {
			*number = i;
			matches++;
		}
	}
	if (matches == 0) {
		return STATUS_NOT_FOUND;
	}
	return matches == 1 ? STATUS_OK : STATUS_EXISTS;
}

static enum status port_find_wait(struct virtio_serial *serial, const char *name,
				  uint64_t timeout_us, uint32_t *number)
{
	const struct clock *clock = serial->device.clock;
	const struct deadline deadline = clock_deadline_after(clock, timeout_us);
	for (;;) {
		enum status status = virtio_serial_poll(serial);
		if (status != STATUS_OK) {
			return status;
		}
		status = port_find(serial, name, number);
		if (status != STATUS_NOT_FOUND || clock_deadline_passed(clock, deadline)) {
			return status;
		}
		clock->relax(clock->context);
	}
}

/* Buffers for a port. It has them already if the host removed and added it again. */
static enum status port_pages_acquire(struct virtio_serial *serial, struct virtio_serial_port *port)
{
	struct sharedmem *memory = serial->device.memory;
	if (port->receive_page.owner != NULL) {
		return serial_buffer_drop(port, true);
	}
	const enum status status = sharedmem_region_acquire(memory, VIRTIO_SERIAL_TRANSMIT_PAGES,
							    &port->transmit_pages);
	if (status != STATUS_OK) {
		return status;
	}
	const enum status receive_status =
		sharedmem_region_acquire(memory, VIRTIO_SERIAL_RECEIVE_PAGES, &port->receive_page);
	if (receive_status != STATUS_OK) {
		sharedmem_region_release(&port->transmit_pages); /* Not seen by the device yet. */
	}
	return receive_status;
}

enum status virtio_serial_port_open(struct virtio_serial *serial, const char *name,
				    uint64_t timeout_us, uint32_t *port_number)
{
	uint32_t number = 0;
	enum status status = port_find_wait(serial, name, timeout_us, &number);
	if (status != STATUS_OK) {
		return status;
	}
	struct virtio_serial_port *port = &serial->ports[number];
	if (port->opened) {
		return STATUS_EXISTS;
	}
	status = port_pages_acquire(serial, port);
	if (status == STATUS_NO_MEMORY) {
		return status; /* Ours, not the device's, fault. */
	}
	if (status == STATUS_OK) {
		serial_buffer_uncarry(port);
		virtq_interrupts_want(&port->receive, serial->interrupts_wanted);
		status = serial_control_send(serial, number, VIRTIO_CONSOLE_PORT_OPEN, 1);
	}
	if (status != STATUS_OK) {
		return serial_fail(serial, status);
	}
	port->opened = true;
	*port_number = number;
	return STATUS_OK;
}

void virtio_serial_port_state(const struct virtio_serial *serial, uint32_t port_number,
			      struct virtio_serial_port_state *state)
{
	CHECK(port_number < VIRTIO_SERIAL_PORTS_MAX);
	const struct virtio_serial_port *port = &serial->ports[port_number];
	*state = (struct virtio_serial_port_state){
		.present = serial->open && port->present && port->opened,
		.host_open = serial->open && port->host_open,
		.generation = port->generation,
		.doubtful = port->buffer.first_generation != port->generation,
	};
}

enum status serial_port_usable(const struct virtio_serial *serial, uint32_t port_number)
{
	CHECK(port_number < VIRTIO_SERIAL_PORTS_MAX);
	if (!serial->open) {
		return STATUS_BAD_HOST;
	}
	return serial->ports[port_number].opened ? STATUS_OK : STATUS_NO_DEVICE;
}

void virtio_serial_interrupts_want(struct virtio_serial *serial, bool wanted)
{
	if (!serial->open) {
		return;
	}
	serial->interrupts_wanted = wanted;
	virtq_interrupts_want(&serial->control_receive, wanted);
	for (uint32_t i = 0; i < serial->port_count; i++) {
		if (serial->ports[i].opened) {
			virtq_interrupts_want(&serial->ports[i].receive, wanted);
		}
	}
}

bool virtio_serial_pending(const struct virtio_serial *serial)
{
	if (!serial->open) {
		return false;
	}
	if (virtq_used_pending(&serial->control_receive)) {
		return true;
	}
	for (uint32_t i = 0; i < serial->port_count; i++) {
		const struct virtio_serial_port *port = &serial->ports[i];
		if (port->opened && (port->buffer.state == VIRTIO_SERIAL_FILLED ||
				     virtq_used_pending(&port->receive))) {
			return true;
		}
	}
	return false;
}

void virtio_serial_interrupt_ack(struct virtio_serial *serial)
{
	if (serial->open) {
		(void)virtio_transport_interrupt_take(serial->device.transport);
	}
}
