// SPDX-License-Identifier: MIT
#include "tests/fuzz/serial_model.h"

#include <string.h>

#include "base/bytes.h"

#define EVENT_DEVICE_READY 0u
#define EVENT_ADD          1u
#define EVENT_REMOVE       2u
#define EVENT_READY        3u
#define EVENT_OPEN         6u
#define EVENT_NAME         7u
#define UNSENT_MAX         20000u
#define CLIENT_SHIFT       5u
#define COUNTER_MASK       31u

struct serial_model serial_model;

void serial_model_init(const char *const names[SERIAL_MODEL_PORTS])
{
	memset(&serial_model, 0, offsetof(struct serial_model, messages));
	serial_model.names = names;
	for (size_t i = 0; i < SERIAL_MODEL_PORTS; i++) {
		serial_model.ports[i].exists = names[i][0] != '\0';
	}
}

void serial_model_reset(void)
{
	serial_model.message_count = 0;
	for (size_t i = 0; i < SERIAL_MODEL_PORTS; i++) {
		struct serial_model_port *port = &serial_model.ports[i];
		port->ready_seen = false;
		port->guest_open = false;
		port->receives = false;
		port->promise_broken = true;
	}
}

void serial_model_message(const uint8_t *bytes, size_t size)
{
	struct serial_model *model = &serial_model;
	if (model->message_count == SERIAL_MODEL_MESSAGES) {
		hostile.lied = true; /* QEMU would drop it as well; nothing can be said then. */
		return;
	}
	const size_t at = (model->message_first + model->message_count) % SERIAL_MODEL_MESSAGES;
	memcpy(model->messages[at], bytes, size);
	model->message_sizes[at] = size;
	model->message_count++;
}

static void event_send(uint32_t port, uint16_t event, uint16_t value)
{
	uint8_t bytes[SERIAL_MODEL_MESSAGE] = {0};
	size_t size = 8;
	bytes_store_le32(bytes, port);
	bytes_store_le16(bytes + 4, event);
	bytes_store_le16(bytes + 6, value);
	if (event == EVENT_NAME) {
		const size_t length = strlen(serial_model.names[port]) + 1;
		memcpy(bytes + 8, serial_model.names[port], length);
		size += length;
	}
	serial_model_message(bytes, size);
}

static void control_handle(const uint8_t bytes[8])
{
	const uint32_t number = bytes_load_le32(bytes);
	const uint16_t event = bytes_load_le16(bytes + 4);
	const uint16_t value = bytes_load_le16(bytes + 6);
	if (event == EVENT_DEVICE_READY) {
		for (uint32_t i = 0; i < SERIAL_MODEL_PORTS; i++) {
			if (serial_model.ports[i].exists) {
				event_send(i, EVENT_ADD, 1);
			}
		}
		return;
	}
	if (number >= SERIAL_MODEL_PORTS) {
		FUZZ_REQUIRE(hostile.lied); /* Nothing was said of such a port. */
		return;
	}
	struct serial_model_port *port = &serial_model.ports[number];
	if (event == EVENT_READY && value == 1) {
		port->ready_seen = true;
		event_send(number, EVENT_NAME, 1);
		if (port->host_open) {
			event_send(number, EVENT_OPEN, 1);
		}
	} else if (event == EVENT_OPEN) {
		port->guest_open = value == 1;
	}
}

static bool control_deliver(const struct hostile_chain *chain, uint32_t *written_bytes)
{
	struct serial_model *model = &serial_model;
	if (model->message_count == 0) {
		return false;
	}
	const size_t at = model->message_first;
	*written_bytes =
		(uint32_t)hostile_scatter(chain, model->messages[at], model->message_sizes[at]);
	model->message_first = (at + 1) % SERIAL_MODEL_MESSAGES;
	model->message_count--;
	return true;
}

static bool data_deliver(struct serial_model_port *port, const struct hostile_chain *chain,
			 uint32_t *written_bytes)
{
	uint8_t bytes[1024];
	if (port->unsent == 0 || !port->guest_open) {
		return false;
	}
	size_t count = port->unsent < sizeof(bytes) ? port->unsent : sizeof(bytes);
	for (size_t i = 0; i < count; i++) {
		const size_t counter = (port->sent_counter + i) & COUNTER_MASK;
		bytes[i] = (uint8_t)((size_t)port->client << CLIENT_SHIFT | counter);
	}
	count = hostile_scatter(chain, bytes, count);
	port->sent_counter = (uint8_t)(port->sent_counter + count);
	port->unsent -= (uint32_t)count;
	*written_bytes = (uint32_t)count;
	return true;
}

