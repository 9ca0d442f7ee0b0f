// SPDX-License-Identifier: MIT
/* Where a socket is: "unix:PATH", or "tcp:PORT" on this machine. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define ADDRESS_PATH_BYTES 108u /* sun_path. */

struct address {
	bool is_tcp;
	uint16_t port;
	char path[ADDRESS_PATH_BYTES];
};

/* STATUS_INVALID: neither form, a port that is none, or a path that does not fit. */
MUST_CHECK
enum status address_parse(const char *text, struct address *address);

/* The second socket of a protocol that has two: the next port, or PATH with `suffix` behind it. */
MUST_CHECK
enum status address_second(const struct address *first, const char *suffix, struct address *second);

/* Listen there. Nobody but this user reaches a UNIX socket, nobody but this machine a port. A UNIX
 * socket that nobody listens to any more is replaced. STATUS_BUSY: somebody does. STATUS_IO. */
MUST_CHECK
enum status address_listen(const struct address *address, int *fd);

/* Remove what address_listen() made, but for the descriptor. */
void address_unlink(const struct address *address);

/* STATUS_NO_DEVICE: nobody listens there. STATUS_INVALID: the path is too long. STATUS_IO. */
MUST_CHECK
enum status address_connect_unix(const char *path, int *fd);
