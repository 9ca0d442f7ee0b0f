// SPDX-License-Identifier: MIT
/* Whose bytes are these?
 *
 * virtio-serial has no order between data and the news that one client left and another connected.
 * Bytes that arrive around such a change may belong to either client (virtio_serial_read). If the
 * earlier client's were taken for the later one's, it would get the answer to a command that it
 * never sent; if the later one's were dropped, it would wait for ever. The content decides: every
 * client starts with a TPM command header.
 *
 * While it waits for a command the reader asks for one byte, so the doubtful part is as a rule the
 * first byte, 0x80, of either client. It is held until the next byte comes, whose owner is known:
 * if that one starts a command, the held byte was of the client that left.
 *
 * PURE. A client that leaves in the middle of a command, after sending something that looks like a
 * whole other one, can still have that answered to its successor. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vtpm/frame.h"

enum doubt_verdict {
	DOUBT_DROP,   /* Not how a command starts: of the client that left. */
	DOUBT_HOLD,   /* It may be the start of a command: keep it, ask for more. */
	DOUBT_ACCEPT, /* A whole command. */
};

/* Judge doubtful bytes, at least one, that came while no command was in progress. */
enum doubt_verdict doubt_judge(const uint8_t *bytes, size_t size_bytes);

/* `next`, at least one byte that is not doubtful, came after bytes that are held. True: it starts a
 * command, so what is held was of the client that left. False: it goes on where they end. */
bool doubt_refuted(const uint8_t *next, size_t size_bytes);