static void received_check(struct serial_model_port *port, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		const bool starts = bytes[i] == SERIAL_MODEL_START;
		FUZZ_REQUIRE(starts || !port->receives || bytes[i] == port->expected ||
			     hostile.lied);
		port->receives = true;
		port->expected = (uint8_t)(starts ? 0 : (bytes[i] + 1u) % SERIAL_MODEL_START);
	}
	port->received += (uint32_t)size;
}

static bool data_accept(struct serial_model_port *port, const struct hostile_chain *chain)
{
	static uint8_t bytes[8192];
	if (port->host_open && port->stalled) {
		return false;
	}
	const size_t size = hostile_gather(chain, bytes, sizeof(bytes));
	if (port->host_open) {
		received_check(port, bytes, size);
	} else {
		port->promise_broken = true; /* It goes nowhere. */
	}
	return true;
}

/* A stream is taken in the order in which it was queued. */
static bool is_oldest(const struct hostile_chain *chain)
{
	for (size_t i = 0; i < hostile.pending_count; i++) {
		const struct hostile_chain *pending = hostile_pending(i);
		if (pending->queue_index == chain->queue_index) {
			return pending->head == chain->head;
		}
	}
	return true;
}

bool serial_model_serve(const struct hostile_chain *chain, uint32_t *written_bytes)
{
	const uint16_t queue = chain->queue_index;
	uint8_t message[8];
	*written_bytes = 0;
	if (queue == 2) {
		return control_deliver(chain, written_bytes);
	}
	if (queue % 2 == 1 && !is_oldest(chain)) {
		return false;
	}
	if (queue == 3) {
		const size_t size = hostile_gather(chain, message, sizeof(message));
		FUZZ_REQUIRE(size == sizeof(message) || hostile.lied);
		if (size == sizeof(message)) {
			control_handle(message);
		}
		return true;
	}
	const uint32_t number = queue < 2 ? 0 : (uint32_t)(queue - 2) / 2;
	if (number >= SERIAL_MODEL_PORTS) {
		return false; /* The device claimed more ports than there are. */
	}
	struct serial_model_port *port = &serial_model.ports[number];
	return queue % 2 == 0 ? data_deliver(port, chain, written_bytes) : data_accept(port, chain);
}

/* ---- Clients ----------------------------------------------------------------------------------
 */

void serial_model_client_open(uint32_t number)
{
	struct serial_model_port *port = &serial_model.ports[number];
	if (port->host_open || !port->exists) {
		return;
	}
	port->host_open = true;
	port->client = (uint8_t)((port->client + 1u) % 8u);
	port->sent_counter = 0;
	port->receives = false;
	port->promise_broken = true;
	if (port->ready_seen) {
		event_send(number, EVENT_OPEN, 1);
	}
}

void serial_model_client_close(uint32_t number)
{
	struct serial_model_port *port = &serial_model.ports[number];
	if (!port->host_open) {
		return;
	}
	port->host_open = false;
	port->unsent = 0;
	port->promise_broken = true;
	if (port->ready_seen) {
		event_send(number, EVENT_OPEN, 0);
	}
}

void serial_model_client_send(uint32_t number, uint32_t size)
{
	struct serial_model_port *port = &serial_model.ports[number];
	if (port->host_open && port->unsent + size <= UNSENT_MAX) {
		port->unsent += size;
	}
}

void serial_model_port_toggle(uint32_t number)
{
	struct serial_model_port *port = &serial_model.ports[number];
	if (serial_model.names[number][0] == '\0') {
		return;
	}
	if (port->exists) {
		serial_model_client_close(number);
		event_send(number, EVENT_REMOVE, 1);
	} else {
		event_send(number, EVENT_ADD, 1);
	}
	port->exists = !port->exists;
	port->ready_seen = false;
	port->guest_open = false;
	port->promise_broken = true;
}

void serial_reader_check(struct serial_reader *reader, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		const uint8_t client = bytes[i] >> CLIENT_SHIFT;
		const uint8_t counter = bytes[i] & COUNTER_MASK;
		const bool is_same = reader->started && client == reader->client;
		const uint8_t expected =
			is_same ? (uint8_t)((reader->counter + 1u) & COUNTER_MASK) : 0;
		FUZZ_REQUIRE(reader->resync || counter == expected);
		reader->started = true;
		reader->resync = false;
		reader->client = client;
		reader->counter = counter;
	}
}
