// SPDX-License-Identifier: MIT
/* Where a volume keeps its TPMs: the objects that vtpmd stores their permanent state in
 * (vtpm/instance.h). The options say which one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/holdfast/options.h"
#include "tools/holdfast/session.h"

/* Store a TPM's state in the image that the options name: one durable transaction. STATUS_EXISTS:
 * the volume has that TPM, and --force is not given. STATUS_UNSUPPORTED: a volume of the block
 * profile has none. */
MUST_CHECK
enum status tpm_object_store(const struct options *options, const uint8_t *state,
			     size_t state_bytes, struct report *report);

/* Read it; erase and free `*state` afterwards. STATUS_NOT_FOUND: there is no TPM yet. */
MUST_CHECK
enum status tpm_object_load(const struct options *options, uint8_t **state, size_t *state_bytes,
			    struct report *report);

/* Remove it, with all its keys. STATUS_NOT_FOUND: there is no such TPM. */
MUST_CHECK
enum status tpm_object_remove(const struct options *options, struct report *report);

/* Bit N: the volume has a TPM N. */
MUST_CHECK
enum status tpm_object_list(const struct options *options, uint32_t *found, struct report *report);
