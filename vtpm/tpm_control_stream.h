// SPDX-License-Identifier: MIT
/* The byte stream of a control port, cut into messages.
 *
 * A message starts with a header (vtpm/tpm_control.h) that says how long it is. A stream in which
 * no header is where one should be is out of step for good: the asker is told once and has to
 * connect again.
 *
 * As with a TPM's commands (vtpm/doubt.h) the first bytes behind a change of the port's client may
 * be its predecessor's. They are held; a byte that is the client's own settles whose they were:
 * if it starts a message, what is held was somebody else's.
 *
 * PURE. The caller owns the storage. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vtpm/tpm_control.h"

enum tpm_control_event {
	TPM_CONTROL_NEED_MORE,
	TPM_CONTROL_MESSAGE, /* `bytes` holds one; tpm_control_stream_release() when done. */
	TPM_CONTROL_OUT_OF_STEP,
};

struct tpm_control_stream {
	uint8_t bytes[TPM_CONTROL_MESSAGE_BYTES_MAX];
	size_t used_bytes;
	bool doubtful; /* All that is held may be another client's. */
	bool lost;     /* Out of step, until the next reset. */
	uint16_t magic;
};

/* `magic`: of the messages that are to come. */
void tpm_control_stream_init(struct tpm_control_stream *stream, uint16_t magic);

/* Another client: what the last one began is forgotten. */
void tpm_control_stream_reset(struct tpm_control_stream *stream);

/* How many bytes may be asked for: one between messages, then no more than the message has left.
 * 0 while a message is held or the stream is out of step. */
size_t tpm_control_stream_wanted(const struct tpm_control_stream *stream);

/* Take `size_bytes`, at most tpm_control_stream_wanted() if they are not doubtful. Doubtful bytes
 * that are no message's beginning are dropped without a word. */
enum tpm_control_event tpm_control_stream_feed(struct tpm_control_stream *stream,
					       const uint8_t *bytes, size_t size_bytes,
					       bool doubtful);

/* Size of the message that is held; 0: none is. */
size_t tpm_control_stream_message(const struct tpm_control_stream *stream);

/* The message has been answered: erase it. */
void tpm_control_stream_release(struct tpm_control_stream *stream);
