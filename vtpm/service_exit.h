// SPDX-License-Identifier: MIT
/* How vtpmd ends, agreed between it and the kernel: its exit codes, what each means as a status,
 * and whether another start could help. */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"
#include "base/status.h"

enum service_exit {
	SERVICE_EXIT_ORDERLY = 0,        /* End of input on fd 0. */
	SERVICE_EXIT_USAGE = 2,          /* An argument that it does not know. */
	SERVICE_EXIT_NO_ENTROPY = 3,     /* getrandom(2) gives nothing, now or later. */
	SERVICE_EXIT_STATE_IO = 4,       /* The stored state cannot be read. */
	SERVICE_EXIT_STATE_AUTH = 5,     /* The stored state does not authenticate (EBADMSG). */
	SERVICE_EXIT_STATE_REJECTED = 6, /* Authentic, but libtpms does not accept its content. */
	SERVICE_EXIT_MANUFACTURE = 7,    /* No state yet, and the new one could not be made. */
	SERVICE_EXIT_STORE = 8,    /* The store does not accept writes, found while starting. */
	SERVICE_EXIT_START = 9,    /* TPM2_Startup or the capping of PCRs failed. */
	SERVICE_EXIT_PORT = 10,    /* fd 0 or fd 1 failed. */
	SERVICE_EXIT_LIBRARY = 11, /* libtpms gave no response to a command. */
};

/* The status that names `code`; STATUS_FAULTED for ORDERLY (the kernel did not ask it to end), for
 * LIBRARY and for a code that is not in the list. */
enum status service_exit_status(int code);

/* False if the same thing would happen again, or must not be tried again: a state that fails
 * authentication is a finding to report, not a crash to recover from. */
bool service_exit_may_restart(int code);
