// SPDX-License-Identifier: MIT
/* The control messages of a virtio-console: any bytes of each length, for a device that claims any
 * number of ports, in every state of its ports. The queues hand over what virtio/virtq.h promises.
 */
#include "tests/proofs/eva/entry.h"
#include "virtio/virtio_serial_internal.h"

#define SLOT_BYTES   256u /* Of the driver's buffers: the queue checks lengths against it. */
#define HEADER_BYTES 8u

static struct virtio_serial serial;
static uint8_t message[SLOT_BYTES]; /* Only its size counts. */
static size_t message_bytes;

enum status virtq_used_poll(struct virtq *queue, struct virtq_token *token, uint32_t *written_bytes)
{
	(void)queue;
	if (any_bool()) {
		return any_bool() ? STATUS_AGAIN : STATUS_BAD_HOST;
	}
	token->head = (uint16_t)any_up_to(VIRTIO_SERIAL_CONTROL_QUEUE_SIZE - 1);
	*written_bytes = (uint32_t)message_bytes;
	return STATUS_OK;
}

enum status virtq_chain_submit(struct virtq *queue, const struct virtq_segment *segments,
			       uint16_t segment_count, struct virtq_token *token)
{
	(void)queue, (void)segments, (void)segment_count;
	if (any_bool()) {
		return STATUS_BAD_HOST;
	}
	token->head = (uint16_t)any_up_to(VIRTIO_SERIAL_CONTROL_QUEUE_SIZE - 1);
	return STATUS_OK;
}

void virtq_kick(struct virtq *queue)
{
	(void)queue;
}

void virtq_kick_always(struct virtq *queue)
{
	(void)queue;
}

bool virtq_is_poisoned(const struct virtq *queue)
{
	(void)queue;
	return any_bool();
}

struct shared_addr shared_region_addr(const struct shared_region *region, size_t offset_bytes,
				      size_t size_bytes)
{
	const struct shared_addr at = {any_u64()};
	(void)region, (void)offset_bytes, (void)size_bytes;
	//@ assert in_the_page: offset_bytes + size_bytes <= 4096;
	return at;
}

/* All of the private copy is set: that what lies behind a message stays unread is not shown here.
 */
void shared_copy_in(uint8_t *to, const struct shared_region *from, size_t offset_bytes,
		    size_t size_bytes)
{
	(void)from, (void)offset_bytes;
	//@ assert in_the_page: offset_bytes + size_bytes <= 4096;
	//@ assert in_the_copy: size_bytes <= SLOT_BYTES;
	any_bytes(to, SLOT_BYTES);
}

void shared_copy_out(const struct shared_region *to, size_t offset_bytes, const uint8_t *from,
		     size_t size_bytes)
{
	(void)to, (void)offset_bytes, (void)from, (void)size_bytes;
	//@ assert in_the_page: offset_bytes + size_bytes <= 4096;
	//@ assert bytes_are_there: \valid_read(from + (0 .. size_bytes - 1));
}

void shared_zero(const struct shared_region *region, size_t offset_bytes, size_t size_bytes)
{
	(void)region, (void)offset_bytes, (void)size_bytes;
	//@ assert in_the_page: offset_bytes + size_bytes <= 4096;
}

struct deadline clock_deadline_after(const struct clock *clock, uint64_t timeout_us)
{
	const struct deadline deadline = {any_u64()};
	(void)clock, (void)timeout_us;
	return deadline;
}

bool clock_deadline_passed(const struct clock *clock, struct deadline deadline)
{
	(void)clock, (void)deadline;
	return any_bool();
}

void log_write(enum log_level level, const char *subsystem, const char *format, ...)
{
	(void)level, (void)subsystem, (void)format;
}

static void relax(void *context)
{
	(void)context;
}

static void any_slots(void)
{
	for (uint32_t i = 0; i < VIRTIO_SERIAL_CONTROL_QUEUE_SIZE; i++) {
		serial.control_receive_slot_of[i] =
			(uint8_t)any_up_to(VIRTIO_SERIAL_CONTROL_QUEUE_SIZE - 1);
		serial.control_transmit_slot_of[i] =
			(uint8_t)any_up_to(VIRTIO_SERIAL_CONTROL_QUEUE_SIZE - 1);
		serial.control_transmit_slot_busy[i] = any_bool();
	}
}

static void any_ports(void)
{
	for (uint32_t i = 0; i < VIRTIO_SERIAL_PORTS_MAX; i++) {
		struct virtio_serial_port *port = &serial.ports[i];
		ANYTHING(port->name);
		port->present = any_bool();
		port->host_open = any_bool();
		port->generation = any_up_to(UINT32_MAX);
	}
}

static void poll(size_t size)
{
	bool drained = false;
	message_bytes = size;
	serial.device_port_count = any_up_to(UINT32_MAX);
	serial.port_count = any_up_to(VIRTIO_SERIAL_PORTS_MAX);
	any_slots();
	any_ports();
	(void)serial_control_poll(&serial, &drained);
}

int main(void)
{
	static const struct clock clock = {.relax = relax};
	serial.device.clock = &clock;
	serial.control_receive.size = VIRTIO_SERIAL_CONTROL_QUEUE_SIZE;
	serial.control_transmit.size = VIRTIO_SERIAL_CONTROL_QUEUE_SIZE;
	(void)serial_control_start(&serial);
	EACH_LENGTH(poll, HEADER_BYTES, message);
	return 0;
}
