// SPDX-License-Identifier: MIT
/* The TPM's non-volatile state: libtpms' NVRAM callbacks over files of the store.
 *
 * Two promises:
 *  - storedata returns success only after fsync(2) did, so no response leaves before what it
 *    acknowledges is durable; and
 *  - libtpms hears "there is no state" (TPM_RETRY, upon which it makes a new TPM and destroys the
 *    identity of the old one) only when open(2) said ENOENT, which the store gives only for an
 *    object that is authentically absent. Every other failure is TPM_FAIL.
 *
 * Volatile state is never kept: a start is always a TPM Reset. libtpms' callbacks carry no context,
 * so the state of this file is static; there is one TPM in a process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* What happened to the permanent state so far. */
enum nv_outcome {
	NV_NOT_ASKED,
	NV_LOADED,
	NV_ABSENT,     /* Authentically; the only outcome that allows to manufacture. */
	NV_UNREADABLE, /* I/O or a limit; nv_errno() says which. */
	NV_REFUSED,    /* Does not authenticate. */
};

/* `directory` ends in '/'; `instance` is the TPM's number. Ephemeral: nothing is read or written,
 * the state lives in this process' memory. */
MUST_CHECK
bool nv_install(const char *directory, uint32_t instance, bool ephemeral);

enum nv_outcome nv_outcome(void);
bool nv_is_ephemeral(void);

/* After NV_ABSENT everything that libtpms stores is held in memory. This makes it durable, as one
 * transaction: a crash before leaves no TPM at all, never half of one. False: it is not stored. */
MUST_CHECK
bool nv_keep_manufactured(void);

/* Store the permanent state now, as libtpms' own stores do. False: it is not stored. */
MUST_CHECK
bool nv_store_now(void);

/* True once a store failed. libtpms is then in failure mode until the process ends. */
bool nv_store_failed(void);

/* The errno of the first failure; 0 if there was none. */
int nv_errno(void);
