// SPDX-License-Identifier: MIT
/* The file in which swtpm keeps a TPM 2.0's permanent state: DIR/tpm2-00.permall.
 *
 *   version:u8 min_version:u8 header_size:be16 flags:be16 total_size:be32      10 bytes
 *   version 2: entries of tag:be16 size:be32 and `size` bytes; tag 1 is the state in plain
 *   version 1: the state itself
 *
 * `flags` says whether the state is encrypted with a key of swtpm's, or wrapped for a migration;
 * such files are refused, for the key is swtpm's affair. PURE. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define SWTPM_STATE_FILE "tpm2-00.permall"
/* What encoding adds. */
#define SWTPM_STATE_HEADER_BYTES 16u

/* Find the state in a file's content; borrowed. STATUS_INVALID: not such a file, or damaged.
 * STATUS_NEWER_FORMAT: it needs a later version of the format. STATUS_UNSUPPORTED: encrypted, or
 * wrapped for a migration. */
MUST_CHECK
enum status swtpm_state_decode(const uint8_t *bytes, size_t size_bytes, const uint8_t **state,
			       size_t *state_bytes);

/* Write the header and the entry's head that come before a state of this size (less than 4 GiB). */
void swtpm_state_header(uint8_t out[SWTPM_STATE_HEADER_BYTES], size_t state_bytes);
