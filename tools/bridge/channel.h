// SPDX-License-Identifier: MIT
/* A stream socket with a bounded buffer in each direction. Nothing here ever blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

/* The largest message of any protocol that is spoken here, twice over. */
#define CHANNEL_BYTES 8704u

struct channel {
	int fd; /* -1: closed. */
	uint8_t received[CHANNEL_BYTES];
	size_t received_bytes;
	uint8_t unsent[CHANNEL_BYTES];
	size_t unsent_bytes;
	int passed_fd; /* Came with the bytes (SCM_RIGHTS), for the owner to take; -1: none. */
};

/* Takes `fd` over, and makes it non-blocking. */
void channel_open(struct channel *channel, int fd);

/* Close what is open and erase what is held. */
void channel_close(struct channel *channel);

/* Take in what has arrived. STATUS_AGAIN: nothing. STATUS_NO_DEVICE: the other end is gone.
 * STATUS_TOO_LARGE: the buffer is full. */
MUST_CHECK
enum status channel_receive(struct channel *channel);

/* Forget the first `size_bytes` of what was received. */
void channel_consume(struct channel *channel, size_t size_bytes);

/* Queue bytes and send what can be sent now. STATUS_TOO_LARGE: no room, nothing was queued.
 * STATUS_NO_DEVICE: the other end is gone. */
MUST_CHECK
enum status channel_send(struct channel *channel, const uint8_t *bytes, size_t size_bytes);

/* Go on sending. */
MUST_CHECK
enum status channel_flush(struct channel *channel);

/* For poll(2): what the channel waits for. */
short channel_events(const struct channel *channel);
