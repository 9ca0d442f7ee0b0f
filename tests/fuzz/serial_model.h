// SPDX-License-Identifier: MIT
/* An honest virtio-console device with QEMU's manners, and clients at its ports.
 *
 * What a client sends says who it is and how much it has sent; what the driver's user writes is
 * numbered as well. So a lost, doubled or misplaced byte shows at once, in both directions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/hostile.h"

#define SERIAL_MODEL_PORTS    3u
#define SERIAL_MODEL_MESSAGES 64u
#define SERIAL_MODEL_MESSAGE  96u
/* First byte of each write; the others count below it. */
#define SERIAL_MODEL_START 0xf0u

struct serial_model_port {
	bool exists;
	bool ready_seen;
	bool host_open;
	bool guest_open;
	bool stalled;     /* The client does not read. */
	bool has_stalled; /* Ever: what it left untaken may be on the way for longer. */
	uint8_t client;
	uint32_t unsent;      /* Bytes that the client has sent and the driver has not got. */
	uint8_t sent_counter; /* Of this client's next byte. */
	bool receives;        /* A byte came since the client opened: `expected` is right. */
	uint8_t expected;     /* The next byte from the driver, unless a write starts. */
	uint32_t promised;    /* Bytes of writes that returned OK to this client. */
	uint32_t received;
	bool promise_broken; /* A write failed, or the client changed: no sum to compare. */
};

struct serial_model {
	const char *const *names;
	struct serial_model_port ports[SERIAL_MODEL_PORTS];
	size_t message_first;
	size_t message_count;
	/* Last: of these, message_count count, and the others are not cleared for a new input. */
	uint8_t messages[SERIAL_MODEL_MESSAGES][SERIAL_MODEL_MESSAGE];
	size_t message_sizes[SERIAL_MODEL_MESSAGES];
};

extern struct serial_model serial_model;

void serial_model_init(const char *const names[SERIAL_MODEL_PORTS]);
/* The driver starts anew: what was on the way is gone. */
void serial_model_reset(void);
bool serial_model_serve(const struct hostile_chain *chain, uint32_t *written_bytes);
void serial_model_message(const uint8_t *bytes, size_t size);
void serial_model_client_open(uint32_t port);
void serial_model_client_close(uint32_t port);
void serial_model_client_send(uint32_t port, uint32_t size);
void serial_model_port_toggle(uint32_t port);

/* The driver's user, reading one port. */
struct serial_reader {
	bool started;
	bool resync; /* Bytes were dropped at the user's own wish. */
	uint8_t client;
	uint8_t counter;
};

/* Each client's bytes come in order, without a gap, from the first one on. */
void serial_reader_check(struct serial_reader *reader, const uint8_t *bytes, size_t size);
