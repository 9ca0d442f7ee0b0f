// SPDX-License-Identifier: MIT
/* Where a volume keeps its TPM: the object that vtpmd stores its permanent state in. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/holdfast/options.h"
#include "tools/holdfast/session.h"

/* user/vtpmd/nv.c gives it this name. */
#define TPM_OBJECT_NAME "vtpm0.permall"

/* Store a TPM's state in the image that the options name: one durable transaction. STATUS_EXISTS:
 * the volume has a TPM, and --force is not given. STATUS_UNSUPPORTED: a volume of the block profile
 * has none. */
MUST_CHECK
enum status tpm_object_store(const struct options *options, const uint8_t *state,
			     size_t state_bytes, struct report *report);

/* Read it; erase and free `*state` afterwards. STATUS_NOT_FOUND: there is no TPM yet. */
MUST_CHECK
enum status tpm_object_load(const struct options *options, uint8_t **state, size_t *state_bytes,
			    struct report *report);
